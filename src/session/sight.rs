//! What a session has changed of how it sees the tables, as far as its texts say.

use std::sync::Arc;

use crate::catalog::{Catalog, Sight};
use crate::roster::Entry;
use crate::sql::Schema;
use crate::sql::lookup::{Lookup, Path};

/// What one session has changed. Nothing of it is ever taken back: a rollback is not followed, and less is known for it.
#[derive(Debug, Default)]
pub struct Own {
    path: Path,
    /// Tables of which it may have a temporary one.
    temporary: Vec<Box<str>>,
    /// Tables that its transaction makes, drops, empties or renames.
    remade: Vec<Box<str>>,
}

impl Own {
    /// Takes in a text that goes to the server; true where the session sees the tables differently from now on.
    pub fn take_in(&mut self, lookup: &Lookup) -> bool {
        let path = lookup.path == Path::Changed && self.path == Path::Kept;
        if path {
            self.path = Path::Changed;
        }
        let known = self.temporary.len();
        for name in &lookup.temporary {
            if known < TEMPORARY_MAX && !self.temporary.contains(name) {
                self.temporary.push(name.clone());
            }
        }
        path || self.temporary.len() != known
    }

    /// A text goes to the server.
    pub fn sent(&mut self, lookup: &Lookup) {
        let room = REMADE_MAX.saturating_sub(self.remade.len());
        self.remade.extend(lookup.remade.iter().take(room).cloned());
    }

    /// The server has completed something. Told at each step of a transaction: it sees its own tables at once, and others do when it is
    /// committed.
    pub fn completed(&self, catalog: &Catalog, who: &Entry) {
        if !self.remade.is_empty() {
            catalog.doubt(&who.identity.database, &self.remade);
        }
    }

    /// No transaction is open any more.
    pub fn settled(&mut self) {
        if !self.remade.is_empty() {
            self.remade = Vec::new();
        }
    }

    /// The session began with a path of its own.
    pub fn path_changed(&mut self) {
        self.path = Path::Changed;
    }

    /// The tables as the session sees them; `None` where nothing is known yet.
    pub fn schema(&self, catalog: &Catalog, who: &Entry) -> Option<Arc<Schema>> {
        let sight = match self.path {
            Path::Kept => Sight::Role(&who.identity.user),
            Path::Changed => Sight::Changed,
        };
        let schema = catalog.schema(&who.identity.database, sight)?;
        Some(if self.temporary.is_empty() { schema } else { Arc::new(schema.hiding(&self.temporary)) })
    }
}

/// Names of tables that are kept of one transaction.
const REMADE_MAX: usize = 64;
/// Names of temporary tables that are kept for one session, and some more of the last text.
const TEMPORARY_MAX: usize = 64;

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
    /// Boxed, since few sessions have any.
    tables: Option<Box<Tables>>,
}

#[derive(Debug, Default)]
struct Tables {
    /// Of which it may have a temporary one.
    temporary: Vec<Box<str>>,
    /// Those that its transaction makes, drops, empties or renames.
    remade: Vec<Box<str>>,
}

impl Own {
    /// Takes in a text that goes to the server; true where the session sees the tables differently from now on.
    pub fn take_in(&mut self, lookup: &Lookup) -> bool {
        let path = lookup.path == Path::Changed && self.path == Path::Kept;
        if path {
            self.path = Path::Changed;
        }
        let known = self.temporary().len();
        for name in &lookup.temporary {
            if known < TEMPORARY_MAX && !self.temporary().contains(name) {
                self.tables.get_or_insert_default().temporary.push(name.clone());
            }
        }
        path || self.temporary().len() != known
    }

    fn temporary(&self) -> &[Box<str>] {
        self.tables.as_ref().map_or(&[], |tables| &tables.temporary)
    }

    /// A text goes to the server.
    pub fn sent(&mut self, lookup: &Lookup) {
        if lookup.remade.is_empty() {
            return;
        }
        let remade = &mut self.tables.get_or_insert_default().remade;
        let room = REMADE_MAX.saturating_sub(remade.len());
        remade.extend(lookup.remade.iter().take(room).cloned());
    }

    /// The server has completed something. Told at each step of a transaction: it sees its own tables at once, and others do when it is
    /// committed.
    pub fn completed(&self, catalog: &Catalog, who: &Entry) {
        if let Some(tables) = self.tables.as_ref().filter(|tables| !tables.remade.is_empty()) {
            catalog.doubt(&who.identity.database, &tables.remade);
        }
    }

    /// No transaction is open any more.
    pub fn settled(&mut self) {
        if let Some(tables) = &mut self.tables {
            tables.remade = Vec::new();
            self.tables.take_if(|tables| tables.temporary.is_empty());
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
        Some(if self.temporary().is_empty() { schema } else { Arc::new(schema.hiding(self.temporary())) })
    }
}

/// Names of tables that are kept of one transaction.
const REMADE_MAX: usize = 64;
/// Names of temporary tables that are kept for one session, and some more of the last text.
const TEMPORARY_MAX: usize = 64;

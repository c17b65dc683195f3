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

/// Names of temporary tables that are kept for one session, and some more of the last text.
const TEMPORARY_MAX: usize = 64;

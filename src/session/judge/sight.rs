//! What a session has changed of how it sees the tables, as far as its texts say.

use std::sync::Arc;

use crate::catalog::Sight;
use crate::roster::Entry;
use crate::session::house::House;
use crate::sql::Schema;
use crate::sql::lookup::{Lookup, Path};

/// What one session has changed. Nothing of it is ever taken back: a rollback is not followed, and less is known for it.
#[derive(Debug, Default)]
pub struct Own {
    /// Whether it may have changed its path, or its role.
    path: Path,
    /// A text that may change the path is under way: what the server said of it before holds no more.
    doubt: Doubt,
    /// Boxed, since few sessions have any.
    tables: Option<Box<Tables>>,
}

#[derive(Debug, Default)]
struct Tables {
    /// The path as the server last reported it, where it does: PostgreSQL from version 18 on, whenever it has changed.
    path: Option<Box<str>>,
    /// Of which it may have a temporary one.
    temporary: Vec<Box<str>>,
    /// Those that its transaction makes, drops, empties or renames.
    remade: Vec<Box<str>>,
}

/// Whether what the server reported still holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Doubt {
    #[default]
    None,
    /// The server has yet to answer.
    UnderWay,
}

impl Own {
    /// Takes in a text that goes to the server; true where the session sees the tables differently from now on.
    pub fn take_in(&mut self, lookup: &Lookup) -> bool {
        let path = lookup.path == Path::Changed && (self.path == Path::Kept || self.doubt == Doubt::None);
        if path {
            self.path = Path::Changed;
            self.doubt = Doubt::UnderWay;
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
    pub fn completed(&self, house: &House, who: &Entry) {
        if let Some(tables) = self.tables.as_ref().filter(|tables| !tables.remade.is_empty()) {
            house.catalog.doubt(house.settings.load().at_server(who), &tables.remade);
        }
    }

    /// No transaction is open any more.
    pub fn settled(&mut self) {
        if let Some(tables) = &mut self.tables {
            tables.remade = Vec::new();
            self.tables.take_if(|tables| tables.temporary.is_empty() && tables.path.is_none());
        }
    }

    /// The session began with a path of its own, or has one that nobody can read.
    pub fn path_changed(&mut self) {
        self.path = Path::Changed;
        if let Some(tables) = &mut self.tables {
            tables.path = None;
        }
    }

    /// The server reports the path.
    pub fn path_is(&mut self, path: Box<str>) {
        self.tables.get_or_insert_default().path = Some(path);
    }

    fn reported(&self) -> Option<&str> {
        self.tables.as_ref()?.path.as_deref()
    }

    /// The server has answered everything, and reported what has changed before that. True where the session sees the tables differently now.
    pub fn answered(&mut self) -> bool {
        std::mem::take(&mut self.doubt) == Doubt::UnderWay && self.reported().is_some()
    }

    /// The tables as the session sees them; `None` where nothing is known yet.
    pub fn schema(&self, house: &House, who: &Entry) -> Option<Arc<Schema>> {
        if !house.catalog.is_monitored() {
            return None;
        }
        let schema = house.catalog.schema(house.settings.load().at_server(who), self.sight(who.identity.role()))?;
        Some(if self.temporary().is_empty() { schema } else { Arc::new(schema.hiding(self.temporary())) })
    }

    /// How a session of this role sees the tables.
    fn sight<'a>(&'a self, role: &'a str) -> Sight<'a> {
        match (self.path, self.reported()) {
            (Path::Kept, None) => Sight::Role(role),
            (Path::Kept, Some(path)) => Sight::Path(path, role),
            // Whose name `$user` is nobody knows any more.
            (Path::Changed, Some(path)) if self.doubt == Doubt::None && !path.contains("$user") => {
                Sight::Path(path, role)
            }
            (Path::Changed, _) => Sight::Changed,
        }
    }
}

/// Names of tables that are kept of one transaction.
const REMADE_MAX: usize = 64;
/// Names of temporary tables that are kept for one session, and some more of the last text.
const TEMPORARY_MAX: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    const USER: &str = "\"$user\", public";

    fn changing() -> Lookup {
        Lookup { path: Path::Changed, ..Lookup::default() }
    }

    #[test]
    fn without_a_report_a_path_that_may_have_changed_stays_unknown() {
        let mut own = Own::default();
        assert_eq!(own.sight("app"), Sight::Role("app"));
        assert!(own.take_in(&changing()));
        assert!(!own.answered());
        assert_eq!(own.sight("app"), Sight::Changed);
    }

    #[test]
    fn what_the_server_reports_holds_once_it_has_answered() {
        let mut own = Own::default();
        own.path_is(USER.into());
        assert_eq!(own.sight("app"), Sight::Path(USER, "app"));
        assert!(!own.take_in(&Lookup::default()) && !own.answered());
        for path in ["small, public", "big"] {
            assert!(
                own.take_in(&changing()),
                "what stands behind it in the same text is judged by what it may have become"
            );
            assert_eq!(own.sight("app"), Sight::Changed);
            own.path_is(path.into());
            assert_eq!(own.sight("app"), Sight::Changed, "more may be on its way");
            assert!(own.answered());
            assert_eq!(own.sight("app"), Sight::Path(path, "app"));
        }
        // It reports nothing where it is what it was.
        assert!(own.take_in(&changing()) && own.answered());
        assert_eq!(own.sight("app"), Sight::Path("big", "app"));
        // Back to one that names a role, which may be another by now.
        own.path_is(USER.into());
        assert_eq!(own.sight("app"), Sight::Changed);
        own.path_is("big".into());
        own.path_changed();
        assert_eq!(own.sight("app"), Sight::Changed, "one that nobody can read");
    }
}

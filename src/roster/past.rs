//! Sessions whose own server is to be left behind: they were there when RECONNECT was asked for, and keep it until they end.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::Entry;

/// The last session that each RECONNECT meant, by database; `None` for that of all. Sessions are numbered as they come.
#[derive(Debug, Default)]
pub(super) struct Past(Mutex<BTreeMap<Option<Box<str>>, u64>>);

impl Past {
    /// Sessions up to that number are meant, of a database or of all.
    pub(super) fn note(&self, database: Option<&str>, last: u64) {
        let mut marks = self.lock();
        if database.is_none() {
            marks.clear();
        }
        marks.insert(database.map(Into::into), last);
    }

    pub(super) fn has(&self, entry: &Entry) -> bool {
        let marks = self.lock();
        let reached = |of: Option<&str>| marks.get(&of.map(Into::into)).is_some_and(|last| entry.number <= *last);
        !entry.is_lent() && (reached(None) || reached(Some(&entry.identity.database)))
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<Option<Box<str>>, u64>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

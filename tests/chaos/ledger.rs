//! What clients wrote, and what they were told of it.

use std::collections::{HashMap, HashSet};
use std::sync::Mutex;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fate {
    /// COMMIT was answered: it has to be there.
    Committed,
    /// Rolled back, or never committed: it must not be there.
    RolledBack,
    /// The answer to COMMIT was lost.
    Unknown,
}

/// Rows of the table `kept`, by token.
#[derive(Debug, Default)]
pub(crate) struct Ledger(Mutex<HashMap<String, Fate>>);

impl Ledger {
    pub(crate) fn note(&self, token: &str, fate: Fate) {
        self.0.lock().unwrap().insert(token.to_owned(), fate);
    }

    /// What differs between what clients were told and `there`.
    pub(crate) fn differences(&self, there: &str) -> Vec<String> {
        let there: HashSet<&str> = there.lines().collect();
        let told = self.0.lock().unwrap();
        let unknown = there.iter().filter(|token| !told.contains_key(**token));
        let mut found: Vec<String> = unknown.map(|token| format!("{token} is there and nobody wrote it")).collect();
        for (token, fate) in told.iter() {
            match (fate, there.contains(token.as_str())) {
                (Fate::Committed, false) => found.push(format!("{token} was committed and is not there")),
                (Fate::RolledBack, true) => found.push(format!("{token} was not committed and is there")),
                _ => {}
            }
        }
        found
    }

    pub(crate) fn len(&self) -> usize {
        self.0.lock().unwrap().len()
    }
}

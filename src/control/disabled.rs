//! Databases that take no newcomers.

use std::collections::BTreeSet;
use std::sync::{MutexGuard, PoisonError};

use super::Control;

impl Control {
    /// Lets no new client into a database. False where it was so already.
    pub fn disable(&self, database: &str, who: &str) -> bool {
        let changed = self.keeping_out().insert(database.to_owned());
        if changed {
            tracing::warn!(who, database, "audit: disabled");
        }
        changed
    }

    /// Lets new clients in again. False where nothing kept them out.
    pub fn enable(&self, database: &str, who: &str) -> bool {
        let changed = self.keeping_out().remove(database);
        if changed {
            tracing::warn!(who, database, "audit: enabled");
        }
        changed
    }

    /// Does it take no newcomers?
    pub fn is_disabled(&self, database: &str) -> bool {
        self.keeping_out().contains(database)
    }

    /// The databases that take none.
    pub fn disabled(&self) -> BTreeSet<String> {
        self.keeping_out().clone()
    }

    fn keeping_out(&self) -> MutexGuard<'_, BTreeSet<String>> {
        self.disabled.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_database_is_disabled_until_it_is_enabled() {
        let control = Control::default();
        assert!(!control.is_disabled("shop") && !control.enable("shop", "sre"));
        assert!(control.disable("shop", "sre") && !control.disable("shop", "sre"));
        assert!(control.is_disabled("shop") && !control.is_disabled("bank"));
        assert!(control.enable("shop", "sre") && !control.is_disabled("shop"));
    }
}

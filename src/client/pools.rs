//! Which `[[pool]]` entry decides for a pool.

use wildmatch::WildMatch;

use super::matching::{cut, glob};
use crate::config::{Listener, Pool, PoolRule};

/// The keys of a listener's pools, and what `[[pool]]` entries make of them: one version of the configuration.
#[derive(Debug, Default)]
pub struct PoolRules {
    common: Pool,
    entries: Vec<Entry>,
}

#[derive(Debug)]
struct Entry {
    user: WildMatch,
    database: WildMatch,
    decides: Pool,
}

impl PoolRules {
    /// Those of a listener.
    pub fn new(listener: &Listener) -> Self {
        let entry = |rule: &PoolRule| Entry {
            user: glob(&rule.matches.user),
            database: glob(&rule.matches.database),
            decides: rule.bounds(&listener.pool),
        };
        Self { common: listener.pool.clone(), entries: listener.pools.iter().map(entry).collect() }
    }

    /// Does any bound the servers of a database, or of a role, in all of its pools together?
    pub fn bound_parts(&self) -> bool {
        let mut pools = self.entries.iter().map(|entry| &entry.decides).chain([&self.common]);
        pools.any(|pool| pool.max_db_connections.is_some() || pool.max_user_connections.is_some())
    }

    /// What holds for the pool of this role and database, as clients name it.
    pub fn of(&self, role: &str, database: &str) -> &Pool {
        let (role, database) = (cut(role), cut(database));
        let mut entries = self.entries.iter();
        let first = entries.find(|entry| entry.user.matches(role) && entry.database.matches(database));
        first.map_or(&self.common, |entry| &entry.decides)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{PoolMatch, PoolMode};

    fn rule(user: &str, database: &str, size: Option<usize>) -> PoolRule {
        let named = |text: &str| text.to_owned();
        PoolRule {
            matches: PoolMatch { user: named(user), database: named(database), ..PoolMatch::default() },
            mode: size.is_none().then_some(PoolMode::Transaction),
            size,
            queue_length: Some(7),
            ..PoolRule::default()
        }
    }

    #[test]
    fn the_first_entry_that_fits_decides_and_leaves_the_rest_to_the_listener() {
        let long = "a".repeat(70);
        let pools = vec![rule("app", "shop", Some(2)), rule("*", "shop", None), rule(&long, "*", Some(3))];
        let listener = Listener { pools, ..Listener::default() };
        let rules = PoolRules::new(&listener);
        let of = |user: &str, database: &str| {
            let Pool { size, queue_length, server_idle_timeout, .. } = *rules.of(user, database);
            (size, queue_length, server_idle_timeout)
        };
        let Pool { size, queue_length, server_idle_timeout: idle, .. } = listener.pool;
        assert_eq!(of("app", "shop"), (2, 7, idle));
        assert_eq!(of("web", "shop"), (size, 7, idle));
        assert_eq!(of("web", "blog"), (size, queue_length, idle));
        // As PostgreSQL cuts names.
        assert_eq!(of(&long, "blog").0, 3);
        assert_eq!(of(&"a".repeat(80), "blog").0, 3);
        let modes = [("app", "shop"), ("web", "shop"), ("web", "blog")].map(|(role, name)| rules.of(role, name).mode);
        assert_eq!(modes, [PoolMode::Session, PoolMode::Transaction, PoolMode::Session]);
    }
}

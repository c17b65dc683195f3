//! The mode and the bounds of each pool of a listener: its own keys, and what `[[pool]]` entries make of them.

use wildmatch::WildMatch;

use crate::client::matching::{cut, glob};
use crate::config::{Listener, Pool, PoolMode, PoolRule};
use crate::server::pool::{Bounds, Key, Limits};

/// What one version of the configuration says.
#[derive(Debug)]
pub struct Exceptions {
    common: (PoolMode, Limits),
    entries: Vec<Entry>,
}

#[derive(Debug)]
struct Entry {
    user: WildMatch,
    database: WildMatch,
    decides: (PoolMode, Limits),
}

impl Exceptions {
    /// Those of a listener.
    pub fn new(listener: &Listener) -> Self {
        let entry = |rule: &PoolRule| Entry {
            user: glob(&rule.matches.user),
            database: glob(&rule.matches.database),
            decides: parts(&rule.bounds(&listener.pool)),
        };
        Self { common: parts(&listener.pool), entries: listener.pools.iter().map(entry).collect() }
    }

    /// For how long clients of a database have a server who are this role there.
    pub fn mode(&self, role: &str, database: &str) -> PoolMode {
        self.decided(role, database).0
    }

    fn decided(&self, role: &str, database: &str) -> (PoolMode, Limits) {
        let (role, database) = (cut(role), cut(database));
        let mut entries = self.entries.iter();
        let first = entries.find(|entry| entry.user.matches(role) && entry.database.matches(database));
        first.map_or(self.common, |entry| entry.decides)
    }
}

impl Bounds for Exceptions {
    fn of(&self, key: &Key) -> Limits {
        self.decided(&key.user, &key.database).1
    }
}

fn parts(pool: &Pool) -> (PoolMode, Limits) {
    // One that was lent from before a reload is nobody's to come: nothing is kept for it.
    let kept = |servers| if pool.mode == PoolMode::Session { 0 } else { servers };
    let limits = Limits {
        size: pool.size,
        min: kept(pool.min_size),
        guaranteed: kept(pool.min_guaranteed_size),
        queue_length: pool.queue_length,
        query_wait_timeout: pool.query_wait_timeout,
        idle_timeout: pool.server_idle_timeout,
        lifetime: pool.server_lifetime,
    };
    (pool.mode, limits)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::PoolMatch;

    fn rule(user: &str, database: &str, size: Option<usize>) -> PoolRule {
        let named = |text: &str| text.to_owned();
        PoolRule {
            matches: PoolMatch { user: named(user), database: named(database), listener: named("main") },
            mode: size.is_none().then_some(PoolMode::Transaction),
            size,
            min_size: None,
            min_guaranteed_size: None,
            server_idle_timeout: None,
            server_lifetime: None,
            query_wait_timeout: None,
            queue_length: Some(7),
        }
    }

    #[test]
    fn the_first_entry_that_fits_decides_and_leaves_the_rest_to_the_listener() {
        let long = "a".repeat(70);
        let pools = vec![rule("app", "shop", Some(2)), rule("*", "shop", None), rule(&long, "*", Some(3))];
        let listener = Listener { pools, ..Listener::default() };
        let bounds = Exceptions::new(&listener);
        let of = |user: &str, database: &str| {
            let limits = bounds.of(&Key { user: user.to_owned(), database: database.to_owned() });
            (limits.size, limits.queue_length, limits.idle_timeout)
        };
        let Pool { size, queue_length, server_idle_timeout: idle, .. } = listener.pool;
        assert_eq!(of("app", "shop"), (2, 7, idle));
        assert_eq!(of("web", "shop"), (size, 7, idle));
        assert_eq!(of("web", "blog"), (size, queue_length, idle));
        // As PostgreSQL cuts names.
        assert_eq!(of(&long, "blog").0, 3);
        assert_eq!(of(&"a".repeat(80), "blog").0, 3);
        let modes = [("app", "shop"), ("web", "shop"), ("web", "blog")].map(|(role, name)| bounds.mode(role, name));
        assert_eq!(modes, [PoolMode::Session, PoolMode::Transaction, PoolMode::Session]);
    }
}

//! The bounds of each pool of a listener, of which its pools know nothing but numbers.

use crate::client::pools::PoolRules;
use crate::config::{Pool, PoolMode};
use crate::server::pool::{Bounds, Key, Limits};

impl Bounds for PoolRules {
    fn of(&self, key: &Key) -> Limits {
        limits(Self::of(self, &key.user, &key.database))
    }
}

fn limits(pool: &Pool) -> Limits {
    // One that was lent from before a reload is nobody's to come: nothing is kept for it.
    let kept = |servers| if pool.mode == PoolMode::Session { 0 } else { servers };
    Limits {
        size: pool.size,
        min: kept(pool.min_size),
        guaranteed: kept(pool.min_guaranteed_size),
        queue_length: pool.queue_length,
        query_wait_timeout: pool.query_wait_timeout,
        idle_timeout: pool.server_idle_timeout,
        lifetime: pool.server_lifetime,
    }
}

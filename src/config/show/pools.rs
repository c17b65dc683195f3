//! Pools with a mode or bounds of their own.

use toml::Table;

use super::{Part, entry, narrow, number, pair};
use crate::config::{PoolMatch, PoolRule};
use crate::units::display_duration;

/// A `[[pool]]`.
pub(super) fn pool_rule(index: usize, rule: &PoolRule) -> Part {
    let counts = [
        ("pool_size", rule.size),
        ("min_pool_size", rule.min_size),
        ("min_guaranteed_pool_size", rule.min_guaranteed_size),
        ("pool_queue_length", rule.queue_length),
        ("max_db_connections", rule.max_db_connections),
        ("max_user_connections", rule.max_user_connections),
    ];
    let times = [
        ("server_idle_timeout", rule.server_idle_timeout),
        ("server_lifetime", rule.server_lifetime),
        ("query_wait_timeout", rule.query_wait_timeout),
    ];
    let counts = counts.into_iter().filter_map(|(key, count)| Some(number(key, count?)));
    let times = times.into_iter().filter_map(|(key, time)| Some(pair(key, display_duration(time?))));
    let mode = rule.mode.map(|mode| pair("pool", mode.label()));
    let keys = [pair("match", matches(&rule.matches))].into_iter().chain(mode).chain(counts).chain(times).collect();
    entry("pool", &index.to_string(), keys)
}

fn matches(matches: &PoolMatch) -> Table {
    narrow([("user", &matches.user), ("database", &matches.database), ("listener", &matches.listener)])
}

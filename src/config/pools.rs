//! `[[pool]]`: pools with a mode or bounds of their own. The first entry that fits decides; keys that it leaves out are the listener's.

use std::time::Duration;

use wildmatch::WildMatch;

use super::client;
use super::document::{Document, Section};
use super::listener::MODES;
use super::problem::Fault;
use super::{Config, Listener, Login, Pool, PoolMode, value};

/// `[[pool]]`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PoolRule {
    /// Which pools it means.
    pub matches: PoolMatch,
    /// For how long its clients have a server.
    pub mode: Option<PoolMode>,
    /// Servers of the pool.
    pub size: Option<usize>,
    /// Servers that are kept though nobody uses them.
    pub min_size: Option<usize>,
    /// With fewer it gets the next server when `max_server_connections` is used up.
    pub min_guaranteed_size: Option<usize>,
    /// An idle server is closed after this time.
    pub server_idle_timeout: Option<Duration>,
    /// A server is closed after this time, once it is given back.
    pub server_lifetime: Option<Duration>,
    /// How long a statement waits for a server.
    pub query_wait_timeout: Option<Duration>,
    /// Statements that may wait.
    pub queue_length: Option<usize>,
    /// Servers of the pool's database, in all of its pools; 0: any number.
    pub max_db_connections: Option<usize>,
    /// Servers of the pool's role, in all of its pools; 0: any number.
    pub max_user_connections: Option<usize>,
}

/// `match = { … }`: all parts that are given must match. Globs know `*` and `?`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PoolMatch {
    /// Glob over the pool's user; `*` where not given.
    pub user: String,
    /// Glob over its database.
    pub database: String,
    /// Glob over the listener's name.
    pub listener: String,
}

/// All pools.
impl Default for PoolMatch {
    fn default() -> Self {
        let all = || "*".to_owned();
        Self { user: all(), database: all(), listener: all() }
    }
}

impl PoolRule {
    /// The mode and the bounds of a pool that it decides for, on a listener with these.
    pub fn bounds(&self, common: &Pool) -> Pool {
        Pool {
            mode: self.mode.unwrap_or(common.mode),
            size: self.size.unwrap_or(common.size),
            min_size: self.min_size.unwrap_or(common.min_size),
            min_guaranteed_size: self.min_guaranteed_size.unwrap_or(common.min_guaranteed_size),
            server_idle_timeout: self.server_idle_timeout.unwrap_or(common.server_idle_timeout),
            server_lifetime: self.server_lifetime.unwrap_or(common.server_lifetime),
            query_wait_timeout: self.query_wait_timeout.unwrap_or(common.query_wait_timeout),
            queue_length: self.queue_length.unwrap_or(common.queue_length),
            max_db_connections: most(self.max_db_connections, common.max_db_connections),
            max_user_connections: most(self.max_user_connections, common.max_user_connections),
            ..common.clone()
        }
    }

    /// Does it say how many servers a database or a role may have, in whatever mode?
    const fn bounds_parts(&self) -> bool {
        self.max_db_connections.is_some() || self.max_user_connections.is_some()
    }

    /// The keys that it gives and that say something of servers that are lent.
    fn of_servers(&self) -> impl Iterator<Item = &'static str> {
        let given = [
            ("pool_size", self.size.is_some()),
            ("min_pool_size", self.min_size.is_some()),
            ("min_guaranteed_pool_size", self.min_guaranteed_size.is_some()),
            ("server_idle_timeout", self.server_idle_timeout.is_some()),
            ("server_lifetime", self.server_lifetime.is_some()),
            ("query_wait_timeout", self.query_wait_timeout.is_some()),
            ("pool_queue_length", self.queue_length.is_some()),
        ];
        given.into_iter().filter_map(|(key, is_given)| is_given.then_some(key))
    }
}

/// The bound of an entry, where it says one: 0 takes away the listener's.
fn most(own: Option<usize>, common: Option<usize>) -> Option<usize> {
    own.map_or(common, |most| (most > 0).then_some(most))
}

/// Reads one `[[pool]]`.
pub(super) fn resolve(mut section: Section<'_>) -> PoolRule {
    let rule = PoolRule {
        matches: resolve_match(section.section("match")),
        mode: section.read("pool", |value| value::one_of(value, &MODES)),
        size: section.read("pool_size", value::count),
        min_size: section.read("min_pool_size", value::count_or_zero),
        min_guaranteed_size: section.read("min_guaranteed_pool_size", value::count_or_zero),
        server_idle_timeout: section.read("server_idle_timeout", value::timeout),
        server_lifetime: section.read("server_lifetime", value::timeout),
        query_wait_timeout: section.read("query_wait_timeout", value::timeout),
        queue_length: section.read("pool_queue_length", value::count),
        max_db_connections: section.read("max_db_connections", value::count_or_zero),
        max_user_connections: section.read("max_user_connections", value::count_or_zero),
    };
    section.finish();
    rule
}

fn resolve_match(mut section: Section<'_>) -> PoolMatch {
    let all = PoolMatch::default();
    let mut glob = |key, all| section.read(key, value::text).unwrap_or(all);
    let matches = PoolMatch {
        user: glob("user", all.user),
        database: glob("database", all.database),
        listener: glob("listener", all.listener),
    };
    section.finish();
    matches
}

/// Tells each listener of its entries.
pub(super) fn distribute(config: &mut Config) {
    for listener in &mut config.listeners {
        let fits = |rule: &&PoolRule| WildMatch::new(&rule.matches.listener).matches(&listener.name);
        listener.pools = config.pools.iter().filter(fits).cloned().collect();
    }
}

impl Listener {
    /// Whether it lends servers for a transaction, to all of its clients or to some.
    pub fn lends(&self) -> bool {
        let mut modes = self.pools.iter().filter_map(|rule| rule.mode).chain([self.pool.mode]);
        modes.any(|mode| mode == PoolMode::Transaction)
    }
}

/// What only the whole file can show: entries that never apply, keys without effect, modes that can't be, and least sizes that are more
/// than the size.
pub(super) fn check(config: &Config, document: &Document<'_>) {
    for (index, rule) in config.pools.iter().enumerate() {
        let at = |steps: &[&str]| -> Vec<String> {
            let number = index.to_string();
            ["pool", &number].iter().chain(steps).map(|step| (*step).to_owned()).collect()
        };
        if let Some((steps, fault)) = never_applies(config, rule) {
            document.warn(&at(steps), fault);
        }
        if config.pools.iter().take(index).any(|earlier| covers(&earlier.matches, &rule.matches)) {
            let fault = Fault::new("an earlier entry decides for all of these pools, so this one never applies");
            document.warn(&at(&["match"]), fault.advise("the first entry that fits decides: put it before the other"));
        }
        for (key, fault) in beyond_size(config, rule) {
            document.error(&at(&[key]), fault);
        }
        if let Some(fault) = relayed(config, rule) {
            document.error(&at(&["pool"]), fault);
        }
        let of_sessions = rule.mode == Some(PoolMode::Session) || (rule.bounds_parts() && !is_lent(config, rule));
        for key in rule.of_servers().filter(|_| of_sessions) {
            document.warn(&at(&[key]), of_transactions());
        }
    }
}

/// None of its listeners has pools.
fn never_applies(config: &Config, rule: &PoolRule) -> Option<(&'static [&'static str], Fault)> {
    let glob = &rule.matches.listener;
    if client::listeners_of(config, glob).is_empty() {
        return Some((&["match", "listener"], client::no_listener(glob)));
    }
    (!rule.bounds_parts() && !is_lent(config, rule)).then(|| (&[] as &[_], of_transactions()))
}

/// Does any of its listeners lend servers?
fn is_lent(config: &Config, rule: &PoolRule) -> bool {
    client::listeners_of(config, &rule.matches.listener).iter().any(|listener| listener.lends())
}

fn of_transactions() -> Fault {
    Fault::new("has no effect: it belongs to pool = \"transaction\"")
}

/// Servers are to be lent where the server checks the passwords.
fn relayed(config: &Config, rule: &PoolRule) -> Option<Fault> {
    let listeners = client::listeners_of(config, &rule.matches.listener);
    let relayed = listeners.iter().find(|listener| listener.login == Login::Relay);
    let listener = relayed.filter(|_| rule.mode == Some(PoolMode::Transaction))?;
    let fault = Fault::new(format!(
        "\"transaction\" can't go with login = \"relay\" of listener \"{}\": a server that many clients share is logged in by Floodwall",
        listener.name
    ));
    Some(fault.advise("set login = \"users\" or \"query\" there"))
}

/// Does every pool fit the one that fits the other?
fn covers(one: &PoolMatch, other: &PoolMatch) -> bool {
    let parts = [(&one.user, &other.user), (&one.database, &other.database), (&one.listener, &other.listener)];
    parts.into_iter().all(|(one, other)| one == "*" || one == other)
}

/// More servers that are always there than there may be, on one of its listeners.
fn beyond_size(config: &Config, rule: &PoolRule) -> Vec<(&'static str, Fault)> {
    let listeners = client::listeners_of(config, &rule.matches.listener);
    let lent = listeners.iter().filter(|listener| rule.bounds(&listener.pool).mode == PoolMode::Transaction);
    let beyond = lent.flat_map(|listener| {
        let Pool { size, min_size, min_guaranteed_size, .. } = rule.bounds(&listener.pool);
        let least = [("min_pool_size", min_size), ("min_guaranteed_pool_size", min_guaranteed_size)];
        let name = &listener.name;
        least.into_iter().filter(move |(_, least)| *least > size).map(move |(key, least)| {
            let message = format!("{least} is more than pool_size ({size}) of these pools on listener \"{name}\"");
            (key, Fault::new(message))
        })
    });
    let mut told = Vec::new();
    // Once for each key.
    for (key, fault) in beyond {
        if !told.iter().any(|(known, _)| *known == key) {
            told.push((key, fault));
        }
    }
    told
}

//! How a listener's clients share server connections.

use std::time::Duration;

use super::super::context::Context;
use super::super::document::Section;
use super::super::problem::Fault;
use super::super::value;
use super::{Login, login};

/// How server connections are shared, and the bounds of each pool: one for each database and user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pool {
    /// For how long a client has a server.
    pub mode: PoolMode,
    /// Servers of a pool.
    pub size: usize,
    /// Servers of a pool that are kept though nobody uses them.
    pub min_size: usize,
    /// A pool that has fewer gets the next server when `max_server_connections` is used up.
    pub min_guaranteed_size: usize,
    /// Logins at the server that may be in progress, of the whole listener.
    pub max_server_logins: usize,
    /// How long a connection to the server and its login may take.
    pub server_connect_timeout: Duration,
    /// An idle server is closed after this time.
    pub server_idle_timeout: Duration,
    /// A server is closed after this time, a tenth more or less, once it is given back.
    pub server_lifetime: Duration,
    /// How long a statement waits for a server.
    pub query_wait_timeout: Duration,
    /// Statements of one pool that may wait.
    pub queue_length: usize,
    /// Servers of the pool's database, of all roles together, with which no other is opened for the pool; `None`: any number.
    pub max_db_connections: Option<usize>,
    /// Servers of the pool's role, of all databases together, with which no other is opened for the pool; `None`: any number.
    pub max_user_connections: Option<usize>,
    /// Prepared statements that one server keeps.
    pub max_prepared_statements: usize,
    /// Prepared statements that one client keeps.
    pub max_client_prepared_statements: usize,
    /// Whether a text that is repeated as an unnamed statement is prepared at its servers.
    pub prepare_unnamed: bool,
    /// Whether a statement on tables of which the catalogue knows nothing may leave something in the session.
    pub unknown_tables: UnknownTables,
}

/// What to make of tables that the catalogue does not know: it was not read yet, there is no monitor, or they are new.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum UnknownTables {
    /// They may have triggers that leave something: the server is asked. Without a monitor that is one more round trip to the server
    /// for each transaction that reads or writes a table.
    #[default]
    Check,
    /// They are plain: right where nobody's triggers, rules and policies set anything for a session.
    Plain,
}

impl UnknownTables {
    /// The word of the file.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Check => "check",
            Self::Plain => "plain",
        }
    }
}

/// For how long a client has a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum PoolMode {
    /// As long as it stays.
    #[default]
    Session,
    /// For a transaction.
    Transaction,
}

impl PoolMode {
    /// The word of the file.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Session => "session",
            Self::Transaction => "transaction",
        }
    }
}

impl Default for Pool {
    fn default() -> Self {
        Self {
            mode: PoolMode::Session,
            size: 20,
            min_size: 0,
            min_guaranteed_size: 0,
            max_server_logins: 8,
            server_connect_timeout: Duration::from_secs(15),
            server_idle_timeout: Duration::from_secs(10 * 60),
            server_lifetime: Duration::from_secs(60 * 60),
            query_wait_timeout: Duration::from_secs(30),
            queue_length: 10_000,
            max_db_connections: None,
            max_user_connections: None,
            max_prepared_statements: 200,
            max_client_prepared_statements: 5_000,
            prepare_unnamed: false,
            unknown_tables: UnknownTables::Check,
        }
    }
}

/// The words of the file.
pub(in crate::config) const MODES: [(&str, PoolMode); 2] =
    [("session", PoolMode::Session), ("transaction", PoolMode::Transaction)];

const TABLES: [(&str, UnknownTables); 2] = [("check", UnknownTables::Check), ("plain", UnknownTables::Plain)];

/// Keys that say nothing where no client is lent a server.
pub(super) const OF_POOLS: [&str; 13] = [
    "pool_size",
    "min_pool_size",
    "min_guaranteed_pool_size",
    "max_server_logins",
    "server_connect_timeout",
    "server_idle_timeout",
    "server_lifetime",
    "query_wait_timeout",
    "pool_queue_length",
    "max_prepared_statements",
    "max_client_prepared_statements",
    "prepare_unnamed",
    "unknown_tables",
];

/// Reads the keys of a `[[listener]]` that belong here.
pub(super) fn resolve(section: &mut Section<'_>, _context: &Context<'_>, login: &Login) -> Pool {
    let default = Pool::default();
    let mode = section.read("pool", |value| value::one_of(value, &MODES)).unwrap_or(default.mode);
    // Where `login` has a mistake of its own, that is told, and not what it was taken for.
    if mode == PoolMode::Transaction && *login == Login::Relay && login::is_relay(section) {
        let fault = Fault::new(
            "\"transaction\" can't go with login = \"relay\": a server that many clients share is logged in by Floodwall",
        );
        section.error("pool", fault.advise("set login = \"users\" or \"query\""));
    }
    let pool = Pool {
        mode,
        size: section.read("pool_size", value::count).unwrap_or(default.size),
        min_size: section.read("min_pool_size", value::count_or_zero).unwrap_or(default.min_size),
        min_guaranteed_size: section
            .read("min_guaranteed_pool_size", value::count_or_zero)
            .unwrap_or(default.min_guaranteed_size),
        max_server_logins: section.read("max_server_logins", value::count).unwrap_or(default.max_server_logins),
        server_connect_timeout: section
            .read("server_connect_timeout", value::timeout)
            .unwrap_or(default.server_connect_timeout),
        server_idle_timeout: section.read("server_idle_timeout", value::timeout).unwrap_or(default.server_idle_timeout),
        server_lifetime: section.read("server_lifetime", value::timeout).unwrap_or(default.server_lifetime),
        query_wait_timeout: section.read("query_wait_timeout", value::timeout).unwrap_or(default.query_wait_timeout),
        queue_length: section.read("pool_queue_length", value::count).unwrap_or(default.queue_length),
        max_db_connections: section.read("max_db_connections", value::count),
        max_user_connections: section.read("max_user_connections", value::count),
        max_prepared_statements: section
            .read("max_prepared_statements", value::count)
            .unwrap_or(default.max_prepared_statements),
        max_client_prepared_statements: section
            .read("max_client_prepared_statements", value::count)
            .unwrap_or(default.max_client_prepared_statements),
        prepare_unnamed: section.read("prepare_unnamed", value::flag).unwrap_or(default.prepare_unnamed),
        unknown_tables: section
            .read("unknown_tables", |value| value::one_of(value, &TABLES))
            .unwrap_or(default.unknown_tables),
    };
    check(section, &pool);
    pool
}

/// A key of [`OF_POOLS`] is given to a listener that lends nothing.
pub(super) fn without_effect() -> Fault {
    let fault = Fault::new("has no effect: it belongs to pool = \"transaction\"");
    fault.advise("max_server_connections, max_db_connections and max_user_connections bound what session mode opens")
}

fn check(section: &mut Section<'_>, pool: &Pool) {
    for (key, count) in [("min_pool_size", pool.min_size), ("min_guaranteed_pool_size", pool.min_guaranteed_size)] {
        if count > pool.size {
            section.error(key, Fault::new(format!("{count} is more than pool_size ({})", pool.size)));
        }
    }
}

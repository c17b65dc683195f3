//! Rows that the data path's side fills and the console shows. Neither imports the other.

use std::time::Duration;

use super::report::Slot;
use crate::units::Unit;

/// One cap with what is in use of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CapRow {
    /// Name of the cap, as in the configuration: `max_clients`.
    pub cap: &'static str,
    /// Name of the listener.
    pub listener: String,
    /// Whom it counts: a listener, a client or an address. Fit for a metric label only where `label` says so.
    pub scope: String,
    /// In use now.
    pub current: u64,
    /// Where it refuses; `None`: not known yet.
    pub limit: Option<u64>,
    /// Newcomers waiting for it.
    pub waiting: u64,
    /// Newcomers that it refused so far.
    pub refused_total: u64,
    /// Whether `scope` may be a metric label.
    pub label: Label,
}

/// Whether a name comes from the configuration or from the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Label {
    /// Configured, so there are few: may be a metric label.
    Bounded,
    /// One row stands for many: the metric has this word in the name's place.
    As(&'static str),
    /// Chosen by a client: shown in the console, never a metric label.
    Free,
}

impl Label {
    /// The name as a metric label; `None` where it is for the console alone.
    pub fn of(self, name: &str) -> Option<&str> {
        match self {
            Self::Bounded => Some(name),
            Self::As(word) => Some(word),
            Self::Free => None,
        }
    }
}

/// How fast a client's connections grow.
#[derive(Debug, Clone, PartialEq)]
pub struct SurgeRow {
    /// Name of the listener.
    pub listener: String,
    /// Name of the client.
    pub client: String,
    /// Open connections now.
    pub connections: u64,
    /// Moving average over 5 seconds.
    pub fast_average: f64,
    /// Moving average over 5 minutes.
    pub slow_average: f64,
    /// Connections a second that are added.
    pub slope_per_second: f64,
    /// Until the cap is reached at this slope; `None`: it does not grow, or has no cap.
    pub seconds_to_full: Option<f64>,
    /// `calm`, `step`, `creep` and the like.
    pub state: &'static str,
    /// Whether `client` may be a metric label.
    pub label: Label,
}

/// One rule as it runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RuleRow {
    /// Name of the rule.
    pub rule: &'static str,
    /// `enforce`, `warn` or `off`.
    pub mode: &'static str,
    /// What it does now: its mode, or `failed`.
    pub state: &'static str,
    /// Its settings on one line.
    pub settings: String,
    /// Breaches refused so far.
    pub enforced_total: u64,
    /// Breaches let through with a warning so far.
    pub warned_total: u64,
    /// Breaches that a break-glass pass lifted so far.
    pub lifted_total: u64,
    /// Its limits on what is measured, the one that people think of first; none where it measures nothing.
    pub limits: Vec<LimitRow>,
}

/// One limit of a rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LimitRow {
    /// The setting.
    pub setting: &'static str,
    /// In what it is counted.
    pub unit: Unit,
    /// Where its values are noted.
    pub slot: Slot,
    /// Its value.
    pub limit: Option<u64>,
}

/// One server of a listener, as it was last seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NodeRow {
    /// Name of the listener.
    pub listener: String,
    /// The server, as in `servers`.
    pub server: String,
    /// `up`, `down` or `unknown`; the only server of a listener is not looked at.
    pub state: &'static str,
    /// `primary`, `standby` or `unknown`.
    pub role: &'static str,
    /// Whether it is the one that is used.
    pub used: bool,
    /// `clock::uptime_ms` of the last change of state or role.
    pub since_ms: u64,
    /// The last fault that was seen.
    pub error: Option<String>,
}

/// One pool of a listener that lends its servers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PoolRow {
    /// Name of the listener.
    pub listener: String,
    /// Database.
    pub database: String,
    /// Role that its servers are logged in as.
    pub user: String,
    /// Servers that it may have.
    pub size: u64,
    /// Servers that it keeps though nobody uses them.
    pub min_size: u64,
    /// A server of it is closed after about so long.
    pub server_lifetime: Duration,
    /// Its servers, oldest first.
    pub servers: Vec<ServerRow>,
    /// How long the client that has waited longest waits.
    pub max_wait: Duration,
}

/// One server of a pool.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerRow {
    /// Unique in its pool.
    pub number: u64,
    /// Where it stands.
    pub standing: Standing,
    /// What is known of it; `None` before its login.
    pub process: Option<ProcessRow>,
    /// `clock::uptime_ms` when a client last got it, to the second; 0 where none did.
    pub lent_ms: u64,
    /// It is closed as soon as no client has it.
    pub close_needed: bool,
}

/// A server that is logged in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProcessRow {
    /// Its address as people read it.
    pub server: String,
    /// The host of that.
    pub host: String,
    /// The port of that; 0 for a Unix socket.
    pub port: u16,
    /// Its process id; 0 where it has told none.
    pub pid: i32,
    /// `clock::uptime_ms` at the end of its login.
    pub since_ms: u64,
}

/// Where a server of a pool stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Standing {
    /// It is being made: it waits for a place, connects, or logs in.
    Login = 0,
    /// It waits for a client.
    Idle = 1,
    /// A client has it.
    Active = 2,
    /// No client uses it while it is made clean.
    Tested = 3,
    /// No client has it, and a cancel on its way to it keeps it from the others.
    BeingCanceled = 4,
    /// It was told goodbye. Its place is free once it has closed.
    Closing = 5,
}

impl Standing {
    /// All of them.
    pub const ALL: [Self; 6] =
        [Self::Login, Self::Idle, Self::Active, Self::Tested, Self::BeingCanceled, Self::Closing];

    /// PgBouncer's word in `SHOW SERVERS`; ours for what it has no word for.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Login => "new",
            Self::Idle => "idle",
            Self::Active => "active",
            Self::Tested => "tested",
            Self::BeingCanceled => "being_canceled",
            Self::Closing => "closing",
        }
    }

    /// The one of that number.
    pub const fn from_u8(value: u8) -> Self {
        match value {
            1 => Self::Idle,
            2 => Self::Active,
            3 => Self::Tested,
            4 => Self::BeingCanceled,
            5 => Self::Closing,
            _ => Self::Login,
        }
    }
}

impl PoolRow {
    /// Servers that stand so.
    pub fn standing(&self, standing: Standing) -> u64 {
        self.servers.iter().filter(|server| server.standing == standing).count() as u64
    }
}

/// A cancel request that is under way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CancelRow {
    /// The session that it is for, by its number in the roster.
    pub session: u64,
    /// Is it on its way to the server? Otherwise it waits for its turn.
    pub is_sent: bool,
}

/// What a listener gives each database that comes through it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListenerRow {
    /// Its name.
    pub listener: String,
    /// Host of the server that is used; empty while none is.
    pub host: String,
    /// The server's port; 0 while none is used, and for a Unix socket.
    pub port: u16,
    /// Servers of one pool at the most; 0 where servers are not shared.
    pub pool_size: u64,
    /// Servers that a pool keeps.
    pub min_pool_size: u64,
    /// How long a server lasts; zero where servers are not shared.
    pub server_lifetime: Duration,
    /// Servers of the listener at the most; `None`: nobody has said, and the server was not asked yet.
    pub max_server_connections: Option<u64>,
    /// Clients of the listener at the most.
    pub max_clients: u64,
    /// Databases that are others at the server.
    pub databases: Vec<DatabaseRow>,
}

/// Servers at the most of a database and of a role; `None`: any number.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct PartsBound {
    /// Of the database.
    pub database: Option<u64>,
    /// Of the role.
    pub role: Option<u64>,
}

/// A database that has another name at the server, or whose clients are one role there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DatabaseRow {
    /// What clients ask for.
    pub name: String,
    /// The server's own name.
    pub database: String,
    /// As whom its clients are at the server; `None`: each as itself.
    pub user: Option<String>,
}

/// One setting as resolved. Secrets are left out by whoever fills it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigRow {
    /// Dotted path in `config.toml`.
    pub key: String,
    /// The value as it would be written there.
    pub value: String,
    /// What it is where nobody writes it; `None`: that depends on other keys, or there is none.
    pub default: Option<String>,
    /// Whether RELOAD changes it.
    pub changeable: bool,
}

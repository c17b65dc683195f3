//! What an operator sees of admission: plain rows.

use crate::telemetry::rows::{self, Label};

use super::surge::SurgeState;

/// One cap and how full it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CapRow {
    /// Name of the listener.
    pub listener: String,
    /// Name of the cap.
    pub rule: &'static str,
    /// Whose cap it is: `listener`, `address 10.0.0.1` (the fullest one; `address` where none holds any), `database shop` and `user app` likewise,
    /// or the label of a client.
    pub scope: String,
    /// What is held.
    pub current: usize,
    /// What may be held; `None`: no limit, or not known yet.
    pub limit: Option<usize>,
    /// How many wait for it.
    pub waiting: usize,
    /// How many it has turned away.
    pub refused: u64,
    /// Whether the scope may be a metric label.
    pub label: Label,
}

/// How the connections of one client grow.
#[derive(Debug, Clone, PartialEq)]
pub struct SurgeRow {
    /// Name of the listener.
    pub listener: String,
    /// Label of the client.
    pub client: String,
    /// Proven connections now.
    pub connections: usize,
    /// What it may hold.
    pub limit: Option<usize>,
    /// How many wait for a place of this client.
    pub waiting: usize,
    /// Average over 5 seconds.
    pub average_5s: f64,
    /// Average over 5 minutes.
    pub average_5m: f64,
    /// Growth over the last 10 seconds, in connections a second.
    pub per_second: f64,
    /// Seconds until the limit at this growth; `None` where it doesn't grow or has no limit.
    pub seconds_to_full: Option<f64>,
    /// What this amounts to.
    pub state: SurgeState,
    /// Whether the client may be a metric label.
    pub label: Label,
}

/// Everything that is held at a listener. All zero once everybody has gone.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counters {
    /// Sockets in the lobby.
    pub lobby: usize,
    /// Cancel requests on their way.
    pub cancels: usize,
    /// Clients in the house.
    pub clients: usize,
    /// Addresses that hold anything.
    pub addresses: usize,
    /// Logins in progress.
    pub logins: usize,
    /// Server connections.
    pub servers: usize,
    /// Proven connections, summed over all caps that count them.
    pub open: usize,
    /// Claimed identities that are not proven yet, and what refers to them.
    pub claims: usize,
    /// Newcomers that wait.
    pub waiting: usize,
}

impl Counters {
    /// True where nothing at all is held.
    pub fn is_zero(&self) -> bool {
        *self == Self::default()
    }
}

impl From<CapRow> for rows::CapRow {
    fn from(row: CapRow) -> Self {
        Self {
            cap: row.rule,
            scope: if row.scope == "listener" { row.listener.clone() } else { row.scope },
            listener: row.listener,
            current: wide(row.current),
            limit: row.limit.map(wide),
            waiting: wide(row.waiting),
            refused_total: row.refused,
            label: row.label,
        }
    }
}

impl From<SurgeRow> for rows::SurgeRow {
    fn from(row: SurgeRow) -> Self {
        Self {
            listener: row.listener,
            client: row.client,
            connections: wide(row.connections),
            fast_average: row.average_5s,
            slow_average: row.average_5m,
            slope_per_second: row.per_second,
            seconds_to_full: row.seconds_to_full,
            state: row.state.label(),
            label: row.label,
        }
    }
}

fn wide(n: usize) -> u64 {
    u64::try_from(n).unwrap_or(u64::MAX)
}

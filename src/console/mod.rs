//! The admin console: the PostgreSQL protocol, since `psql` is the client that everybody has.
//!
//! ```text
//! door       accepts, counts, deadline         (a TCP port with SCRAM, a Unix socket with the peer's uid)
//!   login    start-up packet, SCRAM            accounts: who may log in, password: the generated one
//!     session    simple and extended queries   wire: exactly cut frames in, messages out
//!       commands     one file each             Sources: all that a command may see or do
//! ```
//!
//! It runs on a thread of its own and sees nothing of sessions but the roster, so that it answers while the data path is at
//! its limit. `pgwire` supplies messages and the SCRAM exchange; frames are cut here, since its decoder reads beyond the
//! frame it is given and panics on short bodies. A panic ends one console connection, nothing else.

mod accounts;
mod answer;
mod averages;
mod commands;
mod door;
mod extended;
mod login;
mod password;
mod pools;
mod session;
mod wire;

use std::fmt;
use std::sync::Arc;

use crate::control::Control;
use crate::roster::Roster;
use crate::telemetry::Metrics;
use crate::telemetry::rows::{CapRow, ConfigRow, ListenerRow, NodeRow, PoolRow, RuleRow, SurgeRow};
use crate::telemetry::shapes::Shapes;

pub use accounts::{Accounts, AccountsError};
pub use averages::Averages;
pub use door::{Doors, OpenError, serve};
pub use password::read_or_make as generated_secret;

/// Rows that somebody else fills when asked.
pub type Rows<T> = Arc<dyn Fn() -> Vec<T> + Send + Sync>;

/// Reads the configuration again. It is told who asks, and answers with what to tell them.
pub type Reload = Arc<dyn Fn(&str) -> Result<String, String> + Send + Sync>;

/// All that the console may see or do.
#[derive(Clone)]
pub struct Sources {
    /// Live sessions.
    pub roster: Arc<Roster>,
    /// Pause and shutdown.
    pub control: Arc<Control>,
    /// Metrics.
    pub metrics: Arc<Metrics>,
    /// Statement shapes.
    pub shapes: Arc<Shapes>,
    /// Caps with what is in use.
    pub caps: Rows<CapRow>,
    /// Connection surges.
    pub surges: Rows<SurgeRow>,
    /// Servers of each listener with their health.
    pub nodes: Rows<NodeRow>,
    /// Pools of the listeners that lend their servers.
    pub pools: Rows<PoolRow>,
    /// What each listener gives a database.
    pub listeners: Rows<ListenerRow>,
    /// What sessions moved in the last minute.
    pub averages: Arc<Averages>,
    /// Rules as they run.
    pub rules: Rows<RuleRow>,
    /// Settings as resolved, without secrets.
    pub config: Rows<ConfigRow>,
    /// RELOAD.
    pub reload: Reload,
}

impl fmt::Debug for Sources {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sources").field("control", &self.control).finish_non_exhaustive()
    }
}

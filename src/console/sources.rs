//! All that the console may see or do.

use std::fmt;
use std::sync::Arc;

use super::averages::Averages;
use crate::control::Control;
use crate::roster::Roster;
use crate::telemetry::Metrics;
use crate::telemetry::rows::{
    CancelRow, CapRow, ConfigRow, ListenerRow, NodeRow, PartsBound, PoolRow, RuleRow, SurgeRow,
};
use crate::telemetry::shapes::Shapes;

/// Rows that somebody else fills when asked.
pub type Rows<T> = Arc<dyn Fn() -> Vec<T> + Send + Sync>;

/// How many clients a user may have on all listeners together; `None` where nothing bounds those of a user.
pub type ClientsMost = Arc<dyn Fn(&str) -> Option<u64> + Send + Sync>;

/// How many servers the database and the role of a pool may have, of all pools together: of this listener, role and database.
pub type PartsMost = Arc<dyn Fn(&str, &str, &str) -> PartsBound + Send + Sync>;

/// Reads the configuration again. It is told who asks, and answers with what to tell them.
pub type Reload = Arc<dyn Fn(&str) -> Result<String, String> + Send + Sync>;

/// All that the console may see or do.
#[derive(Clone)]
pub struct Sources {
    /// Live sessions.
    pub roster: Arc<Roster>,
    /// Pauses and shutdown.
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
    /// Cancel requests that are under way.
    pub cancels: Rows<CancelRow>,
    /// How many clients a user may have, where something bounds those of a user.
    pub clients_most: ClientsMost,
    /// What bounds the servers of a database and of a role, in all of their pools.
    pub parts_most: PartsMost,
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
    /// What is done to pools.
    pub steer: Arc<dyn Steer>,
}

/// What operators do to pools.
pub trait Steer: Send + Sync {
    /// Puts the pauses of `control` in force, before it returns.
    fn pause(&self);

    /// Closes the servers of a database, or all: idle ones now, those that clients have when they are given back.
    fn reconnect(&self, database: Option<&str>);
}

impl fmt::Debug for Sources {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sources").field("control", &self.control).finish_non_exhaustive()
    }
}

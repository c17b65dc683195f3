//! What people are told of pools.

use std::fmt::Debug;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use super::shared::{Lane, Shared};
use super::{Key, Limits};
use crate::clock;
use crate::telemetry::rows::ServerRow;

/// One pool, as it is told to people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PoolRow {
    /// Whose it is.
    pub key: Key,
    /// Its bounds.
    pub limits: Limits,
    /// Clients that wait for a server.
    pub cl_waiting: usize,
    /// Its servers, oldest first. All numbers of a row come from here, so that they add up.
    pub servers: Vec<ServerRow>,
    /// How long the oldest waiter has waited.
    pub maxwait: Duration,
}

impl<A: Debug + Send + 'static> Shared<A> {
    pub(super) fn row(&self) -> PoolRow {
        let sum = |what: fn(&Lane) -> &AtomicUsize| -> usize {
            self.lanes.iter().map(|lane| what(lane).load(Ordering::Relaxed)).sum()
        };
        let now = self.register.micros(clock::now());
        PoolRow {
            key: self.key.clone(),
            limits: self.limits(),
            cl_waiting: sum(|lane| &lane.waiting),
            servers: self.server_rows(),
            maxwait: self.head().map_or(Duration::ZERO, |head| Duration::from_micros(now.saturating_sub(head))),
        }
    }
}

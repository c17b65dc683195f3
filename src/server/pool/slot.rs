//! A server's place in its pool's count.

use std::fmt::Debug;
use std::sync::Arc;

use super::standing::Record;
use crate::address::Endpoint;
use crate::telemetry::rows::Standing;

/// A pool's count, whatever its servers are.
pub(super) trait Count: Debug + Send + Sync {
    fn moved(&self, from: Option<usize>, to: Option<usize>);
    fn freed(&self, number: u64);
    fn wait_for_place(&self) -> Result<Need, AlreadyWaiting>;
    fn ask_again(&self, before: Need) -> Need;
    fn waited_for_place(&self, need: Need);
}

/// What a pool wants a place of the listener for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Need {
    /// For more servers than it is due, or another pool has been asked for its place.
    Growth,
    /// It has less than it is due, and no other pool has a server idle.
    Guarantee,
}

/// A place in a pool's count: given back on drop.
#[derive(Debug)]
#[must_use = "dropping it gives the place back"]
pub struct Slot {
    of: Arc<dyn Count>,
    worker: Option<usize>,
    record: Arc<Record>,
}

/// Another one of the same pool waits for a place of the listener already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AlreadyWaiting;

/// A pool waits for a place of the listener: told for as long as this lives.
#[derive(Debug)]
pub struct Placing {
    of: Arc<dyn Count>,
    need: Need,
}

impl Slot {
    pub(super) fn new(of: Arc<dyn Count>, record: Arc<Record>) -> Self {
        Self { of, worker: None, record }
    }

    /// Its server has been logged in: whom it is, for people.
    pub fn logged_in(&self, address: &Endpoint, pid: i32) {
        self.record.logged_in(address, pid);
    }

    /// Tells people where its server stands now.
    pub fn stands(&self, standing: Standing) {
        self.record.stands(standing);
    }

    /// Its server is told goodbye: it is on no worker from now on.
    pub fn closes(&mut self) {
        self.set_worker(None);
        self.record.stands(Standing::Closing);
    }

    /// A client has got its server.
    pub(super) fn lend(&self, now_ms: u64) {
        self.record.lend(now_ms);
    }

    /// The pool's era when its server was begun.
    pub(super) fn era(&self) -> u64 {
        self.record.era
    }

    /// The server is on this worker now; `None`: on none.
    pub(super) fn set_worker(&mut self, worker: Option<usize>) {
        let from = std::mem::replace(&mut self.worker, worker);
        self.of.moved(from, worker);
    }

    /// The listener has no place for this server now: asks other pools to make room, until the result is dropped.
    ///
    /// # Errors
    /// Another server of this pool waits already, and one is enough: the pool looks again when that one got through.
    pub fn wait_for_place(&self) -> Result<Placing, AlreadyWaiting> {
        let need = self.of.wait_for_place()?;
        Ok(Placing { of: Arc::clone(&self.of), need })
    }
}

impl Placing {
    /// Asks once more: something may have become idle meanwhile.
    pub fn ask_again(&mut self) {
        self.need = self.of.ask_again(self.need);
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.set_worker(None);
        self.of.freed(self.record.number);
    }
}

impl Drop for Placing {
    fn drop(&mut self) {
        self.of.waited_for_place(self.need);
    }
}

//! A server's place in its pool's count.

use std::fmt::Debug;
use std::sync::Arc;

use super::rooms::Room;
use super::standing::Record;
use crate::address::Endpoint;
use crate::telemetry::rows::Standing;

/// A pool's count, whatever its servers are.
pub(super) trait Count: Debug + Send + Sync {
    fn has_place(&self);
    fn lost_place(&self);
    fn moved(&self, from: Option<usize>, to: Option<usize>);
    fn freed(&self, number: u64);
    fn kept_promise(&self, room: Room);
    fn is_due(&self) -> bool;
    fn wait_for_place(&self, room: Option<Room>) -> Result<Need, AlreadyWaiting>;
    fn ask_again(&self, before: Need, room: Option<Room>) -> Result<Need, Overtaken>;
    fn is_next(&self, need: Need) -> bool;
    fn waited_for_place(&self, need: Need);
}

/// What a pool wants a place for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Need {
    /// For more servers than it is due.
    Growth,
    /// It has less than it is due, and another pool has been asked for an idle one.
    Asked,
    /// It has less than it is due, and no other pool of the room has a server idle: since this microsecond of the register's time.
    Guarantee(Room, u64),
}

/// A place in a pool's count: given back on drop.
#[derive(Debug)]
#[must_use = "dropping it gives the place back"]
pub struct Slot {
    of: Arc<dyn Count>,
    worker: Option<usize>,
    /// It has its places, and its server is still being made.
    making: bool,
    /// Its place in that room is due to another pool.
    promised: Option<Room>,
    record: Arc<Record>,
}

/// Another one of the same pool waits for a place already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AlreadyWaiting;

/// A pool that wanted more has since given away what it had: it waits again, behind those that had nothing before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Overtaken;

/// A pool waits for a place: told for as long as this lives.
#[derive(Debug)]
pub struct Placing {
    of: Arc<dyn Count>,
    need: Need,
}

impl Slot {
    pub(super) fn new(of: Arc<dyn Count>, record: Arc<Record>) -> Self {
        Self { of, worker: None, making: false, promised: None, record }
    }

    /// It has its places.
    pub fn has_place(&mut self) {
        if !std::mem::replace(&mut self.making, true) {
            self.of.has_place();
        }
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

    /// Its server is closed so that another pool of that room has its place.
    pub(super) const fn promise(&mut self, room: Room) {
        self.promised = Some(room);
    }

    /// Is a server still to be made for it? Not where its pool has what it is due and another pool, which has not, waits for its place.
    pub fn is_due(&self) -> bool {
        self.of.is_due()
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
        if std::mem::take(&mut self.making) {
            self.of.lost_place();
        }
    }

    /// There is no place for this server now in that room: asks other pools to make some, until the result is dropped. `None`: there is one
    /// by now, and nobody is asked.
    ///
    /// # Errors
    /// Another server of this pool waits already, and one is enough: the pool looks again when that one got through.
    pub fn wait_for_place(&self, room: Option<Room>) -> Result<Placing, AlreadyWaiting> {
        let need = self.of.wait_for_place(room)?;
        Ok(Placing { of: Arc::clone(&self.of), need })
    }
}

impl Placing {
    /// Asks once more: something may have become idle meanwhile.
    ///
    /// # Errors
    /// See [`Overtaken`]: the place in line is to be given up.
    pub fn ask_again(&mut self, room: Option<Room>) -> Result<(), Overtaken> {
        self.need = self.of.ask_again(self.need, room)?;
        Ok(())
    }

    /// Its turn has come: does it need the place at least as much as those behind it?
    pub fn is_next(&self) -> bool {
        self.of.is_next(self.need)
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.set_worker(None);
        if let Some(room) = self.promised {
            self.of.kept_promise(room);
        }
        self.of.freed(self.record.number);
    }
}

impl Drop for Placing {
    fn drop(&mut self) {
        self.of.waited_for_place(self.need);
    }
}

//! Time limits of statements and transactions, without a timer for each.
//!
//! A session notes when something began that may not take for ever. Its worker looks at those sessions, and at no others,
//! ten times a second, and wakes one whose time is up. A limit is therefore kept to within `BEAT`. The [`course`] of a session is that and
//! what is counted of its times whether or not there is a limit.

pub mod beat;
pub mod course;
pub mod durations;
mod times;

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;

use tokio::task::spawn_local;

use self::beat::Beat;
pub use self::times::Timed;
use self::times::{Going, Place, Times};
use crate::clock::{self, Instant};
use crate::guard::Limits;
use crate::guard::limits::TimeLimit;
use crate::roster::Seat;
use crate::wire::Transaction;

/// The sessions of one worker that something may become too late for.
#[derive(Debug, Default)]
pub struct Timings {
    beat: Arc<Beat>,
    listed: RefCell<Vec<Rc<Times>>>,
    looking: Cell<Looking>,
}

/// Whether a worker's look-out runs: only while there is somebody to look at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Looking {
    #[default]
    No,
    Yes,
}

/// One session's times. Nobody looks at a session whose `Timing` was dropped.
#[derive(Debug)]
pub struct Timing {
    worker: Rc<Timings>,
    /// Made when something begins that has a limit.
    times: Option<Rc<Times>>,
}

/// What a session's times are held to as they begin, and whom to wake.
#[derive(Debug, Clone, Copy)]
pub struct Held<'a> {
    /// Limits of the rules in force.
    pub limits: &'a Limits,
    /// The session.
    pub who: &'a Seat,
}

impl Timing {
    /// The times of a session of this worker, of which none has begun.
    pub fn new(worker: &Rc<Timings>) -> Self {
        Self { worker: Rc::clone(worker), times: None }
    }

    /// A request went to the server.
    pub fn begins(&mut self, now: Instant, held: Held<'_>) {
        self.stop(Timed::IdleTransaction);
        if self.going(Timed::Statement) == Going::Not {
            self.start(Timed::Statement, now, held);
        }
    }

    /// A request that opens a transaction went to the server. Its boundary may be far: other statements may stand behind the BEGIN.
    pub fn opens(&mut self, now: Instant, held: Held<'_>) {
        if self.going(Timed::Transaction) == Going::Not {
            self.start(Timed::Transaction, now, held);
        }
    }

    /// The server has answered a request that began at `began`, and owes nothing.
    pub fn rests(&mut self, transaction: Transaction, began: Instant, now: Instant, held: Held<'_>) {
        self.ends(transaction, began, held);
        if transaction != Transaction::None {
            return self.start(Timed::IdleTransaction, now, held);
        }
        self.stop(Timed::IdleTransaction);
        // Where nobody looks at them any more, an idle session need not keep them.
        self.times.take_if(|times| times.place.get() == Place::Unlisted);
    }

    /// The server has answered a request that began at `began`, and may owe more.
    pub fn ends(&mut self, transaction: Transaction, began: Instant, held: Held<'_>) {
        self.stop(Timed::Statement);
        match transaction {
            Transaction::None => self.stop(Timed::Transaction),
            Transaction::Open | Transaction::Failed => self.opens(began, held),
        }
    }

    /// What has taken too long: told once for each beginning. One cell is read where nothing has.
    pub fn take_due(&self) -> Option<Timed> {
        self.times.as_ref()?.take_due()
    }

    fn going(&self, what: Timed) -> Going {
        self.times.as_ref().map_or(Going::Not, |times| times.going(what))
    }

    fn stop(&self, what: Timed) {
        if let Some(times) = &self.times {
            times.stop(what);
        }
    }

    fn start(&mut self, what: Timed, now: Instant, Held { limits, who }: Held<'_>) {
        let Some(TimeLimit { limit, .. }) = what.of(limits) else { return };
        let times = self.times.get_or_insert_with(|| Rc::new(Times::of(who)));
        times.start(what, now, *limit);
        if times.place.replace(Place::Listed) == Place::Unlisted {
            self.worker.list(Rc::clone(times));
        }
    }
}

impl Drop for Timing {
    fn drop(&mut self) {
        if let Some(times) = &self.times {
            times.end();
        }
    }
}

impl Timings {
    /// Nobody is looked at yet; later, with each beat.
    pub fn new(beat: Arc<Beat>) -> Self {
        Self { beat, ..Self::default() }
    }

    fn list(self: &Rc<Self>, times: Rc<Times>) {
        self.listed.borrow_mut().push(times);
        if self.looking.replace(Looking::Yes) == Looking::No {
            spawn_local(Rc::clone(self).look_out());
        }
    }

    async fn look_out(self: Rc<Self>) {
        let listener = self.beat.listen();
        loop {
            listener.next().await;
            let now = clock::now();
            let mut listed = self.listed.borrow_mut();
            listed.retain(|times| {
                let stays = times.look(now);
                if !stays {
                    times.place.set(Place::Unlisted);
                }
                stays
            });
            if listed.is_empty() {
                // A storm of sessions must not leave its memory behind.
                *listed = Vec::new();
                self.looking.set(Looking::No);
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests;

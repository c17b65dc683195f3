//! How far a session's statement and transaction have come: since when they last, what is counted of them, and what they are held to.

use std::rc::Rc;

use super::durations::Durations;
use super::{Held, Timed, Timing, Timings};
use crate::clock::{self, Instant};
use crate::telemetry::WorkerMetrics;
use crate::units::micros;
use crate::wire::Transaction;

/// The course of one session.
#[derive(Debug)]
pub struct Course {
    /// When the request began that the server is working on.
    began: Option<Instant>,
    /// Since when its transaction lasts.
    transaction: Option<Instant>,
    durations: Durations,
    timing: Timing,
}

impl Course {
    /// Of a session of this worker, with nothing begun.
    pub fn new(worker: &Rc<Timings>) -> Self {
        Self { began: None, transaction: None, durations: Durations::default(), timing: Timing::new(worker) }
    }

    /// A request goes to the server. The moment, where it had nothing to do.
    pub fn begins(&mut self, metrics: &WorkerMetrics, held: Held<'_>) -> Option<Instant> {
        if self.began.is_some() {
            return None;
        }
        let now = clock::now();
        self.began = Some(now);
        self.transaction.get_or_insert(now);
        self.durations.begins(now, metrics);
        self.timing.begins(now, held);
        Some(now)
    }

    /// A request that opens a transaction went to the server.
    pub fn opens(&mut self, held: Held<'_>) {
        self.timing.opens(clock::now(), held);
    }

    /// For how long the server has worked, in microseconds; `None`: it had nothing to do.
    pub fn at_work_us(&self, now: Instant) -> Option<u64> {
        self.began.map(|began| micros(now.saturating_duration_since(began)))
    }

    /// The server is in no transaction any more. How long it was in one, in microseconds.
    pub fn ends_transaction(&mut self, now: Instant) -> Option<u64> {
        self.transaction.take().map(|since| micros(now.saturating_duration_since(since)))
    }

    /// The server has answered a request, and goes on with the next one.
    pub fn goes_on(&mut self, transaction: Transaction, now: Instant, held: Held<'_>) {
        let began = self.began.replace(now).unwrap_or(now);
        self.transaction.get_or_insert(now);
        self.timing.ends(transaction, began, held);
        self.timing.begins(now, held);
    }

    /// The server has answered everything.
    pub fn rests(&mut self, transaction: Transaction, now: Instant, metrics: &WorkerMetrics, held: Held<'_>) {
        let began = self.began.take();
        self.durations.rests(transaction, began, now, metrics);
        self.timing.rests(transaction, began.unwrap_or(now), now, held);
    }

    /// What has taken too long: told once for each beginning.
    pub fn take_due(&self) -> Option<Timed> {
        self.timing.take_due()
    }
}

//! How long statements and transactions take, noted for the report whether or not a rule limits them.

use crate::clock::Instant;
use crate::guard::Measure;
use crate::telemetry::WorkerMetrics;
use crate::units::micros;
use crate::wire::Transaction;

/// The times of one session's transaction. It asks no clock: whoever calls has just done so.
#[derive(Debug, Default)]
pub struct Durations {
    /// Since when a transaction is open: only those that outlast a statement are measured.
    transaction: Option<Instant>,
    /// Since when it has nothing to do.
    idle: Option<Instant>,
}

impl Durations {
    /// A request goes to the server.
    pub fn begins(&mut self, now: Instant, metrics: &WorkerMetrics) {
        if let Some(since) = self.idle.take() {
            note(Measure::IdleTransactionTime, since, now, metrics);
        }
    }

    /// The server has answered what began at `began`, and owes nothing.
    pub fn rests(&mut self, transaction: Transaction, began: Option<Instant>, now: Instant, metrics: &WorkerMetrics) {
        match transaction {
            Transaction::None => {
                self.idle = None;
                if let Some(since) = self.transaction.take() {
                    note(Measure::TransactionTime, since, now, metrics);
                }
            }
            Transaction::Open | Transaction::Failed => {
                self.transaction.get_or_insert_with(|| began.unwrap_or(now));
                self.idle = Some(now);
            }
        }
    }
}

fn note(measure: Measure, since: Instant, now: Instant, metrics: &WorkerMetrics) {
    metrics.observe(measure.into(), micros(now.saturating_duration_since(since)));
}

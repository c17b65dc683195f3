//! What a dry run tells: what was measured of all statements, which of them a rule found fault with, and a limit that would
//! have fitted.
//!
//! Two calls feed it.
//!
//! ```text
//! local.metrics.observe(Measure::ResultRows.into(), rows);   // every statement that the rule is about, breach or not
//! common.metrics.hit(Hit { rule, outcome, client, shape, value });   // a breach
//! ```
//!
//! [`WorkerMetrics::observe`](super::WorkerMetrics::observe) costs a few plain loads and stores of the worker's own memory. Call it
//! once for each reply, write, pipeline or stream, when its value is known: of what is cut or refused, the value that it had
//! reached. [`Metrics::hit`](super::Metrics::hit) costs a lock, and counts the verdict as well. All of it is bounded: a fixed
//! histogram for each limit, and for each rule a fixed number of callers and shapes.

mod observed;
mod told;
mod top;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::rows::{LimitRow, RuleRow};
use super::worker::WorkerMetrics;
use crate::clock;

pub(super) use observed::Slots;
use observed::Values;
pub use observed::{SLOTS, Slot};
pub use told::{LimitReport, RuleReport};
use top::Top;
pub use top::TopRow;

/// With fewer values than this nothing is suggested.
pub const OBSERVED_MIN: u64 = 1_000;
/// Bytes kept of a caller's name.
const CALLER_BYTES_MAX: usize = 128;
/// Bytes kept of a shape.
const SHAPE_BYTES_MAX: usize = 512;

/// One breach of a rule.
#[derive(Debug, Clone, Copy)]
pub struct Hit<'a> {
    /// Name of the rule.
    pub rule: &'static str,
    /// What became of the statement.
    pub outcome: HitOutcome,
    /// The label of its client.
    pub client: &'a str,
    /// Its text without literals.
    pub shape: &'a [u8],
    /// What was measured, in the unit of the limit that was passed; `None` where it is no number.
    pub value: Option<u64>,
}

/// What became of a statement that a rule found fault with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HitOutcome {
    /// It was refused, or cut.
    Refused,
    /// It went on, since the rule is in `warn`.
    Warned,
}

/// The report of the process, since its start or the last reset.
#[derive(Debug)]
pub struct Report {
    workers: Arc<[Arc<WorkerMetrics>]>,
    kept: Mutex<Kept>,
}

#[derive(Debug)]
struct Kept {
    since_ms: u64,
    /// What workers had observed at the last reset: theirs alone to write, so it is subtracted and not cleared.
    before: Vec<Values>,
    hits: BTreeMap<&'static str, Hits>,
}

/// The breaches of one rule.
#[derive(Debug, Clone)]
struct Hits {
    refused: u64,
    warned: u64,
    last_ms: u64,
    callers: Top,
    shapes: Top,
}

impl Default for Hits {
    fn default() -> Self {
        Self {
            refused: 0,
            warned: 0,
            last_ms: 0,
            callers: Top::new(CALLER_BYTES_MAX),
            shapes: Top::new(SHAPE_BYTES_MAX),
        }
    }
}

impl Report {
    pub(super) fn new(workers: Arc<[Arc<WorkerMetrics>]>) -> Self {
        let kept = Kept { since_ms: clock::uptime_ms(), before: Vec::new(), hits: BTreeMap::new() };
        Self { workers, kept: Mutex::new(kept) }
    }

    /// Counts a breach. Takes a lock and asks the clock: for what is refused or warned of, not for what passes.
    pub fn hit(&self, hit: Hit<'_>) {
        let now_ms = clock::uptime_ms();
        let mut kept = self.lock();
        let hits = kept.hits.entry(hit.rule).or_default();
        let count = match hit.outcome {
            HitOutcome::Refused => &mut hits.refused,
            HitOutcome::Warned => &mut hits.warned,
        };
        *count = count.saturating_add(1);
        hits.last_ms = now_ms;
        hits.callers.hit(hit.client.as_bytes(), hit.value, now_ms);
        hits.shapes.hit(hit.shape, hit.value, now_ms);
    }

    /// Begins anew.
    pub fn reset(&self) {
        let mut kept = self.lock();
        kept.before = (0..SLOTS).map(|slot| self.sum(Slot::new(slot))).collect();
        kept.hits.clear();
        kept.since_ms = clock::uptime_ms();
        self.workers.iter().for_each(|worker| worker.observed.forget_largest());
    }

    /// What is told of these rules, in their order.
    pub fn of(&self, rules: &[RuleRow]) -> Vec<RuleReport> {
        let now_ms = clock::uptime_ms();
        let kept = self.lock();
        rules.iter().map(|rule| self.rule(&kept, rule, now_ms)).collect()
    }

    fn rule(&self, kept: &Kept, row: &RuleRow, now_ms: u64) -> RuleReport {
        let hits = kept.hits.get(row.rule).cloned().unwrap_or_default();
        let seconds_since = |then_ms: u64| now_ms.saturating_sub(then_ms) / 1000;
        RuleReport {
            rule: row.rule,
            mode: row.mode,
            state: row.state,
            seconds: seconds_since(kept.since_ms),
            refused: hits.refused,
            warned: hits.warned,
            last_seconds: (hits.refused > 0 || hits.warned > 0).then(|| seconds_since(hits.last_ms)),
            callers: hits.callers.rows(now_ms),
            shapes: hits.shapes.rows(now_ms),
            limits: row.limits.iter().map(|limit| self.limit(kept, limit)).collect(),
        }
    }

    fn limit(&self, kept: &Kept, row: &LimitRow) -> LimitReport {
        let mut values = self.sum(row.slot);
        if let Some(before) = kept.before.get(row.slot.index()) {
            values.subtract(before);
        }
        let observed = values.count();
        let p99_9 = values.quantile(999, 1_000);
        let suggested = p99_9.filter(|_| observed >= OBSERVED_MIN).map(|value| row.unit.round_up(value));
        LimitReport {
            setting: row.setting,
            unit: row.unit,
            limit: row.limit,
            observed,
            largest: values.largest(),
            p99_9,
            suggested,
            above_suggested: suggested.map(|suggested| values.above(suggested)),
        }
    }

    fn sum(&self, slot: Slot) -> Values {
        let mut values = Values::default();
        self.workers.iter().for_each(|worker| worker.observed.add_to(slot, &mut values));
        values
    }

    fn lock(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::units::Unit;

    fn report() -> Report {
        Report::new((0..2).map(|_| Arc::new(WorkerMetrics::default())).collect())
    }

    fn rows() -> Vec<RuleRow> {
        vec![RuleRow {
            rule: "bulk_write",
            mode: "warn",
            state: "warn",
            settings: String::new(),
            enforced_total: 0,
            warned_total: 0,
            lifted_total: 0,
            limits: vec![LimitRow { setting: "max_rows", unit: Unit::Count, slot: Slot::new(1), limit: Some(5_000) }],
        }]
    }

    fn hit<'a>(client: &'a str, shape: &'a [u8], value: u64) -> Hit<'a> {
        Hit { rule: "bulk_write", outcome: HitOutcome::Warned, client, shape, value: Some(value) }
    }

    fn told(report: &Report) -> RuleReport {
        report.of(&rows()).remove(0)
    }

    #[test]
    fn the_suggested_limit_fits_what_was_seen() {
        let report = report();
        for value in 1..=2_000 {
            report.workers[value as usize % 2].observe(Slot::new(1), value);
        }
        let limit = told(&report).limits.remove(0);
        assert_eq!((limit.observed, limit.largest, limit.limit), (2_000, Some(2_000), Some(5_000)));
        let p99_9 = limit.p99_9.unwrap();
        assert!((1_998..=2_000).contains(&p99_9), "{p99_9}");
        assert_eq!((limit.suggested, limit.above_suggested), (Some(2_000), Some(0)));
    }

    #[test]
    fn few_values_suggest_nothing() {
        let report = report();
        (1..OBSERVED_MIN).for_each(|value| report.workers[0].observe(Slot::new(1), value));
        let limit = told(&report).limits.remove(0);
        assert_eq!((limit.suggested, limit.above_suggested), (None, None));
        assert!(limit.p99_9.is_some());
        report.workers[0].observe(Slot::new(1), 0);
        assert!(told(&report).limits[0].suggested.is_some());
    }

    #[test]
    fn a_suggestion_is_never_zero() {
        let report = report();
        (0..OBSERVED_MIN).for_each(|_| report.workers[0].observe(Slot::new(1), 0));
        assert_eq!(told(&report).limits[0].suggested, Some(1));
    }

    #[test]
    fn one_outlier_in_ten_thousand_is_no_reason_for_a_larger_limit() {
        let report = report();
        (0..10_000).for_each(|_| report.workers[0].observe(Slot::new(1), 20));
        report.workers[1].observe(Slot::new(1), 400_000);
        let limit = told(&report).limits.remove(0);
        assert_eq!((limit.suggested, limit.above_suggested, limit.largest), (Some(20), Some(1), Some(400_000)));
    }

    #[test]
    fn hits_are_counted_by_caller_and_by_shape() {
        let report = report();
        for value in [7_000, 9_000] {
            report.hit(hit("web", b"insert into t values($1)", value));
        }
        report.hit(Hit { outcome: HitOutcome::Refused, ..hit("batch", b"delete from t", 1) });
        let told = told(&report);
        assert_eq!((told.refused, told.warned), (1, 2));
        assert!(told.last_seconds.is_some_and(|seconds| seconds < 60));
        let first = &told.callers[0];
        assert_eq!((&*first.key, first.count, first.largest), (&b"web"[..], 2, Some(9_000)));
        assert_eq!((told.callers.len(), told.shapes.len()), (2, 2));
    }

    #[test]
    fn a_reset_begins_anew_and_what_comes_later_counts() {
        let report = report();
        (0..2_000).for_each(|_| report.workers[0].observe(Slot::new(1), 900));
        report.hit(hit("web", b"x", 1));
        report.reset();
        let empty = told(&report);
        assert_eq!((empty.warned, empty.last_seconds, empty.callers.len()), (0, None, 0));
        assert_eq!((empty.limits[0].observed, empty.limits[0].largest, empty.limits[0].p99_9), (0, None, None));
        report.workers[0].observe(Slot::new(1), 3);
        let limit = told(&report).limits.remove(0);
        assert_eq!((limit.observed, limit.largest, limit.p99_9), (1, Some(3), Some(3)));
    }
}

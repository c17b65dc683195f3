//! What becomes of a rule that panics: it is out of order until the rules are read again, alone, and everything else goes on.
//!
//! A panic is a fault of ours. The statement at hand is judged again without the rule, whose stated failure mode applies from
//! then on.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::breach::{Breach, Mode};
use super::intake::Entry;
use super::rule::{OnPanic, RuleDef};
use crate::sql::Verb;
use crate::units::Unit;

/// What a rule does now, which may be less than its mode says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum State {
    /// It runs, in this mode.
    Runs(Mode),
    /// It panicked, and its failure mode holds.
    Failed,
}

impl State {
    /// The word that metrics and the console use.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Runs(mode) => mode.label(),
            Self::Failed => "failed",
        }
    }
}

/// Which rules of a registry have panicked: common to all guards that were made from one reading of the configuration.
#[derive(Debug, Clone)]
pub(super) struct Failures(Arc<[AtomicBool]>);

/// The rule that runs, by its place in the registry; `None` between two rules.
#[derive(Debug, Default)]
pub(super) struct Running(Cell<Option<usize>>);

impl Running {
    /// Runs a part of a rule.
    pub(super) fn run<T>(&self, place: usize, part: impl FnOnce() -> T) -> T {
        self.0.set(Some(place));
        let done = part();
        self.0.set(None);
        done
    }
}

impl Failures {
    /// So many rules, all in order.
    pub(super) fn none(rules: usize) -> Self {
        Self((0..rules).map(|_| AtomicBool::new(false)).collect())
    }

    /// Has the rule at this place panicked? One relaxed load.
    pub(super) fn has(&self, place: usize) -> bool {
        self.0.get(place).is_some_and(|failed| failed.load(Ordering::Relaxed))
    }

    /// Runs rules, again after each that panics, with that rule out of order: so `run` must skip those. Returns the places of
    /// the rules that this call put out of order: each is told once. A panic outside of rules goes on.
    pub(super) fn watch<T>(&self, run: impl Fn(&Running) -> T) -> (T, Vec<usize>) {
        let mut failed = Vec::new();
        loop {
            let running = Running::default();
            match catch_unwind(AssertUnwindSafe(|| run(&running))) {
                Ok(done) => return (done, failed),
                Err(panic) => {
                    let Some((place, flag)) = running.0.get().and_then(|place| Some((place, self.0.get(place)?)))
                    else {
                        resume_unwind(panic)
                    };
                    if !flag.swap(true, Ordering::Relaxed) {
                        failed.push(place);
                    }
                }
            }
        }
    }
}

/// What a rule that has panicked says of a statement.
pub(super) fn breach(def: &RuleDef, entry: &Entry<'_>) -> Option<Breach> {
    let passes =
        matches!(entry.piece.verb, Verb::Empty | Verb::Begin | Verb::Commit | Verb::Rollback | Verb::Savepoint);
    (def.on_panic == OnPanic::Refuse && !passes).then(|| Breach {
        rule: def.name,
        statement: entry.index,
        measured: "unjudged".to_owned(),
        limit: 0,
        unit: Unit::Count,
        message: "the rule has failed and cannot judge the statement".to_owned(),
        hint: "Floodwall's log says what failed; RELOAD puts the rule back in order, mode = \"off\" does without it"
            .to_owned(),
    })
}

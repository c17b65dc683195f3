//! What a session thinks of what is only known while a statement runs.

use super::Judge;
use super::budget;
use super::findings::Fate;
use crate::client::refuse;
use crate::guard::limits::TimeLimit;
use crate::guard::{Mode, Notice};
use crate::roster::Entry;
use crate::session::timing::Timed;
use crate::session::watch::{Excess, Reach, Ruling, Watch};
use crate::wire::Request;

impl Judge {
    /// What is to be watched of a request that passes.
    pub fn watch(&self, request: Request<'_>) -> Watch {
        let limits = self.policy.guard.limits();
        match request {
            Request::Execute { portal, rows } => {
                let watch = budget::watch(limits, budget::portion(limits, self.portals.plan(portal), rows));
                budget::returning(watch, self.portals.find(portal).and_then(|portal| portal.returned(rows)))
            }
            _ => budget::watch(limits, self.plan),
        }
    }

    /// What is done where a statement sent or changed more than it may.
    pub fn excess(&self, excess: Excess, reach: Reach, who: &Entry) -> Ruling {
        let guard = &self.policy.guard;
        let Some((breach, mode)) = budget::breach(guard.limits(), excess, reach) else { return Ruling::Pass };
        if self.passes(&breach, self.current.as_deref(), who) {
            return Ruling::Pass;
        }
        let fate = match (mode, reach) {
            (Mode::Enforce, Reach::Whole) => Fate::Failed,
            (Mode::Enforce, Reach::Late) => Fate::TooLate,
            (Mode::Warn | Mode::Off, _) => Fate::Warned,
        };
        self.tell(&breach, fate, self.current.as_deref(), who);
        let refusal = || match (excess, guard.limits().statement) {
            (Excess::Time, Some(limit)) => refuse::timed_out(&limit),
            _ => refuse::breach(&breach),
        };
        match (fate, guard.notice()) {
            (Fate::Failed, _) => Ruling::Fail(refusal()),
            (_, Notice::Send) => Ruling::Warn(refusal()),
            (_, Notice::Silent) => Ruling::Pass,
        }
    }

    /// A transaction has been open, or idle, for too long: the limit that its session has to end for.
    pub fn overdue(&self, what: Timed, who: &Entry) -> Option<TimeLimit> {
        let limits = self.policy.guard.limits();
        let limit = match what {
            Timed::Statement => None,
            Timed::Transaction => limits.transaction,
            Timed::IdleTransaction => limits.idle_transaction,
        }?;
        let breach = limit.too_long();
        if self.passes(&breach, self.current.as_deref(), who) {
            return None;
        }
        let fate = if limit.mode == Mode::Enforce { Fate::Ended } else { Fate::Warned };
        self.tell(&breach, fate, self.current.as_deref(), who);
        (limit.mode == Mode::Enforce).then_some(limit)
    }
}

//! What a session thinks of what is only known while a statement runs.

use super::budget;
use super::findings::Fate;
use super::judge::Judge;
use super::watch::{Excess, Reach, Ruling, Watch};
use crate::client::refuse;
use crate::guard::{Mode, Notice};
use crate::roster::Entry;
use crate::wire::Request;

impl Judge {
    /// What is to be watched of a request that passes.
    pub fn watch(&self, request: Request<'_>) -> Watch {
        let limits = self.policy.guard.limits();
        match request {
            Request::Execute { portal, rows } => {
                budget::watch(limits, budget::portion(limits, self.portals.plan(portal), rows))
            }
            _ => budget::watch(limits, self.plan),
        }
    }

    /// What is done where a statement sent or changed more than it may.
    pub fn excess(&self, excess: Excess, reach: Reach, who: &Entry) -> Ruling {
        let guard = &self.policy.guard;
        let Some((breach, mode)) = budget::breach(guard.limits(), excess, reach) else { return Ruling::Pass };
        let fate = match (mode, reach) {
            (Mode::Enforce, Reach::Whole) => Fate::Failed,
            (Mode::Enforce, Reach::Late) => Fate::TooLate,
            (Mode::Warn | Mode::Off, _) => Fate::Warned,
        };
        self.tell(&breach, fate, self.current.as_deref(), who);
        match (fate, guard.notice()) {
            (Fate::Failed, _) => Ruling::Fail(refuse::breach(&breach)),
            (_, Notice::Send) => Ruling::Warn(refuse::breach(&breach)),
            (_, Notice::Silent) => Ruling::Pass,
        }
    }
}

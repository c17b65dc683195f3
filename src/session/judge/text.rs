//! What the rules of a client say of a text, read in one of the ways in which it may be.

use std::rc::Rc;

use super::Judge;
use super::portals::Due;
use super::request::Prepares;
use crate::clock;
use crate::guard::plan::Effect;
use crate::guard::{Fetch, Intake, Judgement, Plan, Whole};
use crate::roster::Entry;
use crate::session::overseer::Opinion;
use crate::session::reader::Text;
use crate::session::reader::memo::{Memo, Observed};
use crate::sql::{Values, Verb};

/// Texts of more statements than this are timed.
const TIMED_MIN: usize = 16;

/// Why a text is judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Occasion {
    /// It is prepared: what would only be warned of is told when it runs.
    Preparing,
    /// It runs next.
    Running,
}

/// What is known of a text beside what it says.
#[derive(Debug, Clone, Copy)]
pub(super) struct Case {
    /// How long it is.
    pub(super) bytes: u64,
    pub(super) whole: Whole,
    pub(super) fetch: Fetch,
    /// Only a refusal counts yet; else so many bytes of the frame are wanted.
    pub(super) more: Option<u64>,
}

impl Case {
    /// A statement that was prepared earlier.
    pub(super) const fn prepared(fetch: Fetch) -> Self {
        Self { bytes: 0, whole: Whole::Whole, fetch, more: None }
    }
}

impl Judge {
    /// Judges a text. Where the client has not said how much it fetches, what depends on that is left for later: see [`Due`].
    pub(super) fn judge(&mut self, text: Rc<Text>, case: Case, values: Option<&Values>, who: &Entry) -> Opinion {
        if self.sight.take_in(&text.shape.lookup) {
            self.schema = self.sight.schema(&self.house, who);
        }
        self.note_traces(&text, case);
        self.due = Due::Settled;
        if let Some(opinion) = self.judge_portioned(&text, who) {
            return opinion;
        }
        let alone = case.whole == Whole::Whole && values.is_none();
        let settled = text.memo.borrow().holds(&self.policy, self.schema.as_ref());
        if let Some(plan) = settled.filter(|_| alone) {
            self.plan = self.plan.or(self.sure(plan));
            let observed = text.memo.borrow().values();
            self.know(Some(text), observed);
            return Opinion::Allow;
        }
        let plan = self.policy.guard.plan(&self.intake(&text, case, values));
        self.plan = self.plan.or(self.sure(plan));
        let (mut judgement, observed) = self.weigh(&text, case, values);
        if judgement.is_clean() && alone {
            *text.memo.borrow_mut() = Memo::of(&self.policy, self.schema.as_ref(), plan, observed.clone());
        }
        if case.fetch == Fetch::Later && !judgement.is_clean() {
            let now = self.policy.guard.judge(&self.intake(&text, case, values));
            self.due = Due::between(&now, &judgement);
            judgement = now;
        }
        if self.due != Due::Settled {
            // All of it is told when it is known how much is fetched.
            self.occasion = Occasion::Preparing;
        }
        if !judgement.is_clean() {
            let intake = self.intake(&text, case, values);
            judgement = self.lift(&intake, &text, who).unwrap_or(judgement);
        }
        match case.more {
            Some(bytes) if judgement.allows() => Opinion::More(bytes),
            _ => self.report(judgement, observed, text, who),
        }
    }

    /// A block around several statements is none where an `EXECUTE` among them may end it. Where the client has prepared nothing that
    /// could, it writes and no more.
    fn sure(&self, plan: Plan) -> Plan {
        match (self.prepares, plan.effect) {
            (Prepares::Transactions, Effect::Runs) if plan.statements > 1 => Plan { effect: Effect::Other, ..plan },
            (Prepares::Statements, Effect::Runs) => Plan { effect: Effect::Writes, ..plan },
            _ => plan,
        }
    }

    /// `EXECUTE` reads all of a statement that passed only where it is read in portions.
    fn judge_portioned(&mut self, text: &Text, who: &Entry) -> Option<Opinion> {
        let portioned = self.portioned.as_ref().filter(|_| runs_prepared(text)).map(Rc::clone)?;
        let judgement = self.policy.guard.judge(&self.intake(&portioned, Case::prepared(Fetch::All), None));
        (!judgement.allows()).then(|| self.report(judgement, Observed::default(), portioned, who))
    }

    /// What the rules say of a text that is read whole, and what they measure of it.
    fn weigh(&self, text: &Text, case: Case, values: Option<&Values>) -> (Judgement, Observed) {
        let fetch = if case.fetch == Fetch::Later { Fetch::All } else { case.fetch };
        let intake = self.intake(text, Case { fetch, ..case }, values);
        // Judging a few statements takes less than asking the time.
        let began = (text.reading.pieces().len() > TIMED_MIN).then(clock::now);
        let judgement = self.policy.guard.judge(&intake);
        let measured = self.policy.guard.measure(&intake);
        if let Some(began) = began {
            self.local.reader.borrow().spent(clock::now().saturating_duration_since(began));
        }
        self.tell_failed(judgement.failed.iter().chain(&measured.failed), text);
        (judgement, Observed::new(&measured.values))
    }

    fn intake<'a>(&'a self, text: &'a Text, case: Case, values: Option<&'a Values>) -> Intake<'a> {
        let Case { bytes: text_bytes, whole, fetch, .. } = case;
        Intake { reading: &text.reading, schema: self.schema.as_deref(), text_bytes, whole, values, fetch }
    }
}

/// True where a text runs prepared statements by name.
fn runs_prepared(text: &Text) -> bool {
    text.reading.pieces().iter().any(|piece| piece.verb == Verb::Execute)
}

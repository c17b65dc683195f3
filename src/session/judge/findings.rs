//! What becomes of what the rules find: lifted by a pass, counted, logged and put in words.

use std::rc::Rc;
use std::time::Duration;

use super::Judge;
use super::break_glass;
use super::text::{Case, Occasion};
use crate::client::refuse;
use crate::guard::{Breach, Intake, Judgement, Notice, OnUnreadable, Plan, RuleDef, UNREADABLE, Verdict};
use crate::roster::Entry;
use crate::session::overseer::Opinion;
use crate::session::reader::Text;
use crate::session::reader::memo::Observed;
use crate::telemetry::Pass;
use crate::telemetry::report::{Hit, HitOutcome};
use crate::units::{Unit, display_bytes, display_duration};
use crate::wire::Refusal;

/// What became of a statement in which a rule found something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// It never ran.
    Refused,
    /// It was stopped, or taken back.
    Failed,
    /// Its session was ended.
    Ended,
    /// It went on, since the rule is in `warn`.
    Warned,
    /// It went on, since nothing could be taken back any more.
    TooLate,
}

impl Fate {
    const fn mode(self) -> &'static str {
        match self {
            Self::Refused | Self::Failed | Self::Ended => "enforce",
            Self::Warned | Self::TooLate => "warn",
        }
    }

    const fn outcome(self) -> HitOutcome {
        match self {
            Self::Refused | Self::Failed | Self::Ended => HitOutcome::Refused,
            Self::Warned | Self::TooLate => HitOutcome::Warned,
        }
    }

    const fn words(self) -> &'static str {
        match self {
            Self::Refused => "a statement was refused",
            Self::Failed => "a statement was stopped or rolled back",
            Self::Ended => "a session was ended",
            Self::Warned => "a statement passed with a warning",
            Self::TooLate => "a statement could not be taken back and passed",
        }
    }
}

impl Judge {
    /// Judges again where the client shows a break-glass pass.
    pub(super) fn lift(&self, intake: &Intake<'_>, text: &Text, who: &Entry) -> Option<Judgement> {
        let common = &self.house.common;
        let pass = self.break_glass.prove(self.break_glass.shown().as_ref(), who, common)?;
        let judgement = self.policy.guard.judge_lifting(intake, &pass.rules);
        break_glass::lifted(&pass, &judgement.lifted, &text.shape.text, who, common);
        Some(judgement)
    }

    /// Does the client show a pass that lifts the rule of a breach that was measured? Counted and logged where it does.
    pub(super) fn passes(&self, breach: &Breach, text: Option<&Text>, who: &Entry) -> bool {
        let common = &self.house.common;
        let pass = self.break_glass.prove(self.break_glass.shown().as_ref(), who, common);
        let Some(pass) = pass.filter(|pass| pass.rules.contains(&breach.rule)) else { return false };
        let shape = text.map_or(&[][..], |text| &text.shape.text);
        break_glass::lifted(&pass, std::slice::from_ref(breach), shape, who, common);
        true
    }

    /// Counts and logs what the rules found, and puts it in words.
    pub(super) fn report(&mut self, judgement: Judgement, observed: Observed, text: Rc<Text>, who: &Entry) -> Opinion {
        let Judgement { verdict, warned, doubts, .. } = judgement;
        // Whoever prepares a statement runs it next, and is warned then.
        let warned = if self.occasion == Occasion::Running { warned } else { Vec::new() };
        for (place, breach) in warned.iter().enumerate() {
            if doubts.contains(&place) {
                self.house.common.metrics.verdict(breach.rule, "warn", 1);
                self.log(breach, Fate::Warned, Some(&text), who);
            } else {
                self.tell(breach, Fate::Warned, Some(&text), who);
            }
        }
        match verdict {
            Verdict::Refuse(breach) => {
                observed.note(&self.local.metrics);
                self.tell(&breach, Fate::Refused, Some(&text), who);
                Opinion::Refuse(refuse::breach(&breach))
            }
            Verdict::Allow => {
                self.know(Some(text), observed);
                match (self.policy.guard.notice(), warned.first()) {
                    (Notice::Send, Some(breach)) => Opinion::Warn(refuse::breach(breach)),
                    _ => Opinion::Allow,
                }
            }
        }
    }

    /// Counts and logs a breach. `text`: the statement, where it is known.
    pub(super) fn tell(&self, breach: &Breach, fate: Fate, text: Option<&Text>, who: &Entry) {
        let metrics = &self.house.common.metrics;
        let shape = text.map_or(&[][..], |text| &text.shape.text);
        let (rule, outcome, client) = (breach.rule, fate.outcome(), &*who.client);
        metrics.hit(Hit { rule, outcome, client, shape, value: breach.value() });
        if outcome == HitOutcome::Refused {
            metrics.refused(rule, &who.client);
            if let Some(text) = text {
                text.shape.stat.refused();
            }
        }
        self.log(breach, fate, text, who);
    }

    /// A rule that panicked is out of order from now on: told once by the guard, so once here.
    pub(super) fn tell_failed<'r>(&self, failed: impl Iterator<Item = &'r &'static RuleDef>, text: &Text) {
        for rule in failed {
            self.house.common.metrics.rule_failed(rule.name);
            let shape = display_bytes(&text.shape.text);
            tracing::error!(rule = rule.name, on_panic = ?rule.on_panic, shape, "a rule failed and is out of order until RELOAD");
        }
    }

    fn log(&self, breach: &Breach, fate: Fate, text: Option<&Text>, who: &Entry) {
        // One client's lines must not crowd out another's.
        let key = format!("{} {}", breach.rule, who.client);
        if let Pass::Write { suppressed } = self.house.common.gate.pass(&key) {
            let (rule, measured, limit) = (breach.rule, breach.measured_text(), breach.limit_text());
            let (client, number, peer) = (&who.client, who.number, &who.peer);
            let shape = display_bytes(text.map_or(&[], |text| &text.shape.text));
            let (mode, said) = (fate.mode(), fate.words());
            tracing::warn!(rule, mode, %client, number, %peer, measured, limit, shape, suppressed, "{said}");
        }
    }

    pub(super) fn log_slow(&self, text: &Text, spent: Duration, who: &Entry) {
        if text.shape.told_slow.replace(true) {
            return;
        }
        let key = format!("guard_time {}", who.client);
        if let Pass::Write { suppressed } = self.house.common.gate.pass(&key) {
            let shape = display_bytes(&text.shape.text);
            let spent = display_duration(spent);
            let client = &who.client;
            tracing::warn!(%client, spent, shape, suppressed, "reading a statement took longer than limits.guard_time");
        }
    }

    /// The parser itself failed: the stated choice for unreadable SQL applies.
    pub(super) fn unreadable(&mut self, case: Case) -> Opinion {
        self.know(None, Observed::default());
        self.plan = Plan::UNREAD;
        match self.policy.guard.on_unreadable() {
            OnUnreadable::Allow => case.more.map_or(Opinion::Allow, Opinion::More),
            OnUnreadable::Refuse => Opinion::Refuse(unread()),
        }
    }
}

fn unread() -> Refusal {
    refuse::breach(&Breach {
        rule: UNREADABLE,
        statement: 0,
        measured: "unreadable".to_owned(),
        limit: 0,
        unit: Unit::Count,
        message: "the statement could not be read".to_owned(),
        hint: "Write it in simpler SQL; on_unreadable = \"allow\" lets such statements pass".to_owned(),
    })
}

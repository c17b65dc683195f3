//! What becomes of what the rules find: counted, logged and put in words.

use std::rc::Rc;

use super::budget;
use super::judge::{Case, Judge};
use super::overseer::Opinion;
use super::reader::Text;
use super::report::{Fate, report};
use super::watch::{Excess, Reach, Ruling};
use crate::client::refuse;
use crate::guard::{Breach, Judgement, Mode, Notice, OnUnreadable, Plan, UNREADABLE, Verdict};
use crate::roster::Entry;
use crate::wire::Refusal;

impl Judge {
    /// Counts and logs what the rules found, and puts it in words.
    pub(super) fn report(&mut self, judgement: Judgement, text: Rc<Text>, who: &Entry) -> Opinion {
        let Judgement { verdict, warned } = judgement;
        for breach in &warned {
            report(&self.house, who, Some(&text), breach, Fate::Warned);
        }
        match verdict {
            Verdict::Refuse(breach) => {
                report(&self.house, who, Some(&text), &breach, Fate::Refused);
                Opinion::Refuse(refuse::breach(&breach))
            }
            Verdict::Allow => {
                self.current = Some(text);
                match (self.policy.guard.notice(), warned.first()) {
                    (Notice::Send, Some(breach)) => Opinion::Warn(refuse::breach(breach)),
                    _ => Opinion::Allow,
                }
            }
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
        report(&self.house, who, self.current.as_deref(), &breach, fate);
        match (fate, guard.notice()) {
            (Fate::Failed, _) => Ruling::Fail(refuse::breach(&breach)),
            (_, Notice::Send) => Ruling::Warn(refuse::breach(&breach)),
            (_, Notice::Silent) => Ruling::Pass,
        }
    }

    /// The parser itself failed: the stated choice for unreadable SQL applies.
    pub(super) fn unreadable(&mut self, case: Case) -> Opinion {
        self.current = None;
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
        message: "the statement could not be read".to_owned(),
        hint: "Write it in simpler SQL; on_unreadable = \"allow\" lets such statements pass".to_owned(),
    })
}

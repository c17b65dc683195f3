//! What becomes of what the rules find: counted, logged and put in words.

use std::rc::Rc;

use super::judge::{Case, Judge};
use super::overseer::Opinion;
use super::reader::Text;
use crate::client::refuse;
use crate::guard::{Breach, Judgement, Notice, OnUnreadable, UNREADABLE, Verdict};
use crate::roster::Entry;
use crate::telemetry::Pass;
use crate::units::display_bytes;
use crate::wire::Refusal;

impl Judge {
    /// Counts and logs what the rules found, and puts it in words.
    pub(super) fn report(&mut self, judgement: Judgement, text: Rc<Text>, who: &Entry) -> Opinion {
        let Judgement { verdict, warned } = judgement;
        let metrics = &self.house.common.metrics;
        for breach in &warned {
            metrics.verdict(breach.rule, "warn", 1);
            self.log(breach, "warn", &text, who);
        }
        match verdict {
            Verdict::Refuse(breach) => {
                metrics.verdict(breach.rule, "enforce", 1);
                metrics.refused(breach.rule, &who.client);
                text.shape.stat.refused();
                self.log(&breach, "enforce", &text, who);
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

    fn log(&self, breach: &Breach, mode: &'static str, text: &Text, who: &Entry) {
        // One client's lines must not crowd out another's.
        let key = format!("{} {}", breach.rule, who.client);
        if let Pass::Write { suppressed } = self.house.common.gate.pass(&key) {
            let Breach { rule, measured, limit, .. } = breach;
            let (client, number, peer) = (&who.client, who.number, who.peer);
            let shape = display_bytes(&text.shape.text);
            let said = if mode == "enforce" { "a statement was refused" } else { "a statement passed with a warning" };
            tracing::warn!(rule, mode, %client, number, %peer, measured, limit, shape, suppressed, "{said}");
        }
    }

    /// The parser itself failed: the stated choice for unreadable SQL applies.
    pub(super) fn unreadable(&mut self, case: Case) -> Opinion {
        self.current = None;
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

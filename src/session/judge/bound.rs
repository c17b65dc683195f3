//! What a session thinks of what comes beside a text: the values of a Bind, the size of a fetch, the writes of a pipeline, the data
//! of a COPY.

use std::rc::Rc;

use super::break_glass::Shown;
use super::doubted::Meanings;
use super::portals::{Due, Portal};
use super::prepared::Statement;
use super::text::Case;
use super::values::{Bound, Unbound, is_long};
use super::{Judge, Lending};
use crate::client::refuse;
use crate::guard::{Breach, Fetch, Judgement, Measure, Mode, Plan, Verdict};
use crate::roster::Entry;
use crate::session::overseer::{Extent, Opinion};
use crate::session::reader::Text;
use crate::session::reader::memo::Observed;
use crate::session::reader::values::for_sql;
use crate::sql::Values;
use crate::sql::lexer::Marks;
use crate::sql::values::Found;
use crate::wire;

/// Of a Bind whose values matter, so much is looked at before more of it is.
const VALUES_MIN: u64 = 64 * 1024;

impl Judge {
    /// A prepared statement gets its values: those that say how much it reads or writes count, and so do rules that came since it
    /// was prepared.
    pub(super) fn bind(
        &mut self,
        portal: &[u8],
        statement: &[u8],
        sent: (wire::Values<'_>, Extent),
        who: &Entry,
    ) -> Opinion {
        self.refresh(who);
        self.forget_traces();
        if let Some(meanings) = self.prepared.meanings(statement) {
            return self.bind_any(portal, &meanings, sent, who);
        }
        let found = self.prepared.find(statement);
        let (text, shown) = found.map_or((None, None), |found| (found.text, found.shown));
        self.break_glass.show(shown);
        let Some(text) = text else {
            self.know(None, Observed::default());
            self.plan = Plan::UNREAD;
            self.portals.forget(portal);
            return if self.prepared.lost_any() {
                Opinion::Refuse(refuse::memory(statement.len()))
            } else {
                Opinion::Allow
            };
        };
        let (values, frame) = sent;
        let bound = Bound { portal, text: &text, frame };
        let wanted = text.reading.wanted();
        if wanted.is_empty() {
            return self.bound(bound, None, who);
        }
        if is_long(wanted, sent) {
            self.lending = Some(Box::new(Lending::Values(Unbound::of(bound))));
            return Opinion::Lend;
        }
        let read = Values::read(wanted, for_sql(values));
        self.bound(bound, Some(read), who)
    }

    /// The same where it may be any of several, each with its own pass: what one of them must not do is refused, and nobody waits for
    /// how much is fetched.
    fn bind_any(
        &mut self,
        portal: &[u8],
        meanings: &Meanings,
        sent: (wire::Values<'_>, Extent),
        who: &Entry,
    ) -> Opinion {
        self.plan = Plan::default();
        let Meanings::Few(statements) = meanings else {
            self.know(None, Observed::default());
            self.plan = Plan::UNREAD;
            self.portals.forget(portal);
            return Opinion::Refuse(refuse::memory(portal.len()));
        };
        let mut all = Opinion::Allow;
        for Statement { text, shown } in statements {
            self.break_glass.show(shown.clone());
            let Some(text) = text else { continue };
            let wanted = text.reading.wanted();
            let reads = !wanted.is_empty() && !is_long(wanted, sent);
            let read = reads.then(|| Values::read(wanted, for_sql(sent.0)));
            let more = read.as_ref().and_then(|(_, found)| self.more_values(*found, sent.1));
            let case = Case { more, ..Case::prepared(Fetch::All) };
            match self.judge(Rc::clone(text), case, read.as_ref().map(|(values, _)| values), who) {
                Opinion::Allow => {}
                Opinion::Warn(refusal) => all = Opinion::Warn(refusal),
                otherwise => return otherwise,
            }
        }
        self.blur_traces();
        self.break_glass.show(shown_by_all(statements));
        self.any_bound(portal, statements);
        all
    }

    /// A portal runs one of these.
    fn any_bound(&mut self, portal: &[u8], statements: &[Statement]) {
        let read: Option<Vec<&Rc<Text>>> = statements.iter().map(|statement| statement.text.as_ref()).collect();
        let Some(&text) = read.as_ref().and_then(|texts| texts.last()) else {
            // What nobody has read may leave anything.
            self.forget_traces();
            self.know(None, Observed::default());
            self.plan = Plan::UNREAD;
            return self.portals.forget(portal);
        };
        let (text, plan, shown) = (Rc::clone(text), self.plan, self.break_glass.shown());
        let bound = Portal { text, values: Values::default(), due: Due::Settled, plan, shown, asked: 0 };
        self.portals.remember(&self.house.common.memory, portal, bound);
    }

    /// What is thought of a statement that gets these values; `None`: no value of it matters.
    pub(super) fn bound(&mut self, bound: Bound<'_>, read: Option<(Values, Found)>, who: &Entry) -> Opinion {
        let Bound { portal, text, frame } = bound;
        let mut case = Case::prepared(Fetch::Later);
        let values = read.map(|(values, found)| {
            case.more = self.more_values(found, frame);
            values
        });
        self.plan = Plan::default();
        let opinion = self.judge(Rc::clone(text), case, values.as_ref(), who);
        if let Opinion::Refuse(_) | Opinion::More(_) = opinion {
            return opinion;
        }
        let values = values.unwrap_or_default();
        let (due, plan, shown) = (self.due, self.plan, self.break_glass.shown());
        let budget = &self.house.common.memory;
        if self.portals.remember(budget, portal, Portal { text: Rc::clone(text), values, due, plan, shown, asked: 0 })
            || due == Due::Settled
        {
            return opinion;
        }
        // Nobody will know at its Execute what it runs.
        Opinion::Refuse(refuse::memory(portal.len()))
    }

    /// How much of a Bind is wanted where values are missing: four times as much each time, so that reading it again and again
    /// costs no more than reading it twice.
    fn more_values(&self, found: Found, frame: Extent) -> Option<u64> {
        let hold = self.hold();
        let missing = found == Found::Some && frame.held < frame.size.min(hold);
        missing.then(|| frame.held.saturating_mul(4).max(VALUES_MIN).min(hold))
    }

    /// A portal runs: what depends on how much of it is fetched is known now.
    pub(super) fn execute(&mut self, portal: &[u8], rows: Option<u32>, who: &Entry) -> Opinion {
        self.end_stream();
        let Some(portal) = self.portals.find(portal) else { return Opinion::Allow };
        let text = Rc::clone(&portal.text);
        self.break_glass.show(portal.shown.clone());
        let mut opinion = Opinion::Allow;
        if portal.due != Due::Settled {
            let values = portal.values.clone();
            let case = Case::prepared(rows.map_or(Fetch::All, Fetch::AtMost));
            opinion = self.judge(Rc::clone(&text), case, Some(&values), who);
        }
        match (self.policy.guard.limits().pipeline, &opinion) {
            (Some(limit), Opinion::Allow | Opinion::Warn(_)) if text.reading.writes() => {
                match self.pipeline.write(&limit) {
                    Some(breach) if !self.passes(&breach, Some(&text), who) => {
                        self.report(measured(breach, limit.mode), Observed::default(), text, who)
                    }
                    _ => opinion,
                }
            }
            _ => opinion,
        }
    }

    /// A function is called by its number, so that no rule can read what it does: it sends one row, and has done all it does when
    /// that is here.
    pub(super) fn call(&mut self, who: &Entry) -> Opinion {
        self.refresh(who);
        self.end_pipeline();
        self.end_stream();
        self.know(None, Observed::default());
        self.plan = Plan::CALL;
        Opinion::Allow
    }

    /// Data of a COPY was counted.
    pub(super) fn streamed(&mut self, who: &Entry) -> Opinion {
        let copies = |text: &&Rc<Text>| text.reading.pieces().iter().any(|piece| piece.marks.has(Marks::COPY_IN));
        let Some(limit) = self.policy.guard.limits().stream else { return Opinion::Allow };
        let Some(text) = self.current.as_ref().filter(copies).map(Rc::clone) else { return Opinion::Allow };
        match self.stream.check(&limit) {
            Some(breach) if !self.passes(&breach, Some(&text), who) => {
                self.report(measured(breach, limit.mode), Observed::default(), text, who)
            }
            _ => Opinion::Allow,
        }
    }

    /// A pipeline ended: how many writes it had goes into the report.
    pub(super) fn end_pipeline(&mut self) {
        if let Some(writes) = self.pipeline.end() {
            self.local.metrics.observe(Measure::PipelineWrites.into(), writes);
        }
    }

    /// The data of a COPY ended, and goes into the report.
    pub(super) fn end_stream(&mut self) {
        if let Some((rows, bytes)) = self.stream.end() {
            self.local.metrics.observe(Measure::StreamRows.into(), rows);
            self.local.metrics.observe(Measure::StreamBytes.into(), bytes);
        }
    }
}

/// The pass that counts while one of these runs, nobody knows which: one that each of them showed.
fn shown_by_all(statements: &[Statement]) -> Option<Shown> {
    let shown = statements.first()?.shown.as_ref()?;
    statements.iter().all(|other| other.shown.as_ref() == Some(shown)).then(|| Rc::clone(shown))
}

/// What a measure found, as rules say it.
fn measured(breach: Breach, mode: Mode) -> Judgement {
    match mode {
        Mode::Enforce => Judgement { verdict: Verdict::Refuse(breach), ..Judgement::default() },
        Mode::Warn | Mode::Off => Judgement { warned: vec![breach], ..Judgement::default() },
    }
}

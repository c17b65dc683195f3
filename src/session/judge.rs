//! What a session thinks of its statements: the rules of its client over what its worker has read.

use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;

use super::analyst::{Failed, LongText, Pending, Report, Settings as ReadBy};
use super::break_glass::{self, BreakGlass};
use super::house::House;
use super::local::Local;
use super::manner::{Doubt, Manner};
use super::memo::{Memo, Values};
use super::overseer::Opinion;
use super::policy::Policy;
use super::prepared::Prepared;
use super::reader::{ChangesSchema, Found, READ_HERE_MAX, READ_OFTEN_MAX, Text};
use super::sight::Own;
use crate::client::refuse;
use crate::clock;
use crate::guard::{Breach, Intake, Judgement, Notice, OnUnreadable, RuleDef, Verdict, Whole};
use crate::roster::Entry;
use crate::sql::encoding::depends_on_settings;
use crate::sql::{Encoding, Schema, Strings};
use crate::telemetry::report::{Hit, HitOutcome};
use crate::telemetry::{Pass, TextLent};
use crate::units::{display_bytes, display_duration};
use crate::wire::{Refusal, Request, Setting};

/// Text that is looked at even where no rule needs it: for statistics.
const HOLD_MIN: u64 = 16 * 1024;

/// Texts of more statements than this are timed.
const TIMED_MIN: usize = 16;

/// The judge of one session.
pub struct Judge {
    house: Arc<House>,
    local: Rc<Local>,
    manner: Manner,
    /// Whether the server may not have answered everything: only then may `manner` be out of date.
    in_flight: bool,
    policy: Arc<Policy>,
    /// The settings that `policy` is of.
    settings: u64,
    schema: Option<Arc<Schema>>,
    /// What the session has changed of how it sees the tables.
    sight: Own,
    /// The catalogue that `schema` is of.
    catalogue: u64,
    /// The statement that the client speaks of.
    current: Option<Rc<Text>>,
    /// What was measured of it, to be noted when it runs.
    values: Values,
    occasion: Occasion,
    prepared: Prepared,
    break_glass: BreakGlass,
    pending: Option<Unread>,
    /// The size of the text that is to be lent next.
    lending: Option<Size>,
}

/// Why a text is judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Occasion {
    /// It is prepared: what would only be warned of is told when it runs.
    Preparing,
    /// It runs next.
    Running,
}

/// A text whose reading is under way.
struct Unread {
    reading: Pending,
    size: Size,
    source: Source,
}

/// What is kept of such a text.
enum Source {
    Short {
        /// To be remembered; `None` where only its beginning is here.
        text: Option<Box<[u8]>>,
        doubt: Option<Doubt>,
    },
    /// Its reader has it, and reads it in every way that is in question.
    Long { _lent: TextLent },
}

/// How long a text is, and how much of it is here.
#[derive(Debug, Clone, Copy)]
struct Size {
    bytes: u64,
    whole: Whole,
}

impl std::fmt::Debug for Judge {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Judge").field("manner", &self.manner).finish_non_exhaustive()
    }
}

impl Judge {
    /// The judge of a client's session.
    pub fn new(house: Arc<House>, local: Rc<Local>, who: &Entry) -> Self {
        let settings = house.settings.generation();
        let current = house.settings.load();
        let policy = current.policies.of(&who.identity);
        let break_glass = BreakGlass::new(current.break_glass.clone());
        let prepared = Prepared::new(&house.common.memory);
        let catalogue = house.catalog.generation();
        let sight = Own::default();
        let schema = sight.schema(&house.catalog, who);
        Self {
            house,
            local,
            manner: Manner::default(),
            in_flight: false,
            policy,
            settings,
            schema,
            sight,
            catalogue,
            current: None,
            values: Values::default(),
            occasion: Occasion::Running,
            prepared,
            break_glass,
            pending: None,
            lending: None,
        }
    }

    /// The most text that any rule needs to see.
    pub fn hold(&self) -> u64 {
        (self.policy.guard.hold_bytes() as u64).max(HOLD_MIN)
    }

    /// The session reads SQL differently from now on.
    pub fn setting(&mut self, setting: Setting) {
        match setting {
            Setting::PlainStrings => self.manner.flags = self.manner.flags.with_strings(Strings::Standard),
            Setting::EscapedStrings => self.manner.flags = self.manner.flags.with_strings(Strings::Escapes),
            Setting::SafeEncoding => self.manner.encoding = Encoding::Safe,
            Setting::PairEncoding => self.manner.encoding = Encoding::Pairs,
            Setting::ShiftJisEncoding => self.manner.encoding = Encoding::ShiftJis,
            Setting::OwnPath => {
                self.sight.path_changed();
                // Asked for again at the next statement.
                self.schema = None;
            }
        }
    }

    /// The statement that the server works on, as far as it is known.
    pub fn current(&self) -> Option<&Rc<Text>> {
        self.current.as_ref()
    }

    /// Judges a request; `size` is that of its frame.
    pub fn opinion(&mut self, request: Request<'_>, size: u64, who: &Entry) -> Opinion {
        self.occasion = match request {
            Request::Prepare { .. } => Occasion::Preparing,
            _ => Occasion::Running,
        };
        match request {
            Request::Run { text } | Request::Prepare { text, .. } => {
                self.refresh(who);
                self.break_glass.note(text);
                self.read(text, size, who)
            }
            Request::Bind { statement, .. } => self.again(statement, who),
            Request::Execute { .. }
            | Request::Sync
            | Request::Data
            | Request::Forget { .. }
            | Request::Quit
            | Request::Other => Opinion::Allow,
        }
    }

    /// The opinion that had to wait for a reading.
    pub fn poll_opinion(&mut self, cx: &mut Context<'_>, who: &Entry) -> Poll<Opinion> {
        loop {
            let Some(unread) = &mut self.pending else { return Poll::Ready(Opinion::Allow) };
            let report = ready!(unread.reading.as_mut().poll(cx));
            let Some(Unread { size, source, .. }) = self.pending.take() else { continue };
            self.refresh(who);
            let (text, doubt) = match source {
                Source::Short { text, doubt } => (text, doubt),
                Source::Long { .. } => (None, None),
            };
            let opinion = match report {
                Ok(report) => self.take_in(report, text.as_deref(), size, who),
                Err(Failed::Parser) => self.unreadable(),
                Err(Failed::Room(bytes)) => Opinion::Refuse(refuse::memory(bytes)),
            };
            match self.read_on(opinion, doubt, size, who) {
                Opinion::Wait => {}
                opinion => return Poll::Ready(opinion),
            }
        }
    }

    /// Judges what an analyst has read, in each way that it was read.
    fn take_in(&mut self, report: Report, text: Option<&[u8]>, mut size: Size, who: &Entry) -> Opinion {
        if size.whole == Whole::Whole && report.text_bytes > 0 {
            size.bytes = report.text_bytes;
        }
        let slow = self.local.reader.borrow().spent(report.spent);
        let mut opinion = Opinion::Allow;
        for analysis in report.readings {
            let read = self.local.reader.borrow_mut().learn(text, analysis);
            if slow {
                self.log_slow(&read, report.spent, who);
            }
            opinion = self.judge(read, size, who);
            if matches!(opinion, Opinion::Refuse(_)) {
                break;
            }
        }
        opinion
    }

    /// Takes the text that [`Opinion::Lend`] asked for.
    pub fn lend(&mut self, text: Bytes) {
        let Some(size) = self.lending.take() else { return };
        let lent = self.local.metrics.text_lent(text.len() as u64);
        let settings = if self.in_flight { ReadBy::InDoubt } else { ReadBy::Known };
        let reading = self.local.reader.borrow().read(LongText { bytes: text, own: self.manner, settings });
        self.pending = Some(Unread { reading, size, source: Source::Long { _lent: lent } });
    }

    /// Nobody waits for an opinion any more.
    pub fn withdraw(&mut self) {
        self.pending = None;
        self.lending = None;
    }

    /// The server has answered all that it was sent.
    pub fn settled(&mut self) {
        self.in_flight = false;
    }

    /// A request went to the server.
    pub fn forwarded(&mut self, request: Request<'_>, who: &Entry) {
        self.in_flight = true;
        match request {
            Request::Prepare { name, .. } => {
                self.break_glass.remember(name, who);
                match &self.current {
                    Some(current) => self.prepared.remember(name, current),
                    None => self.prepared.forget(name),
                }
            }
            Request::Forget { statement } => {
                self.break_glass.forget(statement);
                self.prepared.forget(statement);
            }
            Request::Run { .. } | Request::Bind { .. } => self.values.note(&self.local.metrics),
            _ => {}
        }
    }

    fn read(&mut self, text: &[u8], frame: u64, who: &Entry) -> Opinion {
        let whole = if frame <= self.hold() { Whole::Whole } else { Whole::PrefixOnly };
        let bytes = if whole == Whole::Whole { text.len() as u64 } else { frame };
        let size = Size { bytes, whole };
        let often = self.in_flight && text.len() > READ_OFTEN_MAX && text.len() <= READ_HERE_MAX;
        if text.len() > READ_HERE_MAX || (often && depends_on_settings(text)) {
            self.lending = Some(size);
            return Opinion::Lend;
        }
        if self.in_flight
            && let Some(doubt) = Doubt::about(text, self.manner)
        {
            return self.read_on(Opinion::Allow, Some(doubt), size, who);
        }
        self.read_in(self.manner, text, size, who)
    }

    fn read_in(&mut self, manner: Manner, text: &[u8], size: Size, who: &Entry) -> Opinion {
        let text = manner.encoding.disarm(text);
        let found = self.local.reader.borrow_mut().find(manner.flags, &text);
        match found {
            Found::Known(read) => self.judge(read, size, who),
            Found::Reading(reading) => {
                let text = (size.whole == Whole::Whole).then(|| text.as_ref().into());
                self.pending = Some(Unread { reading, size, source: Source::Short { text, doubt: None } });
                Opinion::Wait
            }
        }
    }

    /// Reads a text in one manner after the other, until one is refused or has to wait.
    fn read_on(&mut self, mut opinion: Opinion, mut doubt: Option<Doubt>, size: Size, who: &Entry) -> Opinion {
        loop {
            match opinion {
                Opinion::Refuse(_) => return opinion,
                Opinion::Wait | Opinion::Lend => {
                    if let Some(Unread { source: Source::Short { doubt: left, .. }, .. }) = &mut self.pending {
                        *left = doubt;
                    }
                    return opinion;
                }
                Opinion::Allow | Opinion::Warn(_) => {}
            }
            let Some(left) = &mut doubt else { return opinion };
            let Some(manner) = left.next_manner() else { return opinion };
            opinion = self.read_in(manner, &left.text, size, who);
        }
    }

    /// A prepared statement is used: rules that came since it was prepared count too.
    fn again(&mut self, statement: &[u8], who: &Entry) -> Opinion {
        let Some(known) = self.prepared.find(statement).map(Rc::clone) else {
            self.know(None, Values::default());
            return Opinion::Allow;
        };
        let size = Size { bytes: 0, whole: Whole::Whole };
        self.refresh(who);
        self.break_glass.note_prepared(statement);
        self.judge(known, size, who)
    }

    fn judge(&mut self, text: Rc<Text>, size: Size, who: &Entry) -> Opinion {
        if self.sight.take_in(&text.shape.lookup) {
            self.schema = self.sight.schema(&self.house.catalog, who);
        }
        if size.whole == Whole::Whole && text.memo.borrow().holds(&self.policy, self.schema.as_ref()) {
            let values = text.memo.borrow().values();
            self.know(Some(text), values);
            return Opinion::Allow;
        }
        let intake = Intake {
            reading: &text.reading,
            schema: self.schema.as_deref(),
            text_bytes: size.bytes,
            whole: size.whole,
        };
        // Judging a few statements takes less than asking the time.
        let began = (text.reading.pieces().len() > TIMED_MIN).then(clock::now);
        let judgement = self.policy.guard.judge(&intake);
        let measured = self.policy.guard.measure(&intake);
        let values = Values::new(&measured.values);
        self.tell_failed(judgement.failed.iter().chain(&measured.failed), &text);
        if let Some(began) = began {
            self.local.reader.borrow().spent(clock::now().saturating_duration_since(began));
        }
        if judgement.allows() && judgement.warned.is_empty() {
            if size.whole == Whole::Whole {
                *text.memo.borrow_mut() = Memo::of(&self.policy, self.schema.as_ref(), values.clone());
            }
            self.know(Some(text), values);
            return Opinion::Allow;
        }
        let judgement = self.lift(&intake, &text, who).unwrap_or(judgement);
        self.report(judgement, values, text, who)
    }

    /// The statement that the client speaks of from now on.
    fn know(&mut self, text: Option<Rc<Text>>, values: Values) {
        self.current = text;
        self.values = values;
    }

    /// Judges again where the client shows a break-glass pass.
    fn lift(&self, intake: &Intake<'_>, text: &Text, who: &Entry) -> Option<Judgement> {
        let common = &self.house.common;
        let pass = self.break_glass.prove(self.break_glass.shown().as_ref(), who, common)?;
        let judgement = self.policy.guard.judge_lifting(intake, &pass.rules);
        break_glass::lifted(&pass, &judgement.lifted, &text.shape.text, who, common);
        Some(judgement)
    }

    /// Counts and logs what the rules found, and puts it in words.
    fn report(&mut self, judgement: Judgement, values: Values, text: Rc<Text>, who: &Entry) -> Opinion {
        let Judgement { verdict, warned, doubts, .. } = judgement;
        // Whoever prepares a statement runs it next, and is warned then.
        let warned = if self.occasion == Occasion::Running { warned } else { Vec::new() };
        for (place, breach) in warned.iter().enumerate() {
            if doubts.contains(&place) {
                self.house.common.metrics.verdict(breach.rule, "warn", 1);
            } else {
                self.hit(breach, HitOutcome::Warned, &text, who);
            }
            self.log(breach, "warn", &text, who);
        }
        match verdict {
            Verdict::Refuse(breach) => {
                values.note(&self.local.metrics);
                self.hit(&breach, HitOutcome::Refused, &text, who);
                self.house.common.metrics.refused(breach.rule, &who.client);
                text.shape.stat.refused();
                self.log(&breach, "enforce", &text, who);
                Opinion::Refuse(refuse::breach(&breach))
            }
            Verdict::Allow => {
                self.know(Some(text), values);
                match (self.policy.guard.notice(), warned.first()) {
                    (Notice::Send, Some(breach)) => Opinion::Warn(refuse::breach(breach)),
                    _ => Opinion::Allow,
                }
            }
        }
    }

    fn hit(&self, breach: &Breach, outcome: HitOutcome, text: &Text, who: &Entry) {
        let (client, shape) = (&*who.client, &*text.shape.text);
        self.house.common.metrics.hit(Hit { rule: breach.rule, outcome, client, shape, value: breach.value() });
    }

    /// A rule that panicked is out of order from now on: told once by the guard, so once here.
    fn tell_failed<'r>(&self, failed: impl Iterator<Item = &'r &'static RuleDef>, text: &Text) {
        for rule in failed {
            self.house.common.metrics.rule_failed(rule.name);
            let shape = display_bytes(&text.shape.text);
            tracing::error!(rule = rule.name, on_panic = ?rule.on_panic, shape, "a rule failed and is out of order until RELOAD");
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

    fn log_slow(&self, text: &Text, spent: Duration, who: &Entry) {
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
    fn unreadable(&mut self) -> Opinion {
        self.know(None, Values::default());
        match self.policy.guard.on_unreadable() {
            OnUnreadable::Allow => Opinion::Allow,
            OnUnreadable::Refuse => Opinion::Refuse(unread()),
        }
    }

    /// Takes up new rules and a new picture of the tables: two relaxed loads where nothing changed.
    fn refresh(&mut self, who: &Entry) {
        let settings = self.house.settings.generation();
        if settings != self.settings {
            self.settings = settings;
            let current = self.house.settings.load();
            self.policy = current.policies.of(&who.identity);
            self.break_glass.set_key(current.break_glass.clone());
        }
        let catalogue = self.house.catalog.generation();
        if catalogue != self.catalogue || self.schema.is_none() {
            self.catalogue = catalogue;
            self.schema = self.sight.schema(&self.house.catalog, who);
        }
    }

    /// A statement that may change the tables was completed: the picture of them is old.
    pub fn completed(&self, who: &Entry) {
        if self.current.as_ref().is_some_and(|text| text.shape.changes_schema == ChangesSchema::Yes) {
            self.house.catalog.touch(&who.identity.database);
        }
    }
}

fn unread() -> Refusal {
    refuse::breach(&Breach {
        rule: crate::guard::UNREADABLE,
        statement: 0,
        measured: "unreadable".to_owned(),
        limit: 0,
        message: "the statement could not be read".to_owned(),
        hint: "Write it in simpler SQL; on_unreadable = \"allow\" lets such statements pass".to_owned(),
    })
}

#[cfg(test)]
#[path = "judge_tests.rs"]
mod tests;

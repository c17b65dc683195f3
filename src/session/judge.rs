//! What a session thinks of its statements: the rules of its client over what its worker has read.

use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;

use super::analyst::{Failed, LongText, Pending, Report, Settings as ReadBy};
use super::house::House;
use super::local::Local;
use super::manner::{Doubt, Manner};
use super::memo::Memo;
use super::overseer::Opinion;
use super::policy::Policy;
use super::prepared::Prepared;
use super::reader::{ChangesSchema, Found, READ_HERE_MAX, READ_OFTEN_MAX, Text};
use crate::client::refuse;
use crate::clock;
use crate::guard::{Breach, Intake, Judgement, Notice, OnUnreadable, Verdict, Whole};
use crate::roster::Entry;
use crate::sql::encoding::depends_on_settings;
use crate::sql::{Encoding, Schema, Strings};
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
    /// The catalogue that `schema` is of.
    catalogue: u64,
    /// The statement that the client speaks of.
    current: Option<Rc<Text>>,
    prepared: Prepared,
    pending: Option<Unread>,
    /// The size of the text that is to be lent next.
    lending: Option<Size>,
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
        let policy = house.settings.load().policies.of(&who.identity);
        let prepared = Prepared::new(&house.common.memory);
        let catalogue = house.catalog.generation();
        let schema = house.catalog.schema(&who.identity.database);
        Self {
            house,
            local,
            manner: Manner::default(),
            in_flight: false,
            policy,
            settings,
            schema,
            catalogue,
            current: None,
            prepared,
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
        }
    }

    /// The statement that the server works on, as far as it is known.
    pub fn current(&self) -> Option<&Rc<Text>> {
        self.current.as_ref()
    }

    /// Judges a request; `size` is that of its frame.
    pub fn opinion(&mut self, request: Request<'_>, size: u64, who: &Entry) -> Opinion {
        match request {
            Request::Run { text } | Request::Prepare { text, .. } => self.read(text, size, who),
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
    pub fn forwarded(&mut self, request: Request<'_>) {
        self.in_flight = true;
        match request {
            Request::Prepare { name, .. } => match &self.current {
                Some(current) => self.prepared.remember(name, current),
                None => self.prepared.forget(name),
            },
            Request::Forget { statement } => self.prepared.forget(statement),
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
            self.current = None;
            return Opinion::Allow;
        };
        let size = Size { bytes: 0, whole: Whole::Whole };
        self.judge(known, size, who)
    }

    fn judge(&mut self, text: Rc<Text>, size: Size, who: &Entry) -> Opinion {
        self.refresh(who);
        let settled = text.memo.borrow().holds(&self.policy, self.schema.as_ref());
        if settled && size.whole == Whole::Whole {
            self.current = Some(text);
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
        if let Some(began) = began {
            self.local.reader.borrow().spent(clock::now().saturating_duration_since(began));
        }
        if judgement.allows() && judgement.warned.is_empty() {
            if size.whole == Whole::Whole {
                *text.memo.borrow_mut() = Memo::of(&self.policy, self.schema.as_ref());
            }
            self.current = Some(text);
            return Opinion::Allow;
        }
        self.report(judgement, text, who)
    }

    /// Counts and logs what the rules found, and puts it in words.
    fn report(&mut self, judgement: Judgement, text: Rc<Text>, who: &Entry) -> Opinion {
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
        self.current = None;
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
            self.policy = self.house.settings.load().policies.of(&who.identity);
        }
        let catalogue = self.house.catalog.generation();
        if catalogue != self.catalogue || self.schema.is_none() {
            self.catalogue = catalogue;
            self.schema = self.house.catalog.schema(&who.identity.database);
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

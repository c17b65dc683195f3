//! What a session thinks of its statements: the rules of its client over what its worker has read.

use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use super::house::House;
use super::local::Local;
use super::manner::{Doubt, Manner};
use super::memo::{Memo, Values};
use super::overseer::Opinion;
use super::policy::Policy;
use super::prepared::Prepared;
use super::reader::{ChangesSchema, Found, Pending, Text};
use super::sight::Own;
use crate::client::refuse;
use crate::guard::{Breach, Intake, Judgement, Notice, OnUnreadable, RuleDef, Verdict, Whole};
use crate::roster::Entry;
use crate::sql::{Encoding, Schema, Strings};
use crate::telemetry::Pass;
use crate::telemetry::report::{Hit, HitOutcome};
use crate::units::display_bytes;
use crate::wire::{Refusal, Request, Setting};

/// Text that is looked at even where no rule needs it: for statistics.
const HOLD_MIN: u64 = 16 * 1024;

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
    pending: Option<Unread>,
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
    /// The manner of the reading: the session's own may change meanwhile.
    manner: Manner,
    /// To be remembered; `None` where only its beginning is here.
    text: Option<Box<[u8]>>,
    size: Size,
    doubt: Option<Doubt>,
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
            pending: None,
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
            let analysis = ready!(unread.reading.as_mut().poll(cx));
            let Some(Unread { manner, text, size, doubt, .. }) = self.pending.take() else { continue };
            let opinion = match analysis {
                Some(analysis) => {
                    let read = self.local.reader.borrow_mut().learn(manner.flags, text.as_deref(), analysis);
                    self.judge(read, size, who)
                }
                None => self.unreadable(),
            };
            match self.read_on(opinion, doubt, size, who) {
                Opinion::Wait => {}
                opinion => return Poll::Ready(opinion),
            }
        }
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
            Request::Run { .. } | Request::Bind { .. } => self.values.note(&self.local.metrics),
            _ => {}
        }
    }

    fn read(&mut self, text: &[u8], frame: u64, who: &Entry) -> Opinion {
        let whole = if frame <= self.hold() { Whole::Whole } else { Whole::PrefixOnly };
        let bytes = if whole == Whole::Whole { text.len() as u64 } else { frame };
        let size = Size { bytes, whole };
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
                self.pending = Some(Unread { reading, manner, text, size, doubt: None });
                Opinion::Wait
            }
        }
    }

    /// Reads a text in one manner after the other, until one is refused or has to wait.
    fn read_on(&mut self, mut opinion: Opinion, mut doubt: Option<Doubt>, size: Size, who: &Entry) -> Opinion {
        loop {
            match opinion {
                Opinion::Refuse(_) => return opinion,
                Opinion::Wait => {
                    if let Some(pending) = &mut self.pending {
                        pending.doubt = doubt;
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
        self.judge(known, size, who)
    }

    fn judge(&mut self, text: Rc<Text>, size: Size, who: &Entry) -> Opinion {
        self.refresh(who);
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
        let judgement = self.policy.guard.judge(&intake);
        let measured = self.policy.guard.measure(&intake);
        let values = Values::new(&measured.values);
        self.tell_failed(judgement.failed.iter().chain(&measured.failed), &text);
        if judgement.allows() && judgement.warned.is_empty() {
            if size.whole == Whole::Whole {
                *text.memo.borrow_mut() = Memo::of(&self.policy, self.schema.as_ref(), values.clone());
            }
            self.know(Some(text), values);
            return Opinion::Allow;
        }
        self.report(judgement, values, text, who)
    }

    /// The statement that the client speaks of from now on.
    fn know(&mut self, text: Option<Rc<Text>>, values: Values) {
        self.current = text;
        self.values = values;
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
            self.policy = self.house.settings.load().policies.of(&who.identity);
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

//! What a session thinks of its statements: the rules of its client over what its worker has read.

use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use super::budget;
use super::house::House;
use super::local::Local;
use super::manner::{Doubt, Manner};
use super::memo::Memo;
use super::overseer::{Extent, Opinion};
use super::pipeline::Pipeline;
use super::policy::Policy;
use super::portals::{Due, Portals};
use super::prepared::Prepared;
use super::reader::{ChangesSchema, Found, Pending, Text};
use super::stream::Stream;
use super::watch::Watch;
use crate::guard::{Fetch, Intake, Plan, Whole};
use crate::roster::Entry;
use crate::sql::{Encoding, Schema, Strings, Values, Verb};
use crate::wire::{Request, Setting, Transaction};

/// Text that is looked at even where no rule needs it: for statistics.
const HOLD_MIN: u64 = 16 * 1024;
/// Of a text that is too long to be held, so much is looked at before more of it is.
const BEGINNING: usize = 8 * 1024;

/// The judge of one session.
pub struct Judge {
    pub(super) house: Arc<House>,
    local: Rc<Local>,
    manner: Manner,
    /// Whether the server may not have answered everything: only then may `manner` be out of date.
    in_flight: bool,
    pub(super) policy: Arc<Policy>,
    /// The settings that `policy` is of.
    settings: u64,
    schema: Option<Arc<Schema>>,
    /// The catalogue that `schema` is of.
    catalogue: u64,
    /// The statement that the client speaks of.
    pub(super) current: Option<Rc<Text>>,
    /// What is known of it before it runs, in every manner in which it may be read.
    pub(super) plan: Plan,
    /// When the rules have their last say about it.
    pub(super) due: Due,
    pub(super) prepared: Prepared,
    /// The first prepared statement with a name that only passes where it is read in portions. `EXECUTE` reads it whole; since no
    /// driver mixes the two, it is not looked up which one a text means.
    portioned: Option<Rc<Text>>,
    pub(super) portals: Portals,
    pub(super) pipeline: Pipeline,
    pub(super) stream: Stream,
    pending: Option<Unread>,
}

/// A text whose reading is under way.
struct Unread {
    reading: Pending,
    /// The manner of the reading: the session's own may change meanwhile.
    manner: Manner,
    /// To be remembered; `None` where only its beginning is here.
    text: Option<Box<[u8]>>,
    case: Case,
    doubt: Option<Doubt>,
}

/// What is known of a text beside what it says.
#[derive(Debug, Clone, Copy)]
pub(super) struct Case {
    /// How long it is.
    bytes: u64,
    whole: Whole,
    fetch: Fetch,
    /// Only a refusal counts yet; else so many bytes of the frame are wanted.
    pub(super) more: Option<u64>,
}

impl Case {
    /// A statement that was prepared earlier.
    pub(super) const fn prepared(fetch: Fetch) -> Self {
        Self { bytes: 0, whole: Whole::Whole, fetch, more: None }
    }
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
        let portals = Portals::new(&house.common.memory);
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
            plan: Plan::UNREAD,
            due: Due::Settled,
            prepared,
            portioned: None,
            portals,
            pipeline: Pipeline::default(),
            stream: Stream::default(),
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
        }
    }

    /// The statement that the server works on, as far as it is known.
    pub fn current(&self) -> Option<&Rc<Text>> {
        self.current.as_ref()
    }

    /// Judges a request; `frame` is what it was read of.
    pub fn opinion(&mut self, request: Request<'_>, frame: Extent, who: &Entry) -> Opinion {
        match request {
            Request::Run { text } => {
                self.pipeline.end();
                self.stream.end();
                self.plan = Plan::default();
                self.read(text, frame, Fetch::All, who)
            }
            Request::Prepare { text, .. } => {
                self.plan = Plan::default();
                self.read(text, frame, Fetch::Later, who)
            }
            Request::Bind { portal, statement, values } => self.bind(portal, statement, (values, frame), who),
            Request::Execute { portal, rows } => self.execute(portal, rows, who),
            Request::Sync => {
                self.pipeline.end();
                Opinion::Allow
            }
            Request::Data { bytes, size } => {
                self.stream.begin(bytes, size);
                self.streamed(who)
            }
            Request::DataEnd => {
                let opinion = self.streamed(who);
                self.stream.end();
                opinion
            }
            Request::Forget { .. } | Request::Quit | Request::Other => Opinion::Allow,
        }
    }

    /// More of the data that was judged last went by.
    pub fn data(&mut self, bytes: &[u8]) {
        self.stream.go_on(bytes);
    }

    /// The opinion that had to wait for a reading.
    pub fn poll_opinion(&mut self, cx: &mut Context<'_>, who: &Entry) -> Poll<Opinion> {
        loop {
            let Some(unread) = &mut self.pending else { return Poll::Ready(Opinion::Allow) };
            let analysis = ready!(unread.reading.as_mut().poll(cx));
            let Some(Unread { manner, text, case, doubt, .. }) = self.pending.take() else { continue };
            let opinion = match analysis {
                Some(analysis) => {
                    let read = self.local.reader.borrow_mut().learn(manner.flags, text.as_deref(), analysis);
                    self.judge(read, case, None, who)
                }
                None => self.unreadable(case),
            };
            match self.read_on(opinion, doubt, case, who) {
                Opinion::Wait => {}
                opinion => return Poll::Ready(opinion),
            }
        }
    }

    /// The server has answered all that it was sent.
    pub fn settled(&mut self, transaction: Transaction) {
        self.in_flight = false;
        self.pipeline.end();
        if transaction == Transaction::None {
            self.portals.end();
        }
    }

    /// A request went to the server.
    pub fn forwarded(&mut self, request: Request<'_>) {
        self.in_flight = true;
        match request {
            Request::Prepare { name, .. } => match &self.current {
                Some(current) => {
                    self.prepared.remember(name, current, self.due);
                    if self.due == Due::ToRefuse && !name.is_empty() && self.portioned.is_none() {
                        self.portioned = Some(Rc::clone(current));
                    }
                }
                None => self.prepared.forget(name),
            },
            Request::Forget { statement } => self.prepared.forget(statement),
            _ => {}
        }
    }

    fn read(&mut self, text: &[u8], frame: Extent, fetch: Fetch, who: &Entry) -> Opinion {
        let hold = self.hold();
        let mut case = if frame.size <= hold {
            Case { bytes: text.len() as u64, whole: Whole::Whole, fetch, more: None }
        } else {
            let more = (frame.held < hold).then_some(hold);
            Case { bytes: frame.size, whole: Whole::PrefixOnly, fetch, more }
        };
        let text = if case.more.is_some() { text.get(..BEGINNING).unwrap_or(text) } else { text };
        if self.in_flight
            && let Some(doubt) = Doubt::about(text, self.manner)
        {
            // Only one of its readings is remembered, so all of them have to pass now.
            case.fetch = Fetch::All;
            return self.read_on(Opinion::Allow, Some(doubt), case, who);
        }
        self.read_in(self.manner, text, case, who)
    }

    fn read_in(&mut self, manner: Manner, text: &[u8], case: Case, who: &Entry) -> Opinion {
        let text = manner.encoding.disarm(text);
        let found = self.local.reader.borrow_mut().find(manner.flags, &text);
        match found {
            Found::Known(read) => self.judge(read, case, None, who),
            Found::Reading(reading) => {
                let text = (case.whole == Whole::Whole).then(|| text.as_ref().into());
                self.pending = Some(Unread { reading, manner, text, case, doubt: None });
                Opinion::Wait
            }
        }
    }

    /// Reads a text in one manner after the other, until one is refused or has to wait.
    fn read_on(&mut self, mut opinion: Opinion, mut doubt: Option<Doubt>, case: Case, who: &Entry) -> Opinion {
        loop {
            match opinion {
                Opinion::Refuse(_) => return opinion,
                Opinion::Wait => {
                    if let Some(pending) = &mut self.pending {
                        pending.doubt = doubt;
                    }
                    return opinion;
                }
                Opinion::Allow | Opinion::Warn(_) | Opinion::More(_) => {}
            }
            let Some(left) = &mut doubt else { return opinion };
            let Some(manner) = left.next_manner() else { return opinion };
            opinion = self.read_in(manner, &left.text, case, who);
        }
    }

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

    /// Judges a text. Where the client has not said how much it fetches, what depends on that is left for later: see [`Due`].
    pub(super) fn judge(&mut self, text: Rc<Text>, case: Case, values: Option<&Values>, who: &Entry) -> Opinion {
        self.refresh(who);
        self.due = Due::Settled;
        if let Some(portioned) = self.portioned.as_ref().filter(|_| runs_prepared(&text)).map(Rc::clone) {
            let judgement = self.policy.guard.judge(&self.intake(&portioned, Case::prepared(Fetch::All), None));
            if !judgement.allows() {
                return self.report(judgement, portioned, who);
            }
        }
        let alone = case.whole == Whole::Whole && values.is_none();
        let settled = text.memo.borrow().holds(&self.policy, self.schema.as_ref());
        if let Some(plan) = settled.filter(|_| alone) {
            self.plan = self.plan.or(plan);
            self.current = Some(text);
            return Opinion::Allow;
        }
        let fetch = if case.fetch == Fetch::Later { Fetch::All } else { case.fetch };
        let mut judgement = self.policy.guard.judge(&self.intake(&text, Case { fetch, ..case }, values));
        let plan = self.policy.guard.plan(&self.intake(&text, Case { fetch, ..case }, values));
        self.plan = self.plan.or(plan);
        if case.fetch == Fetch::Later && !judgement.is_clean() {
            let now = self.policy.guard.judge(&self.intake(&text, case, values));
            self.due = Due::between(&now, &judgement);
            judgement = now;
        } else if judgement.is_clean() && alone {
            *text.memo.borrow_mut() = Memo::of(&self.policy, self.schema.as_ref(), plan);
        }
        match case.more {
            Some(bytes) if judgement.allows() => Opinion::More(bytes),
            _ => self.report(judgement, text, who),
        }
    }

    fn intake<'a>(&'a self, text: &'a Text, case: Case, values: Option<&'a Values>) -> Intake<'a> {
        let Case { bytes: text_bytes, whole, fetch, .. } = case;
        Intake { reading: &text.reading, schema: self.schema.as_deref(), text_bytes, whole, values, fetch }
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

/// True where a text runs prepared statements by name.
fn runs_prepared(text: &Text) -> bool {
    text.reading.pieces().iter().any(|piece| piece.verb == Verb::Execute)
}

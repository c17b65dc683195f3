//! What a session thinks of its statements: the rules of its client over what its worker has read.

use std::rc::Rc;
use std::sync::Arc;

use super::break_glass::BreakGlass;
use super::house::House;
use super::local::Local;
use super::memo::{Memo, Observed};
use super::overseer::{Extent, Opinion};
use super::pipeline::Pipeline;
use super::policy::Policy;
use super::portals::{Due, Portals};
use super::prepared::Prepared;
use super::reader::Text;
use super::reader::manner::Manner;
use super::reader::sketch::ChangesSchema;
use super::sight::Own;
use super::stream::Stream;
use super::tidy::Tidy;
use super::unread::Unread;
use super::values::{Unbound, Uncounted};
use crate::clock;
use crate::guard::plan::Effect;
use crate::guard::{Fetch, Intake, Judgement, Limits, Plan, Whole};
use crate::roster::Entry;
use crate::sql::{Encoding, Schema, Strings, Values, Verb};
use crate::telemetry::shapes::Outcome;
use crate::wire::{Request, Setting, Transaction};

/// Text that is looked at even where no rule needs it: for statistics.
const HOLD_MIN: u64 = 16 * 1024;
/// Texts of more statements than this are timed.
const TIMED_MIN: usize = 16;

/// The judge of one session.
pub struct Judge {
    pub(super) house: Arc<House>,
    pub(super) local: Rc<Local>,
    pub(super) manner: Manner,
    /// Whether the server may not have answered everything: only then may `manner` be out of date.
    pub(super) in_flight: bool,
    pub(super) policy: Arc<Policy>,
    /// The settings that `policy` is of.
    settings: u64,
    /// The most text that any of its rules needs to see.
    hold: u64,
    pub(super) schema: Option<Arc<Schema>>,
    /// What the session has changed of how it sees the tables.
    sight: Own,
    /// The catalogue that `schema` is of.
    catalogue: u64,
    /// The statement that the client speaks of.
    pub(super) current: Option<Rc<Text>>,
    /// What is known of it before it runs, in every manner in which it may be read.
    pub(super) plan: Plan,
    /// What was measured of it, to be noted when it runs.
    observed: Observed,
    /// When the rules have their last say about it.
    pub(super) due: Due,
    pub(super) occasion: Occasion,
    pub(super) prepared: Prepared,
    /// The first prepared statement with a name that only passes where it is read in portions. `EXECUTE` reads it whole; since no
    /// driver mixes the two, it is not looked up which one a text means.
    portioned: Option<Rc<Text>>,
    prepares: Prepares,
    pub(super) portals: Portals,
    pub(super) pipeline: Pipeline,
    pub(super) stream: Stream,
    pub(super) break_glass: BreakGlass,
    /// A text that is read elsewhere. Boxed, like what follows: an idle session has none of them.
    pub(super) pending: Option<Box<Unread>>,
    /// The Bind whose values an analyst reads.
    pub(super) uncounted: Option<Box<Uncounted>>,
    /// What is to be lent next.
    pub(super) lending: Option<Box<Lending>>,
    /// What texts leave in a lent server.
    pub(super) tidy: Option<Tidy>,
}

/// What is to be read elsewhere.
#[derive(Debug)]
pub(super) enum Lending {
    /// The text of a request.
    Text(Case),
    /// The values of a Bind.
    Values(Unbound),
}

/// What the client has prepared so far under a name, which a text may run by `EXECUTE`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Prepares {
    Statements,
    /// Also what begins or ends a transaction, which a driver can prepare and SQL's PREPARE cannot.
    Transactions,
}

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
        let catalogue = house.catalog.generation();
        let hold = hold(&policy);
        let sight = Own::default();
        let schema = sight.schema(&house.catalog, who);
        Self {
            house,
            local,
            manner: Manner::default(),
            in_flight: false,
            policy,
            settings,
            hold,
            schema,
            sight,
            catalogue,
            current: None,
            plan: Plan::UNREAD,
            observed: Observed::default(),
            due: Due::Settled,
            occasion: Occasion::Running,
            prepared: Prepared::default(),
            portioned: None,
            prepares: Prepares::Statements,
            portals: Portals::default(),
            pipeline: Pipeline::default(),
            stream: Stream::default(),
            break_glass,
            pending: None,
            uncounted: None,
            lending: None,
            tidy: None,
        }
    }

    /// The most text that any rule needs to see.
    pub fn hold(&self) -> u64 {
        self.hold
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
            Setting::Path(path) => {
                self.sight.path_is(path);
                self.schema = None;
            }
        }
    }

    /// What is measured while a statement runs.
    pub fn limits(&self) -> &Limits {
        self.policy.guard.limits()
    }

    /// The statement that the server works on, as far as it is known.
    pub fn current(&self) -> Option<&Rc<Text>> {
        self.current.as_ref()
    }

    /// Judges a request; `frame` is what it was read of.
    pub fn opinion(&mut self, request: Request<'_>, frame: Extent, who: &Entry) -> Opinion {
        self.occasion = Occasion::Running;
        match request {
            Request::Run { text } => {
                self.end_pipeline();
                self.end_stream();
                self.begin(text, frame, Fetch::All, who)
            }
            Request::Prepare { text, .. } => {
                self.occasion = Occasion::Preparing;
                self.begin(text, frame, Fetch::Later, who)
            }
            Request::Bind { portal, statement, values } => self.bind(portal, statement, (values, frame), who),
            Request::Execute { portal, rows } => self.execute(portal, rows, who),
            Request::Call => self.call(who),
            Request::Sync => {
                self.end_pipeline();
                Opinion::Allow
            }
            Request::Data { bytes, size } => {
                self.stream.begin(bytes, size);
                self.streamed(who)
            }
            Request::DataEnd => {
                let opinion = self.streamed(who);
                self.end_stream();
                opinion
            }
            Request::Forget { .. } | Request::Flush | Request::Quit | Request::Other => Opinion::Allow,
        }
    }

    /// More of the data that was judged last went by.
    pub fn data(&mut self, bytes: &[u8]) {
        self.stream.go_on(bytes);
    }

    /// The server has answered all that it was sent.
    pub fn settled(&mut self, transaction: Transaction) {
        self.in_flight = false;
        self.end_pipeline();
        if self.sight.answered() {
            self.schema = None;
        }
        if transaction == Transaction::None {
            self.sight.settled();
            self.portals.end();
        }
    }

    /// A request went to the server.
    pub fn forwarded(&mut self, request: Request<'_>, who: &Entry) {
        self.in_flight = true;
        match request {
            Request::Prepare { name, .. } => {
                self.break_glass.remember(name, who);
                self.remember(name);
            }
            Request::Forget { statement } => {
                self.break_glass.forget(statement);
                self.prepared.forget(statement);
            }
            Request::Run { .. } | Request::Bind { .. } => {
                self.observed.note(&self.local.metrics);
                if let Some(text) = &self.current {
                    self.sight.sent(&text.shape.lookup);
                }
            }
            Request::Execute { portal, rows } => self.portals.ask(portal, rows),
            _ => {}
        }
    }

    /// Does a request that goes to the server open a transaction, as far as its text says?
    pub fn opens(&self, request: Request<'_>) -> bool {
        let text = match request {
            Request::Run { .. } => self.current.as_ref(),
            Request::Execute { portal, .. } => self.portals.find(portal).map(|portal| &portal.text),
            _ => None,
        };
        text.is_some_and(|text| text.reading.pieces().iter().any(|piece| piece.verb == Verb::Begin))
    }

    /// Is it known to leave the transaction open that it runs in? Of what was not read, or is more than a query or a write, it is not.
    pub fn keeps_transaction(&self, request: Request<'_>) -> bool {
        let text = match request {
            Request::Run { .. } => self.current.as_ref(),
            Request::Execute { portal, .. } => self.portals.find(portal).map(|portal| &portal.text),
            _ => None,
        };
        text.is_some_and(|text| text.reading.pieces().iter().all(|piece| piece.verb.queries() || piece.verb.writes()))
    }

    fn remember(&mut self, name: &[u8]) {
        let Some(current) = &self.current else {
            // Of what was not read nobody knows.
            self.prepares = if name.is_empty() { self.prepares } else { Prepares::Transactions };
            return self.prepared.forget(name);
        };
        self.prepared.remember(&self.house.common.memory, name, current, self.due);
        if !name.is_empty() && current.reading.pieces().iter().any(|piece| piece.verb.controls_transactions()) {
            self.prepares = Prepares::Transactions;
        }
        if self.due == Due::ToRefuse && !name.is_empty() && self.portioned.is_none() {
            self.portioned = Some(Rc::clone(current));
        }
    }

    fn begin(&mut self, text: &[u8], frame: Extent, fetch: Fetch, who: &Entry) -> Opinion {
        self.refresh(who);
        self.break_glass.note(text);
        self.forget_traces();
        self.plan = Plan::default();
        self.read(text, frame, fetch, who)
    }

    /// Judges a text. Where the client has not said how much it fetches, what depends on that is left for later: see [`Due`].
    pub(super) fn judge(&mut self, text: Rc<Text>, case: Case, values: Option<&Values>, who: &Entry) -> Opinion {
        if self.sight.take_in(&text.shape.lookup) {
            self.schema = self.sight.schema(&self.house.catalog, who);
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

    /// The statement that the client speaks of from now on.
    pub(super) fn know(&mut self, text: Option<Rc<Text>>, observed: Observed) {
        self.current = text;
        self.observed = observed;
    }

    /// Takes up new rules and a new picture of the tables: two relaxed loads where nothing changed.
    pub(super) fn refresh(&mut self, who: &Entry) {
        let settings = self.house.settings.generation();
        if settings != self.settings {
            self.settings = settings;
            let current = self.house.settings.load();
            self.policy = current.policies.of(&who.identity);
            self.hold = hold(&self.policy);
            if let Some(tidy) = &mut self.tidy {
                tidy.unknown = current.listener.pool.unknown_tables;
            }
            self.break_glass.set_key(current.break_glass.clone());
        }
        let catalogue = self.house.catalog.generation();
        if catalogue != self.catalogue || self.schema.is_none() {
            self.catalogue = catalogue;
            self.schema = self.sight.schema(&self.house.catalog, who);
        }
    }

    /// A statement that may change the tables was completed: the picture of them is old.
    pub fn completed(&self, outcome: Outcome, who: &Entry) {
        if outcome == Outcome::Completed {
            self.sight.completed(&self.house.catalog, who);
        }
        if self.current.as_ref().is_some_and(|text| text.shape.changes_schema == ChangesSchema::Yes) {
            self.house.catalog.touch(&who.identity.database);
        }
    }
}

/// Asked of every rule, so once for each version of the settings and not for each frame.
fn hold(policy: &Policy) -> u64 {
    (policy.guard.hold_bytes() as u64).max(HOLD_MIN)
}

/// True where a text runs prepared statements by name.
fn runs_prepared(text: &Text) -> bool {
    text.reading.pieces().iter().any(|piece| piece.verb == Verb::Execute)
}

#[cfg(test)]
#[path = "judge_tests.rs"]
pub(super) mod tests;

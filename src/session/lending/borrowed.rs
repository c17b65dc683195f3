//! A session's servers, each for a transaction.

use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::BytesMut;
use tokio::task::spawn_local;

use super::ahead;
use super::kept::Kept;
use super::own::Own;
use super::settling::Settling;
use super::translate::Translator;
use super::{Lender, Lent};
use crate::client::refuse;
use crate::clock::{self, Instant};
use crate::net::stream::Stream;
use crate::roster::{Activity, Entry};
use crate::server::pool::{Key, Lease, Member, Standing, Unserved};
use crate::session::cancel::Target;
use crate::session::house::House;
use crate::session::overseer::Leaves;
use crate::session::relay::{Course, Seen, Source, Whose};
use crate::session::timing::durations::micros;
use crate::sql::facts::Traces;
use crate::telemetry::Pass;
use crate::traffic::Count;
use crate::wire::pg::code::{client, server};
use crate::wire::pg::notification::renumber;
use crate::wire::{Head, Malformed, Outgoing, Refusal, Request};

/// What the relay of a session with lent servers asks.
#[derive(Debug)]
pub struct Borrowed {
    pub(super) house: Arc<House>,
    pub(super) lease: Lease<super::maker::Maker>,
    pub(super) target: Arc<Target>,
    pub(super) entry: Arc<Entry>,
    pub(super) translator: Translator,
    pub(super) kept: Box<Kept>,
    /// What is ours to do at the server at hand, before anybody else may use it.
    pub(super) own: Own,
    /// What the client is to be told beside its replies.
    pub(super) words: BytesMut,
    /// What its next statement is told, since the last transaction is over.
    pub(super) trouble: Option<Box<Refusal>>,
    /// The statement that waits was cancelled, and has not heard of it yet.
    told: bool,
    /// Servers that it has lost in a row before it was sent there.
    pub(super) lost: u8,
    /// A statement may have set the last value of a sequence at the server at hand since it was lent.
    advanced: bool,
    /// Since when it waits for a server.
    waits_since: Option<Instant>,
}

impl Borrowed {
    /// Holds no server yet.
    pub fn new(
        house: &Arc<House>,
        pool: Rc<Lender>,
        target: Arc<Target>,
        entry: Arc<Entry>,
        books: (Translator, Kept),
    ) -> Self {
        let (translator, kept) = books;
        let kept = Box::new(kept);
        let (house, lease) = (Arc::clone(house), Lease::new(pool));
        Self {
            house,
            lease,
            target,
            entry,
            translator,
            kept,
            own: Own::Nothing,
            words: BytesMut::new(),
            trouble: None,
            told: false,
            lost: 0,
            advanced: false,
            waits_since: None,
        }
    }

    /// The server at hand.
    pub fn server(&mut self) -> Option<&mut Lent> {
        self.lease.server()
    }

    /// Is neither a server at hand, in whatever state, nor a place among those who wait for one?
    pub fn holds_nothing(&self) -> bool {
        self.lease.holds_nothing()
    }

    /// What cancels the statement of the server at hand.
    pub fn target(&self) -> &Arc<Target> {
        &self.target
    }

    /// Closes the server at hand: nobody can tell what is left in it.
    pub fn close(&mut self) {
        self.lets_go();
        self.own = Own::Nothing;
        if let Some(server) = self.lease.release() {
            server.close();
        }
    }

    fn lets_go(&mut self) {
        self.told |= self.target.lets_go();
        self.entry.set_server_generation(None);
        let prepared = self.lease.server().map_or(0, |server| server.hold.known.take_made());
        if prepared > 0 {
            self.entry.traffic.add(Count::ServerPrepared, prepared);
        }
    }

    /// The server at hand is the session's from now on.
    pub(super) fn took(&mut self) {
        self.advanced = false;
        let Some(server) = self.lease.server() else { return };
        let backend = server.process.backend();
        self.entry.set_server_pid(backend.pid());
        self.entry.set_server_generation(Some(server.choice.generation));
        self.told |= !self.target.takes(backend);
        self.kept.news(server, &mut self.words);
    }

    /// Was the statement that waits cancelled? Told once.
    fn is_told(&mut self) -> bool {
        std::mem::take(&mut self.told) || self.target.take_cancelled()
    }

    /// Gives the server at hand to whoever wants it. The key leads nowhere from here on: a cancel that its client sent before it left
    /// would hit whoever is next.
    pub(super) fn release(&mut self) {
        self.lets_go();
        let Some(server) = self.lease.server() else { return };
        if self.advanced {
            server.hold.advanced_by = Some(self.entry.number);
        }
        let backend = server.process.backend();
        if !backend.is_cancelled() && !backend.is_doubtful() {
            return self.lease.give();
        }
        // A cancel is on its way, or may be: whoever comes next must not be hit by it.
        if let Some(server) = self.lease.release() {
            let (pool, backend) = (Rc::clone(self.lease.pool()), Arc::clone(server.process.backend()));
            server.slot.stands(Standing::BeingCanceled);
            spawn_local(async move {
                backend.quiet().await;
                if backend.is_doubtful() { server.close() } else { pool.give_back(server) }
            });
        }
    }

    fn refused(&self, unserved: &Unserved) -> Refusal {
        let refusal = super::unserved(unserved, self.lease.pool());
        let rule = match unserved {
            Unserved::QueueFull(_) => "pool_queue_length",
            Unserved::TooLong(..) => "query_wait_timeout",
            Unserved::NotMade(_) => "server",
        };
        self.tell(rule, &refusal, UNSERVED);
        refusal
    }

    /// A statement needs a database to itself: what this user's pool there has idle is closed, while the server waits for that.
    fn vacate(&self, database: &str) {
        let key = Key { user: self.lease.pool().maker().user(), database: database.to_owned() };
        self.house.lending.register.renew(&key);
    }

    /// Counts and logs that a statement was refused, and what that was to it.
    pub(super) fn tell(&self, rule: &'static str, refusal: &Refusal, what: &str) {
        let common = &self.house.common;
        common.metrics.refused(rule, &self.entry.client);
        if let Pass::Write { suppressed } = common.gate.pass(&refusal.rule) {
            let why = &refusal.message;
            tracing::warn!(client = &*self.entry.client, why, suppressed, "{what}");
        }
    }

    /// A cancel wants to know whether there is something to do: a statement that is read before this has an answer is the one that is
    /// meant. What has come in is read once the system was asked for it, and `seen` tells when it has been judged.
    fn look(&mut self, seen: Seen) {
        if self.own.is_nothing() && !self.lease.is_here() {
            self.own = Own::Looking;
            self.target.seeks();
            self.target.sound();
        }
        if let Own::Looking = self.own
            && seen == Seen::All
            && self.target.has_sounded()
        {
            self.own = Own::Nothing;
            self.target.has_nothing();
        }
    }

    /// Counts how long it has waited.
    fn waited(&mut self) {
        if let Some(since) = self.waits_since.take() {
            self.entry.traffic.add(Count::WaitUs, micros(clock::now().saturating_duration_since(since)));
        }
    }

    /// The statement that waits is told why it waits no longer.
    fn rest(&mut self) {
        self.waited();
        self.target.lets_go();
        self.told = false;
        self.entry.set_activity(Activity::Idle, clock::uptime_ms());
    }

    /// The statement that waited for what is ours to do at its server was cancelled. A server that is half dressed is fit for nobody;
    /// what it may hold of its session is not given up for that, and is seen to when it has come to its end.
    fn wait_no_more(&mut self) -> Refusal {
        if let Own::Dressing(_) | Own::Naming(_) = self.own
            && self.kept.pins.is_none()
        {
            self.close();
        }
        self.rest();
        refuse::cancelled_while_waiting()
    }

    /// The statement that waited was cancelled. A server that is the session's own stays where it is.
    fn stop_waiting(&mut self) -> Refusal {
        if self.kept.pins.is_none() {
            self.release();
            self.lease.leave();
            self.rest();
        } else {
            self.waited();
            self.entry.set_activity(Activity::Idle, clock::uptime_ms());
        }
        refuse::cancelled_while_waiting()
    }
}

impl Source for Borrowed {
    type Stream = Stream;

    const LENT: bool = true;

    fn stream(&mut self) -> Option<&mut Stream> {
        if !self.own.is_nothing() {
            return None;
        }
        self.lease.server().map(|server| &mut server.stream)
    }

    fn is_here(&self) -> bool {
        self.lease.is_here() && self.own.is_nothing()
    }

    fn try_lease(&mut self) -> bool {
        let has_first = self.trouble.is_some() || !self.own.is_nothing() || self.target.is_asked();
        if has_first || !self.lease.try_take(|server| self.kept.suits(server, self.entry.number)) {
            return false;
        }
        self.dress();
        self.own.is_nothing()
    }

    fn poll_lease(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Refusal>> {
        loop {
            // Also while a server is asked or dressed: nothing of the statement is there yet.
            self.target.waits();
            if let Own::Looking = self.own {
                self.own = Own::Nothing;
            }
            let moved = match self.poll_work(cx) {
                Poll::Ready(moved) => moved,
                Poll::Pending if self.is_told() => return Poll::Ready(Err(self.wait_no_more())),
                Poll::Pending => return Poll::Pending,
            };
            if let Some(trouble) = self.trouble.take() {
                self.rest();
                return Poll::Ready(Err(*trouble));
            }
            if self.is_told() {
                return Poll::Ready(Err(self.stop_waiting()));
            }
            // It was dressed, or has become the session's own.
            if self.lease.is_here() {
                return Poll::Ready(Ok(()));
            }
            if moved {
                continue;
            }
            match self.lease.poll_take(cx, |server| self.kept.suits(server, self.entry.number)) {
                Poll::Pending => {
                    let now = clock::now();
                    self.waits_since.get_or_insert(now);
                    self.entry.set_activity(Activity::Waiting, clock::uptime_ms_at(now));
                    return Poll::Pending;
                }
                Poll::Ready(Ok(())) => {
                    self.waited();
                    self.dress();
                }
                Poll::Ready(Err(unserved)) => {
                    self.rest();
                    return Poll::Ready(Err(self.refused(&unserved)));
                }
            }
        }
    }

    fn give_back(&mut self) {
        if !self.lease.is_here() || !self.own.is_nothing() {
            return;
        }
        self.kept.settling = Settling::default();
        match (self.kept.gathered.is_none(), self.kept.pins.is_none()) {
            (true, true) => {
                self.kept.gathered.clear();
                self.release();
            }
            // Nothing has changed that kept it.
            (true, false) if !self.kept.gathered.ends() => {}
            _ => self.ask_what_is_left(),
        }
    }

    fn needs(&self, head: Head, frame: &[u8]) -> u64 {
        self.translator.needs(head, frame)
    }

    fn asks(&mut self, head: Head, frame: &[u8], out: &mut Outgoing) -> Result<Course, Refusal> {
        let Some(server) = self.lease.server() else { return Ok(Course::AsIs) };
        if head.code == client::FUNCTION_CALL {
            self.kept.gathered.add_unread();
        }
        if self.kept.settling.waits() && self.translator.is_settled() {
            self.kept.settling.settles();
        }
        self.translator.asks(head, frame, self.kept.at(server, self.entry.number), out)
    }

    fn is_expendable(&self) -> bool {
        self.is_here() && self.kept.pins.is_none()
    }

    fn is_occupied(&self) -> bool {
        self.lease.at_hand().is_some_and(|server| server.hold.ahead.is_some())
    }

    fn falls_silent(&mut self) {
        if let Some(server) = self.lease.server() {
            server.hold.ahead = None;
        }
    }

    fn lost(&mut self, refusal: &Refusal) {
        let common = &self.house.common;
        common.metrics.refused("server", &self.entry.client);
        if let Pass::Write { suppressed } = common.gate.pass("server lost") {
            let why = &refusal.message;
            tracing::warn!(client = &*self.entry.client, why, suppressed, "a server was lost under a statement");
        }
        self.kept.lose();
        self.close();
    }

    fn sent(&mut self, bytes: &[u8]) {
        if let Some(server) = self.lease.server() {
            self.translator.sent(bytes, &mut server.hold.known);
        }
    }

    fn answers(&mut self, head: Head, frame: &[u8], client: &mut BytesMut) -> Result<Whose, Malformed> {
        let Some(server) = self.lease.server() else { return Ok(Whose::Client) };
        if server.hold.ahead.is_some()
            && let Some(whose) = ahead::hears(server, head, frame)?
        {
            return Ok(whose);
        }
        // A client tells its own notifications by the process that it was told of, not by the one that it was lent.
        if head.code == server::NOTIFICATION {
            let (at, of) = (client.len(), server.process.backend().pid());
            client.extend_from_slice(frame);
            if renumber(client.get_mut(at..).unwrap_or_default(), of, self.target.pid()) {
                return Ok(Whose::Ours);
            }
            client.truncate(at);
        }
        if head.code == server::PARAMETER_STATUS {
            server.note(frame);
            self.kept.heard(server);
        }
        self.translator.answers(head, frame, self.kept.at(server, self.entry.number), client)
    }

    fn take_again(&mut self) -> BytesMut {
        self.translator.take_again()
    }

    /// What `currval` and `lastval` tell was left by this session, unless another one may have set it since.
    fn denies(&mut self, leaves: &Leaves) -> Option<Refusal> {
        let Leaves::Traces(_, traces) = leaves else { return None };
        if !traces.has(Traces::RECALLS) || self.advanced {
            return None;
        }
        let by = self.lease.server().and_then(|server| server.hold.advanced_by);
        if by == Some(self.entry.number) {
            return None;
        }
        let refusal = refuse::foreign_sequence();
        self.tell("sequence", &refusal, "a statement was refused");
        Some(refusal)
    }

    fn leaves(&mut self, request: Request<'_>, leaves: Leaves) {
        match leaves {
            Leaves::Nothing => match request {
                Request::Run { .. } | Request::Bind { .. } => self.kept.settling.asks(Traces::NONE),
                _ => {}
            },
            Leaves::Unread => {
                self.advanced = true;
                self.kept.settling.asks_unread();
                self.kept.gathered.add_unread();
            }
            Leaves::Traces(text, traces) => {
                self.advanced |= traces.may_have(Traces::ADVANCES);
                self.kept.settling.asks(traces);
                let sent = match request {
                    Request::Run { text } => Some(text),
                    Request::Bind { statement, .. } => self.translator.text(statement),
                    _ => None,
                };
                let left = &text.reading.facts().left;
                if let Some(database) = &left.vacated {
                    self.vacate(database);
                }
                self.kept.gathered.add(left, traces, sent.unwrap_or(UNTOLD));
            }
        }
    }

    fn poll_own(&mut self, cx: &mut Context<'_>, seen: Seen) -> bool {
        if self.target.is_asked() {
            self.look(seen);
        }
        !self.own.is_nothing() && matches!(self.poll_work(cx), Poll::Ready(true))
    }

    fn take_words(&mut self) -> BytesMut {
        let mut words = std::mem::take(&mut self.words);
        if let Some(server) = self.lease.server() {
            renumber(&mut words, server.process.backend().pid(), self.target.pid());
        }
        words
    }

    fn has_room(&self) -> bool {
        self.translator.has_room()
    }

    fn ends_a_group(&self) -> bool {
        self.translator.ends_with_sync()
    }

    fn is_settled(&self) -> bool {
        !self.is_occupied() && self.translator.is_settled()
    }
}

/// What is told of a statement that has waited for a server in vain.
pub(super) const UNSERVED: &str = "a statement got no server";

/// A text that may set what it does not tell.
const UNTOLD: &[u8] = b"set_config";

//! A session's servers, each for a transaction: what the relay asks for them.
//!
//! A statement waits for one in `waiting`; `at_hand` takes it and gives it back; what a statement may leave there is noted in `leaves`.

use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::BytesMut;

use super::ahead;
use super::kept::Kept;
use super::own::Own;
use super::settling::Settling;
use super::translate::Translator;
use super::{Lender, Lent};
use crate::clock::Instant;
use crate::net::stream::Stream;
use crate::roster::Entry;
use crate::server::pool::Lease;
use crate::session::cancel::Target;
use crate::session::house::House;
use crate::session::overseer::Leaves;
use crate::session::relay::{Course, Seen, Source, Whose};
use crate::telemetry::Pass;
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
    pub(super) cancelled: bool,
    /// Servers that it has lost in a row before it was sent there.
    pub(super) lost: u8,
    /// A statement may have set the last value of a sequence at the server at hand since it was lent.
    pub(super) advanced: bool,
    /// Since when it waits for a server.
    pub(super) waits_since: Option<Instant>,
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
            cancelled: false,
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

    /// Counts and logs that a statement was refused, and what that was to it. Each has a rate of its own.
    pub(super) fn tell(&self, refusal: &Refusal, what: &str) {
        let common = &self.house.common;
        common.metrics.refused(refusal.rule, &self.entry.client);
        if let Pass::Write { suppressed } = common.gate.pass(&format!("{what}: {}", refusal.rule)) {
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
        // One that was lost while it was dressed is none.
        self.is_here()
    }

    fn poll_lease(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Refusal>> {
        self.poll_wait(cx)
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

    fn asks(&mut self, head: Head, frame: &[u8], out: &mut Outgoing<'_>) -> Result<Course, Refusal> {
        let Some(server) = self.lease.server() else { return Ok(Course::AsIs) };
        if self.translator.takes(head, frame) {
            return Ok(Course::AsIs);
        }
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
        self.tell(refusal, "a server was lost under a statement");
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
                return Ok(Whose::Aside);
            }
            client.truncate(at);
        }
        if head.code == server::PARAMETER_STATUS {
            server.note(frame);
            self.kept.heard(server);
        }
        if self.translator.passes(head) {
            return Ok(Whose::Client);
        }
        self.translator.answers(head, frame, self.kept.at(server, self.entry.number), client)
    }

    fn take_again(&mut self) -> BytesMut {
        self.translator.take_again()
    }

    fn denies(&mut self, leaves: &Leaves) -> Option<Refusal> {
        match leaves {
            Leaves::Traces(_, traces) => self.denies_recall(*traces),
            Leaves::Nothing | Leaves::Unread => None,
        }
    }

    fn leaves(&mut self, request: Request<'_>, leaves: Leaves) {
        match leaves {
            Leaves::Nothing => self.leaves_nothing(request),
            Leaves::Unread => self.leaves_unread(request),
            Leaves::Traces(text, traces) => self.leaves_traces(request, &text, traces),
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

    fn owes(&self) -> bool {
        self.translator.owes()
    }

    fn is_settled(&self) -> bool {
        !self.is_occupied() && self.translator.is_settled()
    }
}

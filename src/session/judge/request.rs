//! What a session thinks of a request, and what it learns where one goes to the server.

use std::rc::Rc;

use super::Judge;
use super::doubted::Change;
use super::portals::Due;
use super::prepared::Statement;
use super::text::Occasion;
use crate::guard::{Fetch, Plan};
use crate::roster::Entry;
use crate::session::overseer::{Extent, Opinion};
use crate::sql::Verb;
use crate::wire::{Request, Transaction};

/// What the client has prepared so far under a name, which a text may run by `EXECUTE`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Prepares {
    Statements,
    /// Also what begins or ends a transaction, which a driver can prepare and SQL's PREPARE cannot.
    Transactions,
}

impl Judge {
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
            Request::Call { .. } => self.call(who),
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
            Request::DataFail | Request::Forget { .. } | Request::Flush | Request::Quit | Request::Other => {
                Opinion::Allow
            }
        }
    }

    /// More of the data that was judged last went by.
    pub fn data(&mut self, bytes: &[u8]) {
        self.stream.go_on(bytes);
    }

    /// The server has answered all that it was sent.
    pub fn settled(&mut self, transaction: Transaction) {
        self.in_flight = false;
        self.prepared.settled();
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
            Request::Prepare { name, .. } => self.remember(name, who),
            Request::Forget { statement } => {
                return self.prepared.forget(&self.house.common.memory, statement, Change::Closes);
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
        if let Request::Run { .. } = request {
            self.prepared.queried();
        }
        self.prepared.asked();
        if let Request::Run { .. } | Request::Call { .. } | Request::Sync = request {
            self.prepared.ends_group();
        }
    }

    /// The server has failed on something, and skips what it was sent behind that.
    pub fn failed(&mut self) {
        self.prepared.failed();
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

    fn remember(&mut self, name: &[u8], who: &Entry) {
        let statement = Statement { text: self.current.clone(), shown: self.break_glass.kept(who) };
        let due = if self.current.is_some() { self.due } else { Due::Settled };
        self.prepared.remember(&self.house.common.memory, name, statement, due);
        let Some(current) = self.current.as_ref().filter(|_| !name.is_empty()) else {
            // Of what was not read nobody knows.
            self.prepares = if name.is_empty() { self.prepares } else { Prepares::Transactions };
            return;
        };
        if current.reading.pieces().iter().any(|piece| piece.verb.controls_transactions()) {
            self.prepares = Prepares::Transactions;
        }
        if self.due == Due::ToRefuse && self.portioned.is_none() {
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
}

//! What a client's statements may leave at the server at hand, and what they must not read there.

use super::borrowed::Borrowed;
use crate::client::refuse;
use crate::server::pool::Key;
use crate::session::reader::Text;
use crate::sql::facts::Traces;
use crate::wire::{Refusal, Request};

/// A text that may set what it does not tell.
const UNTOLD: &[u8] = b"set_config";

impl Borrowed {
    /// What `currval` and `lastval` tell was left by this session, unless another one may have set it since.
    pub(super) fn denies_recall(&mut self, traces: Traces) -> Option<Refusal> {
        if !traces.has(Traces::RECALLS) || self.advanced {
            return None;
        }
        let by = self.lease.server().and_then(|server| server.hold.advanced_by);
        if by == Some(self.entry.number) {
            return None;
        }
        let refusal = refuse::foreign_sequence();
        self.tell(&refusal, "a statement was refused");
        Some(refusal)
    }

    /// A statement that leaves nothing goes to the server at hand.
    pub(super) fn leaves_nothing(&mut self, request: Request<'_>) {
        if let Request::Run { .. } | Request::Bind { .. } = request {
            self.kept.settling.asks(Traces::NONE);
        }
    }

    /// The same of one that nobody has read.
    pub(super) fn leaves_unread(&mut self, request: Request<'_>) {
        self.advanced = true;
        self.kept.settling.asks_unread();
        self.kept.gathered.add_unread();
        if let Request::Call { values } = request {
            values.iter().for_each(|value| self.kept.gathered.add_named(value));
        }
    }

    /// The same of a text that may leave these.
    pub(super) fn leaves_traces(&mut self, request: Request<'_>, text: &Text, traces: Traces) {
        self.advanced |= traces.may_have(Traces::ADVANCES);
        self.kept.settling.asks(traces);
        let sent = match request {
            Request::Run { text } => Some(text),
            Request::Bind { statement, .. } => self.translator.text(statement),
            _ => None,
        };
        if traces.names(Traces::RESETS) && self.kept.may_hide(sent, traces) {
            self.kept.settling.hides();
        }
        let left = &text.reading.facts().left;
        if let Some(database) = &left.vacated {
            self.vacate(database);
        }
        self.kept.gathered.add(left, traces, sent.unwrap_or(UNTOLD));
    }

    /// A statement needs a database to itself: what this user's pool there has idle is closed, while the server waits for that.
    fn vacate(&self, database: &str) {
        for name in self.house.settings.load().listener.databases.names_of(database) {
            let key = Key { user: self.lease.pool().maker().user(), database: name.to_owned() };
            self.house.lending.register.renew(&key);
        }
    }
}

//! Where a conversation stands: who owes what to whom.
//!
//! ```text
//!            refused outside a transaction          Sync
//!     +---------------------------------> Skipping ------+
//!     |                                                  |
//!   Ready <----------------------------------------------+
//!    |  ^
//!    |  | last ReadyForQuery that is owed
//!    v  |              CopyInResponse
//!   Busy  <--------------------------------> CopyIn
//!     |        CopyDone, CopyFail, error
//!     |
//!     +<-------> CopyBoth (replication: both ways until the client's CopyDone, or an error)
//!        CopyBothResponse
//! ```
//!
//! Every message of the client that ends in ReadyForQuery is one [`Step`] that the server owes. A pipeline without its
//! Sync is `open`. In COPY IN the server swallows Sync and Flush (`CopyGetData` in PostgreSQL's `copyfromparse.c`), so
//! a Sync that was sent before the COPY ended is no longer owed.
//!
//! Where the two sides race (an error ends a COPY while a Sync is on its way) nobody can tell what is owed, and the
//! conversation counts as busy from then on. That errs to the safe side: a phase that is never `Ready` is refused at the server, which is right at any time, and never answered
//! out of turn.

use super::code::{client, server};
use super::owed::Track;
use super::steps::Step;
use crate::wire::{Passage, Tail, Transaction};

pub use super::owed::Owed;

/// State of one conversation after the login.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Phase {
    /// The server owes nothing and no pipeline is open.
    Ready(Transaction),
    /// The server owes replies, or a pipeline waits for its Sync.
    Busy(Owed),
    /// The server takes COPY data.
    CopyIn(Owed),
    /// Replication: data in both directions.
    CopyBoth(Owed),
    /// A pipeline was refused, and the server has or owes nothing of it: its rest is dropped up to Sync.
    Skipping(Transaction),
}

impl Default for Phase {
    fn default() -> Self {
        Self::Ready(Transaction::None)
    }
}

/// Where a refusal must take effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// Nothing is open at the server: we answer.
    Here,
    /// The server must fail at this point of the stream, so that transaction and pipeline are what the client believes.
    Server,
}

impl Phase {
    /// Advances by a message that the client sent.
    pub fn client(&mut self, code: u8) -> Passage {
        match self {
            Self::Skipping(transaction) => {
                let (passage, next) = skipped(code, *transaction);
                *self = next;
                passage
            }
            Self::CopyIn(owed) | Self::CopyBoth(owed) => {
                if owed.ends_copy(code) {
                    self.map_owed(Self::Busy);
                }
                Passage::Forward
            }
            Self::Ready(transaction) => {
                let mut owed = Owed::nothing(*transaction);
                if owed.client(code) {
                    *self = Self::Busy(owed);
                }
                Passage::Forward
            }
            Self::Busy(owed) => {
                owed.client(code);
                Passage::Forward
            }
        }
    }

    /// Advances by a message that the server sent; `status` is the letter of a ReadyForQuery.
    pub fn server(&mut self, code: u8, status: Option<Transaction>) {
        match (code, status) {
            (server::READY, Some(transaction)) => self.ready(transaction),
            (server::COPY_IN, _) => self.copy(Self::CopyIn),
            (server::COPY_BOTH, _) => self.copy(Self::CopyBoth),
            (server::ERROR, _) => self.failed(),
            (server::COMMAND_COMPLETE, _) => self.completed(),
            _ => {}
        }
    }

    /// Says where a refusal of a message with this code takes effect and advances accordingly. At the server, the caller
    /// puts a message in its place that the server must fail on.
    pub fn refuse(&mut self, code: u8) -> Place {
        if *self == Self::Ready(Transaction::None) {
            if !is_answered_alone(code) {
                self.skip();
            }
            return Place::Here;
        }
        self.client(code);
        Place::Server
    }

    /// Drops what the client still sends up to its Sync, where the server owes nothing.
    pub fn skip(&mut self) {
        if let Self::Ready(transaction) = *self {
            *self = Self::Skipping(transaction);
        }
    }

    /// True where the server owes nothing and no pipeline is open.
    pub const fn is_ready(&self) -> bool {
        matches!(self, Self::Ready(_))
    }

    /// How far the server is.
    pub fn tail(&self) -> Tail {
        match self {
            Self::Ready(_) | Self::Skipping(_) => Tail::Idle,
            Self::Busy(owed) => owed.tail(),
            Self::CopyIn(_) => Tail::Copy,
            Self::CopyBoth(_) => Tail::Stream,
        }
    }

    /// Transaction state at the last ReadyForQuery.
    pub const fn transaction(&self) -> Transaction {
        match self {
            Self::Ready(transaction) | Self::Skipping(transaction) => *transaction,
            Self::Busy(owed) | Self::CopyIn(owed) | Self::CopyBoth(owed) => owed.transaction,
        }
    }

    fn ready(&mut self, transaction: Transaction) {
        match self {
            Self::Busy(owed) | Self::CopyIn(owed) | Self::CopyBoth(owed) => {
                owed.transaction = transaction;
                owed.settle();
                if owed.is_settled() {
                    *self = Self::Ready(transaction);
                } else {
                    self.map_owed(Self::Busy);
                }
            }
            Self::Ready(_) => *self = Self::Ready(transaction),
            // The server owed nothing when the skipping began; what it says of its own accord changes nothing.
            Self::Skipping(_) => {}
        }
    }

    fn copy(&mut self, into: fn(Owed) -> Self) {
        if let Self::Busy(owed) = self {
            if owed.swallow() {
                return;
            }
            if owed.steps.iter().any(|step| step == Step::CopyEnd) {
                // The end of one COPY, perhaps of this one, is on its way behind other statements.
                owed.track = Track::Lost;
            }
            self.map_owed(into);
        }
    }

    /// An error ends a COPY, and each Sync that was on its way then is answered.
    fn failed(&mut self) {
        if let Self::Busy(owed) | Self::CopyIn(owed) | Self::CopyBoth(owed) = self {
            owed.failed();
            self.map_owed(Self::Busy);
        }
    }

    /// A COPY that the client has ended has swallowed what came between its data.
    fn completed(&mut self) {
        if let Self::Busy(owed) = self {
            owed.doubtful = 0;
        } else {
            // Its end was sent before it began, so nothing was swallowed since.
            self.failed();
        }
    }

    fn map_owed(&mut self, into: fn(Owed) -> Self) {
        if let Self::Busy(owed) | Self::CopyIn(owed) | Self::CopyBoth(owed) = self {
            *self = into(std::mem::take(owed));
        }
    }
}

/// Does the server answer a message with this code with a ReadyForQuery of its own, whatever becomes of it?
pub(super) const fn is_answered_alone(code: u8) -> bool {
    matches!(code, client::QUERY | client::FUNCTION_CALL)
}

/// Where a client's message goes while its pipeline is skipped, and what comes next.
const fn skipped(code: u8, transaction: Transaction) -> (Passage, Phase) {
    match code {
        client::SYNC => (Passage::Conclude, Phase::Ready(transaction)),
        client::TERMINATE => (Passage::Forward, Phase::Skipping(transaction)),
        _ => (Passage::Drop, Phase::Skipping(transaction)),
    }
}

//! Cancel requests: whose they are, and the way to the server.
//!
//! A client is given a secret of our own, so that it can cancel its own statement and nothing else, and so that the server's secret
//! never leaves us. A key leads to whatever server its session has at the moment; where it waits for one, it stops waiting, and where
//! it has none, it looks whether a statement has come in that nobody has seen yet: that one is hit, and no later one. Where it has a
//! server, it looks as well: such a statement is hit before it is sent, unless it may end a transaction. Then the cancel is sent behind
//! it; where nothing has come in, and nothing runs, it is sent nowhere. What a pause holds back in front of a server of the client's own
//! is read for that, and hit there. One that is sent needs no slot at the server: PostgreSQL's
//! postmaster handles it before it counts connections.
//!
//! One that the server has not taken in time may land later. A server that is lent is closed for that, since it would hit somebody else.
//! A server of the client's own stays: what it may hit there is a later statement of whoever has sent it, as it may where the client
//! itself does not wait, and to end the session would cost that statement in any case.
//!
//! A session without a server is asked in the word that says so, since whoever takes a server or begins to wait answers in the same step
//! ([`Target`]); one with a server is asked beside it (`question`), since there the word is the server's number and is wanted for the
//! cancel itself.

mod canceling;
mod keyring;
mod keys;
mod question;
pub mod siblings;
pub mod stopper;
mod target;

use std::time::Duration;

pub use self::keys::{Key, Keys};
pub use self::question::Found;
pub use self::target::Target;

/// A cancel that overtakes its statement is lost at the server, so it is sent again after this time.
pub const CANCEL_AGAIN: Duration = Duration::from_millis(500);
/// A server that takes no notice of so many is closed, or left to itself.
pub const CANCELS_MAX: usize = 20;

/// What became of a cancel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cancelled {
    /// The server has taken it.
    Forwarded,
    /// The server could not be reached in time.
    Unreachable,
    /// Its statement had not gone to a server, and does not go there any more.
    Queued,
    /// The session had no statement under way.
    Idle,
}

impl Cancelled {
    /// Metric label.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Forwarded => "forwarded",
            Self::Unreachable => "server_unreachable",
            Self::Queued => "queued",
            Self::Idle => "idle",
        }
    }
}

//! Why a session ended, and whose doing it was.

use crate::client::refuse;
use crate::guard::limits::TimeLimit;
use crate::wire::{Malformed, Refusal};

/// The end of a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// The client said goodbye.
    ClientQuit,
    /// The client's connection closed or broke without a goodbye.
    ClientGone,
    /// The client sent what is no message.
    ClientMalformed(Malformed),
    /// The server's connection closed or broke.
    ServerGone,
    /// The server sent what is no message.
    ServerMalformed(Malformed),
    /// A reply was larger than allowed where nobody could tell what else a cancel would hit.
    Overrun,
    /// An operator ended it.
    Killed,
    /// It was idle for longer than `client_idle_timeout`.
    IdleTooLong,
    /// No server takes its login any more.
    Outdated,
    /// Its server is not the one that is used any more.
    Moved,
    /// Floodwall is going down.
    Drained,
    /// Its transaction was open, or idle, for too long.
    TimedOut(TimeLimit),
}

impl End {
    /// Metric label.
    pub const fn label(self) -> &'static str {
        match self {
            Self::ClientQuit => "client_quit",
            Self::ClientGone => "client_gone",
            Self::ClientMalformed(_) => "client_malformed",
            Self::ServerGone => "server_gone",
            Self::ServerMalformed(_) => "server_malformed",
            Self::Overrun => "overrun",
            Self::Killed => "killed",
            Self::IdleTooLong => "client_idle_timeout",
            Self::Outdated => "outdated",
            Self::Moved => "moved",
            Self::Drained => "drained",
            Self::TimedOut(limit) => limit.rule,
        }
    }

    /// What the client is told, where it is still there to hear it.
    pub fn farewell(self) -> Option<Refusal> {
        match self {
            Self::ClientQuit | Self::ClientGone => None,
            Self::ClientMalformed(why) => Some(refuse::malformed(why)),
            Self::ServerGone => Some(refuse::server_gone()),
            Self::ServerMalformed(why) => Some(refuse::server_malformed(why)),
            Self::Overrun => Some(refuse::overrun()),
            Self::Killed => Some(refuse::killed()),
            Self::IdleTooLong => Some(refuse::idle_too_long()),
            Self::Outdated => Some(refuse::outdated()),
            Self::Moved => Some(refuse::moved()),
            Self::Drained => Some(refuse::draining()),
            Self::TimedOut(limit) => Some(refuse::timed_out(&limit)),
        }
    }
}

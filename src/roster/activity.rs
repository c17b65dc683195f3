//! What a session is doing, and what somebody else asks of it.

/// What a session is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Activity {
    /// Logging in.
    Login = 0,
    /// Waiting for the client, outside a transaction.
    Idle = 1,
    /// A statement is running.
    Active = 2,
    /// Waiting for the client, inside a transaction.
    IdleInTransaction = 3,
    /// Inside a transaction that has failed.
    FailedTransaction = 4,
    /// Held back by PAUSE.
    Paused = 5,
    /// Waiting for a server of its pool.
    Waiting = 6,
}

impl Activity {
    /// The word that the console and the metrics use.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Login => "login",
            Self::Idle => "idle",
            Self::Active => "active",
            Self::IdleInTransaction => "idle in transaction",
            Self::FailedTransaction => "failed transaction",
            Self::Paused => "paused",
            Self::Waiting => "waiting",
        }
    }

    pub(super) const fn from_u8(value: u8) -> Self {
        match value {
            1 => Self::Idle,
            2 => Self::Active,
            3 => Self::IdleInTransaction,
            4 => Self::FailedTransaction,
            5 => Self::Paused,
            6 => Self::Waiting,
            _ => Self::Login,
        }
    }
}

/// What somebody else asks of a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Signal {
    /// Nothing.
    None = 0,
    /// End if it has been idle for too long, which it knows best.
    Idle = 1,
    /// End at the next moment with no statement and no transaction: no server takes its login any more.
    Outdated = 2,
    /// End at the next moment with no statement and no transaction.
    Drain = 3,
    /// Lose the server at hand: it does not answer, and another one is used.
    Lose = 4,
    /// End now, with a FATAL that names the operator.
    Kill = 5,
    /// End now: the time of the drain is over.
    Shutdown = 6,
}

//! What is watched while a statement runs, in the words that the relay and its overseer share.

use crate::guard::limits::Undo;
use crate::guard::names::{RESULT_BUDGET, STATEMENT_TIMEOUT, WRITE_BUDGET};
use crate::guard::plan::Effect;
use crate::wire::Refusal;

/// What a request asks the relay to watch. The default watches nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Watch {
    /// What each reply may send.
    pub allowance: Allowance,
    /// Rows that one statement may change.
    pub changes_max: u64,
    /// Where each row of its reply is one that it changed: how many of them earlier portions have told.
    pub returned: Option<u64>,
    /// What has to wait for its replies.
    pub hold: Hold,
    /// What it does beside sending rows.
    pub effect: Effect,
    /// How it is taken back inside a transaction of the client.
    pub undo: Undo,
}

/// What one reply may send. `u64::MAX` is no limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Allowance {
    /// Rows.
    pub rows: u64,
    /// Bytes of these rows, heads included.
    pub bytes: u64,
    /// Whether both hold for a COPY to the client as well.
    pub copy: Streams,
}

/// Whether a COPY to the client counts as a reply.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Streams {
    /// Its pieces are rows.
    Counted,
    /// They are not looked at.
    Free,
}

/// What has to wait until the replies to a request are in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum Hold {
    /// Nothing: what comes behind it may be sent at once.
    #[default]
    Nothing,
    /// It may take too long, so nothing may run behind it that a cancel could hit.
    Alone,
    /// Its reply may be cut: the same, and what it writes may not be committed before its reply is in.
    Cut,
    /// The rows that it changed decide whether it stays, so nothing behind it may commit it.
    Decide,
}

/// What turned out to be more than allowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Excess {
    /// Rows of a reply.
    Rows,
    /// Bytes of a reply, of which so many rows fit.
    Bytes(u64),
    /// A statement changed so many rows.
    Changes(u64),
    /// A statement has taken so long.
    Time,
}

/// What a statement has sent and changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Tally {
    /// Rows of its reply.
    pub rows: u64,
    /// Bytes of these rows, heads included.
    pub bytes: u64,
    /// Rows that it changed, where it is a write.
    pub changes: Option<u64>,
}

/// What can still be done about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// All: the statement can be stopped, and fails.
    Whole,
    /// Nothing without harm to other statements: it can only be reported.
    Late,
}

/// What is done about it.
#[derive(Debug)]
pub enum Ruling {
    /// Nothing.
    Pass,
    /// The client is told, and nothing else.
    Warn(Refusal),
    /// The statement fails with this error.
    Fail(Refusal),
}

/// Whether what is to be stopped still runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Work {
    /// It may.
    Running,
    /// It has ended, one way or the other.
    Ended,
}

impl Excess {
    /// The rule that limits it.
    pub const fn rule(self) -> &'static str {
        match self {
            Self::Rows | Self::Bytes(_) => RESULT_BUDGET,
            Self::Changes(_) => WRITE_BUDGET,
            Self::Time => STATEMENT_TIMEOUT,
        }
    }
}

impl Allowance {
    /// No limit at all.
    pub const UNLIMITED: Self = Self { rows: u64::MAX, bytes: u64::MAX, copy: Streams::Free };
}

impl Default for Watch {
    fn default() -> Self {
        Self {
            allowance: Allowance::UNLIMITED,
            changes_max: u64::MAX,
            returned: None,
            hold: Hold::Nothing,
            effect: Effect::Reads,
            undo: Undo::Abort,
        }
    }
}

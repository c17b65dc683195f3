//! One step of a pipeline: which reply it waits for, whose reply that is, and what to take back if the server skips it.

use std::rc::Rc;

use super::Parts;
use super::shared::Statement;
use super::unnamed::Unnamed;

/// The reply that ends a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wants {
    Parse,
    Bind,
    Close,
    Described,
    Executed,
    /// ReadyForQuery after Sync.
    Ready,
    /// ReadyForQuery after a simple query or a call, with all that comes before it.
    All,
    /// None: the end of COPY data that was sent before the server asked for them.
    CopyEnd,
}

/// Whose a reply is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Whose {
    /// The client's: it passes.
    Client,
    /// Ours: it is dropped.
    Ours,
    /// The client's, from us: the server was not asked.
    Given,
}

#[derive(Debug)]
pub(super) struct Entry {
    pub(super) wants: Wants,
    pub(super) whose: Whose,
    pub(super) undo: Undo,
    /// The shared statement that it uses at the server.
    pub(super) uses: Option<u64>,
}

/// What a step changed in the books before the server did it.
#[derive(Debug)]
pub(super) enum Undo {
    Nothing,
    /// The client has a new name for a statement, which the server may have to learn.
    Named(Box<[u8]>, Rc<Statement>, Option<Learnt>),
    /// The server learns a statement for a client that has it already.
    Learnt(u64),
    /// The client has given up a name.
    Closed(Box<[u8]>, Rc<Statement>),
    /// The server closes a statement to make room.
    Evicted(u64),
    /// The unnamed statements of client and server were these.
    Unnamed(Unnamed, Option<u64>),
    /// The client's unnamed statement was this one before a repeated one, which the server may have to learn.
    Repeated(Unnamed, Option<u64>),
}

/// The server learns a statement by a client's own Parse.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Learnt;

/// How a step came to nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Miss {
    /// The server failed on it.
    Failed,
    /// The server skipped it.
    Skipped,
}

impl Entry {
    pub(super) const fn new(wants: Wants, whose: Whose) -> Self {
        Self { wants, whose, undo: Undo::Nothing, uses: None }
    }

    pub(super) fn undoing(self, undo: Undo) -> Self {
        Self { undo, ..self }
    }

    pub(super) fn using(self, number: u64) -> Self {
        Self { uses: Some(number), ..self }
    }

    /// The statement that the server learns by it.
    pub(super) fn learns(&self) -> Option<u64> {
        match &self.undo {
            Undo::Named(_, statement, Some(Learnt)) => Some(statement.number),
            Undo::Learnt(number) | Undo::Repeated(_, Some(number)) => Some(*number),
            _ => None,
        }
    }

    /// Takes back what it changed in the books.
    pub(super) fn undo(self, miss: Miss, parts: &mut Parts<'_>) {
        match self.undo {
            Undo::Nothing => {}
            Undo::Named(name, statement, learnt) => {
                parts.names.remove(&name);
                if learnt.is_some() {
                    unlearn(statement.number, miss, parts);
                }
            }
            Undo::Learnt(number) => unlearn(number, miss, parts),
            Undo::Repeated(before, learnt) => {
                // A Parse that fails has taken the old one away already.
                parts.names.unnamed = if miss == Miss::Failed { Unnamed::None } else { before };
                if let Some(number) = learnt {
                    unlearn(number, miss, parts);
                }
            }
            // What was there a moment ago finds room.
            Undo::Closed(name, statement) => {
                parts.names.insert(&name, statement);
            }
            // It is of no use there, but its name is taken.
            Undo::Evicted(number) => parts.known.spoil(number),
            // A Parse that fails has taken the old one away already.
            Undo::Unnamed(..) if miss == Miss::Failed && self.wants == Wants::Parse => {
                parts.known.unnamed = None;
                if self.whose == Whose::Client {
                    parts.names.unnamed = Unnamed::None;
                }
            }
            Undo::Unnamed(client, server) => {
                parts.names.unnamed = client;
                parts.known.unnamed = server;
            }
        }
    }
}

/// A Parse that failed may have done so since the name is taken: then it is closed before the next try, which does no harm otherwise.
fn unlearn(number: u64, miss: Miss, parts: &mut Parts<'_>) {
    match miss {
        Miss::Failed => parts.known.spoil(number),
        Miss::Skipped => parts.known.remove(number),
    }
}

//! One step of a pipeline: which reply it waits for, whose reply that is, and what to take back if the server skips it.

use std::collections::VecDeque;
use std::rc::Rc;

use super::Parts;
use super::learning::Learning;
use super::shared::Statement;
use super::unnamed::{Doubt, Unnamed};
use crate::wire::pg::rename::Asked;

/// The reply that ends a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wants {
    Parse,
    Bind,
    Close,
    Described,
    /// The same of a simple query that was sent as a pipeline: what returns no rows is not described there.
    Columns,
    Executed,
    /// ReadyForQuery after Sync.
    Ready,
    /// ReadyForQuery after a simple query or a call, with all that comes before it.
    All,
    /// None: the end of COPY data that was sent before the server asked for them.
    CopyEnd,
}

impl Wants {
    /// What ends the answer to a message that goes to the server as it is; `None`: nothing does, or more depends on it than that.
    pub(super) const fn of(asked: Asked<'_>) -> Option<Self> {
        match asked {
            Asked::Parse { .. } => Some(Self::Parse),
            Asked::Bind { .. } => Some(Self::Bind),
            Asked::Execute => Some(Self::Executed),
            Asked::Close { .. } | Asked::ClosePortal => Some(Self::Close),
            Asked::Describe { .. } | Asked::DescribePortal => Some(Self::Described),
            Asked::Query | Asked::Call => Some(Self::All),
            Asked::Sync | Asked::CopyEnd | Asked::Silent => None,
        }
    }
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
    /// An error that the client has been told already, by what went ahead of it: it is dropped.
    Told,
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

    /// The server has done it, or never will.
    pub(super) fn ends(&self, learning: &mut Learning) {
        match &self.undo {
            Undo::Closed(name, _) | Undo::Named(name, _, None) => learning.named(name),
            Undo::Evicted(number) => learning.went(*number),
            _ => self.learns().iter().for_each(|&number| learning.came(number)),
        }
    }

    /// The client's name under which the server learns this statement by it.
    pub(super) fn teaches(&self, number: u64) -> Option<&[u8]> {
        match &self.undo {
            Undo::Named(name, statement, Some(Learnt)) if statement.number == number => Some(name),
            _ => None,
        }
    }

    /// Takes back what it changed in the books. What a `later` step has changed since, one of a group that goes on, is left to that.
    pub(super) fn undo(self, miss: Miss, later: &mut VecDeque<Self>, parts: &mut Parts<'_>) {
        self.ends(&mut parts.known.learning);
        let learnt = self.learns();
        match self.undo {
            Undo::Nothing | Undo::Learnt(_) => {}
            Undo::Named(name, ..) if later.iter().any(|step| step.names(&name)) => {}
            Undo::Named(name, ..) => {
                parts.names.remove(&name);
            }
            // A Parse that fails has taken the old one away already.
            Undo::Repeated(_, _) if miss == Miss::Failed => client_had(Unnamed::None, later, parts),
            Undo::Repeated(before, _) => client_had(before, later, parts),
            Undo::Closed(name, _) if later.iter().any(|step| step.names(&name)) => {}
            // What was there a moment ago finds room.
            Undo::Closed(name, statement) => {
                parts.names.insert(&name, statement);
            }
            Undo::Evicted(number) if later.iter().any(|step| step.learns() == Some(number)) => {}
            // It is of no use there, but its name is taken.
            Undo::Evicted(number) => parts.known.spoil(number),
            // A Parse that fails has taken the old one away already.
            Undo::Unnamed(..) if miss == Miss::Failed && self.wants == Wants::Parse => {
                server_had(None, later, parts);
                if self.whose == Whose::Client {
                    client_had(Unnamed::None, later, parts);
                }
            }
            Undo::Unnamed(client, server) => {
                server_had(server, later, parts);
                if self.whose == Whose::Client {
                    client_had(client, later, parts);
                }
            }
        }
        if let Some(number) = learnt.filter(|&number| later.iter().all(|step| step.learns() != Some(number))) {
            unlearn(number, miss, parts);
        }
    }

    /// Does it give a name to a statement, or take it away?
    pub(super) fn names(&self, name: &[u8]) -> bool {
        matches!(&self.undo, Undo::Named(other, ..) | Undo::Closed(other, _) if **other == *name)
    }

    /// The client's unnamed statement before it, where it sets another one.
    fn client_before(&mut self) -> Option<&mut Unnamed> {
        match &mut self.undo {
            Undo::Repeated(before, _) => Some(before),
            Undo::Unnamed(before, _) if self.whose == Whose::Client => Some(before),
            _ => None,
        }
    }

    /// Whose unnamed statement it sets, or ends.
    pub(super) const fn sets_unnamed(&self) -> Option<Doubt> {
        match (&self.undo, self.whose) {
            (Undo::Repeated(..), _) | (Undo::Unnamed(..), Whose::Client) => Some(Doubt::Client),
            (Undo::Unnamed(..), _) => Some(Doubt::Server),
            _ => None,
        }
    }

    /// Does the server run something for it that the client has written?
    pub(super) const fn runs(&self) -> bool {
        matches!((self.wants, self.whose), (Wants::Executed | Wants::All, Whose::Client))
    }

    /// Does the server go on behind it, whatever failed before?
    pub(super) const fn ends_group(&self) -> bool {
        matches!(self.wants, Wants::Ready | Wants::All)
    }

    /// The server's, likewise.
    fn server_before(&mut self) -> Option<&mut Option<u64>> {
        match &mut self.undo {
            Undo::Unnamed(_, before) => Some(before),
            _ => None,
        }
    }
}

/// The client has this unnamed statement, or had it before a later step set another one.
fn client_had(unnamed: Unnamed, later: &mut VecDeque<Entry>, parts: &mut Parts<'_>) {
    *later.iter_mut().find_map(Entry::client_before).unwrap_or(&mut parts.names.unnamed) = unnamed;
}

/// The same of the server.
fn server_had(unnamed: Option<u64>, later: &mut VecDeque<Entry>, parts: &mut Parts<'_>) {
    *later.iter_mut().find_map(Entry::server_before).unwrap_or(&mut parts.known.unnamed) = unnamed;
}

/// A Parse that failed may have done so since the name is taken: then it is closed before the next try, which does no harm otherwise.
fn unlearn(number: u64, miss: Miss, parts: &mut Parts<'_>) {
    match miss {
        Miss::Failed => parts.known.spoil(number),
        Miss::Skipped => parts.known.remove(number),
    }
}

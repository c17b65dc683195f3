//! Where a group that is guarded or cut stands, and what becomes of the server's frames meanwhile.
//!
//! ```text
//!             BEGIN is put before a Query                 Z:T            Z:T, ours: COMMIT
//!   Passing ------------------------------> Opening -----------> Guarded ------------------> Committing --+
//!    ^  |                                      | Z:I                |  | Z:E, ours: ROLLBACK              |
//!    |  | too much                             v                    |  +-----------> Closing <-----------+ Z:E
//!    |  +-----> Cut <------ too much ----------|--------------------+                  | Z:I             |
//!    |           | it has ended, and no cancel is on its way                           |                 | Z:I
//!    +-----------+-------- (guarded: ROLLBACK, then Closing) --------------------------+-----------------+
//! ```
//!
//! A write inside a client's transaction may be guarded by a savepoint of ours. It goes the same way, with RELEASE for COMMIT and
//! `ROLLBACK TO` for ROLLBACK, and `Z:T` where `Z:I` stands above. Whatever fails by itself there has aborted the client's
//! transaction, our savepoint with it: the server's boundary passes as it is.
//!
//! In the extended protocol the savepoint stands around one portal, and `Z` ends what is ours. A Sync of ours ends what the
//! client's pipeline had before, and another one follows the Execute, so that the server is through with each part; the client, whose
//! pipeline goes on, sees none of these boundaries. Where a part has failed, the client's rest up to its own Sync goes nowhere.
//!
//! ```text
//!             Sync and SAVEPOINT are put before an Execute      Z:T             Z:T, ours: RELEASE
//!   Passing -------------------> Preceding ------> Opening -----------> Guarded ------------------> Committing
//!      ^                            | Z:E                                  | Z:E                        |
//!      |  the rest is skipped       v                                      |                            | Z
//!      +------------------------ Doomed                                    |                            |
//!      +-------------------------------------------------------------------+----------------------------+
//! ```
//!
//! Whoever is cut reads the error at once. From there to the boundary it reads nothing else of this group, whatever the server sends.

use bytes::BytesMut;

use super::outcome::Outcome;
use super::undo::Own;
use crate::session::watch::Work;
use crate::wire::{Errand, Transaction};

/// The stage of the group that the server works on.
#[derive(Debug, Default)]
pub(super) enum Stage {
    /// Its replies pass.
    #[default]
    Passing,
    /// A Sync of ours ends what the client's pipeline had before; our SAVEPOINT and the Execute are behind it.
    Preceding,
    /// So many boundaries are due of what was sent in vain.
    Doomed(u8),
    /// Our BEGIN or SAVEPOINT is on its way.
    Opening(Own),
    /// The client's Query runs behind it; its last completion is kept back until the COMMIT or RELEASE.
    Guarded(Own, BytesMut),
    /// Our COMMIT or RELEASE is on its way.
    Committing(Own, BytesMut),
    /// The client has its error; what the server still sends goes nowhere.
    Cut(Cut),
    /// Our ROLLBACK is on its way.
    Closing(Own),
}

/// A group that was cut.
#[derive(Debug)]
pub(super) struct Cut {
    /// Name of the rule.
    pub(super) rule: &'static str,
    /// What was cut.
    pub(super) scope: Scope,
    /// How far the server is.
    pub(super) at: At,
}

/// What was cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Scope {
    /// A group whose sync point the server has: its boundary ends it.
    Group,
    /// A pipeline without its Sync: its error ends it.
    Pipeline,
    /// A Query that is guarded.
    Guarded(Own),
}

/// How far the server is with what was cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum At {
    /// It may be working on it.
    Running,
    /// It has raised an error; the boundary is due.
    Failed,
    /// It is through, without an error.
    Finished(Transaction),
    /// It is through, by an error. In a pipeline the boundary is the Sync's.
    Over(Transaction),
}

/// What a server's frame means here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Event {
    Failed,
    Completed,
    Copying,
    Boundary(Transaction),
    Other,
}

/// How a cut ends.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// The boundary goes to the client.
    Boundary(Transaction),
    /// The client's Sync is next.
    Sync,
    /// Something of ours goes to the server first.
    Errand(Errand<'static>),
}

impl Stage {
    /// True where replies pass.
    pub(super) const fn is_passing(&self) -> bool {
        matches!(self, Self::Passing)
    }

    /// Advances by a server's frame.
    pub(super) fn server(&mut self, event: Event, frame: &[u8]) -> Outcome {
        match *self {
            Self::Passing => Outcome::default(),
            Self::Preceding => self.preceding(event),
            Self::Doomed(due) => self.doomed(due, event),
            Self::Opening(own) => self.opening(own, event),
            Self::Guarded(own, _) => self.guarded(own, event, frame),
            Self::Committing(own, _) => self.committing(own, event),
            Self::Cut(ref mut cut) => cut.server(event),
            Self::Closing(own) => self.closing(own, event),
        }
    }

    fn preceding(&mut self, event: Event) -> Outcome {
        match event {
            Event::Boundary(Transaction::Open) => *self = Self::Opening(Own::Portal),
            // The SAVEPOINT fails then, and so does the Execute.
            Event::Boundary(_) => *self = Self::Doomed(2),
            _ => return Outcome::default(),
        }
        Outcome::drop()
    }

    fn doomed(&mut self, due: u8, event: Event) -> Outcome {
        let Event::Boundary(transaction) = event else { return Outcome::drop() };
        if due > 1 {
            *self = Self::Doomed(due.saturating_sub(1));
            return Outcome::drop();
        }
        *self = Self::Passing;
        Outcome::failed(transaction)
    }

    fn opening(&mut self, own: Own, event: Event) -> Outcome {
        match event {
            Event::Boundary(Transaction::Open) => *self = Self::Guarded(own, BytesMut::new()),
            Event::Boundary(_) if own == Own::Portal => *self = Self::Guarded(own, BytesMut::new()),
            // A cancel of the client may hit even a BEGIN: its Query then runs unguarded. Behind a SAVEPOINT it fails.
            Event::Boundary(_) => *self = Self::Passing,
            _ => {}
        }
        Outcome::drop()
    }

    fn guarded(&mut self, own: Own, event: Event, frame: &[u8]) -> Outcome {
        let kept = self.take_kept();
        match event {
            Event::Completed => {
                *self = Self::Guarded(own, BytesMut::from(frame));
                Outcome { before: kept, ..Outcome::drop() }
            }
            Event::Boundary(Transaction::Open) => {
                *self = Self::Committing(own, kept);
                Outcome::drop_and(own.keep())
            }
            Event::Boundary(transaction) if !own.is_over(transaction) => {
                *self = Self::Closing(own);
                Outcome { before: kept, ..Outcome::drop_and(own.undo()) }
            }
            Event::Boundary(transaction) => {
                *self = Self::Passing;
                Outcome::over(own, transaction, kept)
            }
            Event::Failed | Event::Copying | Event::Other => Outcome::pass(kept),
        }
    }

    fn committing(&mut self, own: Own, event: Event) -> Outcome {
        match event {
            Event::Failed => {
                self.take_kept();
                Outcome::default()
            }
            Event::Boundary(transaction) if own.is_over(transaction) => {
                let kept = self.take_kept();
                *self = Self::Passing;
                Outcome::over(own, transaction, kept)
            }
            // It failed before it began.
            Event::Boundary(_) => {
                *self = Self::Closing(own);
                Outcome::drop_and(own.undo())
            }
            Event::Completed | Event::Copying | Event::Other => Outcome::drop(),
        }
    }

    fn closing(&mut self, own: Own, event: Event) -> Outcome {
        match event {
            Event::Boundary(transaction) if own.is_over(transaction) => {
                *self = Self::Passing;
                if own == Own::Portal { Outcome::failed(transaction) } else { Outcome::default() }
            }
            Event::Boundary(_) => Outcome::drop_and(own.undo()),
            _ => Outcome::drop(),
        }
    }

    /// What was kept back and is no text's last completion, since a statement behind it has spoken.
    pub(super) fn let_go(&mut self) -> BytesMut {
        if let Self::Guarded(..) = self { self.take_kept() } else { BytesMut::new() }
    }

    fn take_kept(&mut self) -> BytesMut {
        match self {
            Self::Guarded(_, kept) | Self::Committing(_, kept) => std::mem::take(kept),
            _ => BytesMut::new(),
        }
    }

    /// Cuts the group at hand. What was kept back so far goes to the client: it was completed before.
    pub(super) fn cut(&mut self, rule: &'static str, otherwise: Scope) -> (Scope, BytesMut) {
        let scope = if let Self::Guarded(own, _) = self { Scope::Guarded(*own) } else { otherwise };
        let kept = self.take_kept();
        *self = Self::Cut(Cut { rule, scope, at: At::Running });
        (scope, kept)
    }

    /// Goes on where a cut has ended and no cancel is on its way.
    pub(super) fn settle(&mut self) -> Option<Next> {
        let Self::Cut(cut) = self else { return None };
        let next = match (cut.at, cut.scope) {
            (At::Running | At::Failed, _) => return None,
            (At::Over(_), Scope::Pipeline) => Next::Sync,
            (At::Finished(at) | At::Over(at), Scope::Guarded(own)) if at != Transaction::None || own == Own::Portal => {
                *self = Self::Closing(own);
                return Some(Next::Errand(own.undo()));
            }
            (At::Finished(Transaction::Open), _) => {
                cut.at = At::Failed;
                return Some(Next::Errand(Errand::Fail(cut.rule)));
            }
            (At::Finished(transaction) | At::Over(transaction), _) => Next::Boundary(transaction),
        };
        *self = Self::Passing;
        Some(next)
    }
}

impl Cut {
    /// Whether the server may still be working on it.
    pub(super) const fn work(&self) -> Work {
        if let At::Running = self.at { Work::Running } else { Work::Ended }
    }

    fn server(&mut self, event: Event) -> Outcome {
        self.at = match (event, self.at) {
            (Event::Failed, _) if self.scope == Scope::Pipeline => At::Over(Transaction::None),
            (Event::Failed, _) => At::Failed,
            (Event::Boundary(transaction), At::Running) => At::Finished(transaction),
            (Event::Boundary(transaction), _) => At::Over(transaction),
            // A text of several statements went on behind the one that was cut.
            (Event::Copying, _) => return Outcome::drop_and(Errand::FailCopy(self.rule)),
            (Event::Completed | Event::Other, at) => at,
        };
        Outcome::drop()
    }
}

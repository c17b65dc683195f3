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
//! Whoever is cut reads the error at once. From there to the boundary it reads nothing else of this group, whatever the server sends.

use bytes::BytesMut;

use crate::session::watch::Work;
use crate::wire::{Errand, Transaction};

/// The stage of the group that the server works on.
#[derive(Debug, Default)]
pub(super) enum Stage {
    /// Its replies pass.
    #[default]
    Passing,
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

/// What a write is guarded by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Own {
    /// A transaction of ours.
    Transaction,
    /// A savepoint of ours in the client's.
    Savepoint,
}

impl Own {
    /// What goes in front of the write.
    pub(super) const fn open(self) -> Errand<'static> {
        match self {
            Self::Transaction => Errand::Begin,
            Self::Savepoint => Errand::Savepoint,
        }
    }

    const fn keep(self) -> Errand<'static> {
        match self {
            Self::Transaction => Errand::Commit,
            Self::Savepoint => Errand::Release,
        }
    }

    const fn undo(self) -> Errand<'static> {
        match self {
            Self::Transaction => Errand::Rollback,
            Self::Savepoint => Errand::RollbackTo,
        }
    }

    /// Does nothing of ours stand any more, where a boundary says this?
    fn is_over(self, transaction: Transaction) -> bool {
        self == Self::Savepoint || transaction == Transaction::None
    }
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

/// What becomes of it.
#[derive(Debug, Default)]
pub(super) struct Outcome {
    pub(super) fate: Fate,
    /// To the client, in front of the frame.
    pub(super) before: BytesMut,
    /// To the server.
    pub(super) errand: Option<Errand<'static>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Fate {
    #[default]
    Pass,
    Drop,
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

impl Outcome {
    fn pass(before: BytesMut) -> Self {
        Self { before, ..Self::default() }
    }

    fn drop() -> Self {
        Self { fate: Fate::Drop, ..Self::default() }
    }

    fn drop_and(errand: Errand<'static>) -> Self {
        Self { errand: Some(errand), ..Self::drop() }
    }
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
            Self::Opening(own) => self.opening(own, event),
            Self::Guarded(own, _) => self.guarded(own, event, frame),
            Self::Committing(own, _) => self.committing(own, event),
            Self::Cut(ref mut cut) => cut.server(event),
            Self::Closing(own) => self.closing(own, event),
        }
    }

    fn opening(&mut self, own: Own, event: Event) -> Outcome {
        match event {
            Event::Boundary(Transaction::Open) => *self = Self::Guarded(own, BytesMut::new()),
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
            Event::Boundary(_) => {
                *self = Self::Passing;
                Outcome::pass(kept)
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
                Outcome::pass(kept)
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
                Outcome::default()
            }
            Event::Boundary(_) => Outcome::drop_and(own.undo()),
            _ => Outcome::drop(),
        }
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
            (At::Finished(at) | At::Over(at), Scope::Guarded(own)) if at != Transaction::None => {
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

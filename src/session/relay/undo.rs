//! What a write is guarded by, so that it can be taken back.

use crate::wire::{Errand, Form, Transaction};

/// What a write is guarded by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Own {
    /// A transaction of ours.
    Transaction,
    /// A savepoint of ours in the client's.
    Savepoint,
    /// The same, for one portal of a pipeline.
    Portal,
}

impl Own {
    /// What goes in front of the write.
    pub(super) const fn open(self) -> Errand<'static> {
        match self {
            Self::Transaction => Errand::Begin,
            Self::Savepoint => Errand::Savepoint(Form::Alone),
            Self::Portal => Errand::Savepoint(Form::Pipeline),
        }
    }

    pub(super) const fn keep(self) -> Errand<'static> {
        match self {
            Self::Transaction => Errand::Commit,
            Self::Savepoint => Errand::Release(Form::Alone),
            Self::Portal => Errand::Release(Form::Pipeline),
        }
    }

    pub(super) const fn undo(self) -> Errand<'static> {
        match self {
            Self::Transaction => Errand::Rollback,
            Self::Savepoint => Errand::RollbackTo(Form::Alone),
            Self::Portal => Errand::RollbackTo(Form::Pipeline),
        }
    }

    /// Does nothing of ours stand any more, where a boundary says this?
    pub(super) fn is_over(self, transaction: Transaction) -> bool {
        self != Self::Transaction || transaction == Transaction::None
    }
}

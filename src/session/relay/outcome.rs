//! What becomes of a server's frame, and of the client's pipeline.

use bytes::BytesMut;

use super::undo::Own;
use crate::wire::{Errand, Transaction};

/// What becomes of it.
#[derive(Debug, Default)]
pub(super) struct Outcome {
    pub(super) fate: Fate,
    /// To the client, in front of the frame.
    pub(super) before: BytesMut,
    /// To the server.
    pub(super) errand: Option<Errand<'static>>,
    pub(super) pipeline: Pipeline,
}

/// How the client's pipeline goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Pipeline {
    /// As it does.
    #[default]
    AsIs,
    /// The server is through with what it had so far.
    Answered,
    /// It has failed: its rest goes nowhere.
    Failed(Transaction),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Fate {
    #[default]
    Pass,
    Drop,
}

impl Outcome {
    pub(super) fn pass(before: BytesMut) -> Self {
        Self { before, ..Self::default() }
    }

    pub(super) fn drop() -> Self {
        Self { fate: Fate::Drop, ..Self::default() }
    }

    pub(super) fn drop_and(errand: Errand<'static>) -> Self {
        Self { errand: Some(errand), ..Self::drop() }
    }

    /// What was ours is over, by this boundary.
    pub(super) fn over(own: Own, transaction: Transaction, before: BytesMut) -> Self {
        match (own, transaction) {
            (Own::Portal, Transaction::Open) => Self { before, pipeline: Pipeline::Answered, ..Self::drop() },
            (Own::Portal, _) => Self { before, ..Self::failed(transaction) },
            (Own::Transaction | Own::Savepoint, _) => Self::pass(before),
        }
    }

    pub(super) fn failed(transaction: Transaction) -> Self {
        Self { pipeline: Pipeline::Failed(transaction), ..Self::drop() }
    }
}

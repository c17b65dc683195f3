//! What a transaction does to tables, types and functions: texts that somebody has prepared may mean something else for it.

use super::context::Context;
use crate::wire::Transaction;
use crate::wire::pg::own::Objects;

/// What a transaction has done so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Touched {
    #[default]
    Nothing,
    /// It made some: they are gone where that is taken back.
    Made,
    /// It changed some, which others see when it ends.
    Changed,
}

impl Touched {
    /// A command that did this is complete. True where texts may mean something else to its client from now on.
    pub(super) fn completes(&mut self, objects: Option<Objects>, context: Context<'_>) -> bool {
        match objects {
            Some(Objects::TakenBack) => *self != Self::Nothing,
            Some(Objects::Changed) if !context.is_private() => {
                *self = Self::Changed;
                true
            }
            Some(Objects::Made) if !context.is_private() && *self == Self::Nothing => {
                *self = Self::Made;
                false
            }
            _ => false,
        }
    }

    /// The server is ready. True where texts may mean something else to everybody from now on.
    pub(super) fn is_ready(&mut self, transaction: Transaction) -> bool {
        transaction == Transaction::None && std::mem::take(self) == Self::Changed
    }
}

//! What a transaction does to tables, types and functions: texts that somebody has prepared may mean something else for it.

use super::context::Context;
use crate::wire::Transaction;
use crate::wire::pg::own::Objects;

/// What a transaction has done so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Touched {
    #[default]
    Nothing,
    /// It made, altered or dropped some: others see that when it ends, or nobody does. One that is made may stand in front of another in the
    /// search path, or be called in place of it.
    Changed,
}

impl Touched {
    /// A command that did this is complete. True where texts may mean something else to its client from now on.
    pub(super) fn completes(&mut self, objects: Option<Objects>, context: Context<'_>) -> bool {
        match objects {
            Some(Objects::TakenBack) => *self != Self::Nothing,
            // Its own, most likely: temporary ones come and go all day, and are seldom altered.
            Some(Objects::MadeOrDropped) if context.is_private() => false,
            None => false,
            Some(Objects::MadeOrDropped | Objects::Altered) => {
                *self = Self::Changed;
                true
            }
        }
    }

    /// The server is ready. True where texts may mean something else to everybody from now on.
    pub(super) fn is_ready(&mut self, transaction: Transaction) -> bool {
        transaction == Transaction::None && std::mem::take(self) == Self::Changed
    }
}

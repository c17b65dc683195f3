//! Whether there is anything to do.

use tokio::io::{AsyncRead, AsyncWrite};

use super::Relay;
use super::hold::{Pause, Why};
use super::source::Source;
use super::up::Attention;
use crate::session::overseer::{Overseer, Rest};
use crate::wire::{Protocol, Transaction};

impl<P, C, S, O> Relay<P, C, S, O>
where
    P: Protocol,
    C: AsyncRead + AsyncWrite + Unpin,
    S: Source,
    O: Overseer,
{
    /// Would another round move nothing, since both sides were asked in vain and nothing of ours is under way?
    pub(super) fn is_spent(&self) -> bool {
        self.turn.client.silent
            && (self.turn.server.silent || !self.server.is_here())
            && self.attention == Attention::Reading
            && self.is_at_rest()
            && self.up.unsent.is_empty()
            && self.down.unsent.is_empty()
            && self.answers.is_empty()
            && !self.behind
            && self.pause == Pause::None
            // Whoever has a server of its own may have to be held back by a pause from here on.
            && (S::LENT || self.rest() == Rest::Working)
    }

    /// Whether it is between two transactions, with nothing on its way.
    pub(super) fn rest(&self) -> Rest {
        let idle = matches!(self.attention, Attention::Reading | Attention::Stalled(Why::Pause))
            && self.stage.is_passing()
            && self.late.is_none()
            && self.up.passing == 0
            && P::ready(&self.phase)
            && P::transaction(&self.phase) == Transaction::None
            && self.answers.is_empty()
            && self.down.unsent.is_empty()
            && !self.behind;
        if idle { Rest::Idle } else { Rest::Working }
    }
}

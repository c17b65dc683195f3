//! What a cancel of the client's is to hit: what its client sent before it, though nobody may have read that yet.

use std::task::Context;

use tokio::io::{AsyncRead, AsyncWrite};

use super::Relay;
use super::hold::Why;
use super::source::Source;
use super::up::Attention;
use crate::client::refuse;
use crate::session::cancel::{Found, Target};
use crate::session::end::End;
use crate::session::overseer::{Opinion, Overseer};
use crate::wire::{Protocol, Refusal, Request, Tail, Transaction};

impl<P, C, S, O> Relay<P, C, S, O>
where
    P: Protocol,
    C: AsyncRead + AsyncWrite + Unpin,
    S: Source,
    O: Overseer,
{
    /// Answers a cancel that waits to be sent, once it would find at the server what came in before it.
    pub(super) fn look_for_cancels(&mut self, cx: &mut Context<'_>) {
        let Some(target) = self.overseer.asked() else { return };
        if target.begins_to_look() {
            target.sound();
        }
        if !target.has_sounded() {
            return;
        }
        let Some(found) = self.found() else { return };
        target.has_looked(found);
        if found == Found::Work {
            self.insist();
            // What is insisted on has its own time.
            cx.waker().wake_by_ref();
        }
    }

    /// What a pause holds back is cancelled before anybody judges it. True where that has happened.
    pub(super) fn strike_held(&mut self) -> Result<bool, End> {
        let held = &self.up.held[..];
        let Ok(Some(head)) = P::client_head(held) else { return Ok(false) };
        let size = usize::try_from(head.size).unwrap_or(usize::MAX).min(held.len());
        let Ok(request) = P::request(head, held.get(..size).unwrap_or_default()) else { return Ok(false) };
        let Some(refusal) = self.strike(request) else { return Ok(false) };
        self.attention = Attention::Reading;
        self.walk_held(Some(Opinion::Refuse(refusal)))?;
        Ok(true)
    }

    /// What there is to cancel. `None`: something is on its way to the server, or may be.
    fn found(&self) -> Option<Found> {
        if self.server.is_occupied() {
            return None;
        }
        let sent = self.up.unsent.is_empty() && self.up.passing == 0;
        match P::tail(&self.phase) {
            Tail::Idle => (sent && (self.has_read_all() || self.attention == Attention::Stalled(Why::Pause)))
                .then_some(Found::Nothing),
            Tail::Open if self.group.is_answered() => (sent && self.has_read_all()).then_some(Found::Work),
            Tail::Closed => sent.then_some(Found::Work),
            // Something runs, or nobody can tell.
            Tail::Open | Tail::Buried | Tail::Copy | Tail::Stream | Tail::Lost => Some(Found::Work),
        }
    }

    /// Has all been looked at that the client has sent, and has it no message half sent?
    pub(super) fn has_read_all(&self) -> bool {
        self.attention == Attention::Reading && self.turn.client.silent && self.up.held.is_empty()
    }

    /// A message is about to go to the server. Where a cancel has come behind it, and nothing of its group has run, it does not go
    /// there any more: a server that has not read all of a statement overlooks a cancel.
    #[inline]
    pub(super) fn strike(&self, request: Request<'_>) -> Option<Refusal> {
        self.strike_for(self.overseer.asked()?, request)
    }

    fn strike_for(&self, target: &Target, request: Request<'_>) -> Option<Refusal> {
        if !self.is_unsent(request) {
            return None;
        }
        target.has_looked(Found::Struck);
        Some(refuse::cancelled_unsent())
    }

    /// Would the server have to do with nothing that a cancel should hit, if this did not go there? A COMMIT or ROLLBACK always goes.
    fn is_unsent(&self, request: Request<'_>) -> bool {
        let first = match P::tail(&self.phase) {
            Tail::Idle => true,
            Tail::Open => self.group.is_untried() && !matches!(request, Request::Run { .. } | Request::Call { .. }),
            Tail::Closed | Tail::Buried | Tail::Copy | Tail::Stream | Tail::Lost => false,
        };
        let runs = match request {
            Request::Sync | Request::Flush | Request::Quit => false,
            // Where no COPY waits for it, the server overlooks it.
            Request::Data { .. } | Request::DataEnd | Request::DataFail => false,
            _ if P::transaction(&self.phase) == Transaction::None => true,
            _ => self.overseer.keeps_transaction(request),
        };
        first && runs
    }
}

//! A lent server that is lost under a statement.
//!
//! Outside a transaction nothing but that statement is lost with it, so its client is told and goes on, with another server. The
//! statement is not sent again: it may have run. Where the client has read a part of its result, or has a transaction or more than
//! this statement under way, nobody could tell it what holds, and its session ends.

use bytes::BytesMut;
use tokio::io::{AsyncRead, AsyncWrite};

use super::Relay;
use super::source::Source;
use super::up::Attention;
use crate::client::refuse;
use crate::session::end::End;
use crate::session::overseer::Overseer;
use crate::wire::{Announcement, Errand, Protocol, Tail, Transaction};

impl<P, C, S, O> Relay<P, C, S, O>
where
    P: Protocol,
    C: AsyncRead + AsyncWrite + Unpin,
    S: Source,
    O: Overseer,
{
    /// Is one statement all that would be lost with the server at hand?
    pub(super) fn is_expendable(&self) -> bool {
        // What is held behind a statement counts on it; what is held of a pipeline goes the pipeline's way.
        let alone = match P::tail(&self.phase) {
            Tail::Closed => self.up.held.is_empty(),
            Tail::Open => true,
            Tail::Idle | Tail::Buried | Tail::Copy | Tail::Stream | Tail::Lost => false,
        };
        S::LENT
            && alone
            && self.attention == Attention::Reading
            && P::transaction(&self.phase) == Transaction::None
            && self.group.is_unheard()
            && self.is_at_rest()
            && self.down.passing == 0
            && self.server.is_expendable()
    }

    /// Goes on without the server that is gone, where only one statement is lost with it. False: the session ends so.
    pub(super) fn outlives(&mut self, end: End) -> bool {
        end == End::ServerGone && self.is_expendable() && self.lose_statement().is_ok()
    }

    fn lose_statement(&mut self) -> Result<(), End> {
        let refusal = if self.parted { refuse::server_shut_down() } else { refuse::server_lost() };
        let mut error = BytesMut::new();
        P::announce(Announcement::Error(&refusal), &mut error);
        let open = P::tail(&self.phase) == Tail::Open;
        self.server.falls_silent();
        if open {
            // As if the pipeline had its Sync here: the client's own finds nothing left of it.
            drop(self.errand_bytes(Errand::Sync));
        }
        if !std::mem::take(&mut self.parted) {
            self.hear(&error)?;
        }
        let mut boundary = BytesMut::new();
        P::boundary(Transaction::None, &mut boundary);
        self.hear(&boundary)?;
        if !P::ready(&self.phase) {
            return Err(End::ServerGone);
        }
        self.answers.extend_from_slice(&error);
        if open {
            P::skip(&mut self.phase);
        } else {
            self.answers.extend_from_slice(&boundary);
        }
        self.up.unsent = BytesMut::new();
        self.up.dropping = self.up.dropping.saturating_add(std::mem::take(&mut self.up.passing));
        self.down.held = BytesMut::new();
        self.behind = false;
        self.server.lost(&refusal);
        self.settle()
    }

    /// Takes a message of ours for one of the server's.
    fn hear(&mut self, message: &[u8]) -> Result<(), End> {
        if let Some(head) = P::server_head(message).map_err(End::ServerMalformed)? {
            self.reply(head, message)?;
        }
        Ok(())
    }
}

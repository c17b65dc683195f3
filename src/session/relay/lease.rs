//! When a session asks for a server, and when it gives it back.

use std::task::{Context, Poll};

use bytes::BytesMut;
use tokio::io::{AsyncRead, AsyncWrite};

use super::Relay;
use super::decide::Decision;
use super::hold::Why;
use super::source::{Seen, Source};
use super::up::Attention;
use crate::session::end::End;
use crate::session::overseer::{Opinion, Overseer};
use crate::wire::{Protocol, Reply, Request, Tail, Transaction};

/// What a server is left with when its session ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Left {
    /// Nothing is owed and no transaction is open.
    Clean,
    /// Nothing is owed; a transaction is open, failed or not.
    Transaction,
    /// One boundary is owed, and nothing was sent behind it.
    Working,
    /// Nobody can tell, or a message is half sent or half read.
    Unclear,
}

/// What was read of a server and not looked at, and how much of a message is still to come.
#[derive(Debug, Default)]
pub struct Behind {
    /// Bytes of the message at hand that belong to nobody any more.
    pub pending: u64,
    /// Read behind them.
    pub held: BytesMut,
}

impl<P, C, S, O> Relay<P, C, S, O>
where
    P: Protocol,
    C: AsyncRead + AsyncWrite + Unpin,
    S: Source,
    O: Overseer,
{
    /// What becomes of a frame that may pass, where no server is at hand. `None`: one is there now.
    pub(super) fn without_server(&mut self, request: Request<'_>) -> Option<Decision> {
        match request {
            // A goodbye is the end of the client, not of a server.
            Request::Quit => Some(Decision::Quit),
            // A server that owes nothing says so at once.
            Request::Sync => {
                P::boundary(Transaction::None, &mut self.answers);
                Some(Decision::Drop)
            }
            // A server has nothing to send, and overlooks data that no COPY waits for.
            Request::Flush | Request::Data { .. } | Request::DataEnd | Request::DataFail => Some(Decision::Drop),
            _ if self.server.try_lease() => {
                self.listen();
                None
            }
            _ => Some(self.stall(Why::Server)),
        }
    }

    /// Goes on once a server is at hand, or it is clear that there will be none. True where anything moved.
    pub(super) fn poll_server(&mut self, cx: &mut Context<'_>) -> Result<bool, End> {
        // What waits is no reason not to be told what was said before.
        if self.crowded() {
            return Ok(false);
        }
        let lent = self.server.poll_lease(cx);
        self.listen();
        let Poll::Ready(lent) = lent else { return self.read_ahead(cx) };
        self.attention = Attention::Reading;
        self.walk_held(Some(lent.map_or_else(Opinion::Refuse, |()| Opinion::Allow)))?;
        self.write_up(cx)?;
        Ok(true)
    }

    /// Gives a lent server back as soon as it may serve somebody else. True where something of ours at the server has come to its end.
    pub(super) fn look_at_lease(&mut self, cx: &mut Context<'_>) -> bool {
        if !S::LENT {
            return false;
        }
        if self.server.is_here() && self.left() == Left::Clean && self.is_at_rest() {
            self.server.give_back();
            self.turn.server.silent = false;
        }
        let seen = if self.has_read_all() { Seen::All } else { Seen::NotAll };
        // Whoever waits for a server looks after it there.
        if self.attention == Attention::Stalled(Why::Server) || !self.server.poll_own(cx, seen) {
            return false;
        }
        self.listen();
        true
    }

    /// Hears what a server said while nothing of the client was under way, as if it came now.
    fn listen(&mut self) {
        self.turn.server.silent = false;
        let words = self.server.take_words();
        let mut rest = &words[..];
        while let Ok(Some(head)) = P::server_head(rest) {
            let size = usize::try_from(head.size).unwrap_or(usize::MAX).min(rest.len());
            let (frame, after) = rest.split_at(size);
            if let Reply::Setting(setting) = P::server(&mut self.phase, head, frame) {
                self.overseer.setting(setting);
            }
            rest = after;
        }
        self.answers.extend_from_slice(&words);
    }

    /// Is nothing of our own under way that would hit whoever has the server next?
    pub(super) fn is_at_rest(&self) -> bool {
        self.stage.is_passing() && self.late.is_none() && self.errand.is_none()
    }

    /// What the server would be left with if the session ended here.
    pub(super) fn left(&self) -> Left {
        let whole = self.up.passing == 0
            && self.up.unsent.is_empty()
            && self.down.passing == 0
            && self.down.dropping == 0
            && self.down.held.is_empty()
            && self.server.is_settled();
        match (P::tail(&self.phase), P::transaction(&self.phase)) {
            (Tail::Idle, Transaction::None) if whole => Left::Clean,
            (Tail::Idle, _) if whole && self.is_at_rest() => Left::Transaction,
            // The reply may be half read: it is read to its end.
            (Tail::Closed, _) if self.up.passing == 0 && self.up.unsent.is_empty() && self.is_at_rest() => {
                Left::Working
            }
            _ => Left::Unclear,
        }
    }
}

//! Client to server.

use std::ops::Range;
use std::rc::Rc;
use std::task::{Context, Poll};

use bytes::{Buf, BytesMut};
use tokio::io::{AsyncRead, AsyncWrite};

use super::flow::{flush, poll_read, send};
use super::hold::{Pause, Why};
use super::source::Source;
use super::{HELD_FREE, OWN_MAX, Relay};
use crate::session::end::End;
use crate::session::overseer::{Opinion, Overseer, Rest, Way};
use crate::wire::{Protocol, Request};

/// Where the client's side of a session stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Attention {
    Reading,
    /// The frame at the front of `up.held` is being judged.
    Awaiting,
    /// The frames in `up.held` have to wait.
    Stalled(Why),
    /// The client said goodbye; what is left goes to the server.
    Quitting,
}

impl<P, C, S, O> Relay<P, C, S, O>
where
    P: Protocol,
    C: AsyncRead + AsyncWrite + Unpin,
    S: Source,
    O: Overseer,
{
    /// Client to server. True where anything moved.
    pub(super) fn poll_up(&mut self, cx: &mut Context<'_>) -> Result<bool, End> {
        self.run_errand();
        if self.pause == Pause::HoldsBack && !self.overseer.paused(cx) {
            self.pause = Pause::None;
        }
        let mut moved = self.write_up(cx)?;
        if !self.up.unsent.is_empty() {
            return Ok(moved);
        }
        match self.attention {
            Attention::Quitting => return Err(End::ClientQuit),
            Attention::Awaiting if self.blocked() => return Ok(moved),
            Attention::Awaiting => {
                let Poll::Ready(opinion) = self.overseer.poll_opinion(cx) else { return Ok(moved) };
                self.attention = Attention::Reading;
                self.up.reclaim();
                self.walk_held(Some(opinion))?;
                self.write_up(cx)?;
                return Ok(true);
            }
            Attention::Stalled(Why::Server) => return Ok(self.poll_server(cx)? || moved),
            Attention::Stalled(why) if self.waits(why) => {
                moved |= self.read_ahead(cx)?;
                if why == Why::Pause {
                    moved |= self.strike_held()?;
                }
                return Ok(moved);
            }
            Attention::Stalled(why) => {
                self.attention = Attention::Reading;
                self.walk_held((!matches!(why, Why::Room | Why::Pause)).then_some(Opinion::Allow))?;
                self.write_up(cx)?;
                return Ok(true);
            }
            Attention::Reading => {}
        }
        if self.crowded() || self.is_held_back(cx) {
            return Ok(moved);
        }
        if let Poll::Ready(()) = self.read_up(cx)? {
            moved = true;
        }
        if self.attention == Attention::Stalled(Why::Pause) {
            self.strike_held()?;
        }
        Ok(moved)
    }

    /// Does a pause hold the client back? Where servers are lent, it holds back whoever waits for one. Otherwise nothing more of it is read,
    /// unless a cancel wants to know what has come in: then that is read, and no more than read.
    fn is_held_back(&mut self, cx: &mut Context<'_>) -> bool {
        if S::LENT || self.rest() != Rest::Idle || !self.overseer.paused(cx) {
            return false;
        }
        let is_asked = self.overseer.asked().is_some();
        self.pause = if is_asked { Pause::HoldsBack } else { Pause::None };
        !is_asked
    }

    /// Is there more of our own for either side than may wait?
    pub(super) fn crowded(&self) -> bool {
        let answers = self.answers.len().saturating_add(self.down.unsent.len());
        answers > OWN_MAX || self.up.unsent.len() > OWN_MAX || !self.server.has_room()
    }

    /// Reads a little of what cannot be looked at yet: a client that leaves must not go unnoticed while its statement runs.
    pub(super) fn read_ahead(&mut self, cx: &mut Context<'_>) -> Result<bool, End> {
        if self.crowded() || self.up.held.len() >= HELD_FREE {
            return Ok(false);
        }
        let lent = Rc::clone(&self.lent);
        let mut lent = lent.borrow_mut();
        let Poll::Ready(count) = self.poll_client(cx, &mut lent)? else { return Ok(false) };
        if count == 0 {
            // After a goodbye the server carries out what came before it.
            return if self.says_goodbye() { Ok(false) } else { Err(End::ClientGone) };
        }
        self.overseer.moved(Way::FromClient, count);
        self.up.held.extend_from_slice(lent.get(..count).unwrap_or_default());
        Ok(true)
    }

    fn poll_client(&mut self, cx: &mut Context<'_>, lent: &mut [u8]) -> Result<Poll<usize>, End> {
        if self.turn.client.silent {
            return Ok(Poll::Pending);
        }
        let read = poll_read(&mut self.client, cx, lent).map_err(|_| End::ClientGone)?;
        let Poll::Ready(count @ 1..) = read else {
            self.turn.client.silent = read.is_pending();
            return Ok(read);
        };
        let Some(rest) = lent.get_mut(count..).filter(|rest| !rest.is_empty()) else { return Ok(read) };
        // A socket knows by now, without a system call, whether that was all; and tells its end, or its fault, once more.
        let more = poll_read(&mut self.client, cx, rest).unwrap_or(Poll::Ready(0));
        self.turn.client.silent = more.is_pending();
        let Poll::Ready(more) = more else { return Ok(read) };
        Ok(Poll::Ready(count.saturating_add(more)))
    }

    /// Is there a goodbye among the frames that wait?
    fn says_goodbye(&self) -> bool {
        let mut rest = &self.up.held[..];
        while let Ok(Some(head)) = P::client_head(rest) {
            if P::request(head, rest) == Ok(Request::Quit) {
                return true;
            }
            let size = usize::try_from(head.size).unwrap_or(usize::MAX);
            rest = rest.get(size..).unwrap_or_default();
        }
        false
    }

    fn read_up(&mut self, cx: &mut Context<'_>) -> Result<Poll<()>, End> {
        let lent = Rc::clone(&self.lent);
        let mut lent = lent.borrow_mut();
        let Poll::Ready(count) = self.poll_client(cx, &mut lent)? else { return Ok(Poll::Pending) };
        if count == 0 {
            return Err(End::ClientGone);
        }
        self.overseer.moved(Way::FromClient, count);
        let fresh = lent.get(..count).unwrap_or_default();
        if self.up.held.is_empty() {
            let left = self.walk_up(fresh, None)?;
            self.up.held.extend_from_slice(left.hold);
            self.send_up(cx, left.send)?;
        } else {
            self.up.held.extend_from_slice(fresh);
            self.walk_held(None)?;
            self.write_up(cx)?;
        }
        self.settle()?;
        Ok(Poll::Ready(()))
    }

    /// Walks what was held. What passes changes hands without a copy where nothing else waits.
    pub(super) fn walk_held(&mut self, opinion: Option<Opinion>) -> Result<(), End> {
        let mut input = std::mem::take(&mut self.up.held);
        let left = self.walk_up(&input, opinion)?;
        let (before, send, hold) = (left.before, left.send.len(), left.hold.len());
        input.advance(before);
        let passed = input.split_to(send);
        // Behind a goodbye nothing is kept.
        input.truncate(hold);
        // A small rest must not keep the memory of a large frame that is gone.
        let roomy = self.up.wanted > HELD_FREE && input.capacity() >= self.up.wanted;
        self.up.held = if hold > HELD_FREE || roomy { input } else { BytesMut::from(&input[..]) };
        if self.up.unsent.is_empty() {
            // An empty part would still share the memory of the whole.
            self.up.unsent = if passed.is_empty() { BytesMut::new() } else { passed };
        } else {
            self.up.unsent.extend_from_slice(&passed);
        }
        self.settle()
    }

    /// Large incomplete frames, and large ones that the server is slow to take, need room in the common budget.
    pub(super) fn settle(&mut self) -> Result<(), End> {
        // What is stalled has a bound of its own.
        if let Attention::Stalled(_) = self.attention {
            return Ok(());
        }
        self.lend();
        let kept = self.up.kept();
        if kept == 0 {
            self.overseer.release();
            return Ok(());
        }
        match self.overseer.reserve(kept) {
            // What was decided on goes on its way; only what is still held can be refused.
            Err(refusal) if self.up.holds_much() => {
                self.overseer.withdraw();
                self.up.reclaim();
                self.attention = Attention::Reading;
                self.walk_held(Some(Opinion::Refuse(refusal)))
            }
            Ok(()) => {
                self.up.make_room();
                Ok(())
            }
            Err(_) => Ok(()),
        }
    }

    /// Hands the text that is too long to be read here to the overseer, in the very bytes that go to the server later.
    fn lend(&mut self) {
        if let Some(text) = self.lending.take() {
            let Range { start, end } = *text;
            let held = std::mem::take(&mut self.up.held).freeze();
            let end = end.min(held.len());
            self.overseer.lend(held.slice(start.min(end)..end));
            self.up.judged = Some(Box::new(held));
        }
    }

    fn send_up(&mut self, cx: &mut Context<'_>, bytes: &[u8]) -> Result<(), End> {
        let Some(server) = self.server.stream() else { return nowhere(bytes) };
        let sent = send(server, cx, &mut self.up.unsent, bytes).map_err(|_| End::ServerGone)?;
        self.overseer.moved(Way::ToServer, sent);
        Ok(())
    }

    pub(super) fn write_up(&mut self, cx: &mut Context<'_>) -> Result<bool, End> {
        if self.up.unsent.is_empty() {
            return Ok(false);
        }
        let Some(server) = self.server.stream() else { return Err(End::ServerGone) };
        let sent = flush(server, cx, &mut self.up.unsent).map_err(|_| End::ServerGone)?;
        self.overseer.moved(Way::ToServer, sent);
        if self.up.unsent.is_empty() && self.up.held.len() <= HELD_FREE {
            self.overseer.release();
        }
        Ok(sent > 0)
    }
}

/// Without a server nothing passes.
fn nowhere(bytes: &[u8]) -> Result<(), End> {
    if bytes.is_empty() { Ok(()) } else { Err(End::ServerGone) }
}

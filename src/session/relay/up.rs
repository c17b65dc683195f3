//! Client to server.

use std::rc::Rc;
use std::task::{Context, Poll};

use bytes::{Buf, BytesMut};
use tokio::io::{AsyncRead, AsyncWrite};

use super::hold::{Admission, Why};
use super::walk::{Walk, Walked};
use super::{Attention, Cargo, HELD_FREE, OWN_MAX, Relay};
use crate::session::end::End;
use crate::session::flow::{flush, poll_read, send};
use crate::session::overseer::{Extent, Opinion, Overseer, Rest, Way};
use crate::wire::{Announcement, Head, Needs, Outgoing, Passage, Protocol, Refusal, Request};

impl<P, C, S, O> Relay<P, C, S, O>
where
    P: Protocol,
    C: AsyncRead + AsyncWrite + Unpin,
    S: AsyncRead + AsyncWrite + Unpin,
    O: Overseer,
{
    /// Client to server. True where anything moved.
    pub(super) fn poll_up(&mut self, cx: &mut Context<'_>) -> Result<bool, End> {
        self.run_errand();
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
                self.walk_held(Some(opinion))?;
                self.write_up(cx)?;
                return Ok(true);
            }
            Attention::Stalled(why) if self.waits(why) => {
                moved |= self.read_ahead(cx)?;
                return Ok(moved);
            }
            Attention::Stalled(why) => {
                self.attention = Attention::Reading;
                self.walk_held((why != Why::Room).then_some(Opinion::Allow))?;
                self.write_up(cx)?;
                return Ok(true);
            }
            Attention::Reading => {}
        }
        if self.crowded() || (self.rest() == Rest::Idle && self.overseer.paused(cx)) {
            return Ok(moved);
        }
        if let Poll::Ready(()) = self.read_up(cx)? {
            moved = true;
        }
        Ok(moved)
    }

    /// Is there more of our own for either side than may wait?
    pub(super) fn crowded(&self) -> bool {
        let answers = self.answers.len().saturating_add(self.down.unsent.len());
        answers > OWN_MAX || self.up.unsent.len() > OWN_MAX
    }

    /// Reads a little of what cannot be looked at yet: a client that leaves must not go unnoticed while its statement runs.
    fn read_ahead(&mut self, cx: &mut Context<'_>) -> Result<bool, End> {
        if self.crowded() || self.up.held.len() >= HELD_FREE {
            return Ok(false);
        }
        let lent = Rc::clone(&self.lent);
        let mut lent = lent.borrow_mut();
        let Poll::Ready(count) = poll_read(&mut self.client, cx, &mut lent).map_err(|_| End::ClientGone)? else {
            return Ok(false);
        };
        if count == 0 {
            // After a goodbye the server carries out what came before it.
            return if self.says_goodbye() { Ok(false) } else { Err(End::ClientGone) };
        }
        self.overseer.moved(Way::FromClient, count);
        self.up.held.extend_from_slice(lent.get(..count).unwrap_or_default());
        Ok(true)
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
        let Poll::Ready(count) = poll_read(&mut self.client, cx, &mut lent).map_err(|_| End::ClientGone)? else {
            return Ok(Poll::Pending);
        };
        if count == 0 {
            return Err(End::ClientGone);
        }
        self.overseer.moved(Way::FromClient, count);
        let fresh = lent.get(..count).unwrap_or_default();
        if self.up.held.is_empty() {
            let left = self.walk_up(fresh, None)?;
            self.send_up(cx, left.send)?;
            self.up.held.extend_from_slice(left.hold);
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
        let (send, hold) = (left.send.len(), left.hold.len());
        input.advance(input.len().saturating_sub(send + hold));
        let passed = input.split_to(send);
        // A small rest must not keep the memory of a large frame that is gone.
        self.up.held = if hold > HELD_FREE { input } else { BytesMut::from(&input[..]) };
        if self.up.unsent.is_empty() {
            self.up.unsent = passed;
        } else {
            self.up.unsent.extend_from_slice(&passed);
        }
        self.settle()
    }

    /// Large incomplete frames, and large ones that the server is slow to take, need room in the common budget.
    fn settle(&mut self) -> Result<(), End> {
        // What is stalled has a bound of its own.
        if let Attention::Stalled(_) = self.attention {
            return Ok(());
        }
        let large = |bytes: &BytesMut| if bytes.len() > HELD_FREE { bytes.capacity() } else { 0 };
        let kept = large(&self.up.held) + large(&self.up.unsent);
        if kept == 0 {
            self.overseer.release();
            return Ok(());
        }
        match self.overseer.reserve(kept) {
            // What was decided on goes on its way; only what is still held can be refused.
            Err(refusal) if self.up.held.len() > HELD_FREE => {
                self.attention = Attention::Reading;
                self.walk_held(Some(Opinion::Refuse(refusal)))
            }
            Ok(()) | Err(_) => Ok(()),
        }
    }

    /// Decides on frame after frame of the client. `opinion` is that of the first one, where it was awaited.
    fn walk_up<'i>(&mut self, input: &'i [u8], mut opinion: Option<Opinion>) -> Result<Walked<'i>, End> {
        let mut walk = Walk::new(input);
        self.show_cargo(input);
        while !walk.rest().is_empty() {
            walk.stream(&mut self.up);
            if opinion.is_none() && !walk.rest().is_empty() && (self.crowded() || self.blocked()) {
                self.attention = Attention::Stalled(Why::Room);
                break;
            }
            let Some(head) = P::client_head(walk.rest()).map_err(End::ClientMalformed)? else { break };
            match self.decide(head, walk.rest(), opinion.take())? {
                Decision::Incomplete => break,
                Decision::Halt(meanwhile) => {
                    walk.flush(&mut self.up.unsent);
                    self.up.unsent.extend_from_slice(&meanwhile);
                    break;
                }
                Decision::Forward(behind) => {
                    if !behind.is_empty() {
                        walk.flush(&mut self.up.unsent);
                        self.up.unsent.extend_from_slice(&behind);
                    }
                    self.up.passing = head.size;
                }
                Decision::Drop(instead) => {
                    self.up.dropping = head.size;
                    walk.flush(&mut self.up.unsent);
                    self.up.unsent.extend_from_slice(&instead);
                }
                Decision::Quit => {
                    self.attention = Attention::Quitting;
                    self.up.passing = head.size;
                    walk.stream(&mut self.up);
                    return Ok(walk.end_here());
                }
            }
            walk.stream(&mut self.up);
        }
        Ok(walk.end(&mut self.up.unsent))
    }

    /// Data whose frame began in an earlier read: the overseer was shown its beginning then.
    fn show_cargo(&mut self, input: &[u8]) {
        if self.cargo == Cargo::Data && self.up.passing > 0 {
            let more = usize::try_from(self.up.passing).unwrap_or(usize::MAX).min(input.len());
            self.overseer.data(input.get(..more).unwrap_or_default());
        }
    }

    fn decide(&mut self, head: Head, rest: &[u8], opinion: Option<Opinion>) -> Result<Decision, End> {
        if P::skipping(&self.phase) {
            return Ok(self.skip(head));
        }
        let known = opinion.is_some();
        let needed = match P::client_needs(head, self.overseer.hold()) {
            Needs::Head => self.wanted,
            Needs::Prefix(bytes) => bytes.max(self.wanted),
        };
        if !known && (rest.len() as u64) < needed.min(head.size) {
            return Ok(Decision::Incomplete);
        }
        self.wanted = 0;
        let size = usize::try_from(head.size).unwrap_or(usize::MAX);
        let frame = rest.get(..size).unwrap_or(rest);
        let extent = Extent { size: head.size, held: frame.len() as u64 };
        if let Some(Opinion::Refuse(refusal)) = &opinion {
            return Ok(self.refuse(head, frame, refusal));
        }
        let request = P::request(head, frame).map_err(End::ClientMalformed)?;
        let opinion = opinion.unwrap_or_else(|| self.overseer.opinion(request, extent));
        match opinion {
            Opinion::More(bytes) if extent.held < bytes.min(extent.size) => {
                self.wanted = bytes;
                return Ok(Decision::Incomplete);
            }
            Opinion::Allow | Opinion::More(_) => {}
            Opinion::Warn(refusal) => P::announce(Announcement::Warning(&refusal), &mut self.answers),
            Opinion::Refuse(refusal) => return Ok(self.refuse(head, frame, &refusal)),
            Opinion::Wait => {
                self.attention = Attention::Awaiting;
                return Ok(Decision::Incomplete);
            }
        }
        Ok(match self.admit(request) {
            Admission::Now => self.pass(head, request, BytesMut::new()),
            Admission::Behind(bytes) => self.pass(head, request, bytes),
            Admission::Later(why, meanwhile) => self.stall(why, meanwhile),
            Admission::Never(refusal) => self.refuse(head, frame, &refusal),
            Admission::Overlooked => Decision::Drop(BytesMut::new()),
        })
    }

    /// Nothing is judged here, so nothing passes but a goodbye.
    fn skip(&mut self, head: Head) -> Decision {
        match P::client(&mut self.phase, head) {
            Passage::Forward => Decision::Quit,
            Passage::Drop => Decision::Drop(BytesMut::new()),
            Passage::Conclude => self.conclude(),
        }
    }

    fn conclude(&mut self) -> Decision {
        P::conclude(&self.phase, &mut self.answers);
        Decision::Drop(BytesMut::new())
    }

    /// `behind` goes to the server first.
    fn pass(&mut self, head: Head, request: Request<'_>, behind: BytesMut) -> Decision {
        match P::client(&mut self.phase, head) {
            Passage::Forward if request == Request::Quit => Decision::Quit,
            Passage::Forward => {
                self.cargo = if let Request::Data { .. } = request { Cargo::Data } else { Cargo::Other };
                self.overseer.forwarded(request);
                Decision::Forward(behind)
            }
            Passage::Drop => Decision::Drop(BytesMut::new()),
            Passage::Conclude => self.conclude(),
        }
    }

    fn refuse(&mut self, head: Head, frame: &[u8], refusal: &Refusal) -> Decision {
        let mut out = Outgoing::default();
        P::refuse(&mut self.phase, head, frame, refusal, &mut out);
        self.answers.extend_from_slice(&out.client);
        if !out.server.is_empty() {
            self.overseer.forwarded(Request::Other);
        }
        Decision::Drop(out.server)
    }

    fn send_up(&mut self, cx: &mut Context<'_>, bytes: &[u8]) -> Result<(), End> {
        let sent = send(&mut self.server, cx, &mut self.up.unsent, bytes).map_err(|_| End::ServerGone)?;
        self.overseer.moved(Way::ToServer, sent);
        Ok(())
    }

    fn write_up(&mut self, cx: &mut Context<'_>) -> Result<bool, End> {
        if self.up.unsent.is_empty() {
            return Ok(false);
        }
        let sent = flush(&mut self.server, cx, &mut self.up.unsent).map_err(|_| End::ServerGone)?;
        self.overseer.moved(Way::ToServer, sent);
        if self.up.unsent.is_empty() && self.up.held.len() <= HELD_FREE {
            self.overseer.release();
        }
        Ok(sent > 0)
    }
}

/// What becomes of one frame of the client.
pub(super) enum Decision {
    /// It passes, behind these bytes.
    Forward(BytesMut),
    /// It has to wait; these bytes go to the server meanwhile.
    Halt(BytesMut),
    /// It goes nowhere; these bytes go to the server instead.
    Drop(BytesMut),
    Quit,
    /// Not all of what is needed is here, or the opinion is not.
    Incomplete,
}

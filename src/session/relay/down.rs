//! Server to client.

use std::rc::Rc;
use std::task::{Context, Poll};

use bytes::BytesMut;
use tokio::io::{AsyncRead, AsyncWrite};

use super::flow::{flush, poll_read, send};
use super::outcome::Fate;
use super::source::Source;
use super::walk::{Walk, Walked};
use super::{OWN_MAX, Relay};
use crate::session::end::End;
use crate::session::overseer::{Overseer, Way};
use crate::wire::{Needs, Protocol};

impl<P, C, S, O> Relay<P, C, S, O>
where
    P: Protocol,
    C: AsyncRead + AsyncWrite + Unpin,
    S: Source,
    O: Overseer,
{
    /// Server to client. True where anything moved.
    pub(super) fn poll_down(&mut self, cx: &mut Context<'_>) -> Result<bool, End> {
        if self.down.passing == 0 && !self.answers.is_empty() && !self.answers_wait() {
            self.down.unsent.extend_from_slice(&self.answers);
            self.answers = BytesMut::new();
        }
        let moved = self.write_down(cx)?;
        // A server that cannot send takes no notice of a cancel.
        let discards = self.discards() && self.down.unsent.len() <= OWN_MAX;
        if !self.down.unsent.is_empty() && !discards {
            return Ok(moved);
        }
        let walked = self.walk_behind(cx)?;
        // What waits for the next turn comes before what is still to be read.
        let read = !self.behind && self.read_down(cx)?.is_ready();
        Ok(moved || walked || read)
    }

    /// What only stands in for the server's words goes with those that follow: one write less, and one wake-up of the client.
    fn answers_wait(&self) -> bool {
        S::LENT && self.answers.len() == usize::from(self.stand_in) && self.server.ends_a_group()
    }

    /// Goes on with what an earlier turn has not looked at. True where there was any.
    fn walk_behind(&mut self, cx: &mut Context<'_>) -> Result<bool, End> {
        let behind = self.behind;
        if behind && self.turn.server.frames > 0 {
            self.walk_down_held(&[])?;
            self.write_down(cx)?;
        }
        Ok(behind)
    }

    fn read_down(&mut self, cx: &mut Context<'_>) -> Result<Poll<()>, End> {
        if self.turn.server.silent {
            return Ok(Poll::Pending);
        }
        let Some(server) = self.server.stream() else { return Ok(Poll::Pending) };
        let lent = Rc::clone(&self.lent);
        let mut lent = lent.borrow_mut();
        let read = poll_read(server, cx, &mut lent).map_err(|_| End::ServerGone)?;
        self.turn.server.silent = read.is_pending();
        let Poll::Ready(count) = read else { return Ok(Poll::Pending) };
        if count == 0 {
            return Err(End::ServerGone);
        }
        self.overseer.moved(Way::FromServer, count);
        let fresh = lent.get(..count).unwrap_or_default();
        if self.down.held.is_empty() {
            let left = self.walk_down(fresh)?;
            let sent = send(&mut self.client, cx, &mut self.down.unsent, left.send).map_err(|_| End::ClientGone)?;
            self.overseer.moved(Way::ToClient, sent);
            self.down.held.extend_from_slice(left.hold);
        } else {
            self.walk_down_held(fresh)?;
            self.write_down(cx)?;
        }
        Ok(Poll::Ready(()))
    }

    /// Walks what was held, with what came behind it.
    pub(super) fn walk_down_held(&mut self, fresh: &[u8]) -> Result<(), End> {
        let mut input = std::mem::take(&mut self.down.held);
        input.extend_from_slice(fresh);
        let left = self.walk_down(&input)?;
        self.down.unsent.extend_from_slice(left.send);
        self.down.held.extend_from_slice(left.hold);
        Ok(())
    }

    fn walk_down<'i>(&mut self, input: &'i [u8]) -> Result<Walked<'i>, End> {
        let mut walk = Walk::new(input);
        if let Err(end) = self.walk_frames(&mut walk) {
            // What passed so far comes before the farewell.
            walk.flush(&mut self.down.unsent);
            return Err(end);
        }
        Ok(walk.end(&mut self.down.unsent))
    }

    fn walk_frames(&mut self, walk: &mut Walk<'_>) -> Result<(), End> {
        self.behind = false;
        while !walk.rest().is_empty() {
            walk.stream(&mut self.down);
            if self.turn.server.frames == 0 && !walk.rest().is_empty() {
                self.behind = true;
                break;
            }
            self.turn.server.frames = self.turn.server.frames.saturating_sub(1);
            if self.down.passing == 0 && !self.answers.is_empty() {
                walk.flush(&mut self.down.unsent);
                self.down.unsent.extend_from_slice(&self.answers.split());
            }
            let rest = walk.rest();
            let Some(head) = P::server_head(rest).map_err(End::ServerMalformed)? else { break };
            if let Needs::Prefix(bytes) = P::server_needs(&self.phase, head)
                && (rest.len() as u64) < bytes.min(head.size)
            {
                break;
            }
            let size = usize::try_from(head.size).unwrap_or(usize::MAX);
            let frame = rest.get(..size).unwrap_or(rest);
            let fate = self.reply(head, frame)?;
            if !self.words.is_empty() {
                walk.flush(&mut self.down.unsent);
                self.down.unsent.extend_from_slice(&std::mem::take(&mut self.words));
            }
            match fate {
                Fate::Pass => self.down.passing = head.size,
                Fate::Drop => {
                    self.down.dropping = head.size;
                    walk.flush(&mut self.down.unsent);
                }
            }
            walk.stream(&mut self.down);
            match fate {
                Fate::Pass if P::is_row(head) => self.more_rows(walk),
                Fate::Drop if P::is_row(head) && self.discards() => leave_out_rows::<P>(walk),
                Fate::Pass | Fate::Drop => {}
            }
        }
        Ok(())
    }

    /// Whole rows behind a row that passed belong to the same reply, so nothing is asked of them but their size.
    fn more_rows(&mut self, walk: &mut Walk<'_>) {
        if !self.stage.is_passing() {
            return;
        }
        while let Ok(Some(head)) = P::server_head(walk.rest())
            && P::is_row(head)
            && walk.holds(head.size)
            && self.meter.row(head.size).is_ok()
        {
            walk.pass(head.size);
        }
    }

    fn write_down(&mut self, cx: &mut Context<'_>) -> Result<bool, End> {
        if self.down.unsent.is_empty() {
            return Ok(false);
        }
        let sent = flush(&mut self.client, cx, &mut self.down.unsent).map_err(|_| End::ClientGone)?;
        self.overseer.moved(Way::ToClient, sent);
        Ok(sent > 0)
    }
}

/// Whole rows behind a row that nobody wants are not wanted either: the sooner they are gone, the sooner the server notices that it is to stop.
fn leave_out_rows<P: Protocol>(walk: &mut Walk<'_>) {
    while let Ok(Some(head)) = P::server_head(walk.rest())
        && P::is_row(head)
        && walk.holds(head.size)
    {
        walk.leave_out(usize::try_from(head.size).unwrap_or(usize::MAX));
    }
}

//! What becomes of each frame of the client.

use std::ops::Range;

use bytes::BytesMut;
use tokio::io::{AsyncRead, AsyncWrite};

use super::Relay;
use super::hold::{Admission, Pause, Why};
use super::source::{Course, Source};
use super::up::Attention;
use super::walk::{Walk, Walked};
use crate::client::refuse;
use crate::session::end::End;
use crate::session::overseer::{Extent, Leaves, Opinion, Overseer};
use crate::wire::{Announcement, Head, Malformed, Needs, Outgoing, Passage, Protocol, Refusal, Request};

/// What the frame is that streams through to the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cargo {
    /// COPY data, which the overseer sees.
    Data,
    Other,
}

impl<P, C, S, O> Relay<P, C, S, O>
where
    P: Protocol,
    C: AsyncRead + AsyncWrite + Unpin,
    S: Source,
    O: Overseer,
{
    /// Decides on frame after frame of the client. `opinion` is that of the first one, where it was awaited.
    pub(super) fn walk_up<'i>(&mut self, input: &'i [u8], mut opinion: Option<Opinion>) -> Result<Walked<'i>, End> {
        let mut walk = Walk::new(input);
        let mut ours = BytesMut::new();
        self.up.wanted = 0;
        self.show_cargo(input);
        while !walk.rest().is_empty() {
            walk.stream(&mut self.up);
            if opinion.is_none()
                && !walk.rest().is_empty()
                && let Some(why) = self.halts()
            {
                self.attention = Attention::Stalled(why);
                break;
            }
            let Some(head) = P::client_head(walk.rest()).map_err(End::ClientMalformed)? else { break };
            self.turn.client.frames = self.turn.client.frames.saturating_sub(1);
            let decision = self.decide(head, walk.rest(), opinion.take(), &mut ours)?;
            if !ours.is_empty() || matches!(decision, Decision::Renamed { .. } | Decision::Drop) {
                walk.flush(&mut self.up.unsent);
                self.up.unsent.extend_from_slice(&ours);
                ours.clear();
            }
            match decision {
                Decision::Incomplete | Decision::Halt => break,
                Decision::Forward => self.up.passing = head.size,
                Decision::Renamed { instead_of } => {
                    walk.leave_out(instead_of);
                    self.up.passing = head.size.saturating_sub(instead_of as u64);
                }
                Decision::Drop => self.up.dropping = head.size,
                Decision::Quit => {
                    self.attention = Attention::Quitting;
                    // What is lent is not the client's to close.
                    if !S::LENT {
                        self.up.passing = head.size;
                        walk.stream(&mut self.up);
                    }
                    return Ok(walk.end_here());
                }
            }
            walk.stream(&mut self.up);
        }
        Ok(walk.end(&mut self.up.unsent))
    }

    /// Why nothing more of the client is looked at now.
    fn halts(&self) -> Option<Why> {
        if self.tired() || self.crowded() || self.blocked() {
            return Some(Why::Room);
        }
        (self.pause == Pause::HoldsBack && P::ready(&self.phase)).then_some(Why::Pause)
    }

    /// Were enough frames of the client looked at, before other sessions get their turn?
    const fn tired(&self) -> bool {
        self.turn.client.frames == 0
    }

    /// Data whose frame began in an earlier read: the overseer was shown its beginning then.
    fn show_cargo(&mut self, input: &[u8]) {
        if self.cargo == Cargo::Data && self.up.passing > 0 {
            let more = usize::try_from(self.up.passing).unwrap_or(usize::MAX).min(input.len());
            self.overseer.data(input.get(..more).unwrap_or_default());
        }
    }

    /// What goes to the server before the frame, or in its place, is written to `ours`.
    fn decide(
        &mut self,
        head: Head,
        rest: &[u8],
        opinion: Option<Opinion>,
        ours: &mut BytesMut,
    ) -> Result<Decision, End> {
        if P::skipping(&self.phase) {
            return Ok(self.skip(head));
        }
        if opinion.is_none() && self.wants_more(head, rest) {
            return Ok(Decision::Incomplete);
        }
        self.wanted = 0;
        let size = usize::try_from(head.size).unwrap_or(usize::MAX);
        let frame = rest.get(..size).unwrap_or(rest);
        let extent = Extent { size: head.size, held: frame.len() as u64 };
        if let Some(Opinion::Refuse(refusal)) = &opinion {
            return Ok(self.refuse(head, frame, refusal, ours));
        }
        let request = match P::request(head, frame) {
            Err(Malformed::Name) => return Ok(self.refuse(head, frame, &refuse::name_too_long(), ours)),
            request => request.map_err(End::ClientMalformed)?,
        };
        match opinion.unwrap_or_else(|| self.overseer.opinion(request, extent)) {
            Opinion::More(bytes) if extent.held < bytes.min(extent.size) => {
                self.wanted = bytes;
                self.up.wanted = usize::try_from(bytes.min(head.size)).unwrap_or(usize::MAX);
                return Ok(Decision::Incomplete);
            }
            Opinion::Allow | Opinion::More(_) => {}
            Opinion::Warn(refusal) => P::announce(Announcement::Warning(&refusal), &mut self.answers),
            Opinion::Refuse(refusal) => return Ok(self.refuse(head, frame, &refusal, ours)),
            Opinion::Wait => {
                self.attention = Attention::Awaiting;
                return Ok(Decision::Incomplete);
            }
            Opinion::Lend => {
                self.lending = request.text().map(|text| Box::new(place(text, frame)));
                self.attention = Attention::Awaiting;
                return Ok(Decision::Incomplete);
            }
        }
        Ok(self.allowed(head, frame, request, ours))
    }

    /// Is more of a frame wanted than is at hand, before anybody has an opinion of it?
    #[inline]
    fn wants_more(&mut self, head: Head, rest: &[u8]) -> bool {
        let mut needed = match P::client_needs(head, self.overseer.hold()) {
            Needs::Head => self.wanted,
            Needs::Prefix(bytes) => bytes.max(self.wanted),
        };
        if S::LENT {
            needed = needed.max(self.server.needs(head, rest));
        }
        let needed = needed.min(head.size);
        if rest.len() as u64 >= needed {
            return false;
        }
        self.up.wanted = usize::try_from(needed).unwrap_or(usize::MAX);
        true
    }

    /// No rule stands in the way of a frame: it goes to a server, unless there is none, or what was sent before has to come first.
    #[inline]
    fn allowed(&mut self, head: Head, frame: &[u8], request: Request<'_>, ours: &mut BytesMut) -> Decision {
        if !self.server.is_here()
            && let Some(decision) = self.without_server(request)
        {
            return decision;
        }
        if let Some(refusal) = self.strike(request) {
            return self.refuse(head, frame, &refusal, ours);
        }
        match self.admit(request) {
            Admission::Now => self.pass(head, frame, request, ours),
            Admission::Behind(bytes) => {
                ours.extend_from_slice(&bytes);
                self.pass(head, frame, request, ours)
            }
            Admission::Later(why, meanwhile) => {
                ours.extend_from_slice(&meanwhile);
                self.stall(why)
            }
            Admission::Never(refusal) => self.refuse(head, frame, &refusal, ours),
            Admission::Overlooked => Decision::Drop,
        }
    }

    /// Nothing is judged here, so nothing passes but a goodbye.
    fn skip(&mut self, head: Head) -> Decision {
        match P::client(&mut self.phase, head) {
            Passage::Forward => Decision::Quit,
            Passage::Drop => Decision::Drop,
            Passage::Conclude => self.conclude(),
        }
    }

    fn conclude(&mut self) -> Decision {
        P::conclude(&self.phase, &mut self.answers);
        Decision::Drop
    }

    /// `ours` goes to the server first.
    fn pass(&mut self, head: Head, frame: &[u8], request: Request<'_>, ours: &mut BytesMut) -> Decision {
        let leaves = if S::LENT { self.overseer.leaves(request) } else { Leaves::Nothing };
        if let Some(refusal) = self.server.denies(&leaves) {
            return self.refuse(head, frame, &refusal, ours);
        }
        let course = match self.course(head, frame, ours) {
            Ok(Course::Later) => return self.stall(Why::Told),
            Ok(course) => course,
            Err(refusal) => return self.refuse(head, frame, &refusal, ours),
        };
        match P::client(&mut self.phase, head) {
            Passage::Forward if matches!(request, Request::Quit) => Decision::Quit,
            Passage::Forward => {
                self.cargo = if let Request::Data { .. } = request { Cargo::Data } else { Cargo::Other };
                if S::LENT {
                    self.server.leaves(request, leaves);
                }
                self.overseer.forwarded(request);
                match course {
                    Course::AsIs => Decision::Forward,
                    Course::Behind(instead_of) => Decision::Renamed { instead_of },
                    Course::Withheld | Course::Later => Decision::Drop,
                }
            }
            Passage::Drop => Decision::Drop,
            Passage::Conclude => self.conclude(),
        }
    }

    /// What a frame becomes at a server that is lent, and what goes there before it.
    fn course(&mut self, head: Head, frame: &[u8], ours: &mut BytesMut) -> Result<Course, Refusal> {
        if !S::LENT {
            return Ok(Course::AsIs);
        }
        let before = self.answers.len();
        let mut out = Outgoing { server: ours, client: &mut self.answers };
        let course = self.server.asks(head, frame, &mut out);
        if before == 0 || before == usize::from(self.stand_in) {
            self.stand_in = u16::try_from(self.answers.len()).unwrap_or(0);
        }
        course
    }

    fn refuse(&mut self, head: Head, frame: &[u8], refusal: &Refusal, ours: &mut BytesMut) -> Decision {
        let before = ours.len();
        P::refuse(&mut self.phase, head, frame, refusal, &mut Outgoing { server: ours, client: &mut self.answers });
        let instead = ours.get(before..).unwrap_or_default();
        if !instead.is_empty() {
            self.overseer.forwarded(Request::Other);
            self.server.sent(instead);
        }
        Decision::Drop
    }
}

/// What becomes of one frame of the client, behind what is ours to send before it, or instead.
#[derive(Debug, Clone, Copy)]
pub(super) enum Decision {
    /// It passes.
    Forward,
    /// It has to wait.
    Halt,
    /// It passes, and what is ours takes the place of so many bytes at its front.
    Renamed {
        instead_of: usize,
    },
    /// It goes nowhere.
    Drop,
    Quit,
    /// Not all of what is needed is here, or the opinion is not.
    Incomplete,
}

/// Where a part of a frame is in it.
fn place(part: &[u8], frame: &[u8]) -> Range<usize> {
    let start = part.as_ptr().addr().saturating_sub(frame.as_ptr().addr());
    start..start.saturating_add(part.len())
}

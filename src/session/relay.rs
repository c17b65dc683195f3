//! The one loop of the data path, for any protocol and any pair of streams.
//!
//! Bytes are read once into a buffer that the worker lends, frame heads are walked in place, and what may pass is written
//! from that same buffer. A session owns bytes only while a frame is incomplete, an opinion is awaited or a peer reads slowly;
//! an idle session owns none.

use std::cell::RefCell;
use std::future::poll_fn;
use std::ops::Range;
use std::rc::Rc;
use std::task::{Context, Poll};

use bytes::{Buf, Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncWrite};

use super::end::End;
use super::flow::{flush, poll_read, send};
use super::overseer::{Opinion, Overseer, Owes, Rest, Way};
use crate::wire::{Announcement, Head, Needs, Outgoing, Passage, Protocol, Refusal, Reply, Request, Transaction};

/// Bytes that a worker lends to whichever session reads.
pub const LENT_BYTES: usize = 64 * 1024;
/// Turns of the loop before other sessions of the worker get theirs.
const TURNS: usize = 8;
/// Bytes of our own that may wait for either side before nothing more of the client is looked at: a refusal is longer than what
/// it refuses.
const OWN_MAX: usize = 256 * 1024;
/// Bytes of an incomplete frame that need no reservation.
const HELD_FREE: usize = LENT_BYTES;

/// The read buffer of a worker.
pub type Lent = Rc<RefCell<Box<[u8]>>>;

/// A read buffer for one worker.
pub fn lent() -> Lent {
    Rc::new(RefCell::new(vec![0; LENT_BYTES].into_boxed_slice()))
}

/// One direction of a session.
#[derive(Debug, Default)]
struct Lane {
    /// Read and not decided on: at most an incomplete frame, or what follows one that is being judged.
    held: BytesMut,
    /// Bytes of the frame at the front of `held` that must be at hand before it can be decided on.
    wanted: usize,
    /// What was in `held`, while somebody else reads it.
    judged: Bytes,
    /// Decided on and not yet written.
    unsent: BytesMut,
    /// What is left of a frame that streams through.
    passing: u64,
    /// What is left of a frame that goes nowhere.
    dropping: u64,
}

impl Lane {
    /// Bytes that need room in the common budget, with those that are still to come.
    fn kept(&self) -> usize {
        let large = |bytes: &BytesMut| if bytes.len() > HELD_FREE { bytes.capacity() } else { 0 };
        let wanted = if self.wanted > HELD_FREE { self.wanted.saturating_add(LENT_BYTES) } else { 0 };
        large(&self.held).max(wanted).saturating_add(large(&self.unsent)).saturating_add(self.judged.len())
    }

    /// Makes room for the frame that is wanted, once and for all of it: a buffer that grows would be twice as large in the end.
    fn make_room(&mut self) {
        let room = self.wanted.saturating_add(LENT_BYTES);
        if self.wanted > HELD_FREE && self.held.capacity() < room {
            let mut exact = BytesMut::with_capacity(room);
            exact.extend_from_slice(&self.held);
            self.held = exact;
        }
    }

    /// Takes back what somebody else has read: without a copy, since whoever read it has let it go.
    fn reclaim(&mut self) {
        if !self.judged.is_empty() {
            let judged = std::mem::take(&mut self.judged);
            self.held = judged.try_into_mut().unwrap_or_else(|shared| BytesMut::from(&shared[..]));
        }
    }
}

/// Where the client's side of a session stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Attention {
    Reading,
    /// The frame at the front of `up.held` is being judged.
    Awaiting,
    /// So much of our own waits to be sent that the frames in `up.held` have to wait.
    Stalled,
    /// The client said goodbye; what is left goes to the server.
    Quitting,
}

/// A session after its login.
#[derive(Debug)]
pub struct Relay<P: Protocol, C, S, O> {
    client: C,
    server: S,
    lent: Lent,
    overseer: O,
    phase: P::Phase,
    up: Lane,
    down: Lane,
    /// Answers of our own, for the next frame border towards the client.
    answers: BytesMut,
    attention: Attention,
    /// Where in the frame at the front of `up.held` the text is that is to be lent.
    lending: Option<Range<usize>>,
    /// The server's last word was a fatal error, so its end needs no words of ours.
    parted: bool,
}

/// What is left of a session when its relay ends.
#[derive(Debug)]
pub struct Remains<C, S, O> {
    /// Why it ended.
    pub end: End,
    /// The client's stream.
    pub client: C,
    /// The server's stream.
    pub server: S,
    /// The overseer, with its books.
    pub overseer: O,
    /// Bytes that the client should still get, farewell included.
    pub last_words: BytesMut,
    /// A statement is running at the server that nobody waits for. After a goodbye none is: the server carries out what came before
    /// it, as it would without us.
    pub working: bool,
}

impl<P, C, S, O> Relay<P, C, S, O>
where
    P: Protocol,
    C: AsyncRead + AsyncWrite + Unpin,
    S: AsyncRead + AsyncWrite + Unpin,
    O: Overseer,
{
    /// A relay between two streams that have finished their login.
    pub fn new(client: C, server: S, lent: Lent, overseer: O) -> Self {
        Self {
            client,
            server,
            lent,
            overseer,
            phase: P::Phase::default(),
            up: Lane::default(),
            down: Lane::default(),
            answers: BytesMut::new(),
            attention: Attention::Reading,
            lending: None,
            parted: false,
        }
    }

    /// Hands over bytes that were read before the relay began.
    #[must_use]
    pub fn with_read(mut self, from_client: &[u8], from_server: &[u8]) -> Self {
        self.up.held.extend_from_slice(from_client);
        self.down.held.extend_from_slice(from_server);
        self
    }

    /// Runs until the session ends. Not cancel-safe: dropping it drops both streams.
    pub async fn run(mut self) -> Remains<C, S, O> {
        let end = match self.begin() {
            Ok(()) => poll_fn(|cx| self.poll(cx)).await,
            Err(end) => end,
        };
        self.part(end)
    }

    /// Walks what was read before the relay began.
    fn begin(&mut self) -> Result<(), End> {
        self.walk_held(None)?;
        let input = std::mem::take(&mut self.down.held);
        let left = self.walk_down(&input)?;
        self.down.unsent.extend_from_slice(left.send);
        self.down.held.extend_from_slice(left.hold);
        Ok(())
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<End> {
        for _ in 0..TURNS {
            if let Some(end) = self.overseer.ending(self.rest()) {
                return Poll::Ready(end);
            }
            let moved = match (self.poll_up(cx), self.poll_down(cx)) {
                (Ok(up), Ok(down)) => up || down,
                // A server that takes no more bytes may have said why: what it sent comes first.
                (Err(End::ServerGone), Ok(down)) if down => true,
                (Err(end), _) | (_, Err(end)) => return Poll::Ready(end),
            };
            if !moved {
                return Poll::Pending;
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    fn rest(&self) -> Rest {
        let idle = self.attention == Attention::Reading
            && self.up.passing == 0
            && P::ready(&self.phase)
            && P::transaction(&self.phase) == Transaction::None
            && self.answers.is_empty()
            && self.down.unsent.is_empty();
        if idle { Rest::Idle } else { Rest::Working }
    }

    /// Client to server. True where anything moved.
    fn poll_up(&mut self, cx: &mut Context<'_>) -> Result<bool, End> {
        let mut moved = self.write_up(cx)?;
        if !self.up.unsent.is_empty() {
            return Ok(moved);
        }
        match self.attention {
            Attention::Quitting => return Err(End::ClientQuit),
            Attention::Awaiting => {
                let Poll::Ready(opinion) = self.overseer.poll_opinion(cx) else { return Ok(moved) };
                self.attention = Attention::Reading;
                self.up.reclaim();
                self.walk_held(Some(opinion))?;
                self.write_up(cx)?;
                return Ok(true);
            }
            Attention::Stalled if self.crowded() => return Ok(moved),
            Attention::Stalled => {
                self.attention = Attention::Reading;
                self.walk_held(None)?;
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
    fn crowded(&self) -> bool {
        let answers = self.answers.len().saturating_add(self.down.unsent.len());
        answers > OWN_MAX || self.up.unsent.len() > OWN_MAX
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
    fn walk_held(&mut self, opinion: Option<Opinion>) -> Result<(), End> {
        let mut input = std::mem::take(&mut self.up.held);
        let left = self.walk_up(&input, opinion)?;
        let (send, hold) = (left.send.len(), left.hold.len());
        input.advance(input.len().saturating_sub(send + hold));
        let passed = input.split_to(send);
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
    fn settle(&mut self) -> Result<(), End> {
        self.lend();
        let kept = self.up.kept();
        if kept == 0 {
            self.overseer.release();
            return Ok(());
        }
        match self.overseer.reserve(kept) {
            // What was decided on goes on its way; only what is still held can be refused.
            Err(refusal)
                if self.up.wanted > HELD_FREE || self.up.held.len() > HELD_FREE || !self.up.judged.is_empty() =>
            {
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
        if let Some(Range { start, end }) = self.lending.take() {
            let held = std::mem::take(&mut self.up.held).freeze();
            let end = end.min(held.len());
            self.overseer.lend(held.slice(start.min(end)..end));
            self.up.judged = held;
        }
    }

    /// Decides on frame after frame of the client. `opinion` is that of the first one, where it was awaited.
    fn walk_up<'i>(&mut self, input: &'i [u8], mut opinion: Option<Opinion>) -> Result<Walked<'i>, End> {
        let mut walk = Walk::new(input);
        self.up.wanted = 0;
        while !walk.rest().is_empty() {
            walk.stream(&mut self.up);
            if opinion.is_none() && self.crowded() && !walk.rest().is_empty() {
                self.attention = Attention::Stalled;
                break;
            }
            let Some(head) = P::client_head(walk.rest()).map_err(End::ClientMalformed)? else { break };
            match self.decide(head, walk.rest(), opinion.take())? {
                Decision::Incomplete => break,
                Decision::Forward => self.up.passing = head.size,
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

    fn decide(&mut self, head: Head, rest: &[u8], opinion: Option<Opinion>) -> Result<Decision, End> {
        if P::skipping(&self.phase) {
            return Ok(self.skip(head));
        }
        let known = opinion.is_some();
        if let Needs::Prefix(bytes) = P::client_needs(head, self.overseer.hold())
            && !known
            && (rest.len() as u64) < bytes.min(head.size)
        {
            self.up.wanted = usize::try_from(bytes.min(head.size)).unwrap_or(usize::MAX);
            return Ok(Decision::Incomplete);
        }
        let size = usize::try_from(head.size).unwrap_or(usize::MAX);
        let frame = rest.get(..size).unwrap_or(rest);
        if let Some(Opinion::Refuse(refusal)) = &opinion {
            return Ok(self.refuse(head, frame, refusal));
        }
        let request = P::request(head, frame).map_err(End::ClientMalformed)?;
        let opinion = opinion.unwrap_or_else(|| self.overseer.opinion(request, head.size));
        match opinion {
            Opinion::Allow => {}
            Opinion::Warn(refusal) => P::announce(Announcement::Warning(&refusal), &mut self.answers),
            Opinion::Refuse(refusal) => return Ok(self.refuse(head, frame, &refusal)),
            Opinion::Wait => {
                self.attention = Attention::Awaiting;
                return Ok(Decision::Incomplete);
            }
            Opinion::Lend => {
                self.lending = request.text().map(|text| place(text, frame));
                self.attention = Attention::Awaiting;
                return Ok(Decision::Incomplete);
            }
        }
        Ok(self.pass(head, request))
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

    fn pass(&mut self, head: Head, request: Request<'_>) -> Decision {
        match P::client(&mut self.phase, head) {
            Passage::Forward if request == Request::Quit => Decision::Quit,
            Passage::Forward => {
                self.overseer.forwarded(request);
                Decision::Forward
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
        if self.up.kept() == 0 {
            self.overseer.release();
        }
        Ok(sent > 0)
    }

    /// Server to client. True where anything moved.
    fn poll_down(&mut self, cx: &mut Context<'_>) -> Result<bool, End> {
        if self.down.passing == 0 && !self.answers.is_empty() {
            self.down.unsent.extend_from_slice(&self.answers);
            self.answers = BytesMut::new();
        }
        let moved = self.write_down(cx)?;
        if !self.down.unsent.is_empty() {
            return Ok(moved);
        }
        let read = self.read_down(cx)?.is_ready();
        Ok(moved || read)
    }

    fn read_down(&mut self, cx: &mut Context<'_>) -> Result<Poll<()>, End> {
        let lent = Rc::clone(&self.lent);
        let mut lent = lent.borrow_mut();
        let Poll::Ready(count) = poll_read(&mut self.server, cx, &mut lent).map_err(|_| End::ServerGone)? else {
            return Ok(Poll::Pending);
        };
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
            let mut input = std::mem::take(&mut self.down.held);
            input.extend_from_slice(fresh);
            let left = self.walk_down(&input)?;
            self.down.unsent.extend_from_slice(left.send);
            self.down.held.extend_from_slice(left.hold);
            self.write_down(cx)?;
        }
        Ok(Poll::Ready(()))
    }

    fn walk_down<'i>(&mut self, input: &'i [u8]) -> Result<Walked<'i>, End> {
        let mut walk = Walk::new(input);
        while !walk.rest().is_empty() {
            walk.stream(&mut self.down);
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
            if let Some(instead) = self.reply(head, frame) {
                self.down.dropping = head.size;
                walk.flush(&mut self.down.unsent);
                self.down.unsent.extend_from_slice(&instead);
            } else {
                self.down.passing = head.size;
            }
            walk.stream(&mut self.down);
        }
        Ok(walk.end(&mut self.down.unsent))
    }

    /// Notes what a server's frame means. `Some`: these bytes go to the client in its place.
    fn reply(&mut self, head: Head, frame: &[u8]) -> Option<Vec<u8>> {
        match P::server(&mut self.phase, head, frame) {
            Reply::Other => {}
            Reply::Boundary(transaction) => {
                let owes = if P::ready(&self.phase) { Owes::Nothing } else { Owes::More };
                self.overseer.boundary(transaction, owes);
            }
            Reply::Failed(failure) => {
                self.parted = failure.fatal == crate::wire::Severity::Fatal;
                self.overseer.failed(failure);
            }
            Reply::Setting(setting) => self.overseer.setting(setting),
            Reply::Substitute(bytes) => return Some(bytes),
        }
        None
    }

    fn write_down(&mut self, cx: &mut Context<'_>) -> Result<bool, End> {
        if self.down.unsent.is_empty() {
            return Ok(false);
        }
        let sent = flush(&mut self.client, cx, &mut self.down.unsent).map_err(|_| End::ClientGone)?;
        self.overseer.moved(Way::ToClient, sent);
        Ok(sent > 0)
    }

    fn part(mut self, end: End) -> Remains<C, S, O> {
        let owed = !(P::ready(&self.phase) || P::skipping(&self.phase));
        let working = owed && !matches!(end, End::ServerGone | End::ClientQuit);
        let mut last_words = std::mem::take(&mut self.down.unsent);
        // Inside a frame that the client has half of, no other message can begin.
        if self.down.passing == 0 {
            last_words.extend_from_slice(&self.answers);
            let told = self.parted && end == End::ServerGone;
            if let Some(refusal) = end.farewell().filter(|_| !told) {
                P::announce(Announcement::Farewell(&refusal), &mut last_words);
            }
        }
        Remains { end, client: self.client, server: self.server, overseer: self.overseer, last_words, working }
    }
}

/// What becomes of one frame of the client.
enum Decision {
    Forward,
    /// It goes nowhere; these bytes go to the server instead.
    Drop(BytesMut),
    Quit,
    /// Not all of what is needed is here, or the opinion is not.
    Incomplete,
}

/// A walk over input: what lies between `from` and `at` passes and has not been copied anywhere.
struct Walk<'i> {
    input: &'i [u8],
    from: usize,
    at: usize,
}

/// What a walk leaves behind: bytes to be sent and bytes to be kept.
struct Walked<'i> {
    send: &'i [u8],
    hold: &'i [u8],
}

impl<'i> Walk<'i> {
    const fn new(input: &'i [u8]) -> Self {
        Self { input, from: 0, at: 0 }
    }

    fn rest(&self) -> &'i [u8] {
        self.input.get(self.at..).unwrap_or_default()
    }

    /// Moves over what is left of the current frame.
    fn stream(&mut self, lane: &mut Lane) {
        self.at += take(&mut lane.passing, self.rest().len());
        if lane.dropping > 0 {
            // Callers have flushed what passes before a frame is dropped, or the input begins with the dropped rest.
            self.at += take(&mut lane.dropping, self.rest().len());
            self.from = self.at;
        }
    }

    /// Copies what passes so far, so that other bytes can follow it.
    fn flush(&mut self, unsent: &mut BytesMut) {
        unsent.extend_from_slice(self.input.get(self.from..self.at).unwrap_or_default());
        self.from = self.at;
    }

    /// Ends the walk. Where bytes wait already, what passes joins them.
    fn end(mut self, unsent: &mut BytesMut) -> Walked<'i> {
        if !unsent.is_empty() {
            self.flush(unsent);
        }
        Walked { send: self.input.get(self.from..self.at).unwrap_or_default(), hold: self.rest() }
    }

    /// Ends the walk for good: nothing after this frame is looked at.
    fn end_here(self) -> Walked<'i> {
        Walked { send: self.input.get(self.from..self.at).unwrap_or_default(), hold: &[] }
    }
}

/// Where a part of a frame is in it.
fn place(part: &[u8], frame: &[u8]) -> Range<usize> {
    let start = part.as_ptr().addr().saturating_sub(frame.as_ptr().addr());
    start..start.saturating_add(part.len())
}

fn take(left: &mut u64, available: usize) -> usize {
    let taken = usize::try_from(*left).unwrap_or(usize::MAX).min(available);
    *left -= taken as u64;
    taken
}

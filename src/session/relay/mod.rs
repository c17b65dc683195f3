//! The one loop of the data path, for any protocol and any pair of streams.
//!
//! Bytes are read once into a buffer that the worker lends, frame heads are walked in place, and what may pass is written
//! from that same buffer. A session owns bytes only while a frame is incomplete, an opinion is awaited or a peer reads slowly;
//! an idle session owns none.

mod cut;
mod decide;
mod down;
mod flow;
mod group;
mod hold;
mod late;
mod lease;
mod lost;
mod meter;
mod outcome;
mod part;
mod reply;
mod rest;
mod sent;
mod source;
mod stage;
mod turn;
mod undo;
mod up;
mod walk;

use std::cell::RefCell;
use std::future::poll_fn;
use std::ops::Range;
use std::rc::Rc;
use std::task::{Context, Poll};

use bytes::BytesMut;
use tokio::io::{AsyncRead, AsyncWrite};

use self::decide::Cargo;
use self::group::Group;
use self::hold::Pause;
use self::late::Late;
pub use self::lease::{Behind, Left};
use self::meter::Meter;
pub use self::part::Remains;
pub use self::source::{Course, Owned, Seen, Source, Whose};
use self::stage::Stage;
use self::turn::Turn;
use self::up::Attention;
use self::walk::Lane;
use super::end::End;
use super::overseer::Overseer;
use crate::wire::{Errand, Protocol};

/// Bytes that a worker lends to whichever session reads.
pub const LENT_BYTES: usize = 64 * 1024;
/// Turns of the loop before other sessions of the worker get theirs.
const TURNS: usize = 3;
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
    /// Bytes of `answers` that only stand in for the server's: where this is all, they go with what it says next.
    stand_in: u16,
    /// The same as `answers`, for the border in front of the server's frame at hand.
    words: BytesMut,
    attention: Attention,
    /// Where in the frame at the front of `up.held` the text is that is to be lent.
    lending: Option<Box<Range<usize>>>,
    /// Bytes of the frame at the front of `up.held` that its opinion takes; 0 where it is not known to take more than usual.
    wanted: u64,
    /// What streams through to the server.
    cargo: Cargo,
    meter: Meter,
    group: Group,
    stage: Stage,
    /// The statement at work that has taken too long, until it is stopped.
    late: Option<Box<Late>>,
    /// What we ask of the server, at the next frame border towards it.
    errand: Option<Errand<'static>>,
    /// The server's last word was a fatal error, so its end needs no words of ours.
    parted: bool,
    /// Frames in `down.held` have not been looked at, and may be whole.
    behind: bool,
    pause: Pause,
    turn: Turn,
}

impl<P, C, S, O> Relay<P, C, S, O>
where
    P: Protocol,
    C: AsyncRead + AsyncWrite + Unpin,
    S: Source,
    O: Overseer,
{
    /// A relay between a client that has finished its login and a source of servers that have.
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
            stand_in: 0,
            words: BytesMut::new(),
            attention: Attention::Reading,
            lending: None,
            wanted: 0,
            cargo: Cargo::Other,
            meter: Meter::default(),
            group: Group::default(),
            stage: Stage::default(),
            late: None,
            errand: None,
            parted: false,
            behind: false,
            pause: Pause::None,
            turn: Turn::NEW,
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
    ///
    /// Boxed, so that the session's task does not carry it twice: as what it is given and as what it works on.
    pub async fn run(mut self: Box<Self>) -> Remains<C, S, O> {
        let end = match self.begin() {
            Ok(()) => poll_fn(|cx| self.poll(cx)).await,
            Err(end) => end,
        };
        self.part(end)
    }

    /// Walks what was read before the relay began.
    fn begin(&mut self) -> Result<(), End> {
        self.walk_held(None)?;
        self.walk_down_held(&[])
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<End> {
        self.turn = Turn::NEW;
        for _ in 0..TURNS {
            if let Some(end) = self.overseer.ending(self.rest())
                && !self.outlives(end)
            {
                return Poll::Ready(end);
            }
            self.look_at_time();
            if self.is_spent() {
                self.look_for_cancels(cx);
                return Poll::Pending;
            }
            let moved = match (self.poll_up(cx), self.poll_down(cx)) {
                (Ok(up), Ok(down)) => up || down,
                // A server that takes no more bytes may have said why: what it sent comes first.
                (Err(End::ServerGone), Ok(down)) if down => true,
                (Err(end), _) | (_, Err(end)) if self.outlives(end) => true,
                (Err(end), _) | (_, Err(end)) => return Poll::Ready(end),
            };
            // A server that sends without a pause must be stopped all the same.
            let settled = self.poll_settle(cx) || self.poll_late(cx);
            let rested = self.look_at_lease(cx);
            if !moved && !settled && !rested {
                self.look_for_cancels(cx);
                return Poll::Pending;
            }
            if self.turn.is_over() {
                break;
            }
        }
        self.look_for_cancels(cx);
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}

//! What happens where a statement takes too long: it is cancelled, and the error is ours. A cancel of the client's goes the same way
//! once it is sent, but for the error.

use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite};

use super::Relay;
use super::source::Source;
use crate::session::overseer::Overseer;
use crate::session::watch::{Excess, Reach, Ruling, Work};
use crate::wire::{Announcement, Errand, Failure, Protocol, Refusal, Tail, Transaction};

/// What a server calls the error of a statement that was cancelled, or of a COPY that its client gave up.
const CANCELED: [u8; 5] = *b"57014";

/// A statement that is being stopped. Unlike a reply that is cut it may end well all the same, and its client is told whatever
/// the server says: it may have committed.
#[derive(Debug)]
pub(super) struct Late {
    /// The error that the client gets in place of the server's; `None`: it has asked for that one itself.
    refusal: Option<Refusal>,
    work: Work,
}

impl<P, C, S, O> Relay<P, C, S, O>
where
    P: Protocol,
    C: AsyncRead + AsyncWrite + Unpin,
    S: Source,
    O: Overseer,
{
    /// Stops the statement at work, where its time is up.
    pub(super) fn look_at_time(&mut self) {
        if !self.overseer.late() || self.late.is_some() || self.discards() {
            return;
        }
        let tail = P::tail(&self.phase);
        let reach = match tail {
            // Nothing runs: the server waits for the rest of a pipeline, or sends what never ends.
            Tail::Idle | Tail::Stream => return,
            Tail::Open if self.group.is_answered() => return,
            Tail::Open | Tail::Closed | Tail::Copy => Reach::Whole,
            Tail::Buried | Tail::Lost => Reach::Late,
        };
        match self.overseer.excess(Excess::Time, reach) {
            Ruling::Fail(refusal) => self.stop(refusal, tail),
            Ruling::Warn(refusal) => P::announce(Announcement::Warning(&refusal), &mut self.answers),
            Ruling::Pass => {}
        }
    }

    fn stop(&mut self, refusal: Refusal, tail: Tail) {
        self.late = Some(Box::new(Late { refusal: Some(refusal), work: Work::Running }));
        let rule = Excess::Time.rule();
        match tail {
            // A server that waits for data takes no notice of a cancel.
            Tail::Copy => {
                self.errand.get_or_insert(Errand::FailCopy(rule));
            }
            // It says nothing of what it has done so far without the Sync, which has to wait.
            Tail::Open => {
                self.errand.get_or_insert(Errand::Flush);
            }
            _ => {}
        }
        self.overseer.stop(rule);
    }

    /// The client cancels what the server works on. A cancel that overtakes it is lost at the server, so it is sent again until that has
    /// ended; what comes behind waits meanwhile, so that it is not hit. A lent server outside a transaction goes back instead, where
    /// it waits for the one cancel that is on its way.
    pub(super) fn insist(&mut self) {
        let goes_back = S::LENT && P::transaction(&self.phase) == Transaction::None;
        if P::tail(&self.phase) == Tail::Closed && self.is_at_rest() && !goes_back {
            self.late = Some(Box::new(Late { refusal: None, work: Work::Running }));
            self.overseer.insist();
        }
    }

    /// The server raised an error: ours goes to the client in its place, where it says that the statement was cancelled.
    pub(super) fn stopped(&mut self, failure: Failure) -> Option<Refusal> {
        let late = self.late.as_mut()?;
        let first = late.work == Work::Running;
        late.work = Work::Ended;
        late.refusal.clone().filter(|_| first && failure.sqlstate == CANCELED)
    }

    /// Goes on where what was stopped has ended, one way or the other, and no cancel is on its way. True where it has.
    pub(super) fn poll_late(&mut self, cx: &mut Context<'_>) -> bool {
        if self.late.is_none() {
            return false;
        }
        let ended = match P::tail(&self.phase) {
            Tail::Idle => true,
            Tail::Open => self.group.is_answered(),
            Tail::Closed | Tail::Buried | Tail::Copy | Tail::Stream | Tail::Lost => false,
        };
        let Some(late) = &mut self.late else { return false };
        if ended {
            late.work = Work::Ended;
        }
        let Poll::Ready(()) = self.overseer.poll_stopped(cx, late.work) else { return false };
        self.late = None;
        true
    }
}

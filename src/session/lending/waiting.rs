//! A statement that waits for a server, and how that ends: with a server, a cancel, or the reason why there is none.

use std::task::{Context, Poll};

use super::borrowed::Borrowed;
use super::own::Own;
use super::reach::OTHER_PASSWORD;
use crate::client::refuse;
use crate::clock;
use crate::roster::{Activity, Signal};
use crate::server::pool::{NotMade, Unserved};
use crate::session::relay::Source as _;
use crate::traffic::Count;
use crate::units::micros;
use crate::wire::Refusal;

/// What is told of a statement that has waited for a server in vain.
pub(super) const UNSERVED: &str = "a statement got no server";

impl Borrowed {
    /// What the relay asks for: see [`Source::poll_lease`](crate::session::relay::Source::poll_lease).
    pub(super) fn poll_wait(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Refusal>> {
        loop {
            // Also while a server is asked or dressed: nothing of the statement is there yet.
            self.target.waits();
            if let Own::Looking = self.own {
                self.own = Own::Nothing;
            }
            let moved = match self.poll_work(cx) {
                Poll::Ready(moved) => moved,
                Poll::Pending if self.take_cancelled() => return Poll::Ready(Err(self.cancelled_behind_ours())),
                Poll::Pending => return Poll::Pending,
            };
            if let Some(trouble) = self.trouble.take() {
                self.waits_no_more();
                return Poll::Ready(Err(*trouble));
            }
            if self.take_cancelled() {
                return Poll::Ready(Err(self.cancelled_in_queue()));
            }
            // It was dressed, or has become the session's own.
            if self.lease.is_here() {
                return Poll::Ready(Ok(()));
            }
            if moved {
                continue;
            }
            match self.lease.poll_take(cx, |server| self.kept.suits(server, self.entry.number)) {
                Poll::Pending => {
                    let now = clock::now();
                    self.waits_since.get_or_insert(now);
                    self.entry.set_activity(Activity::Waiting, clock::uptime_ms_at(now));
                    return Poll::Pending;
                }
                Poll::Ready(Ok(())) => {
                    self.waited();
                    self.dress();
                }
                Poll::Ready(Err(unserved)) => {
                    self.waits_no_more();
                    return Poll::Ready(Err(self.refused(&unserved)));
                }
            }
        }
    }

    /// Was the statement that waits cancelled? Told once.
    fn take_cancelled(&mut self) -> bool {
        std::mem::take(&mut self.cancelled) || self.target.take_cancelled()
    }

    /// There is no server for the statement. Where a new login may open one and this session's does not, the session ends behind it: a
    /// client that keeps its connections for good would never come again by itself.
    fn refused(&self, unserved: &Unserved) -> Refusal {
        if let Unserved::NotMade(NotMade::Denied { sqlstate: OTHER_PASSWORD, .. }) = unserved {
            self.entry.signal(Signal::Outdated);
        }
        let refusal = super::unserved(unserved, self.lease.pool());
        self.tell(&refusal, UNSERVED);
        refusal
    }

    /// Counts how long it has waited.
    fn waited(&mut self) {
        if let Some(since) = self.waits_since.take() {
            self.entry.traffic.add(Count::WaitUs, micros(clock::now().saturating_duration_since(since)));
        }
    }

    /// The statement that waited is told why it waits no longer.
    fn waits_no_more(&mut self) {
        self.waited();
        self.target.lets_go();
        self.cancelled = false;
        self.entry.set_activity(Activity::Idle, clock::uptime_ms());
    }

    /// The statement that waited for what is ours to do at its server was cancelled. A server that is half dressed is fit for nobody;
    /// what it may hold of its session is not given up for that, and is seen to when it has come to its end.
    fn cancelled_behind_ours(&mut self) -> Refusal {
        if let Own::Dressing(_) | Own::Naming(_) = self.own
            && self.kept.pins.is_none()
        {
            self.close();
        }
        self.waits_no_more();
        refuse::cancelled_while_waiting()
    }

    /// The statement that waited was cancelled. A server that is the session's own stays where it is.
    fn cancelled_in_queue(&mut self) -> Refusal {
        if self.kept.pins.is_none() {
            // What has gone ahead is not answered yet, and the next one must not read the answer.
            if self.is_occupied() {
                self.close()
            } else {
                self.release()
            }
            self.lease.leave();
            self.waits_no_more();
        } else {
            self.waited();
            self.entry.set_activity(Activity::Idle, clock::uptime_ms());
        }
        refuse::cancelled_while_waiting()
    }
}

#[cfg(test)]
#[path = "waiting_tests.rs"]
mod tests;

//! Stops what a server works on, again and again until it has stopped.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use tokio::time::{Sleep, sleep};

use super::{CANCEL_AGAIN, Cancelled, Target};
use crate::session::watch::Work;

/// The cancels of one statement.
pub struct Stopper {
    target: Arc<Target>,
    stage: Stage,
}

enum Stage {
    Sending(Pin<Box<dyn Future<Output = Cancelled>>>),
    Resting(Pin<Box<Sleep>>),
}

impl std::fmt::Debug for Stopper {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Stopper").field("target", &self.target).finish_non_exhaustive()
    }
}

impl Stopper {
    /// The first cancel is sent with the next poll.
    pub fn new(target: Arc<Target>) -> Self {
        let stage = Stage::send(&target);
        Self { target, stage }
    }

    /// The same behind a cancel of somebody else's, which may do.
    pub fn behind(target: Arc<Target>) -> Self {
        Self { target, stage: Stage::Resting(Box::pin(sleep(CANCEL_AGAIN))) }
    }

    /// Ready once the work has ended and no cancel is on its way any more: the server has closed the socket of each, so none of them
    /// can hit what comes next. Cancel-safe; a dropped stopper leaves at most one cancel half sent.
    pub fn poll_stopped(&mut self, cx: &mut Context<'_>, work: Work) -> Poll<()> {
        loop {
            match (&mut self.stage, work) {
                (Stage::Resting(_), Work::Ended) => return Poll::Ready(()),
                (Stage::Sending(sent), _) => match sent.as_mut().poll(cx) {
                    Poll::Pending => return Poll::Pending,
                    Poll::Ready(_) => self.stage = Stage::Resting(Box::pin(sleep(CANCEL_AGAIN))),
                },
                (Stage::Resting(rest), Work::Running) => match rest.as_mut().poll(cx) {
                    Poll::Pending => return Poll::Pending,
                    Poll::Ready(()) => self.stage = Stage::send(&self.target),
                },
            }
        }
    }
}

impl Stage {
    fn send(target: &Arc<Target>) -> Self {
        let target = Arc::clone(target);
        Self::Sending(Box::pin(async move { target.stop().await }))
    }
}

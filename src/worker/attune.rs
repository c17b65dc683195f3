//! Keeps the scheduling policies of all workers' threads.

use tokio::sync::watch;
use tokio::time::sleep;

use super::policy::Policy;
use super::schedstat::{Schedstat, Turns};
use super::trial::Trial;
use crate::clock::{self, Instant};

/// What a worker's thread gives away of itself.
#[derive(Debug)]
pub(super) struct Thread {
    /// Nothing where its policy is to stay.
    pub(super) stat: Option<Schedstat>,
    /// The policy that it is to take.
    pub(super) policy: watch::Sender<Policy>,
}

/// A thread that is being looked at.
struct Watched<'a> {
    number: usize,
    stat: &'a Schedstat,
    policy: &'a watch::Sender<Policy>,
    trial: Trial,
    turns: Turns,
    seen: Instant,
}

/// Looks at all of them for ever. A busy one comes under the policy that is `wanted`; `tell` hears the number of each worker whose policy
/// changes, and the new one.
pub(super) async fn keep<'a>(
    threads: impl Iterator<Item = &'a Thread>,
    wanted: impl Fn() -> Policy,
    tell: impl Fn(usize, Policy),
) {
    let mut watched: Vec<_> = threads.enumerate().filter_map(|(number, thread)| Watched::of(number, thread)).collect();
    while let Some(pause) = watched.iter().map(|watched| watched.trial.pause()).min() {
        sleep(pause).await;
        watched.retain_mut(|watched| watched.look(wanted(), &tell).is_some());
    }
    std::future::pending().await
}

impl<'a> Watched<'a> {
    fn of(number: usize, thread: &'a Thread) -> Option<Self> {
        let stat = thread.stat.as_ref()?;
        let (turns, seen) = (stat.read()?, clock::now());
        Some(Self { number, stat, policy: &thread.policy, trial: Trial::default(), turns, seen })
    }

    /// `None` once the thread is gone.
    fn look(&mut self, wanted: Policy, tell: impl Fn(usize, Policy)) -> Option<()> {
        let passed = self.seen.elapsed();
        if passed < self.trial.pause() {
            return Some(());
        }
        let (before, turns) = (self.trial.policy(), self.stat.read()?);
        match wanted {
            Policy::Batch => self.trial.look(turns - self.turns, passed),
            Policy::Other => self.trial = Trial::default(),
        }
        (self.turns, self.seen) = (turns, clock::now());
        let policy = self.trial.policy();
        if policy != before {
            self.policy.send(policy).ok()?;
            tell(self.number, policy);
        }
        Some(())
    }
}

/// Whoever stops looking leaves the usual policy behind.
impl Drop for Watched<'_> {
    fn drop(&mut self) {
        self.policy.send_replace(Policy::Other);
    }
}

/// The calling thread's own figures, where its policy is the usual one and may be changed: whoever started Floodwall under another
/// one has a reason.
pub(super) fn own_figures() -> Option<Schedstat> {
    let usual = Policy::is_usual().then(|| Policy::Other.take().and_then(|()| Schedstat::of_this_thread()))?;
    usual.inspect_err(|error| tracing::debug!(%error, "a worker's scheduling policy stays as it is")).ok()
}

/// Puts the calling thread under whatever policy it is told, until nobody tells any more.
pub(super) async fn obey(mut told: watch::Receiver<Policy>) {
    while told.changed().await.is_ok() {
        let policy = *told.borrow_and_update();
        match policy.take() {
            Ok(()) => tracing::debug!(?policy, "a worker's scheduling policy"),
            Err(error) => return tracing::debug!(%error, "a worker's scheduling policy stays as it is"),
        }
    }
}

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

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
    use std::time::Duration;
    use std::{fs, thread};

    use rustix::thread::{CpuSet, Pid, gettid, sched_getaffinity, sched_setaffinity};
    use tokio::sync::{mpsc, oneshot};
    use tokio::time::timeout;

    use super::super::Workers;
    use super::*;

    const LIMIT: Duration = Duration::from_secs(60);

    /// A worker that gets a message every so often and works on it for a while, until it is dropped.
    struct Busy {
        workers: Workers<oneshot::Sender<(Pid, mpsc::Sender<()>)>>,
        thread: Pid,
        over: Arc<AtomicBool>,
    }

    async fn work(tell: oneshot::Sender<(Pid, mpsc::Sender<()>)>) {
        let (send, mut messages) = mpsc::channel(8);
        tell.send((gettid(), send)).unwrap();
        while messages.recv().await.is_some() {
            std::hint::black_box((0..20_000).fold(0_u64, |sum, number| sum ^ number));
        }
    }

    impl Busy {
        async fn start() -> Self {
            let workers = Workers::start(1, |_| Ok((async || (), work))).unwrap();
            let over = Arc::new(AtomicBool::new(false));
            let (tell, told) = oneshot::channel();
            workers.give(tell).await;
            let (thread, messages) = told.await.unwrap();
            let ends = Arc::clone(&over);
            thread::spawn(move || {
                while !ends.load(Relaxed) && messages.blocking_send(()).is_ok() {
                    thread::sleep(Duration::from_micros(100));
                }
            });
            Self { workers, thread, over }
        }

        /// Lets the worker and somebody who never rests share one core.
        fn crowd(&self) {
            let all = sched_getaffinity(None).unwrap();
            let core = (0..CpuSet::MAX_CPU).find(|core| all.is_set(*core)).unwrap();
            let mut one = CpuSet::new();
            one.set(core);
            sched_setaffinity(Some(self.thread), &one).unwrap();
            let ends = Arc::clone(&self.over);
            thread::spawn(move || {
                sched_setaffinity(None, &one).unwrap();
                while !ends.load(Relaxed) {}
            });
        }

        /// Field 41 of proc_pid_stat(5).
        fn policy(&self) -> String {
            let path = format!("/proc/self/task/{}/stat", self.thread.as_raw_nonzero());
            let stat = fs::read_to_string(path).unwrap();
            stat.rsplit_once(')').unwrap().1.split_whitespace().nth(38).unwrap().to_owned()
        }

        async fn expect(&self, policy: &str) {
            let reached = async {
                while self.policy() != policy {
                    sleep(Duration::from_millis(1)).await;
                }
            };
            timeout(LIMIT, reached).await.unwrap();
        }
    }

    impl Drop for Busy {
        fn drop(&mut self) {
            self.over.store(true, Relaxed);
        }
    }

    #[tokio::test]
    async fn a_busy_worker_comes_under_batch_and_leaves_it_beside_somebody_who_never_rests() {
        let busy = Busy::start().await;
        let (tell, mut told) = mpsc::channel(1_000);
        let attune = busy.workers.attune(|| Policy::Batch, |number, policy| tell.try_send((number, policy)).unwrap());
        let watch = async {
            assert_eq!(busy.policy(), "0");
            assert_eq!(told.recv().await, Some((0, Policy::Batch)));
            busy.expect("3").await;
            busy.crowd();
            assert_eq!(told.recv().await, Some((0, Policy::Other)));
            busy.expect("0").await;
        };
        tokio::select! {
            () = attune => unreachable!("it looks for ever"),
            watched = timeout(LIMIT, watch) => watched.unwrap(),
        }
    }

    #[tokio::test]
    async fn who_does_not_want_it_or_stops_looking_leaves_the_usual_policy() {
        let busy = Busy::start().await;
        for (goes_on_wanting, policy) in [(false, "0"), (true, "3")] {
            let wanted = AtomicBool::new(true);
            let wish = || if wanted.load(Relaxed) { Policy::Batch } else { Policy::Other };
            let watch = async {
                busy.expect("3").await;
                wanted.store(goes_on_wanting, Relaxed);
                busy.expect(policy).await;
            };
            tokio::select! {
                () = busy.workers.attune(wish, |_, _| ()) => unreachable!("it looks for ever"),
                () = watch => {}
            }
            busy.expect("0").await;
        }
    }
}

//! Which scheduling policy suits a worker: SCHED_BATCH while it is busy and that makes nobody wait.
//!
//! Where clients, Floodwall and servers share their cores, each message wakes a worker, and a woken thread takes the core from the
//! server or the client that works there. Under SCHED_BATCH it waits until they sleep, which they do within some ten microseconds, and
//! finds the work of several sessions: fewer changes of threads for the same transactions. `benches/results/2026-11-22-batch.md` has figures.
//!
//! The price is due where a neighbour computes without a rest: it keeps the core up to the scheduler's next tick, milliseconds, for each
//! message. So the policy is on trial. The kernel tells how long a worker waits for a core; where that is too long the usual policy
//! comes back within [`LOOK_BATCH`] and one more such wait, and stays for a time that doubles with each failure.

use std::time::Duration;

use super::policy::Policy;
use super::schedstat::Turns;

/// The time between two looks at a worker under SCHED_OTHER, and how much of it is busy, had it a core to itself: a fifth.
const LOOK_OTHER: Duration = Duration::from_millis(100);
const BUSY: u32 = 5;
/// The same under SCHED_BATCH, short since clients wait meanwhile; there a twentieth is idle.
const LOOK_BATCH: Duration = Duration::from_millis(10);
const IDLE: u32 = 20;
/// As long as this idle, and a worker needs no watching.
const IDLE_FOR: Duration = Duration::from_secs(1);
/// Waits that are too long, on average between two looks. A saturated machine with 500 clients makes a worker wait for 0.15 ms, a
/// neighbour that computes for 4 ms (a tick at 250 Hz).
const LATE: Duration = Duration::from_micros(500);
/// After a failure SCHED_OTHER stays at least so long, and at most.
const BAR: Duration = Duration::from_secs(1);
const BAR_MAX: Duration = Duration::from_secs(64);

/// One worker's.
#[derive(Debug)]
pub(super) struct Trial {
    policy: Policy,
    /// Until SCHED_BATCH may be tried again.
    barred: Duration,
    /// How long the next failure bars it.
    bar: Duration,
    /// How long it has gone well, under SCHED_BATCH.
    well: Duration,
    idle: Duration,
}

impl Default for Trial {
    fn default() -> Self {
        let none = Duration::ZERO;
        Self { policy: Policy::Other, barred: none, bar: BAR, well: none, idle: none }
    }
}

impl Trial {
    /// The policy for the time to come.
    pub(super) const fn policy(&self) -> Policy {
        self.policy
    }

    /// When to look again.
    pub(super) const fn pause(&self) -> Duration {
        match self.policy {
            Policy::Other => LOOK_OTHER,
            Policy::Batch => LOOK_BATCH,
        }
    }

    /// Takes what the worker did in the time that has `passed` since the last look.
    pub(super) fn look(&mut self, turns: Turns, passed: Duration) {
        match self.policy {
            Policy::Other => self.consider(turns, passed),
            Policy::Batch if turns.mean_wait() > LATE => self.fail(),
            Policy::Batch => self.go_on(turns, passed),
        }
    }

    fn consider(&mut self, turns: Turns, passed: Duration) {
        self.barred = self.barred.saturating_sub(passed);
        let busy = turns.ran.saturating_add(turns.waited) >= passed / BUSY;
        if busy && self.barred.is_zero() && turns.mean_wait() <= LATE {
            self.become_batch();
        }
    }

    const fn become_batch(&mut self) {
        self.policy = Policy::Batch;
        (self.well, self.idle) = (Duration::ZERO, Duration::ZERO);
    }

    fn fail(&mut self) {
        self.policy = Policy::Other;
        self.barred = self.bar;
        self.bar = self.bar.saturating_mul(2).min(BAR_MAX);
    }

    fn go_on(&mut self, turns: Turns, passed: Duration) {
        self.well = self.well.saturating_add(passed);
        if self.well >= BAR_MAX {
            self.bar = BAR;
        }
        self.idle = if turns.ran < passed / IDLE { self.idle.saturating_add(passed) } else { Duration::ZERO };
        if self.idle >= IDLE_FOR {
            self.policy = Policy::Other;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const QUICK: Duration = Duration::from_micros(20);
    const TICK: Duration = Duration::from_millis(4);

    /// Looks again and again, for `time` in all, at a worker that is `busy` percent of it on a core and waits for `wait` before each of its turns.
    fn pass(trial: &mut Trial, time: Duration, busy: u32, wait: Duration) {
        let mut left = time;
        while !left.is_zero() {
            let passed = trial.pause().min(left);
            let number = (passed.as_micros() / wait.as_micros().max(100)) as u32;
            trial.look(Turns { ran: passed * busy / 100, waited: wait * number, number }, passed);
            left -= passed;
        }
    }

    /// How long the policy stays the usual one for a busy worker that need not wait.
    fn barred(trial: &mut Trial) -> Duration {
        let mut time = Duration::ZERO;
        while trial.policy() == Policy::Other {
            pass(trial, LOOK_OTHER, 60, QUICK);
            time += LOOK_OTHER;
        }
        time
    }

    #[test]
    fn only_who_is_busy_comes_under_batch_and_who_rests_leaves_it() {
        let mut trial = Trial::default();
        pass(&mut trial, Duration::from_secs(60), 19, Duration::ZERO);
        assert_eq!(trial.policy(), Policy::Other);
        pass(&mut trial, LOOK_OTHER, 20, Duration::ZERO);
        assert_eq!(trial.policy(), Policy::Batch);
        pass(&mut trial, Duration::from_secs(60), 6, QUICK);
        assert_eq!(trial.policy(), Policy::Batch, "a quiet minute is no reason");
        pass(&mut trial, IDLE_FOR - LOOK_BATCH, 4, QUICK);
        assert_eq!(trial.policy(), Policy::Batch);
        pass(&mut trial, LOOK_BATCH, 4, QUICK);
        assert_eq!(trial.policy(), Policy::Other);
        assert_eq!(barred(&mut trial), LOOK_OTHER, "idleness bars nobody");
    }

    #[test]
    fn who_would_be_busy_with_a_core_to_itself_is_busy() {
        let mut trial = Trial::default();
        // It waits for another fifth of the time.
        pass(&mut trial, LOOK_OTHER, 1, QUICK);
        assert_eq!(trial.policy(), Policy::Batch);
    }

    #[test]
    fn who_waits_too_long_is_the_usual_again_at_the_next_look() {
        let mut trial = Trial::default();
        pass(&mut trial, LOOK_OTHER, 60, QUICK);
        pass(&mut trial, LOOK_BATCH, 10, TICK);
        assert_eq!(trial.policy(), Policy::Other);
        assert_eq!(barred(&mut trial), BAR);
    }

    #[test]
    fn who_waits_too_long_as_it_is_does_not_try() {
        let mut trial = Trial::default();
        pass(&mut trial, Duration::from_secs(60), 60, TICK);
        assert_eq!(trial.policy(), Policy::Other);
    }

    #[test]
    fn each_failure_bars_for_twice_as_long_up_to_a_bound_and_a_good_minute_is_a_new_beginning() {
        let mut trial = Trial::default();
        barred(&mut trial);
        for seconds in [1, 2, 4, 8, 16, 32, 64, 64] {
            pass(&mut trial, LOOK_BATCH, 60, TICK);
            assert_eq!(barred(&mut trial), Duration::from_secs(seconds));
        }
        pass(&mut trial, BAR_MAX, 60, QUICK);
        pass(&mut trial, LOOK_BATCH, 60, TICK);
        assert_eq!(barred(&mut trial), BAR);
    }

    #[test]
    fn beside_a_neighbour_that_never_rests_less_than_a_thousandth_of_the_time_is_spent_on_trials() {
        let mut trial = Trial::default();
        let (mut batch, mut all) = (Duration::ZERO, Duration::ZERO);
        while all < Duration::from_secs(3600) {
            let wait = if trial.policy() == Policy::Batch { TICK } else { QUICK };
            let (passed, policy) = (trial.pause(), trial.policy());
            pass(&mut trial, passed, 60, wait);
            all += passed;
            batch += if policy == Policy::Batch { passed } else { Duration::ZERO };
        }
        assert!(batch * 1000 < all, "{batch:?}");
    }
}

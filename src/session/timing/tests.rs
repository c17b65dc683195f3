//! What is told of a session, and when.

use std::time::Duration;

use super::*;
use crate::guard::Guard;
use crate::session::judge::tests::{house, seat};
use crate::session::timing::beat::BEAT;
use tokio::task::LocalSet;
use tokio::time::advance;

const RULES: &str = "statement_timeout = { mode = 'enforce', limit = '2s' }\n\
                     transaction_timeout = { mode = 'warn', limit = '10s' }\n\
                     idle_transaction_timeout = { mode = 'warn', limit = '4s' }";

/// A session with its rules.
struct Session {
    timing: Timing,
    guard: Guard,
    seat: Seat,
}

impl Session {
    fn begins(&mut self) {
        let Self { timing, guard, seat } = self;
        timing.begins(clock::now(), Held { limits: guard.limits(), who: seat });
    }

    fn opens(&mut self) {
        let Self { timing, guard, seat } = self;
        timing.opens(clock::now(), Held { limits: guard.limits(), who: seat });
    }

    fn ends(&mut self, transaction: Transaction) {
        let Self { timing, guard, seat } = self;
        timing.ends(transaction, clock::now(), Held { limits: guard.limits(), who: seat });
    }

    fn rests(&mut self, transaction: Transaction) {
        let Self { timing, guard, seat } = self;
        let now = clock::now();
        timing.rests(transaction, now, now, Held { limits: guard.limits(), who: seat });
    }

    fn take_due(&self) -> Option<Timed> {
        self.timing.take_due()
    }
}

fn timing(rules: &str) -> Session {
    let beat = Arc::new(Beat::default());
    let beats = Arc::clone(&beat);
    spawn_local(async move { beats.run().await });
    let timing = Timing::new(&Rc::new(Timings::new(beat)));
    let guard = Guard::build(&rules.parse().unwrap()).unwrap();
    let house = house(Guard::build(&rules.parse().unwrap()).unwrap());
    Session { timing, guard, seat: seat(&house) }
}

async fn pass(time: Duration) {
    let mut left = time;
    while !left.is_zero() {
        let step = left.min(BEAT);
        advance(step).await;
        tokio::task::yield_now().await;
        left -= step;
    }
}

fn run(test: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    runtime.block_on(LocalSet::new().run_until(test));
}

#[test]
fn a_statement_that_runs_too_long_is_told_once() {
    run(async {
        let mut timing = timing(RULES);
        timing.begins();
        pass(Duration::from_millis(1_900)).await;
        assert_eq!(timing.take_due(), None);
        pass(Duration::from_millis(300)).await;
        assert_eq!(timing.take_due(), Some(Timed::Statement));
        pass(Duration::from_secs(5)).await;
        assert_eq!(timing.take_due(), None);
        timing.rests(Transaction::None);
        pass(Duration::from_secs(1)).await;
        assert!(timing.timing.worker.listed.borrow().is_empty(), "nobody is looked at where nothing goes on");
        timing.begins();
        timing.rests(Transaction::None);
        pass(Duration::from_secs(1)).await;
        timing.rests(Transaction::None);
        assert!(timing.timing.times.is_none(), "and an idle session keeps no times");
    });
}

#[test]
fn a_statement_that_ended_in_time_is_not_late() {
    run(async {
        let mut timing = timing(RULES);
        for _ in 0..5 {
            timing.begins();
            pass(Duration::from_millis(1_500)).await;
            timing.rests(Transaction::None);
        }
        assert_eq!(timing.take_due(), None);
    });
}

#[test]
fn a_transaction_is_late_as_a_whole_and_when_idle() {
    run(async {
        let mut timing = timing(RULES);
        timing.begins();
        timing.rests(Transaction::Open);
        pass(Duration::from_millis(4_200)).await;
        assert_eq!(timing.take_due(), Some(Timed::IdleTransaction));
        timing.begins();
        pass(Duration::from_secs(1)).await;
        timing.rests(Transaction::Failed);
        pass(Duration::from_millis(3_500)).await;
        assert_eq!(timing.take_due(), None, "idle counts anew after a statement");
        pass(Duration::from_secs(2)).await;
        assert_eq!(timing.take_due(), Some(Timed::IdleTransaction));
        pass(BEAT).await;
        assert_eq!(timing.take_due(), Some(Timed::Transaction), "one after the other");
        timing.begins();
        timing.rests(Transaction::None);
        pass(Duration::from_secs(20)).await;
        assert_eq!(timing.take_due(), None);
    });
}

#[test]
fn a_transaction_is_as_old_as_its_begin() {
    run(async {
        let mut timing = timing(RULES);
        timing.begins();
        timing.opens();
        pass(Duration::from_millis(2_200)).await;
        assert_eq!(timing.take_due(), Some(Timed::Statement));
        pass(Duration::from_millis(6_000)).await;
        // The server owes more: only some of what was sent is done.
        timing.ends(Transaction::Open);
        timing.begins();
        timing.opens();
        pass(Duration::from_millis(1_900)).await;
        assert_eq!(timing.take_due(), Some(Timed::Transaction), "neither the boundary nor a second BEGIN begins anew");
        timing.ends(Transaction::None);
        timing.rests(Transaction::Open);
        pass(Duration::from_millis(9_800)).await;
        assert_eq!(timing.take_due(), Some(Timed::IdleTransaction));
        pass(Duration::from_millis(400)).await;
        assert_eq!(timing.take_due(), Some(Timed::Transaction), "the next one counts for itself");
    });
}

#[test]
fn without_limits_nobody_is_looked_at() {
    run(async {
        let mut timing = timing("mode = 'off'");
        timing.begins();
        timing.rests(Transaction::Open);
        assert!(timing.timing.worker.listed.borrow().is_empty());
        assert_eq!(timing.timing.worker.looking.get(), Looking::No);
    });
}

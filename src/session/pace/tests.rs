//! Who goes first, and how much of the time.

use super::share::{FEW, LEAST, MOST, PAUSE_MAX};
use super::*;
use futures::future::join_all;
use tokio::sync::Semaphore;
use tokio::task::LocalSet;

/// How long a newcomer may wait by default, and the patience that it makes.
const WAIT_MAX: Duration = Duration::from_secs(5);
const PATIENCE: Duration = Duration::from_millis(3_750);
/// What a step takes.
const STEP: Duration = Duration::from_micros(20);

/// Runs on one thread with a clock that stands.
fn run(test: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    runtime.block_on(LocalSet::new().run_until(test));
}

/// A login of so many steps that is always ready for the next one, and notes each.
async fn steps(count: usize, done: Rc<Cell<usize>>) {
    for _ in 0..count {
        done.update(|done| done + 1);
        let mut first = true;
        poll_fn(|cx| {
            cx.waker().wake_by_ref();
            if std::mem::take(&mut first) { Poll::Pending } else { Poll::Ready(()) }
        })
        .await;
    }
}

/// The same, and each step takes so long.
async fn work(pace: Rc<Pace>, count: usize, step: Duration) {
    for _ in 0..count {
        pace.share.charge(clock::now(), step, pace.crowd());
        steps(1, Rc::default()).await;
    }
}

/// So many logins at once; how long until all are through.
async fn crowd(pace: &Rc<Pace>, count: usize, step: Duration) -> Duration {
    patient_crowd(pace, WAIT_MAX, count, step).await
}

/// The same where they may wait for so long.
async fn patient_crowd(pace: &Rc<Pace>, wait_max: Duration, count: usize, step: Duration) -> Duration {
    let began = clock::now();
    let logins = (0..count).map(|_| spawn_local(pace.login(wait_max, Box::pin(work(Rc::clone(pace), 5, step)))));
    let logins: Vec<_> = logins.collect();
    assert!(join_all(logins).await.iter().all(Result::is_ok));
    clock::now() - began
}

#[test]
fn whoever_is_there_gets_its_turn_between_a_few_steps_of_logins() {
    run(async {
        let (pace, done) = (Rc::new(Pace::default()), Rc::new(Cell::new(0)));
        let logins: Vec<_> =
            (0..200).map(|_| spawn_local(pace.login(WAIT_MAX, Box::pin(steps(5, Rc::clone(&done)))))).collect();
        let mut most = 0;
        while logins.iter().any(|login| !login.is_finished()) {
            let before = done.get();
            yield_now().await;
            most = most.max(done.get() - before);
        }
        assert_eq!(done.get(), 1_000, "everybody gets in");
        assert!(most <= 2 * STEPS, "{most} steps at once");
        yield_now().await;
        assert_eq!(pace.waiting(), 0);
    });
}

#[test]
fn nobody_is_taken_in_while_many_wait() {
    run(async {
        let (pace, done) = (Rc::new(Pace::default()), Rc::new(Cell::new(0)));
        pace.room().await;
        for _ in 0..2 * ROOM {
            spawn_local(pace.login(WAIT_MAX, Box::pin(steps(1, Rc::clone(&done)))));
        }
        yield_now().await;
        assert!(futures::poll!(std::pin::pin!(pace.room())).is_pending());
        pace.room().await;
        assert!(done.get() >= ROOM - STEPS, "it is told when there is room");
    });
}

#[test]
fn a_login_alone_does_not_wait() {
    run(async {
        let (pace, done) = (Rc::new(Pace::default()), Rc::new(Cell::new(0)));
        pace.login(WAIT_MAX, Box::pin(steps(1, Rc::clone(&done)))).await;
        assert_eq!(done.get(), 1);
        for _ in 0..1_000 {
            assert_eq!(crowd(&pace, 1, STEP).await, Duration::ZERO);
            sleep(5 * STEP * 1_000 / LEAST + Duration::from_millis(1)).await;
        }
    });
}

#[test]
fn a_crowd_takes_its_share_of_the_time_and_no_more() {
    run(async {
        let pace = Rc::new(Pace::default());
        let took = crowd(&pace, 200, STEP).await;
        let alone = 1_000 * STEP;
        let parts = took.as_secs_f64() / alone.as_secs_f64();
        let most = 1_000.0 / f64::from(LEAST);
        assert!((most * 0.7..most * 1.1).contains(&parts), "one of {parts}");
        sleep(Duration::from_secs(1)).await;
        assert_eq!(crowd(&pace, 1, STEP).await, Duration::ZERO, "it leaves nothing behind");
    });
}

#[test]
fn a_thread_for_many_workers_gives_its_crowd_more_of_the_time() {
    run(async {
        for (workers, share) in [(1, LEAST), (2, LEAST), (4, 2 * LEAST), (7, 4 * LEAST)] {
            let pace = Rc::new(Pace::default().for_half_of(workers));
            let parts = crowd(&pace, 200, STEP).await.as_secs_f64() / (1_000 * STEP).as_secs_f64();
            let most = 1_000.0 / f64::from(share);
            assert!((most * 0.6..most * 1.1).contains(&parts), "{workers} workers: one of {parts}");
        }
        let half = Pace::default().for_half_of(1_000).share;
        let crowd = Crowd { logins: 2 * FEW, patience: PATIENCE };
        half.charge(clock::now(), Duration::from_millis(12), crowd);
        assert_eq!(half.pause(clock::now(), crowd), Duration::from_millis(20), "never more than half of it");
    });
}

#[test]
fn the_first_few_logins_are_no_crowd() {
    run(async {
        let pace = Rc::new(Pace::default());
        let mut under_way = Vec::new();
        for _ in 0..=ALONE {
            assert!(!pace.is_crowded(), "{} logins", under_way.len());
            under_way.push(pace.login(WAIT_MAX, Box::pin(std::future::pending::<()>())));
        }
        assert!(pace.is_crowded());
        under_way.pop();
        assert!(!pace.is_crowded(), "they are counted for as long as they are under way");
    });
}

#[test]
fn a_crowd_that_is_not_through_in_time_gets_more() {
    run(async {
        let pace = Rc::new(Pace::default());
        // Six seconds of work: with a fortieth of the time it would take four minutes.
        let step = Duration::from_millis(1);
        let took = crowd(&pace, 1_200, step).await;
        assert!((PATIENCE..PATIENCE + 1_200 * 5 * step * 1_000 / MOST).contains(&took), "{took:?}");
    });
}

#[test]
fn a_crowd_that_may_wait_longer_is_taken_in_at_more_leisure_and_in_time() {
    run(async {
        // Half a second of work.
        let logins = |wait_max| async move { patient_crowd(&Rc::default(), wait_max, 5_000, STEP).await };
        let hurried = logins(WAIT_MAX).await;
        assert!(hurried < WAIT_MAX, "{hurried:?}");
        let patient = logins(4 * WAIT_MAX).await;
        assert!((2 * hurried..PATIENCE_MAX).contains(&patient), "{patient:?} beside {hurried:?}");
        let impatient = logins(Duration::ZERO).await;
        assert!(impatient < Duration::from_millis(1_200), "half of the time from the beginning: {impatient:?}");
    });
}

#[test]
fn a_crowd_that_comes_much_later_waits_as_the_first_one_did() {
    run(async {
        let pace = Rc::new(Pace::default());
        let logins = async || crowd(&pace, 5_000, STEP).await;
        let first = logins().await;
        pace.share.charge(clock::now(), Duration::from_millis(5), pace.crowd());
        sleep(Duration::from_secs(3_600)).await;
        let later = logins().await;
        assert!((first * 95 / 100..first * 105 / 100).contains(&later), "{later:?} behind {first:?}");
    });
}

/// So many logins that each need one of a few places that all workers share; how long until all are through.
async fn crowd_with_places(pace: Rc<Pace>, places: Rc<Semaphore>, count: usize, step: Duration) -> Duration {
    let began = clock::now();
    let login = || {
        let (places, pace) = (Rc::clone(&places), Rc::clone(&pace));
        Box::pin(async move {
            let _place = places.acquire().await.unwrap();
            work(pace, 5, step).await;
        })
    };
    let logins: Vec<_> = (0..count).map(|_| spawn_local(pace.login(WAIT_MAX, login()))).collect();
    assert!(join_all(logins).await.iter().all(Result::is_ok));
    clock::now() - began
}

#[test]
fn who_waits_for_places_that_another_worker_holds_does_not_begin_anew() {
    run(async {
        let (waits, places) = (Arc::default(), Rc::new(Semaphore::new(10)));
        let worker = |count, step| {
            let pace = Rc::new(Pace::beside(Arc::clone(&waits)));
            spawn_local(crowd_with_places(pace, Rc::clone(&places), count, step))
        };
        // Half a second of work for each; the steps of one take three times as long, so it holds nearly all places most of the time.
        let workers = join_all([worker(1_667, 3 * STEP), worker(5_000, STEP)]).await;
        let took: Vec<_> = workers.into_iter().map(Result::unwrap).collect();
        assert!(took.iter().all(|took| *took < WAIT_MAX), "{took:?}");
    });
}

#[test]
fn a_crowd_that_leaves_does_so_by_and_by_and_is_soon_gone() {
    run(async {
        let pace = Rc::new(Pace::default());
        let began = clock::now();
        let leave = || pace.parting(Box::pin(work(Rc::clone(&pace), 1, 2 * STEP)));
        let partings: Vec<_> = (0..5_000).map(|_| spawn_local(leave())).collect();
        assert!(join_all(partings).await.iter().all(Result::is_ok));
        let (took, alone) = (clock::now() - began, 5_000 * 2 * STEP);
        assert!((3 * alone..2 * PARTING).contains(&took), "{took:?}");
        assert_eq!(pace.waiting(), 0);
    });
}

#[test]
fn a_few_that_leave_are_gone_at_once() {
    run(async {
        let pace = Rc::new(Pace::default());
        let began = clock::now();
        let leave = || pace.parting(Box::pin(work(Rc::clone(&pace), 1, 2 * STEP)));
        let partings: Vec<_> = (0..FEW).map(|_| spawn_local(leave())).collect();
        assert!(join_all(partings).await.iter().all(Result::is_ok));
        assert_eq!(clock::now() - began, Duration::ZERO);
    });
}

/// How long a login takes at the most, of those that come every ten milliseconds for so long, each with so much work.
async fn steady(pace: &Rc<Pace>, seconds: u64, each: Duration) -> Duration {
    let (slowest, began) = (Rc::new(Cell::new(Duration::ZERO)), clock::now());
    while clock::now() - began < Duration::from_secs(seconds) {
        let (slowest, came) = (Rc::clone(&slowest), clock::now());
        let login = pace.login(WAIT_MAX, Box::pin(work(Rc::clone(pace), 5, each / 5)));
        spawn_local(async move {
            login.await;
            slowest.set(slowest.get().max(clock::now() - came));
        });
        sleep(Duration::from_millis(10)).await;
    }
    slowest.get()
}

#[test]
fn logins_that_come_all_day_do_not_wait() {
    run(async {
        for percent in [5, 20, 45] {
            let pace = Rc::new(Pace::default());
            let each = Duration::from_millis(10) * percent / 100;
            assert!(steady(&pace, 10, each).await < Duration::from_millis(20), "{percent} percent of the time");
        }
    });
}

#[test]
fn behind_a_crowd_they_soon_have_the_part_that_they_need() {
    run(async {
        let pace = Rc::new(Pace::default());
        let login = || pace.login(WAIT_MAX, Box::pin(work(Rc::clone(&pace), 100, STEP)));
        let others: Vec<_> = (0..50 * FEW).map(|_| spawn_local(login())).collect();
        let each = Duration::from_millis(1);
        assert!(steady(&pace, 20, each).await < 2 * PATIENCE);
        assert!(others.iter().all(tokio::task::JoinHandle::is_finished));
        assert!(steady(&pace, 10, each).await < Duration::from_millis(20));
    });
}

#[test]
fn one_long_step_does_not_stop_the_others() {
    run(async {
        let pace = Rc::new(Pace::default());
        pace.share.charge(clock::now(), Duration::from_secs(1), pace.crowd());
        assert!(crowd(&pace, 1, STEP).await <= 10 * (PAUSE_MAX + Duration::from_millis(1)));
    });
}

#[test]
fn who_has_just_come_is_looked_at_before_the_others_are_through() {
    run(async {
        let pace = Rc::new(Pace::default());
        let logins = pace.login(WAIT_MAX, Box::pin(work(Rc::clone(&pace), 2_000, STEP)));
        let others: Vec<_> =
            (0..50).map(|_| spawn_local(pace.login(WAIT_MAX, Box::pin(work(Rc::clone(&pace), 2_000, STEP))))).collect();
        spawn_local(logins);
        sleep(Duration::from_millis(500)).await;
        let done = Rc::new(Cell::new(0));
        let newcomer = spawn_local(pace.login(WAIT_MAX, Box::pin(steps(1, Rc::clone(&done)))));
        sleep(2 * PAUSE_MAX).await;
        assert_eq!(done.get(), 1);
        assert!(others.iter().all(|login| !login.is_finished()));
        others.iter().for_each(tokio::task::JoinHandle::abort);
        newcomer.await.unwrap();
    });
}

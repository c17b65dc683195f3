//! Newcomers come after those who are there: logins take turns, and only so much of their worker's time.
//!
//! A login is a dozen steps of some ten microseconds each, and costs client, system and server as much again. When thousands dial at
//! once, all of them are ready all the time, and a worker that took them as they come would serve its sessions only in between. So a
//! login goes on when its turn has come: a few steps, then whoever else is ready; and of the time that passes, all steps together
//! take a small share, which grows the longer they have to wait. Where few log in, nobody would be the better for their waiting.
//!
//! Who has just been accepted goes before those who are logging in, mostly: until its first packet is read nobody knows whether it
//! comes to cancel something.
//!
//! Those who leave take turns among themselves in the same way, since thousands do so at once as well: when a service goes down, or is
//! deployed anew. They are through sooner, since others may wait for their places.

mod line;
mod share;

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::num::NonZeroU64;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use tokio::task::{spawn_local, yield_now};
use tokio::time::sleep;

use self::line::Line;
use self::share::{Crowd, PATIENCE_MAX, Share};
use crate::clock;

/// Steps of logins before whoever else is ready gets its turn, and how many of them are kept for those who came in earlier.
const STEPS: usize = 3;
const STEPS_OF_LOGINS: usize = 1;
/// The first steps of a login: it is prepared, and its first packet is read.
const OPENING: u32 = 2;
/// Newcomers that may wait for their first turn before nobody else is taken in.
const ROOM: usize = 16;

/// How long those who leave may wait before they get all the time that they may take.
const PARTING: Duration = Duration::from_secs(1);

/// The turns of one worker's logins, or of its sessions that end.
#[derive(Debug)]
pub struct Pace {
    /// Steps that may be made at once.
    left: Cell<usize>,
    share: Share,
    openings: Line,
    logins: Line,
    turning: Cell<Turning>,
    /// Logins under way.
    under_way: Cell<usize>,
    /// How long they may wait.
    patience: Cell<Duration>,
    /// Who takes newcomers in, where it waits for room.
    door: RefCell<Option<Waker>>,
}

/// Whether somebody gives out turns: only while steps are made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Turning {
    No,
    Yes,
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            left: Cell::new(STEPS),
            share: Share::default(),
            openings: Line::default(),
            logins: Line::default(),
            turning: Cell::new(Turning::No),
            under_way: Cell::new(0),
            patience: Cell::new(PATIENCE_MAX),
            door: RefCell::default(),
        }
    }
}

impl Pace {
    /// Lets a login go on only when its turn has come. Whoever is refused after a wait of `wait_max` is to have had all the time by then that
    /// logins may take.
    pub fn login<F: Future + Unpin>(self: &Rc<Self>, wait_max: Duration, login: F) -> Paced<F> {
        self.patience.set((wait_max * 3 / 4).min(PATIENCE_MAX));
        self.begin(login)
    }

    /// Lets the end of a session go on only when its turn has come.
    pub fn parting<F: Future + Unpin>(self: &Rc<Self>, parting: F) -> Paced<F> {
        self.patience.set(PARTING);
        self.begin(parting)
    }

    fn begin<F: Future + Unpin>(self: &Rc<Self>, login: F) -> Paced<F> {
        self.under_way.update(|logins| logins.saturating_add(1));
        Paced { pace: Rc::clone(self), turn: None, steps: 0, login }
    }

    /// Waits until few newcomers wait for their turn. One caller at a time; cancel-safe.
    pub async fn room(&self) {
        poll_fn(|cx| {
            if self.openings.waiting() < ROOM {
                return Poll::Ready(());
            }
            *self.door.borrow_mut() = Some(cx.waker().clone());
            Poll::Pending
        })
        .await;
    }

    /// Has the turn come? A new one is asked for where there was none.
    fn come(self: &Rc<Self>, line: &Line, turn: &mut Option<NonZeroU64>, cx: &Context<'_>) -> bool {
        if self.turning.replace(Turning::Yes) == Turning::No {
            spawn_local(Rc::clone(self).turns());
        }
        match turn {
            // The waker of a task stays the same, so it is known already.
            Some(number) if !line.has_come(*number) => return false,
            Some(_) => *turn = None,
            None if self.left.get() > 0 && self.pause().is_zero() => {
                self.left.update(|left| left.saturating_sub(1));
            }
            None => {
                *turn = line.ask(cx.waker());
                return false;
            }
        }
        true
    }

    /// Gives out turns for as long as anybody asks for them.
    async fn turns(self: Rc<Self>) {
        loop {
            // The others who are ready go first.
            yield_now().await;
            let pause = self.pause();
            if !pause.is_zero() && self.waiting() > 0 {
                sleep(pause).await;
            }
            let kept = self.logins.waiting().min(STEPS_OF_LOGINS);
            let opened = self.openings.turn(STEPS.saturating_sub(kept));
            let given = opened.saturating_add(self.logins.turn(STEPS.saturating_sub(opened)));
            self.left.set(STEPS.saturating_sub(given));
            if given == 0 {
                self.openings.shrink();
                self.logins.shrink();
                self.turning.set(Turning::No);
                return;
            }
            self.open();
        }
    }

    /// How long the next step has to wait.
    fn pause(&self) -> Duration {
        self.share.pause(clock::now(), self.crowd())
    }

    fn crowd(&self) -> Crowd {
        Crowd { logins: self.under_way.get(), patience: self.patience.get() }
    }

    /// Who waits for a turn.
    fn waiting(&self) -> usize {
        self.openings.waiting().saturating_add(self.logins.waiting())
    }

    fn open(&self) {
        if self.openings.waiting() < ROOM
            && let Some(door) = self.door.take()
        {
            door.wake();
        }
    }
}

/// A login that takes turns with others, see [`Pace::login`].
#[derive(Debug)]
pub struct Paced<F> {
    pace: Rc<Pace>,
    /// The turn that it waits for.
    turn: Option<NonZeroU64>,
    /// Steps that it has made.
    steps: u32,
    login: F,
}

impl<F: Future + Unpin> Future for Paced<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let Self { pace, turn, steps, login } = &mut *self;
        let line = if *steps < OPENING { &pace.openings } else { &pace.logins };
        if !pace.come(line, turn, cx) {
            return Poll::Pending;
        }
        *steps = steps.saturating_add(1);
        let began = clock::now();
        let polled = Pin::new(login).poll(cx);
        let now = clock::now();
        pace.share.charge(now, now.saturating_duration_since(began), pace.crowd());
        polled
    }
}

impl<F> Drop for Paced<F> {
    fn drop(&mut self) {
        self.pace.under_way.update(|logins| logins.saturating_sub(1));
    }
}

#[cfg(test)]
mod tests {
    use super::share::{FEW, LEAST, MOST, PAUSE_MAX};
    use super::*;
    use futures::future::join_all;
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
            let others: Vec<_> = (0..50)
                .map(|_| spawn_local(pace.login(WAIT_MAX, Box::pin(work(Rc::clone(&pace), 2_000, STEP)))))
                .collect();
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
}

//! Newcomers come after those who are there: logins take turns, and only so much of their worker's time.
//!
//! A login is a dozen steps of some ten microseconds each. When thousands dial at once, all of them are ready all the time, and a worker
//! that took them as they come would serve its sessions only in between. So a login goes on when its turn has come: a few steps, then
//! whoever else is ready; and after a millisecond of such steps, a pause.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::future::poll_fn;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use tokio::task::{spawn_local, yield_now};
use tokio::time::sleep;

use crate::clock;

/// Steps of logins before whoever else is ready gets its turn.
const STEPS: usize = 4;
/// Time that logins may take before they pause.
const SHARE: Duration = Duration::from_millis(1);
/// How long they pause.
const PAUSE: Duration = Duration::from_millis(1);
/// Logins that may wait for their turn before nobody else is taken in.
const ROOM: usize = 16;

/// The turns of one worker's logins.
#[derive(Debug)]
pub struct Pace {
    /// Steps that may be made at once.
    left: Cell<usize>,
    spent: Cell<Duration>,
    waiting: RefCell<VecDeque<Waker>>,
    /// Turns that were ever asked for, and those that have come.
    asked: Cell<u64>,
    come: Cell<u64>,
    turning: Cell<Turning>,
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
            spent: Cell::default(),
            waiting: RefCell::default(),
            asked: Cell::default(),
            come: Cell::default(),
            turning: Cell::new(Turning::No),
            door: RefCell::default(),
        }
    }
}

impl Pace {
    /// Lets a login go on only when its turn has come.
    pub fn login<F: Future + Unpin>(self: &Rc<Self>, login: F) -> Paced<F> {
        Paced { pace: Rc::clone(self), turn: None, login }
    }

    /// Waits until few logins wait for their turn. One caller at a time; cancel-safe.
    pub async fn room(&self) {
        poll_fn(|cx| {
            if self.waiting.borrow().len() < ROOM {
                return Poll::Ready(());
            }
            *self.door.borrow_mut() = Some(cx.waker().clone());
            Poll::Pending
        })
        .await;
    }

    /// Has the turn come? A new one is asked for where there was none.
    fn come(self: &Rc<Self>, turn: &mut Option<u64>, cx: &Context<'_>) -> bool {
        if self.turning.replace(Turning::Yes) == Turning::No {
            spawn_local(Rc::clone(self).turns());
        }
        match turn {
            // The waker of a task stays the same, so it is known already.
            Some(number) if *number > self.come.get() => return false,
            Some(_) => *turn = None,
            None if self.left.get() > 0 => self.left.update(|left| left.saturating_sub(1)),
            None => {
                self.asked.update(|asked| asked.wrapping_add(1));
                *turn = Some(self.asked.get());
                self.waiting.borrow_mut().push_back(cx.waker().clone());
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
            if self.spent.get() >= SHARE {
                self.spent.set(Duration::ZERO);
                sleep(PAUSE).await;
            }
            let next: Vec<Waker> = {
                let mut waiting = self.waiting.borrow_mut();
                let count = waiting.len().min(STEPS);
                waiting.drain(..count).collect()
            };
            self.left.set(STEPS.saturating_sub(next.len()));
            self.come.update(|come| come.wrapping_add(next.len() as u64));
            if next.is_empty() {
                // A crowd must not leave its memory behind.
                self.waiting.take();
                self.spent.set(Duration::ZERO);
                self.turning.set(Turning::No);
                return;
            }
            next.into_iter().for_each(Waker::wake);
            self.open();
        }
    }

    fn open(&self) {
        if self.waiting.borrow().len() < ROOM
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
    turn: Option<u64>,
    login: F,
}

impl<F: Future + Unpin> Future for Paced<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let Self { pace, turn, login } = &mut *self;
        if !pace.come(turn, cx) {
            return Poll::Pending;
        }
        let began = clock::now();
        let polled = Pin::new(login).poll(cx);
        pace.spent.update(|spent| spent.saturating_add(clock::now().saturating_duration_since(began)));
        polled
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::task::LocalSet;

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

    #[test]
    fn whoever_is_there_gets_its_turn_between_a_few_steps_of_logins() {
        run(async {
            let (pace, done) = (Rc::new(Pace::default()), Rc::new(Cell::new(0)));
            let logins: Vec<_> =
                (0..200).map(|_| spawn_local(pace.login(Box::pin(steps(5, Rc::clone(&done)))))).collect();
            let mut most = 0;
            while logins.iter().any(|login| !login.is_finished()) {
                let before = done.get();
                yield_now().await;
                most = most.max(done.get() - before);
            }
            assert_eq!(done.get(), 1_000, "everybody gets in");
            assert!(most <= 2 * STEPS, "{most} steps at once");
            yield_now().await;
            assert!(pace.waiting.borrow().is_empty());
        });
    }

    #[test]
    fn nobody_is_taken_in_while_many_wait() {
        run(async {
            let (pace, done) = (Rc::new(Pace::default()), Rc::new(Cell::new(0)));
            pace.room().await;
            for _ in 0..2 * ROOM {
                spawn_local(pace.login(Box::pin(steps(1, Rc::clone(&done)))));
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
            pace.login(Box::pin(steps(1, Rc::clone(&done)))).await;
            assert_eq!(done.get(), 1);
        });
    }
}

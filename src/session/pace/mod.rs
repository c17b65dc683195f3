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
//! Of many who come at once a worker sees to the first few. The others are received by a thread of their own (`welcome::anteroom`), whose
//! logins take turns in the same way, and take one more when they come back.
//!
//! Those who leave take turns among themselves in the same way, since thousands do so at once as well: when a service goes down, or is
//! deployed anew. They are through sooner, since others may wait for their places.

mod line;
mod paced;
mod share;
mod waits;

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::num::NonZeroU64;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use tokio::task::{spawn_local, yield_now};
use tokio::time::sleep;

use self::line::Line;
pub use self::paced::Paced;
use self::share::{Crowd, PATIENCE_MAX, Share};
pub use self::waits::Waits;
use crate::clock;

/// Steps of logins before whoever else is ready gets its turn, and how many of them are kept for those who came in earlier.
const STEPS: usize = 3;
const STEPS_OF_LOGINS: usize = 1;
/// Newcomers that may wait for their first turn before nobody else is taken in.
const ROOM: usize = 16;

/// Logins under way that do best where they are: another thread would have to be woken for each.
const ALONE: usize = 4;

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
    /// The turns of a worker whose logins share what bounds them with those of other workers, who have the same `waits`.
    pub fn beside(waits: Arc<Waits>) -> Self {
        Self { share: Share::of(waits), ..Self::default() }
    }

    /// The same for a thread that does half the work of the logins of so many workers.
    #[must_use]
    pub fn for_half_of(self, workers: usize) -> Self {
        Self { share: self.share.for_half_of(workers), ..self }
    }

    /// Are so many logins under way that another thread had better see to the next ones?
    pub fn is_crowded(&self) -> bool {
        self.under_way.get() > ALONE
    }

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
        Paced::new(Rc::clone(self), login)
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

#[cfg(test)]
mod tests;

//! Who waits for a server of one worker's part of a pool: first come, first served.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use super::Unserved;
use crate::clock::Instant;

/// Entries of those who have left that are not worth a walk.
const GONE_MAX: usize = 64;

/// One client's place to wait at, used again and again.
#[derive(Debug)]
pub(super) struct Waiter<S> {
    state: RefCell<State<S>>,
}

#[derive(Debug)]
enum State<S> {
    Out,
    Queued { ticket: u64, waker: Option<Waker> },
    Served(Result<Box<S>, Unserved>),
}

impl<S> Default for Waiter<S> {
    fn default() -> Self {
        Self { state: RefCell::new(State::Out) }
    }
}

impl<S> Waiter<S> {
    /// What was served; pending while it is in a queue, and where it is in none.
    pub(super) fn poll(&self, cx: &mut Context<'_>) -> Poll<Result<Box<S>, Unserved>> {
        let mut state = self.state.borrow_mut();
        match &mut *state {
            State::Served(_) => {
                let State::Served(served) = std::mem::replace(&mut *state, State::Out) else { return Poll::Pending };
                Poll::Ready(served)
            }
            State::Queued { waker, .. } => {
                if !waker.as_ref().is_some_and(|waker| waker.will_wake(cx.waker())) {
                    *waker = Some(cx.waker().clone());
                }
                Poll::Pending
            }
            State::Out => Poll::Pending,
        }
    }

    pub(super) fn is_out(&self) -> bool {
        matches!(*self.state.borrow(), State::Out)
    }

    fn holds(&self, number: u64) -> bool {
        matches!(*self.state.borrow(), State::Queued { ticket, .. } if ticket == number)
    }

    fn serve(&self, what: Result<Box<S>, Unserved>) {
        let before = std::mem::replace(&mut *self.state.borrow_mut(), State::Served(what));
        if let State::Queued { waker: Some(waker), .. } = before {
            waker.wake();
        }
    }
}

/// A queue. Who leaves it is passed over later.
#[derive(Debug)]
pub(super) struct Queue<S> {
    line: VecDeque<Entry<S>>,
    waiting: usize,
    next: u64,
}

#[derive(Debug)]
struct Entry<S> {
    waiter: Rc<Waiter<S>>,
    ticket: u64,
    since: Instant,
}

impl<S> Default for Queue<S> {
    fn default() -> Self {
        Self { line: VecDeque::new(), waiting: 0, next: 0 }
    }
}

impl<S> Queue<S> {
    /// How many wait.
    pub(super) const fn waiting(&self) -> usize {
        self.waiting
    }

    /// Since when the oldest waits.
    pub(super) fn oldest(&mut self) -> Option<Instant> {
        while self.line.front().is_some_and(|entry| !entry.waiter.holds(entry.ticket)) {
            self.line.pop_front();
        }
        self.line.front().map(|entry| entry.since)
    }

    pub(super) fn join(&mut self, waiter: &Rc<Waiter<S>>, now: Instant) {
        self.next = self.next.wrapping_add(1);
        *waiter.state.borrow_mut() = State::Queued { ticket: self.next, waker: None };
        self.line.push_back(Entry { waiter: Rc::clone(waiter), ticket: self.next, since: now });
        self.waiting = self.waiting.saturating_add(1);
    }

    /// Leaves the queue. What was served already is handed back.
    pub(super) fn leave(&mut self, waiter: &Waiter<S>) -> Option<Box<S>> {
        match std::mem::replace(&mut *waiter.state.borrow_mut(), State::Out) {
            State::Out => None,
            State::Served(served) => served.ok(),
            State::Queued { .. } => {
                self.waiting = self.waiting.saturating_sub(1);
                if self.line.len() > self.waiting.saturating_mul(2).saturating_add(GONE_MAX) {
                    self.line.retain(|entry| entry.waiter.holds(entry.ticket));
                }
                None
            }
        }
    }

    /// Serves the oldest; hands the server back where nobody waits.
    pub(super) fn serve(&mut self, server: Box<S>) -> Option<Box<S>> {
        match self.next() {
            Some(waiter) => {
                waiter.serve(Ok(server));
                None
            }
            None => Some(server),
        }
    }

    /// Tells everybody who came before `until` why they get none.
    pub(super) fn refuse(&mut self, until: Instant, why: impl Fn(Instant) -> Unserved) {
        while let Some(since) = self.oldest().filter(|since| *since <= until) {
            if let Some(waiter) = self.next() {
                waiter.serve(Err(why(since)));
            }
        }
    }

    fn next(&mut self) -> Option<Rc<Waiter<S>>> {
        self.oldest()?;
        let entry = self.line.pop_front()?;
        self.waiting = self.waiting.saturating_sub(1);
        Some(entry.waiter)
    }
}

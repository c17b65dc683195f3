//! A login that goes on when its turn has come.

use std::num::NonZeroU64;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use super::Pace;
use crate::clock;

/// The first steps of a login: it is prepared, and its first packet is read.
const OPENING: u32 = 2;

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

impl<F> Paced<F> {
    /// One that counts as under way at `pace` already, until it is dropped.
    pub(super) const fn new(pace: Rc<Pace>, login: F) -> Self {
        Self { pace, turn: None, steps: 0, login }
    }
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

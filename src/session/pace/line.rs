//! Who waits for a turn, first come, first served.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::num::NonZeroU64;
use std::task::Waker;

/// One line of logins.
#[derive(Debug, Default)]
pub(super) struct Line {
    waiting: RefCell<VecDeque<Waker>>,
    /// Turns that were ever asked for, and those that have come.
    asked: Cell<u64>,
    come: Cell<u64>,
}

impl Line {
    /// The number of a turn that `waker` waits for from now on.
    pub(super) fn ask(&self, waker: &Waker) -> Option<NonZeroU64> {
        self.asked.update(|asked| asked.wrapping_add(1));
        self.waiting.borrow_mut().push_back(waker.clone());
        NonZeroU64::new(self.asked.get())
    }

    /// Has that turn come?
    pub(super) fn has_come(&self, number: NonZeroU64) -> bool {
        number.get() <= self.come.get()
    }

    /// How many wait.
    pub(super) fn waiting(&self) -> usize {
        self.waiting.borrow().len()
    }

    /// The turns of the first ones come; how many they are.
    pub(super) fn turn(&self, most: usize) -> usize {
        let next: Vec<Waker> = {
            let mut waiting = self.waiting.borrow_mut();
            let count = waiting.len().min(most);
            waiting.drain(..count).collect()
        };
        self.come.update(|come| come.wrapping_add(next.len() as u64));
        let count = next.len();
        next.into_iter().for_each(Waker::wake);
        count
    }

    /// A crowd must not leave its memory behind.
    pub(super) fn shrink(&self) {
        self.waiting.take();
    }
}

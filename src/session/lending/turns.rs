//! Servers that are made for newcomers come one after the other: each costs the server a process, and whoever is at work a part of the
//! same processors. A pool that grows for clients who are in already does not wait here.

use std::pin::pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::timeout;

use crate::clock;

/// How long a newcomer waits for the others: where logins at the server take long, they are made side by side.
const PATIENCE: Duration = Duration::from_millis(500);
/// How long it waits at the most where the others come and go.
const PATIENCE_MAX: Duration = Duration::from_secs(2);
/// A turn that is longer tells that the server, or the way to it, is slow, and not that a crowd keeps the processors busy.
const STRIDE: Duration = Duration::from_millis(50);

/// The turns of a listener's newcomers.
#[derive(Debug)]
pub struct Turns {
    one: Semaphore,
    /// When the last turn ended, in milliseconds of `clock::uptime_ms`.
    ended_ms: AtomicU64,
}

/// A newcomer's turn, for as long as its server is being made.
#[derive(Debug)]
#[must_use = "dropping it ends the turn"]
pub struct Turn<'a> {
    permit: Option<SemaphorePermit<'a>>,
    of: &'a Turns,
}

impl Default for Turns {
    fn default() -> Self {
        Self { one: Semaphore::new(1), ended_ms: AtomicU64::new(0) }
    }
}

impl Turns {
    /// The next turn, first come, first served. Without one if need be: after half a second, or where one short turn follows the other,
    /// after two. Cancel-safe.
    pub async fn take(&self) -> Turn<'_> {
        let mut next = pin!(self.one.acquire());
        let came = clock::now();
        let mut patience = PATIENCE;
        loop {
            if let Ok(permit) = timeout(patience, next.as_mut()).await {
                return Turn { permit: permit.ok(), of: self };
            }
            if came.elapsed() >= PATIENCE_MAX || !self.is_moving() {
                return Turn { permit: None, of: self };
            }
            patience = STRIDE;
        }
    }

    /// Has a turn just ended?
    fn is_moving(&self) -> bool {
        let ended = Duration::from_millis(clock::uptime_ms().saturating_sub(self.ended_ms.load(Ordering::Relaxed)));
        ended <= STRIDE
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        if self.permit.is_some() {
            self.of.ended_ms.store(clock::uptime_ms(), Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::future::join_all;
    use std::cell::Cell;
    use tokio::time::sleep;

    /// So many newcomers whose servers take so long; how long until all have one, and how many were made at once at the most.
    async fn crowd(turns: &Turns, count: usize, making: Duration) -> (Duration, usize) {
        let began = clock::now();
        let (now, most) = (Cell::new(0), Cell::new(0));
        let newcomer = || async {
            let turn = turns.take().await;
            now.update(|now| now + 1);
            most.set(most.get().max(now.get()));
            sleep(making).await;
            now.update(|now| now - 1);
            drop(turn);
        };
        join_all((0..count).map(|_| newcomer())).await;
        (began.elapsed(), most.get())
    }

    #[tokio::test(start_paused = true)]
    async fn servers_are_made_one_after_the_other_unless_that_takes_too_long() {
        let turns = Turns::default();
        assert_eq!(crowd(&turns, 50, Duration::from_millis(5)).await, (Duration::from_millis(250), 1));
        let slow = Duration::from_millis(400);
        assert!(crowd(&turns, 50, slow).await.0 <= PATIENCE + 2 * slow);
        assert_eq!(turns.one.available_permits(), 1, "every turn comes back");
    }

    /// Fifty servers that took 25 ms each on a busy machine were made side by side from the twentieth on, and those at work felt it.
    #[tokio::test(start_paused = true)]
    async fn whoever_waits_for_a_crowd_that_gets_on_waits_longer() {
        let turns = Turns::default();
        assert_eq!(crowd(&turns, 50, Duration::from_millis(25)).await, (Duration::from_millis(1250), 1));
        let (took, _) = crowd(&turns, 200, Duration::from_millis(25)).await;
        assert!(took <= PATIENCE_MAX + 2 * STRIDE, "{took:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn who_goes_leaves_the_turn_to_the_next() {
        let turns = Turns::default();
        let first = turns.take().await;
        let mut second = Box::pin(turns.take());
        assert!(futures::poll!(second.as_mut()).is_pending());
        drop(second);
        drop(first);
        assert!(turns.take().await.permit.is_some());
    }
}

//! Servers that are made for newcomers come one after the other, with a rest in between: each costs the server a process, and whoever is at
//! work a part of the same processors. A pool that grows for clients who are in already does not wait here.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::{sleep_until, timeout};

use crate::clock::{self, Instant};

/// How long a newcomer waits for the others: where logins at the server take long, they are made side by side.
const PATIENCE: Duration = Duration::from_secs(2);
/// The rest after a server was made, in times of what that took, and the longest.
const REST: u32 = 3;
const REST_MAX: Duration = Duration::from_millis(20);

/// The turns of a listener's newcomers.
#[derive(Debug)]
pub struct Turns {
    places: Semaphore,
    /// When the next one may begin.
    rested: Mutex<Option<Instant>>,
}

/// A newcomer's turn, for as long as its server is being made.
#[derive(Debug)]
#[must_use = "dropping it ends the turn"]
pub struct Turn<'a> {
    turns: &'a Turns,
    began: Instant,
    /// None where its patience was at an end.
    permit: Option<SemaphorePermit<'a>>,
}

impl Default for Turns {
    fn default() -> Self {
        Self { places: Semaphore::new(1), rested: Mutex::default() }
    }
}

impl Turns {
    /// The next turn, first come, first served; after two seconds without one if need be. Cancel-safe.
    pub async fn take(&self) -> Turn<'_> {
        let permit = timeout(PATIENCE, self.places.acquire()).await.ok().and_then(Result::ok);
        let rested = *self.rested();
        if let Some(rested) = rested.filter(|_| permit.is_some()) {
            sleep_until(rested).await;
        }
        Turn { turns: self, began: clock::now(), permit }
    }

    fn rested(&self) -> MutexGuard<'_, Option<Instant>> {
        self.rested.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        if self.permit.is_some() {
            let now = clock::now();
            let rest = (now.saturating_duration_since(self.began) * REST).min(REST_MAX);
            *self.turns.rested() = Some(now + rest);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::future::join_all;
    use tokio::time::sleep;

    /// So many newcomers whose servers take so long; how long until all have one.
    async fn crowd(turns: &Turns, count: usize, making: Duration) -> Duration {
        let began = clock::now();
        let newcomer = || async {
            let turn = turns.take().await;
            sleep(making).await;
            drop(turn);
        };
        join_all((0..count).map(|_| newcomer())).await;
        began.elapsed()
    }

    #[tokio::test(start_paused = true)]
    async fn servers_are_made_one_after_the_other_with_a_rest_unless_that_takes_too_long() {
        let turns = Turns::default();
        let making = Duration::from_millis(5);
        assert_eq!(crowd(&turns, 50, making).await, 50 * making + 49 * REST * making);
        let slow = Duration::from_millis(400);
        assert!(crowd(&turns, 50, slow).await <= PATIENCE + 2 * slow);
        assert_eq!(turns.places.available_permits(), 1, "every turn comes back");
    }

    #[tokio::test(start_paused = true)]
    async fn who_comes_alone_waits_for_nobody() {
        let turns = Turns::default();
        let slow = Duration::from_secs(1);
        for _ in 0..3 {
            assert_eq!(crowd(&turns, 1, slow).await, slow);
            sleep(REST_MAX).await;
        }
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

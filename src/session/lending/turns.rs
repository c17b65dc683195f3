//! Servers that are made for newcomers come one after the other: each costs the server a process, and whoever is at work a part of the
//! same processors. A pool that grows for clients who are in already does not wait here.

use std::time::Duration;

use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::timeout;

/// How long a newcomer waits for the others: where logins at the server take long, they are made side by side.
const PATIENCE: Duration = Duration::from_millis(500);

/// The turns of a listener's newcomers.
#[derive(Debug)]
pub struct Turns(Semaphore);

/// A newcomer's turn, for as long as its server is being made.
#[derive(Debug)]
#[must_use = "dropping it ends the turn"]
pub struct Turn<'a> {
    _permit: Option<SemaphorePermit<'a>>,
}

impl Default for Turns {
    fn default() -> Self {
        Self(Semaphore::new(1))
    }
}

impl Turns {
    /// The next turn, first come, first served; after half a second without one if need be. Cancel-safe.
    pub async fn take(&self) -> Turn<'_> {
        Turn { _permit: timeout(PATIENCE, self.0.acquire()).await.ok().and_then(Result::ok) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock;
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
    async fn servers_are_made_one_after_the_other_unless_that_takes_too_long() {
        let turns = Turns::default();
        assert_eq!(crowd(&turns, 50, Duration::from_millis(5)).await, Duration::from_millis(250));
        let slow = Duration::from_millis(400);
        assert!(crowd(&turns, 50, slow).await <= PATIENCE + 2 * slow);
        assert_eq!(turns.0.available_permits(), 1, "every turn comes back");
    }

    #[tokio::test(start_paused = true)]
    async fn who_goes_leaves_the_turn_to_the_next() {
        let turns = Turns::default();
        let first = turns.take().await;
        let mut second = Box::pin(turns.take());
        assert!(futures::poll!(second.as_mut()).is_pending());
        drop(second);
        drop(first);
        assert!(turns.take().await._permit.is_some());
    }
}

//! New connections a second of one client.
//!
//! Only a proven login is charged, so nobody burns the rate of a client by naming it. A login that isn't proven yet
//! only looks whether the rate has room, before the server is asked anything.

use std::num::NonZeroU32;
use std::time::Duration;

use governor::clock::Clock;
use governor::middleware::StateInformationMiddleware;
use governor::state::{InMemoryState, NotKeyed};
use governor::{Quota, RateLimiter};

use crate::clock::{self, Instant};

/// The rate of one client: a full second's worth may come at once.
#[derive(Debug)]
pub(super) struct Rate {
    limiter: Limiter,
    per_second: NonZeroU32,
    /// What was left at `at`, rounded down, so that looking never promises more than there is.
    left: u32,
    at: Instant,
}

impl Rate {
    pub(super) fn new(per_second: NonZeroU32, now: Instant) -> Self {
        let limiter = RateLimiter::direct_with_clock(Quota::per_second(per_second), Steady).with_middleware();
        Self { limiter, per_second, left: per_second.get(), at: now }
    }

    pub(super) fn per_second(&self) -> u32 {
        self.per_second.get()
    }

    /// `None` where `wanted` more have room now, else the moment from which they have.
    pub(super) fn wait(&self, wanted: u32, now: Instant) -> Option<Instant> {
        let missing = wanted.checked_sub(self.left).filter(|missing| *missing > 0)?;
        let due = self.at + Duration::from_secs_f64(f64::from(missing) / f64::from(self.per_second.get()));
        (due > now).then_some(due)
    }

    /// Charges one.
    pub(super) fn charge(&mut self, now: Instant) {
        self.left = self.limiter.check().map_or(0, |snapshot| snapshot.remaining_burst_capacity());
        self.at = now;
    }
}

type Limiter = RateLimiter<NotKeyed, InMemoryState, Steady, StateInformationMiddleware>;

/// The project's clock, as the limiter wants it.
#[derive(Debug, Clone, Copy)]
struct Steady;

impl Clock for Steady {
    type Instant = std::time::Instant;

    fn now(&self) -> Self::Instant {
        clock::now().into_std()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_second_of_charges_fits_at_once_and_then_one_at_a_time() {
        let mut rate = Rate::new(NonZeroU32::new(10).unwrap(), clock::now());
        for _ in 0..10 {
            assert_eq!(rate.wait(1, clock::now()), None);
            rate.charge(clock::now());
        }
        let due = rate.wait(1, clock::now()).unwrap();
        assert_eq!(due - clock::now(), Duration::from_millis(100));
        tokio::time::advance(Duration::from_millis(101)).await;
        assert_eq!(rate.wait(1, clock::now()), None);
        assert!(rate.wait(2, clock::now()).is_some());
    }

    #[tokio::test(start_paused = true)]
    async fn who_looks_before_charging_gets_the_whole_rate_and_no_more() {
        let mut rate = Rate::new(NonZeroU32::new(7).unwrap(), clock::now());
        let mut charged = 0_u32;
        for _ in 0..2_000 {
            if rate.wait(1, clock::now()).is_none() {
                rate.charge(clock::now());
                charged += 1;
            }
            tokio::time::advance(Duration::from_millis(13)).await;
        }
        assert!((170..=7 * 26 + 7).contains(&charged), "{charged} in 26 s at 7 a second");
    }
}

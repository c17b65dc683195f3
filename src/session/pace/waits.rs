//! How long the logins of all workers had to wait for their turns.
//!
//! What bounds logins they share, such as `max_logins`: those whose turn is slow to come at one worker hold the places that others of
//! another worker wait for. Those wait as well then, though nothing holds them up where they are.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::clock::{self, Instant};
use crate::units::micros;

/// Pauses between two waits that are no longer than this are part of the waiting.
const GAP: Duration = Duration::from_millis(40);

/// One account for all workers, which they read and change without a lock: each moment is counted by whoever comes first.
#[derive(Debug)]
pub struct Waits {
    start: Instant,
    /// How long they had to wait, less the time since then in which nobody had to; all in microseconds since the start.
    waited: AtomicU64,
    /// Until when time counts as waited.
    until: AtomicU64,
    /// Up to when it is counted.
    counted: AtomicU64,
}

impl Default for Waits {
    fn default() -> Self {
        Self {
            start: clock::now(),
            waited: AtomicU64::default(),
            until: AtomicU64::default(),
            counted: AtomicU64::default(),
        }
    }
}

impl Waits {
    /// Somebody had to wait, or has to, until that moment.
    pub(super) fn note(&self, until: Instant) {
        self.until.fetch_max(self.moment(until + GAP), Ordering::Relaxed);
    }

    /// Counts the time up to now, at most `most` of it as waited.
    pub(super) fn count(&self, now: Instant, most: Duration) {
        let now = self.moment(now);
        let then = self.counted.fetch_max(now, Ordering::Relaxed).min(now);
        let waited = self.until.load(Ordering::Relaxed).min(now).saturating_sub(then);
        let free = (now - then) - waited;
        let sum = |before: u64| Some(before.saturating_add(waited).min(micros(most)).saturating_sub(free));
        let _ = self.waited.fetch_update(Ordering::Relaxed, Ordering::Relaxed, sum);
    }

    /// How long they had to wait, less the time since then in which nobody had to.
    pub(super) fn waited(&self) -> Duration {
        Duration::from_micros(self.waited.load(Ordering::Relaxed))
    }

    fn moment(&self, moment: Instant) -> u64 {
        micros(moment.saturating_duration_since(self.start))
    }
}

//! How much of the time logins take.

use std::cell::Cell;
use std::time::Duration;

use crate::clock::Instant;

/// Of so many parts of time logins may take one, while the crowd is young.
pub(super) const PARTS: u32 = 16;
/// The same of a crowd that is not through after [`PATIENCE`].
pub(super) const PARTS_OF_OLD: u32 = 2;
/// How long a crowd is young.
pub(super) const PATIENCE: Duration = Duration::from_secs(6);
/// What logins may take at once before their share counts: those who come alone never wait.
const BURST: Duration = Duration::from_millis(2);
/// The longest pause: one step that took long, as one may on a busy machine, does not stop all others.
pub(super) const PAUSE_MAX: Duration = Duration::from_millis(20);
/// A crowd that was old stays so for this long at most when it has become less.
const MEMORY: Duration = Duration::from_secs(1);

/// What logins have taken of the time. Each step puts off by its [`PARTS`] what comes then.
#[derive(Debug, Default)]
pub(super) struct Share {
    /// When all that was taken has been made up for.
    even: Cell<Option<Instant>>,
    /// The same for a crowd that is old.
    even_of_old: Cell<Option<Instant>>,
    /// Since when there has been a crowd.
    crowd: Cell<Option<Instant>>,
}

impl Share {
    /// A step took so long, and has just ended.
    pub(super) fn charge(&self, now: Instant, took: Duration) {
        let put_off = |even: &Cell<Option<Instant>>, parts: u32| {
            let latest = now + BURST.saturating_mul(parts) + MEMORY;
            let from = even.get().map_or(now, |even| even.max(now));
            even.set(Some((from + took.saturating_mul(parts)).min(latest)));
        };
        put_off(&self.even, PARTS);
        put_off(&self.even_of_old, PARTS_OF_OLD);
    }

    /// How long the next step has to wait.
    pub(super) fn pause(&self, now: Instant) -> Duration {
        let beyond = |even: &Cell<Option<Instant>>, parts: u32| {
            let burst = BURST.saturating_mul(parts);
            even.get().map_or(Duration::ZERO, |even| even.saturating_duration_since(now + burst)).min(PAUSE_MAX)
        };
        if self.even.get().is_none_or(|even| even <= now) {
            self.crowd.set(None);
        }
        let pause = beyond(&self.even, PARTS);
        if pause.is_zero() {
            return pause;
        }
        let since = self.crowd.get().unwrap_or(now);
        self.crowd.set(Some(since));
        let is_old = now.saturating_duration_since(since) >= PATIENCE;
        if is_old { beyond(&self.even_of_old, PARTS_OF_OLD) } else { pause }
    }
}

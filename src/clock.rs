//! The only place that asks what time it is.
//!
//! Everything that measures or waits takes its time from here, and `tokio` lets tests pause it.

use std::sync::OnceLock;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

pub use tokio::time::Instant;

/// The monotonic time; stands still where a test paused `tokio`'s clock.
pub fn now() -> Instant {
    Instant::now()
}

/// Milliseconds since the first call in this process: small enough for one atomic.
pub fn uptime_ms() -> u64 {
    uptime_ms_at(now())
}

/// The same for a moment that is already known.
pub fn uptime_ms_at(moment: Instant) -> u64 {
    static START: OnceLock<Instant> = OnceLock::new();
    let start = *START.get_or_init(start);
    u64::try_from(moment.saturating_duration_since(start).as_millis()).unwrap_or(u64::MAX)
}

/// The machine's time, since a test that paused and advanced `tokio`'s clock may come first. Tests share one start though
/// each has a clock of its own: theirs lies so far back that it comes before all of them.
#[expect(clippy::disallowed_methods, reason = "this file is where the time comes from")]
fn start() -> Instant {
    let start = std::time::Instant::now();
    let back = if cfg!(test) { Duration::from_secs(3600) } else { Duration::ZERO };
    Instant::from_std(start.checked_sub(back).unwrap_or(start))
}

/// Time of day, for texts that people read. Never for measuring.
#[expect(clippy::disallowed_methods, reason = "this file is where the time comes from")]
pub fn wall() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}

//! Log lines that were not written, counted for the life of the process.

use std::sync::atomic::{AtomicU64, Ordering};

static SUPPRESSED: AtomicU64 = AtomicU64::new(0);
static DROPPED: AtomicU64 = AtomicU64::new(0);

/// Lines that a gate held back, in the life of the process.
pub(super) fn suppressed_total() -> u64 {
    SUPPRESSED.load(Ordering::Relaxed)
}

/// Lines lost because the log's reader did not keep up, or because they could not be written, in the life of the process.
pub(super) fn dropped_total() -> u64 {
    DROPPED.load(Ordering::Relaxed)
}

pub(super) fn count_suppressed() {
    SUPPRESSED.fetch_add(1, Ordering::Relaxed);
}

pub(super) fn count_dropped() {
    DROPPED.fetch_add(1, Ordering::Relaxed);
}

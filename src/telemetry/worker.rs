//! What one worker counts for each statement: its own atomics, summed at scrape.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use super::histogram::{Histogram, bump};
use super::report::{Slot, Slots};
use crate::units;

macro_rules! labelled {
    ($(#[$doc:meta])* $name:ident { $($(#[$vdoc:meta])* $variant:ident = $label:literal,)* }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum $name { $($(#[$vdoc])* $variant,)* }

        impl $name {
            /// Every value, in the order of declaration.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            /// The word that metrics and the console use.
            pub const fn label(self) -> &'static str {
                match self { $(Self::$variant => $label),* }
            }
        }
    };
}

labelled! {
    /// What a statement is, as far as its verb tells.
    StatementKind {
        /// SELECT, VALUES, TABLE, SHOW.
        Select = "select",
        /// INSERT.
        Insert = "insert",
        /// UPDATE.
        Update = "update",
        /// DELETE and TRUNCATE.
        Delete = "delete",
        /// MERGE.
        Merge = "merge",
        /// COPY, either way.
        Copy = "copy",
        /// BEGIN, COMMIT, ROLLBACK, SAVEPOINT and the like.
        Transaction = "transaction",
        /// SET, RESET, DISCARD, LISTEN and the like.
        Session = "session",
        /// CREATE, ALTER, DROP and the like.
        Schema = "schema",
        /// EXECUTE of a prepared statement, CALL, FunctionCall.
        Call = "call",
        /// Everything else, unreadable text included.
        Other = "other",
    }
}

labelled! {
    /// Which way bytes went.
    Direction {
        /// Read from clients.
        FromClient = "from_client",
        /// Written to servers.
        ToServer = "to_server",
        /// Read from servers.
        FromServer = "from_server",
        /// Written to clients.
        ToClient = "to_client",
    }
}

labelled! {
    /// Which statement cache.
    CacheKind {
        /// Raw statement texts.
        Text = "text",
        /// Statement shapes.
        Shape = "shape",
    }
}

labelled! {
    /// Which of a worker's two threads that read for it.
    Analyst {
        /// Parses new shapes.
        Shapes = "shapes",
        /// Reads long texts.
        Texts = "texts",
    }
}

/// The counters of one worker.
///
/// Only the worker's own thread may write: each method is a plain load and store, so a second writer would lose counts
/// (nothing worse). Any thread may read. What is counted by [`Analyst`] is written by that thread alone.
#[derive(Debug, Default)]
#[repr(align(128))]
pub struct WorkerMetrics {
    pub(super) statements: [AtomicU64; StatementKind::ALL.len()],
    pub(super) latency: Histogram,
    pub(super) bytes: [AtomicU64; Direction::ALL.len()],
    pub(super) caches: [CacheCounters; CacheKind::ALL.len()],
    pub(super) observed: Slots,
    pub(super) guard: GuardCounters,
}

/// What is counted of one cache.
#[derive(Debug, Default)]
pub(super) struct CacheCounters {
    pub(super) bytes: AtomicU64,
    pub(super) entries: AtomicU64,
    pub(super) hits: AtomicU64,
    pub(super) misses: AtomicU64,
}

/// What is counted of the guard itself.
#[derive(Debug, Default)]
pub(super) struct GuardCounters {
    pub(super) time: Histogram,
    pub(super) slowest_us: AtomicU64,
    pub(super) over_time: AtomicU64,
    pub(super) texts: AtomicU64,
    pub(super) analysts: [AtomicU64; Analyst::ALL.len()],
}

impl WorkerMetrics {
    /// Counts the time that one text took to be read or judged, where nothing was known of it.
    pub fn guard_time(&self, time: Duration) {
        let us = units::micros(time);
        self.guard.time.observe_alone(us);
        if us > self.guard.slowest_us.load(Ordering::Relaxed) {
            self.guard.slowest_us.store(us, Ordering::Relaxed);
        }
    }

    /// Counts a text that took longer than the ceiling.
    pub fn guard_over_time(&self) {
        bump(&self.guard.over_time, 1);
    }

    /// Counts the bytes of a text that is being read elsewhere, for as long as the guard lives.
    pub fn text_lent(self: &Arc<Self>, bytes: u64) -> TextLent {
        bump(&self.guard.texts, bytes);
        TextLent { metrics: Arc::clone(self), bytes }
    }

    /// Notes how much an analyst remembers.
    pub fn analyst_bytes(&self, analyst: Analyst, bytes: u64) {
        self.guard.analysts[analyst as usize].store(bytes, Ordering::Relaxed);
    }

    pub(super) fn guard_bytes(&self) -> u64 {
        let caches = self.caches.iter().map(|cache| &cache.bytes);
        let all = caches.chain(&self.guard.analysts).chain([&self.guard.texts]);
        all.map(|bytes| bytes.load(Ordering::Relaxed)).fold(0, u64::wrapping_add)
    }

    /// Counts a statement.
    pub fn statement(&self, kind: StatementKind) {
        bump(&self.statements[kind as usize], 1);
    }

    /// Counts how long a statement took, to the end of its reply.
    pub fn latency_us(&self, us: u64) {
        self.latency.observe_alone(us);
    }

    /// Notes what was measured of a statement, for the report: each one's, breach or not. About fifteen instructions; no lock, no
    /// clock.
    pub fn observe(&self, slot: Slot, value: u64) {
        self.observed.observe(slot, value);
    }

    /// Counts bytes moved.
    pub fn bytes(&self, direction: Direction, count: u64) {
        bump(&self.bytes[direction as usize], count);
    }

    /// Notes how large one of this worker's caches is.
    pub fn cache(&self, cache: CacheKind, bytes: u64, entries: u64) {
        let counters = &self.caches[cache as usize];
        counters.bytes.store(bytes, Ordering::Relaxed);
        counters.entries.store(entries, Ordering::Relaxed);
    }

    /// Counts a look-up that a cache answered.
    pub fn cache_hit(&self, cache: CacheKind) {
        bump(&self.caches[cache as usize].hits, 1);
    }

    /// Counts a look-up that a cache did not answer.
    pub fn cache_miss(&self, cache: CacheKind) {
        bump(&self.caches[cache as usize].misses, 1);
    }
}

/// The bytes of a text that is being read: given back on drop, by the worker's own thread.
#[derive(Debug)]
pub struct TextLent {
    metrics: Arc<WorkerMetrics>,
    bytes: u64,
}

impl Drop for TextLent {
    fn drop(&mut self) {
        bump(&self.metrics.guard.texts, self.bytes.wrapping_neg());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_unique() {
        let labels: std::collections::HashSet<_> = StatementKind::ALL.iter().map(|kind| kind.label()).collect();
        assert_eq!(labels.len(), StatementKind::ALL.len());
    }

    #[test]
    fn the_index_of_a_value_is_its_place() {
        for (place, kind) in StatementKind::ALL.iter().enumerate() {
            assert_eq!(*kind as usize, place);
        }
    }
}

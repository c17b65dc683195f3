//! A rate for log lines that clients can trigger.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use super::lines;
use crate::clock;

/// Keys with a rate of their own. All others share one.
const KEYS_MAX: usize = 1024;
/// Lines of one key that may come at once.
const BURST: u32 = 10;
/// After the burst, one line in this time.
const REFILL_MS: u64 = 10_000;

/// Lets a line through, or not: for each key ten at once, then one every ten seconds that says how many were left out.
///
/// ```text
/// if let Pass::Write { suppressed } = gate.pass("bad_startup") {
///     tracing::warn!(suppressed, "…");
/// }
/// ```
#[derive(Debug, Default)]
pub struct Gate {
    keys: Mutex<Keys>,
}

/// What a line may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pass {
    /// Be written, with the number of lines left out since the last one of its key.
    Write {
        /// How many were left out.
        suppressed: u64,
    },
    /// Be left out; it is counted.
    Suppress,
}

#[derive(Debug, Default)]
struct Keys {
    buckets: HashMap<Box<str>, Bucket>,
    swept_ms: Option<u64>,
}

#[derive(Debug)]
struct Bucket {
    tokens: u32,
    refilled_ms: u64,
    suppressed: u64,
}

impl Gate {
    /// Asks for one line of a key. Takes a lock: for lines, never for statements.
    pub fn pass(&self, key: &str) -> Pass {
        self.pass_at(key, clock::uptime_ms())
    }

    fn pass_at(&self, key: &str, now_ms: u64) -> Pass {
        let pass = self.keys.lock().unwrap_or_else(PoisonError::into_inner).bucket(key, now_ms).pass(now_ms);
        if pass == Pass::Suppress {
            lines::count_suppressed();
        }
        pass
    }
}

impl Keys {
    fn bucket(&mut self, key: &str, now_ms: u64) -> &mut Bucket {
        // The empty key is the shared one.
        let own = self.buckets.contains_key(key) || self.has_room(now_ms);
        let key = if own { key } else { "" };
        self.buckets.entry(key.into()).or_insert_with(|| Bucket::new(now_ms))
    }

    /// Where the table is full, drops the keys of which nothing is known any more; at most once in a refill, since in a
    /// flood of new keys each would cost a scan.
    fn has_room(&mut self, now_ms: u64) -> bool {
        if self.buckets.len() < KEYS_MAX {
            return true;
        }
        if self.swept_ms.is_none_or(|swept_ms| now_ms.saturating_sub(swept_ms) >= REFILL_MS) {
            self.swept_ms = Some(now_ms);
            self.buckets.retain(|_, bucket| !bucket.is_full(now_ms));
        }
        self.buckets.len() < KEYS_MAX
    }
}

impl Bucket {
    const fn new(now_ms: u64) -> Self {
        Self { tokens: BURST, refilled_ms: now_ms, suppressed: 0 }
    }

    fn pass(&mut self, now_ms: u64) -> Pass {
        self.refill(now_ms);
        if self.tokens == 0 {
            self.suppressed = self.suppressed.saturating_add(1);
            return Pass::Suppress;
        }
        self.tokens -= 1;
        Pass::Write { suppressed: std::mem::take(&mut self.suppressed) }
    }

    fn refill(&mut self, now_ms: u64) {
        let due = now_ms.saturating_sub(self.refilled_ms) / REFILL_MS;
        if due > 0 {
            self.tokens = u32::try_from(due).map_or(BURST, |due| self.tokens.saturating_add(due).min(BURST));
            self.refilled_ms = self.refilled_ms.saturating_add(due.saturating_mul(REFILL_MS));
        }
    }

    /// True where forgetting it changes nothing.
    fn is_full(&mut self, now_ms: u64) -> bool {
        self.refill(now_ms);
        self.tokens >= BURST && self.suppressed == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ten_at_once_then_one_in_ten_seconds() {
        let gate = Gate::default();
        let written = (0..25).filter(|_| gate.pass_at("a", 0) != Pass::Suppress).count();
        assert_eq!(written, 10);
        assert_eq!(gate.pass_at("a", 9_999), Pass::Suppress);
        assert_eq!(gate.pass_at("a", 10_000), Pass::Write { suppressed: 16 });
        assert_eq!(gate.pass_at("a", 10_001), Pass::Suppress);
        assert_eq!(gate.pass_at("a", 20_000), Pass::Write { suppressed: 1 });
    }

    #[test]
    fn keys_do_not_share() {
        let gate = Gate::default();
        for _ in 0..20 {
            gate.pass_at("a", 0);
        }
        assert_eq!(gate.pass_at("b", 0), Pass::Write { suppressed: 0 });
    }

    #[test]
    fn a_long_silence_gives_the_burst_back_and_no_more() {
        let gate = Gate::default();
        for _ in 0..20 {
            gate.pass_at("a", 0);
        }
        let written = (0..25).filter(|_| gate.pass_at("a", 10_000_000) != Pass::Suppress).count();
        assert_eq!(written, 10);
    }

    #[test]
    fn keys_are_bounded_and_come_free_again() {
        let gate = Gate::default();
        let written = (0..10_000).filter(|n| gate.pass_at(&format!("k{n}"), 0) != Pass::Suppress).count();
        assert!(written <= KEYS_MAX + 10, "{written}");
        assert!(gate.keys.lock().unwrap().buckets.len() <= KEYS_MAX + 1);
        assert_eq!(gate.pass_at("new", 1_000_000), Pass::Write { suppressed: 0 });
        assert!(gate.keys.lock().unwrap().buckets.len() < 10);
    }
}

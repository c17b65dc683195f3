//! One budget for the bytes that sessions hold: `[limits] memory`.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// A budget in bytes, shared by all workers.
#[derive(Debug)]
pub struct Budget {
    limit: usize,
    used: AtomicUsize,
}

impl Budget {
    /// A budget of so many bytes.
    pub fn new(limit: usize) -> Arc<Self> {
        Arc::new(Self { limit, used: AtomicUsize::new(0) })
    }

    /// Bytes in use.
    pub fn used(&self) -> usize {
        self.used.load(Ordering::Relaxed)
    }
}

/// One session's part of the budget: given back on drop.
#[derive(Debug)]
pub struct Share {
    budget: Arc<Budget>,
    bytes: usize,
}

impl Share {
    /// A share of nothing.
    pub fn of(budget: &Arc<Budget>) -> Self {
        Self { budget: Arc::clone(budget), bytes: 0 }
    }

    /// Bytes of this share.
    pub const fn bytes(&self) -> usize {
        self.bytes
    }

    /// Changes the share to `bytes`. False, and unchanged, where the budget has no room.
    pub fn resize(&mut self, bytes: usize) -> bool {
        if bytes > self.bytes {
            let more = bytes.saturating_sub(self.bytes);
            let limit = self.budget.limit;
            let grown = self.budget.used.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |used| {
                used.checked_add(more).filter(|&sum| sum <= limit)
            });
            if grown.is_err() {
                return false;
            }
        } else {
            self.budget.used.fetch_sub(self.bytes.saturating_sub(bytes), Ordering::Relaxed);
        }
        self.bytes = bytes;
        true
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.resize(0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_never_exceed_the_budget_and_come_back() {
        let budget = Budget::new(100);
        let mut a = Share::of(&budget);
        let mut b = Share::of(&budget);
        assert!(a.resize(60));
        assert!(!b.resize(50));
        assert!(b.resize(40));
        assert!(a.resize(10));
        assert!(b.resize(90));
        assert_eq!(budget.used(), 100);
        drop(a);
        drop(b);
        assert_eq!(budget.used(), 0);
    }
}

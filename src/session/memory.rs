//! One budget for the bytes that sessions hold: `[limits] memory`.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

/// A budget in bytes, shared by all workers.
#[derive(Debug)]
pub struct Budget {
    limit: usize,
    used: AtomicUsize,
    shares: AtomicUsize,
    /// What it is a part of.
    whole: Option<Arc<Self>>,
}

impl Budget {
    /// A budget of so many bytes.
    pub fn new(limit: usize) -> Arc<Self> {
        Arc::new(Self { limit, used: AtomicUsize::new(0), shares: AtomicUsize::new(0), whole: None })
    }

    /// A part of this one that is told by itself; its limit is that of the whole.
    pub fn part(self: &Arc<Self>) -> Arc<Self> {
        let (used, shares) = (AtomicUsize::new(0), AtomicUsize::new(0));
        Arc::new(Self { limit: usize::MAX, used, shares, whole: Some(Arc::clone(self)) })
    }

    /// Bytes in use.
    pub fn used(&self) -> usize {
        self.used.load(Ordering::Relaxed)
    }

    /// How many shares there are, those of nothing included.
    pub fn shares(&self) -> usize {
        self.shares.load(Ordering::Relaxed)
    }

    /// False, and nothing taken, where there is no room.
    fn take(&self, bytes: usize) -> bool {
        let fits = |used: usize| used.checked_add(bytes).filter(|&sum| sum <= self.limit);
        if self.used.fetch_update(Ordering::Relaxed, Ordering::Relaxed, fits).is_err() {
            return false;
        }
        let taken = self.whole.as_ref().is_none_or(|whole| whole.take(bytes));
        if !taken {
            self.used.fetch_sub(bytes, Ordering::Relaxed);
        }
        taken
    }

    fn put_back(&self, bytes: usize) {
        self.used.fetch_sub(bytes, Ordering::Relaxed);
        if let Some(whole) = &self.whole {
            whole.put_back(bytes);
        }
    }
}

/// What the clients of pools keep prepared: two parts of one budget.
#[derive(Debug)]
pub struct Prepared {
    /// Each text once for each worker.
    pub texts: Arc<Budget>,
    /// The names that clients have for them.
    pub names: Arc<Budget>,
    changes: AtomicU64,
}

impl Prepared {
    /// Nothing yet.
    pub fn of(budget: &Arc<Budget>) -> Arc<Self> {
        Arc::new(Self { texts: budget.part(), names: budget.part(), changes: AtomicU64::new(0) })
    }

    /// Tables, types or functions are others than before, for all workers.
    pub fn note_change(&self) {
        self.changes.fetch_add(1, Ordering::Relaxed);
    }

    /// How often they have changed.
    pub fn changes(&self) -> u64 {
        self.changes.load(Ordering::Relaxed)
    }

    /// How many texts there are.
    pub fn statements(&self) -> usize {
        self.texts.shares()
    }

    /// Bytes of texts and names.
    pub fn bytes(&self) -> usize {
        self.texts.used().saturating_add(self.names.used())
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
        budget.shares.fetch_add(1, Ordering::Relaxed);
        Self { budget: Arc::clone(budget), bytes: 0 }
    }

    /// Bytes of this share.
    pub const fn bytes(&self) -> usize {
        self.bytes
    }

    /// Changes the share to `bytes`. False, and unchanged, where the budget has no room.
    pub fn resize(&mut self, bytes: usize) -> bool {
        if bytes > self.bytes {
            if !self.budget.take(bytes.saturating_sub(self.bytes)) {
                return false;
            }
        } else {
            self.budget.put_back(self.bytes.saturating_sub(bytes));
        }
        self.bytes = bytes;
        true
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.resize(0);
        self.budget.shares.fetch_sub(1, Ordering::Relaxed);
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

    #[test]
    fn a_part_is_told_by_itself_and_has_no_more_room_than_the_whole() {
        let whole = Budget::new(100);
        let prepared = Prepared::of(&whole);
        let mut other = Share::of(&whole);
        let (mut text, mut name) = (Share::of(&prepared.texts), Share::of(&prepared.names));
        assert!(other.resize(30) && text.resize(50) && name.resize(20));
        assert!(!text.resize(51));
        assert_eq!((whole.used(), prepared.bytes(), prepared.statements()), (100, 70, 1));
        drop(other);
        assert!(text.resize(80));
        drop((text, name));
        assert_eq!((whole.used(), prepared.bytes(), prepared.statements()), (0, 0, 0));
    }
}

//! What one server has prepared for us.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use rapidhash::fast::GlobalState;

use super::learning::{By, Learning};
use super::plan::STEPS_MAX;

/// The shared statements of a server by number, with when each was used last; bounded.
#[derive(Debug)]
pub struct Known {
    used: HashMap<u64, u64, GlobalState>,
    now: u64,
    /// May change under it; at least one whatever it says.
    most: Arc<AtomicUsize>,
    /// The unnamed statement that it has.
    pub(super) unnamed: Option<u64>,
    /// Statements that it may have and that are of no use any more: as many as one group may leave.
    stale: HashSet<u64, GlobalState>,
    /// Statements that were prepared since somebody counted.
    made: u64,
    /// What is on its way there.
    pub(super) learning: Learning,
}

impl Known {
    /// A server that has none and may get so many, at least one: as many as `most` says whenever another is prepared.
    pub fn new(most: &Arc<AtomicUsize>) -> Self {
        let (used, stale, learning) = (HashMap::default(), HashSet::default(), Learning::default());
        Self { used, now: 0, most: Arc::clone(most), unnamed: None, stale, made: 0, learning }
    }

    /// True where it has a statement, which is used now.
    pub(super) fn uses(&mut self, number: u64) -> bool {
        self.now = self.now.saturating_add(1);
        self.used.get_mut(&number).map(|used| *used = self.now).is_some()
    }

    /// It gets a statement. What must be closed for it was taken before, by [`Known::closing`].
    pub(super) fn add(&mut self, number: u64) {
        self.now = self.now.saturating_add(1);
        self.used.insert(number, self.now);
    }

    /// The same of one that is sent there now: it counts.
    pub(super) fn prepares(&mut self, number: u64, by: By) {
        self.made = self.made.saturating_add(1);
        self.learning.comes(number, by);
        self.add(number);
    }

    /// How many were prepared since this was last asked.
    pub fn take_made(&mut self) -> u64 {
        std::mem::take(&mut self.made)
    }

    /// It has a statement no more, or never got it.
    pub(super) fn remove(&mut self, number: u64) {
        self.used.remove(&number);
    }

    /// A statement of no use: closed before the next one is prepared.
    pub(super) fn spoil(&mut self, number: u64) {
        self.remove(number);
        if self.stale.len() < STALE_MAX {
            self.stale.insert(number);
        }
    }

    /// Takes one that must be closed before another is prepared: of no use, or used longest ago where there is no room.
    pub(super) fn closing(&mut self) -> Option<u64> {
        let closing = self.useless();
        closing.iter().for_each(|&number| self.learning.goes(number));
        closing
    }

    fn useless(&mut self) -> Option<u64> {
        if let Some(&stale) = self.stale.iter().next() {
            self.stale.remove(&stale);
            if self.stale.is_empty() {
                self.stale = HashSet::default();
            }
            return Some(stale);
        }
        if self.used.len() < self.most.load(Ordering::Relaxed).max(1) {
            return None;
        }
        let oldest = self.used.iter().min_by_key(|(_, used)| **used).map(|(&number, _)| number)?;
        self.used.remove(&oldest);
        Some(oldest)
    }

    /// It has forgotten them all: DEALLOCATE ALL, DISCARD ALL.
    pub fn clear(&mut self) {
        self.used.clear();
        self.stale = HashSet::default();
    }

    /// It says how many it has, while nothing is on its way there. Where some are gone, nobody knows which: each is prepared again.
    pub fn has_only(&mut self, count: usize) {
        if count == 0 {
            self.clear();
        } else if count < self.used.len() {
            std::mem::take(&mut self.used).into_keys().for_each(|number| self.spoil(number));
        }
    }

    /// Something of ours has taken its unnamed statement away.
    pub fn forget_unnamed(&mut self) {
        self.unnamed = None;
    }

    /// What is sent from here on comes about whatever fails before.
    pub fn ends_group(&mut self) {
        self.learning.ends_group();
    }

    /// How many it has.
    pub fn len(&self) -> usize {
        self.used.len()
    }

    /// True where it has none.
    pub fn is_empty(&self) -> bool {
        self.used.is_empty()
    }
}

/// More than a pipeline has steps; nobody gets that far.
const STALE_MAX: usize = 2 * STEPS_MAX;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_used_longest_ago_is_closed_first() {
        let mut known = Known::new(&Arc::new(AtomicUsize::new(2)));
        known.add(1);
        known.add(2);
        assert!(known.uses(1) && !known.uses(3));
        assert_eq!((known.closing(), known.closing()), (Some(2), None));
        known.add(3);
        known.spoil(1);
        assert_eq!((known.closing(), known.closing(), known.len()), (Some(1), None, 1));
        known.clear();
        assert!(known.is_empty());
    }

    #[test]
    fn where_some_are_gone_each_is_closed_and_prepared_again() {
        let mut known = Known::new(&Arc::new(AtomicUsize::new(9)));
        [1, 2, 3].into_iter().for_each(|number| known.add(number));
        known.has_only(4);
        known.has_only(3);
        assert_eq!((known.len(), known.closing()), (3, None));
        known.has_only(2);
        let mut closing = [(); 4].map(|()| known.closing());
        closing.sort_unstable();
        assert_eq!((known.len(), closing), (0, [None, Some(1), Some(2), Some(3)]));
        known.add(4);
        known.has_only(0);
        assert_eq!((known.len(), known.closing()), (0, None));
    }

    #[test]
    fn a_bound_that_is_lowered_holds_from_the_next_statement_on() {
        let most = Arc::new(AtomicUsize::new(3));
        let mut known = Known::new(&most);
        [1, 2, 3].into_iter().for_each(|number| known.add(number));
        most.store(0, Ordering::Relaxed);
        assert_eq!([(); 4].map(|()| known.closing()), [Some(1), Some(2), Some(3), None]);
        known.add(4);
        most.store(2, Ordering::Relaxed);
        assert_eq!(known.closing(), None);
    }
}

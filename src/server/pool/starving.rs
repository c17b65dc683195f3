//! Pools that wait for a place of a room and have less than they are due: since when the oldest does, and what is on its way.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// All of one room. Whoever gives a server back reads one atomic here while nobody starves.
#[derive(Debug, Default)]
pub(super) struct Starving {
    /// How many began to wait at each microsecond of the register's time.
    line: Mutex<BTreeMap<u64, usize>>,
    /// The first of them; 0: nobody.
    oldest: AtomicU64,
    count: AtomicUsize,
    /// Servers that are being closed in their favour: one for each is enough.
    promised: AtomicUsize,
}

impl Starving {
    /// One more since that microsecond, which is never 0.
    pub(super) fn join(&self, since: u64) {
        let mut line = self.lock();
        let count = line.entry(since).or_default();
        *count = count.saturating_add(1);
        self.publish(&line);
    }

    /// One less of those since then.
    pub(super) fn leave(&self, since: u64) {
        let mut line = self.lock();
        match line.get_mut(&since) {
            Some(count) if *count > 1 => *count = count.saturating_sub(1),
            _ => drop(line.remove(&since)),
        }
        self.publish(&line);
    }

    /// Since when the oldest waits; `None`: nobody does.
    pub(super) fn oldest(&self) -> Option<u64> {
        Some(self.oldest.load(Ordering::SeqCst)).filter(|&since| since > 0)
    }

    /// Since when the first one waits that has been promised nothing; `None`: there is none.
    pub(super) fn next(&self) -> Option<u64> {
        self.oldest()?;
        let mut promised = self.promised.load(Ordering::SeqCst);
        let line = self.lock();
        line.iter().find_map(|(since, count)| match promised.checked_sub(*count) {
            Some(left) => {
                promised = left;
                None
            }
            None => Some(*since),
        })
    }

    /// Promises one of them the place of a server that is to be closed. False where all have been promised one.
    pub(super) fn promise(&self) -> bool {
        let count = self.count.load(Ordering::SeqCst);
        let more = |promised: usize| (promised < count).then(|| promised.saturating_add(1));
        self.promised.fetch_update(Ordering::SeqCst, Ordering::SeqCst, more).is_ok()
    }

    /// A server that was promised is closed.
    pub(super) fn kept_promise(&self) {
        self.promised.fetch_sub(1, Ordering::SeqCst);
    }

    fn publish(&self, line: &BTreeMap<u64, usize>) {
        self.oldest.store(line.keys().next().copied().unwrap_or_default(), Ordering::SeqCst);
        self.count.store(line.values().sum(), Ordering::SeqCst);
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<u64, usize>> {
        self.line.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_that_starves_is_promised_one_place_and_the_oldest_is_known() {
        let starving = Starving::default();
        assert!(starving.oldest().is_none() && !starving.promise());
        [7, 5, 5].into_iter().for_each(|since| starving.join(since));
        assert_eq!(starving.oldest(), Some(5));
        let promised = [(); 4].map(|()| (starving.next(), starving.promise()));
        assert_eq!(promised, [(Some(5), true), (Some(5), true), (Some(7), true), (None, false)]);
        [5, 5].into_iter().for_each(|since| starving.leave(since));
        assert_eq!(starving.oldest(), Some(7));
        (0..3).for_each(|_| starving.kept_promise());
        assert!(starving.promise() && !starving.promise());
        starving.kept_promise();
        starving.leave(7);
        assert_eq!((starving.oldest(), starving.count.load(Ordering::SeqCst)), (None, 0));
    }
}

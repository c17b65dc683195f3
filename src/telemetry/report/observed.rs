//! Values of one kind, counted by size: sixteen steps for each power of two, so that a value is known to within a sixteenth.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::telemetry::histogram::bump;

/// Kinds of values that there is room for.
pub const SLOTS: usize = 16;
/// Steps in a power of two, as a power of two.
const STEP_BITS: u32 = 4;
const STEPS: usize = 1 << STEP_BITS;
/// The first sixteen values have a bucket each; after that sixteen for each power of two.
const BUCKETS: usize = STEPS + (u64::BITS - STEP_BITS) as usize * STEPS;

/// One kind of value. Whoever measures says which is which.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Slot(usize);

impl Slot {
    /// The slot of that number, below [`SLOTS`]; what is beyond is not counted.
    pub const fn new(number: usize) -> Self {
        Self(number)
    }

    pub(super) const fn index(self) -> usize {
        self.0
    }
}

/// What one worker has observed. Only its own thread adds; any may read.
#[derive(Debug)]
pub(crate) struct Slots(Box<[Observed]>);

#[derive(Debug)]
struct Observed {
    counts: Box<[AtomicU64]>,
    largest: AtomicU64,
}

/// Counts by size, of all workers together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Values {
    counts: Box<[u64]>,
    largest: u64,
}

impl Default for Slots {
    fn default() -> Self {
        let observed =
            || Observed { counts: (0..BUCKETS).map(|_| AtomicU64::new(0)).collect(), largest: AtomicU64::new(0) };
        Self((0..SLOTS).map(|_| observed()).collect())
    }
}

impl Slots {
    /// Counts a value: a few plain loads and stores.
    pub(crate) fn observe(&self, slot: Slot, value: u64) {
        let Some(observed) = self.0.get(slot.0) else { return };
        if let Some(count) = observed.counts.get(bucket(value)) {
            bump(count, 1);
        }
        // A reset writes here too, so this is no plain store; it hardly ever happens.
        if value > observed.largest.load(Ordering::Relaxed) {
            observed.largest.fetch_max(value, Ordering::Relaxed);
        }
    }

    /// The largest values count anew.
    pub(super) fn forget_largest(&self) {
        self.0.iter().for_each(|observed| observed.largest.store(0, Ordering::Relaxed));
    }

    pub(super) fn add_to(&self, slot: Slot, values: &mut Values) {
        let Some(observed) = self.0.get(slot.0) else { return };
        for (total, count) in values.counts.iter_mut().zip(&observed.counts) {
            *total = total.saturating_add(count.load(Ordering::Relaxed));
        }
        values.largest = values.largest.max(observed.largest.load(Ordering::Relaxed));
    }
}

impl Default for Values {
    fn default() -> Self {
        Self { counts: vec![0; BUCKETS].into(), largest: 0 }
    }
}

impl Values {
    /// Takes out what had been counted earlier.
    pub(super) fn subtract(&mut self, before: &Self) {
        for (count, before) in self.counts.iter_mut().zip(&before.counts) {
            *count = count.saturating_sub(*before);
        }
    }

    pub(super) fn count(&self) -> u64 {
        self.counts.iter().fold(0, |sum, count| sum.saturating_add(*count))
    }

    /// The largest value; `None` where there is none.
    pub(super) fn largest(&self) -> Option<u64> {
        // Never below the bucket of the largest: a reset may come between a value's count and its being the largest.
        let last = self.counts.iter().rposition(|count| *count > 0)?;
        Some(self.largest.clamp(lowest(last), highest(last)))
    }

    /// A value that so many parts of the whole are not above; at most a sixteenth too large.
    pub(super) fn quantile(&self, parts: u64, whole: u64) -> Option<u64> {
        let largest = self.largest()?;
        let rank = (u128::from(self.count()) * u128::from(parts)).div_ceil(u128::from(whole));
        let mut seen = 0u128;
        let bucket = self.counts.iter().position(|count| {
            seen += u128::from(*count);
            seen >= rank
        });
        bucket.map(|bucket| highest(bucket).min(largest))
    }

    /// How many values are above this one, those of its own bucket not counted.
    pub(super) fn above(&self, value: u64) -> u64 {
        self.counts.iter().skip(bucket(value) + 1).fold(0, |sum, count| sum.saturating_add(*count))
    }
}

/// Below sixteen, the value; from there on the power of two, less four, and the four bits that follow the first.
const fn bucket(value: u64) -> usize {
    let shift = (value | STEPS as u64).ilog2() - STEP_BITS;
    ((shift as usize) << STEP_BITS) + (value >> shift) as usize
}

const fn lowest(bucket: usize) -> u64 {
    match (bucket / STEPS).checked_sub(1) {
        None => bucket as u64,
        Some(shift) => ((STEPS + bucket % STEPS) as u64) << shift,
    }
}

const fn highest(bucket: usize) -> u64 {
    match (bucket / STEPS).checked_sub(1) {
        None => bucket as u64,
        Some(shift) => lowest(bucket) | ((1 << shift) - 1),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn values(all: &[u64]) -> Values {
        let (slots, mut values) = (Slots::default(), Values::default());
        all.iter().for_each(|value| slots.observe(Slot::new(3), *value));
        slots.add_to(Slot::new(3), &mut values);
        values
    }

    #[test]
    fn buckets_follow_each_other_without_a_gap() {
        assert_eq!((bucket(0), bucket(15), bucket(16), bucket(31), bucket(32)), (0, 15, 16, 31, 32));
        assert_eq!((bucket(u64::MAX), highest(BUCKETS - 1)), (BUCKETS - 1, u64::MAX));
        for at in 1..BUCKETS {
            assert_eq!(highest(at - 1) + 1, lowest(at), "{at}");
            assert_eq!((bucket(lowest(at)), bucket(highest(at))), (at, at));
        }
    }

    #[test]
    fn nothing_has_no_largest() {
        assert_eq!((values(&[]).largest(), values(&[]).quantile(999, 1_000), values(&[]).count()), (None, None, 0));
        assert_eq!(values(&[0]).largest(), Some(0));
    }

    #[test]
    fn slots_do_not_mix_and_one_too_many_is_harmless() {
        let (slots, mut values) = (Slots::default(), Values::default());
        slots.observe(Slot::new(0), 7);
        slots.observe(Slot::new(SLOTS), 7);
        slots.add_to(Slot::new(1), &mut values);
        assert_eq!(values.count(), 0);
    }

    proptest! {
        #[test]
        fn a_value_is_known_to_within_a_sixteenth(value in any::<u64>()) {
            let at = bucket(value);
            prop_assert!(lowest(at) <= value && value <= highest(at));
            prop_assert!(highest(at) - lowest(at) <= lowest(at) / 16);
        }

        #[test]
        fn a_quantile_is_not_below_the_true_one(mut all in proptest::collection::vec(0u64..1_000_000, 1..300)) {
            let values = values(&all);
            all.sort_unstable();
            let exact = all[(all.len() * 999).div_ceil(1_000) - 1];
            let told = values.quantile(999, 1_000).unwrap();
            prop_assert!(exact <= told && told <= exact + exact / 16);
            prop_assert_eq!(values.largest(), all.last().copied());
        }
    }
}

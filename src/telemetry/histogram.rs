//! A latency histogram of fixed buckets in atomics.

use std::sync::atomic::{AtomicU64, Ordering};

use prometheus::proto;

/// Upper bounds in microseconds, both ends of what a statement may take: 50 us to 60 s.
const BOUNDS_US: [u64; 19] = [
    50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000, 1_000_000, 2_500_000,
    5_000_000, 10_000_000, 30_000_000, 60_000_000,
];

/// Counts by bucket; the last one holds what is over every bound.
#[derive(Debug, Default)]
pub(super) struct Histogram {
    counts: [AtomicU64; BOUNDS_US.len() + 1],
    sum_us: AtomicU64,
}

impl Histogram {
    /// Counts one value. Only one thread may ever call this on a histogram: it saves the read-modify-write.
    pub(super) fn observe_alone(&self, us: u64) {
        bump(self.bucket(us), 1);
        bump(&self.sum_us, us);
    }

    /// Counts one value, from any thread.
    pub(super) fn observe(&self, us: u64) {
        self.bucket(us).fetch_add(1, Ordering::Relaxed);
        self.sum_us.fetch_add(us, Ordering::Relaxed);
    }

    fn bucket(&self, us: u64) -> &AtomicU64 {
        &self.counts[BOUNDS_US.partition_point(|bound| *bound < us)]
    }
}

/// Adds to a counter that has one writer.
pub(super) fn bump(counter: &AtomicU64, by: u64) {
    counter.store(counter.load(Ordering::Relaxed).wrapping_add(by), Ordering::Relaxed);
}

/// Several histograms as one, in the form of a scrape. The total is the sum of the buckets, so that they always agree.
pub(super) fn sum<'a>(parts: impl Iterator<Item = &'a Histogram>) -> proto::Histogram {
    let mut counts = [0u64; BOUNDS_US.len() + 1];
    let mut sum_us = 0u64;
    for part in parts {
        for (total, count) in counts.iter_mut().zip(&part.counts) {
            *total = total.saturating_add(count.load(Ordering::Relaxed));
        }
        sum_us = sum_us.wrapping_add(part.sum_us.load(Ordering::Relaxed));
    }
    let mut cumulative = 0u64;
    let mut buckets = Vec::with_capacity(BOUNDS_US.len());
    for (bound, count) in BOUNDS_US.iter().zip(counts) {
        cumulative = cumulative.saturating_add(count);
        let mut bucket = proto::Bucket::default();
        bucket.set_upper_bound(seconds(*bound));
        bucket.set_cumulative_count(cumulative);
        buckets.push(bucket);
    }
    let mut histogram = proto::Histogram::default();
    histogram.set_sample_count(cumulative.saturating_add(counts[BOUNDS_US.len()]));
    histogram.set_sample_sum(seconds(sum_us));
    histogram.set_bucket(buckets);
    histogram
}

fn seconds(us: u64) -> f64 {
    us as f64 / 1e6
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_rise() {
        assert!(BOUNDS_US.windows(2).all(|pair| pair[0] < pair[1]));
    }

    #[test]
    fn a_value_on_a_bound_belongs_below_it() {
        let histogram = Histogram::default();
        for us in [0, 50, 51, 60_000_000, 60_000_001] {
            histogram.observe(us);
        }
        let seen = sum(std::iter::once(&histogram));
        let at = |bound: f64| seen.get_bucket().iter().find(|b| b.upper_bound() == bound).map(|b| b.cumulative_count());
        assert_eq!(at(0.000_05), Some(2));
        assert_eq!(at(0.000_1), Some(3));
        assert_eq!(at(60.0), Some(4));
        assert_eq!(seen.get_sample_count(), 5);
    }

    #[test]
    fn parts_add_up() {
        let (a, b) = (Histogram::default(), Histogram::default());
        a.observe_alone(1_500_000);
        b.observe_alone(500_000);
        let seen = sum([&a, &b].into_iter());
        assert_eq!((seen.get_sample_count(), seen.get_sample_sum()), (2, 2.0));
    }
}

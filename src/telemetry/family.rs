//! Series by label for what happens rarely: logins, refusals, waits. Finding a series takes a lock, so statements never do it.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use prometheus::proto;

use super::histogram::{self, Histogram};
use super::table::{Def, Kind};

/// Series of one metric. Beyond this many distinct label values everything counts as `other`.
const SERIES_MAX: usize = 1024;

/// The label value of whatever has none of its own.
pub(super) const OTHER: &str = "other";

/// One metric and its series.
#[derive(Debug)]
pub(super) struct Family<T> {
    def: Def,
    series: Mutex<BTreeMap<Vec<String>, Arc<T>>>,
}

/// One value that can be scraped.
pub(super) trait Cell: Default {
    /// The value in the form of a scrape, without its labels.
    fn scrape(&self, kind: Kind) -> proto::Metric;
}

impl<T: Cell> Family<T> {
    /// A metric with no series yet.
    pub(super) const fn new(def: Def) -> Self {
        Self { def, series: Mutex::new(BTreeMap::new()) }
    }

    /// The series of these label values, made where it is new.
    pub(super) fn cell(&self, values: &[&str]) -> Arc<T> {
        debug_assert_eq!(values.len(), self.def.labels.len(), "{}", self.def.name);
        let mut key: Vec<String> = values.iter().map(ToString::to_string).collect();
        let mut series = self.series.lock().unwrap_or_else(PoisonError::into_inner);
        if series.len() >= SERIES_MAX && !series.contains_key(&key) {
            key.fill(OTHER.to_owned());
        }
        Arc::clone(series.entry(key).or_default())
    }

    /// The metric as it stands.
    pub(super) fn scrape(&self) -> proto::MetricFamily {
        let series = self.series.lock().unwrap_or_else(PoisonError::into_inner);
        let metrics = series.iter().map(|(values, cell)| {
            let mut metric = cell.scrape(self.def.kind);
            metric.set_label(labels(&self.def, values));
            metric
        });
        self.def.family(metrics.collect())
    }
}

impl Cell for AtomicI64 {
    fn scrape(&self, kind: Kind) -> proto::Metric {
        value(kind, self.load(Ordering::Relaxed) as f64)
    }
}

impl Cell for Histogram {
    fn scrape(&self, _: Kind) -> proto::Metric {
        let mut metric = proto::Metric::default();
        metric.set_histogram(histogram::sum(std::iter::once(self)));
        metric
    }
}

/// A single value as counter or gauge.
pub(super) fn value(kind: Kind, value: f64) -> proto::Metric {
    let mut metric = proto::Metric::default();
    if kind == Kind::Counter {
        let mut counter = proto::Counter::default();
        counter.set_value(value);
        metric.set_counter(counter);
    } else {
        let mut gauge = proto::Gauge::default();
        gauge.set_value(value);
        metric.set_gauge(gauge);
    }
    metric
}

/// Label names with their values.
pub(super) fn labels(def: &Def, values: &[impl AsRef<str>]) -> Vec<proto::LabelPair> {
    let pairs = def.labels.iter().zip(values).map(|(name, value)| {
        let mut pair = proto::LabelPair::default();
        pair.set_name((*name).to_owned());
        pair.set_value(value.as_ref().to_owned());
        pair
    });
    pairs.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::telemetry::table;

    #[test]
    fn the_number_of_series_is_bounded() {
        let family: Family<AtomicI64> = Family::new(table::LOGINS);
        for n in 0..3 * SERIES_MAX {
            family.cell(&[&n.to_string()]).fetch_add(1, Ordering::Relaxed);
        }
        let scraped = family.scrape();
        assert_eq!(scraped.get_metric().len(), SERIES_MAX + 1);
        let sum: f64 = scraped.get_metric().iter().map(|metric| metric.get_counter().get_value()).sum();
        assert_eq!(sum as usize, 3 * SERIES_MAX);
    }
}

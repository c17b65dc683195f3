//! Metrics whose values somebody else holds: per-worker atomics, the process, caps and surges.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use prometheus::core::{Collector, Desc};
use prometheus::proto::{Metric, MetricFamily};

use super::family::{labels, value};
use super::rows::{CapRow, Label, SurgeRow};
use super::table::{self, Def};
use super::worker::{CacheCounters, CacheKind, Direction, StatementKind, WorkerMetrics};
use super::{histogram, process};

/// Rows of one table that become series; what is beyond is left out, the largest stay.
const ROWS_MAX: usize = 100;

/// A collector made of the metrics it has and a function that reads them.
pub(super) struct Scraped<F> {
    descs: Vec<Desc>,
    scrape: F,
}

impl<F: Fn() -> Vec<MetricFamily> + Send + Sync> Scraped<F> {
    /// Names what `scrape` may return.
    pub(super) fn new(defs: &[Def], scrape: F) -> Self {
        Self { descs: defs.iter().filter_map(Def::desc).collect(), scrape }
    }
}

impl<F: Fn() -> Vec<MetricFamily> + Send + Sync> Collector for Scraped<F> {
    fn desc(&self) -> Vec<&Desc> {
        self.descs.iter().collect()
    }

    fn collect(&self) -> Vec<MetricFamily> {
        (self.scrape)()
    }
}

impl<F> fmt::Debug for Scraped<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scraped").field("descs", &self.descs).finish_non_exhaustive()
    }
}

/// Values of one metric by its label values, in the order of its labels.
pub type Series = Vec<(Vec<String>, f64)>;

/// Single-valued metrics of somebody else's, read at scrape. Whoever fills them bounds the label values.
pub fn series_collector<const N: usize>(
    defs: [Def; N],
    read: impl Fn() -> [Series; N] + Send + Sync + 'static,
) -> Box<dyn Collector> {
    let scrape = move || {
        let families = defs.iter().zip(read()).map(|(def, values)| {
            let metrics = values.iter().map(|(labels, number)| {
                let labels: Vec<&str> = labels.iter().map(String::as_str).collect();
                series(def, &labels, *number)
            });
            def.family(metrics.collect())
        });
        families.collect()
    };
    Box::new(Scraped::new(&defs, scrape))
}

/// The process metrics.
pub(super) fn process_collector() -> Box<dyn Collector> {
    Box::new(Scraped::new(&[table::RESIDENT_BYTES, table::THREADS, table::OPEN_FDS, table::MAX_FDS], process::scrape))
}

/// The sums over all workers.
pub(super) fn workers_collector(workers: Arc<[Arc<WorkerMetrics>]>) -> Box<dyn Collector> {
    const DEFS: [Def; 11] = [
        table::STATEMENTS,
        table::STATEMENT_SECONDS,
        table::BYTES,
        table::CACHE_BYTES,
        table::CACHE_ENTRIES,
        table::CACHE_HITS,
        table::CACHE_MISSES,
        table::GUARD_SECONDS,
        table::GUARD_SLOWEST,
        table::GUARD_OVER_TIME,
        table::GUARD_BYTES,
    ];
    Box::new(Scraped::new(&DEFS, move || scrape_workers(&workers)))
}

fn scrape_workers(workers: &[Arc<WorkerMetrics>]) -> Vec<MetricFamily> {
    let mut latency = Metric::default();
    latency.set_histogram(histogram::sum(workers.iter().map(|worker| &worker.latency)));
    let statements = StatementKind::ALL.iter().map(|kind| {
        let total = sum(workers, |worker| &worker.statements[*kind as usize]);
        series(&table::STATEMENTS, &[kind.label()], total)
    });
    let bytes = Direction::ALL.iter().map(|direction| {
        let total = sum(workers, |worker| &worker.bytes[*direction as usize]);
        series(&table::BYTES, &[direction.label()], total)
    });
    let mut families = vec![
        table::STATEMENTS.family(statements.collect()),
        table::STATEMENT_SECONDS.family(vec![latency]),
        table::BYTES.family(bytes.collect()),
        scrape_caches(&table::CACHE_BYTES, workers, |cache| &cache.bytes),
        scrape_caches(&table::CACHE_ENTRIES, workers, |cache| &cache.entries),
        scrape_caches(&table::CACHE_HITS, workers, |cache| &cache.hits),
        scrape_caches(&table::CACHE_MISSES, workers, |cache| &cache.misses),
    ];
    families.extend(scrape_guard(workers));
    families
}

fn scrape_guard(workers: &[Arc<WorkerMetrics>]) -> [MetricFamily; 4] {
    let mut time = Metric::default();
    time.set_histogram(histogram::sum(workers.iter().map(|worker| &worker.guard.time)));
    let slowest = workers.iter().map(|worker| worker.guard.slowest_us.load(Ordering::Relaxed)).max().unwrap_or(0);
    let bytes = workers.iter().map(|worker| worker.guard_bytes()).fold(0, u64::wrapping_add);
    let over = sum(workers, |worker| &worker.guard.over_time);
    let single = |def: &Def, number: f64| def.family(vec![series(def, &[], number)]);
    [
        table::GUARD_SECONDS.family(vec![time]),
        single(&table::GUARD_SLOWEST, slowest as f64 / 1e6),
        single(&table::GUARD_OVER_TIME, over),
        single(&table::GUARD_BYTES, bytes as f64),
    ]
}

fn scrape_caches(
    def: &Def,
    workers: &[Arc<WorkerMetrics>],
    field: impl Fn(&CacheCounters) -> &AtomicU64,
) -> MetricFamily {
    let metrics = CacheKind::ALL.iter().map(|cache| {
        let total = sum(workers, |worker| field(&worker.caches[*cache as usize]));
        series(def, &[cache.label()], total)
    });
    def.family(metrics.collect())
}

fn sum(workers: &[Arc<WorkerMetrics>], field: impl Fn(&WorkerMetrics) -> &AtomicU64) -> f64 {
    workers.iter().map(|worker| field(worker).load(Ordering::Relaxed)).fold(0, u64::wrapping_add) as f64
}

fn series(def: &Def, values: &[&str], number: f64) -> Metric {
    let mut metric = value(def.kind, number);
    metric.set_label(labels(def, values));
    metric
}

/// Caps as metrics, read at scrape. Only rows whose scope is bounded; of those the fullest hundred.
pub fn caps_collector(rows: impl Fn() -> Vec<CapRow> + Send + Sync + 'static) -> Box<dyn Collector> {
    const DEFS: [Def; 4] = [table::CAP_CURRENT, table::CAP_LIMIT, table::CAP_WAITING, table::CAP_REFUSED];
    Box::new(Scraped::new(&DEFS, move || scrape_caps(rows())))
}

fn scrape_caps(mut rows: Vec<CapRow>) -> Vec<MetricFamily> {
    rows.retain(|row| row.label != Label::Free);
    rows.sort_by_key(|row| std::cmp::Reverse(row.current));
    rows.truncate(ROWS_MAX);
    let column = |def: &Def, number: fn(&CapRow) -> Option<u64>| {
        let metrics = rows.iter().filter_map(|row| {
            let labels = [&*row.listener, row.cap, row.label.of(&row.scope)?];
            Some(series(def, &labels, number(row)? as f64))
        });
        def.family(metrics.collect())
    };
    vec![
        column(&table::CAP_CURRENT, |row| Some(row.current)),
        column(&table::CAP_LIMIT, |row| row.limit),
        column(&table::CAP_WAITING, |row| Some(row.waiting)),
        column(&table::CAP_REFUSED, |row| Some(row.refused_total)),
    ]
}

/// Surges as metrics, read at scrape. Only rows whose client is bounded; of those the largest hundred.
pub fn surges_collector(rows: impl Fn() -> Vec<SurgeRow> + Send + Sync + 'static) -> Box<dyn Collector> {
    const DEFS: [Def; 5] = [
        table::SURGE_CONNECTIONS,
        table::SURGE_FAST,
        table::SURGE_SLOW,
        table::SURGE_SECONDS_TO_FULL,
        table::SURGE_STATE,
    ];
    Box::new(Scraped::new(&DEFS, move || scrape_surges(rows())))
}

fn scrape_surges(mut rows: Vec<SurgeRow>) -> Vec<MetricFamily> {
    rows.retain(|row| row.label != Label::Free);
    rows.sort_by_key(|row| std::cmp::Reverse(row.connections));
    rows.truncate(ROWS_MAX);
    let column = |def: &Def, number: fn(&SurgeRow) -> Option<f64>| {
        let metrics =
            rows.iter().filter_map(|row| Some(series(def, &[&row.listener, row.label.of(&row.client)?], number(row)?)));
        def.family(metrics.collect())
    };
    let states = rows.iter().filter_map(|row| {
        Some(series(&table::SURGE_STATE, &[&row.listener, row.label.of(&row.client)?, row.state], 1.0))
    });
    vec![
        column(&table::SURGE_CONNECTIONS, |row| Some(row.connections as f64)),
        column(&table::SURGE_FAST, |row| Some(row.fast_average)),
        column(&table::SURGE_SLOW, |row| Some(row.slow_average)),
        column(&table::SURGE_SECONDS_TO_FULL, |row| row.seconds_to_full),
        table::SURGE_STATE.family(states.collect()),
    ]
}

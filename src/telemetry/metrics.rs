//! The metrics of the process.

use std::collections::HashSet;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use prometheus::core::Collector;
use prometheus::{Registry, TextEncoder};

use super::collect::{Scraped, process_collector, workers_collector};
use super::family::{Family, OTHER, labels, value};
use super::histogram::Histogram;
use super::report::{Hit, HitOutcome, Report};
use super::table::{self, Def};
use super::worker::WorkerMetrics;
use super::{VERSION, lines};
use crate::units;

/// Listeners that get a label of their own; there are never more in a sane configuration.
const LISTENERS_MAX: usize = 64;
/// Clients that get a label of their own.
const CLIENTS_MAX: usize = 100;

/// All metrics. Statements are counted in [`WorkerMetrics`]; what is here happens once a login or more rarely.
#[derive(Debug)]
pub struct Metrics {
    workers: Arc<[Arc<WorkerMetrics>]>,
    rare: Arc<Rare>,
    report: Report,
    listeners: Names,
    client_names: Names,
    registry: Registry,
}

/// Series by label.
#[derive(Debug)]
struct Rare {
    counters: [Family<AtomicI64>; 14],
    waits: Family<Histogram>,
}

/// Which of the families in `Rare::counters`.
#[derive(Debug, Clone, Copy)]
enum Which {
    Clients,
    Servers,
    Waiting,
    Refusals,
    Verdicts,
    Logins,
    Ended,
    Cancels,
    OwnCancels,
    ConsoleLogins,
    RulesFailed,
    BreakGlass,
    BreakGlassRejected,
    Handshakes,
}

impl Metrics {
    /// Metrics for so many workers.
    pub fn new(workers: usize) -> Arc<Self> {
        let workers: Arc<[_]> = (0..workers.max(1)).map(|_| Arc::new(WorkerMetrics::default())).collect();
        let rare = Arc::new(Rare::new());
        let metrics = Self {
            workers: Arc::clone(&workers),
            rare: Arc::clone(&rare),
            report: Report::new(Arc::clone(&workers)),
            listeners: Names::first(LISTENERS_MAX),
            client_names: Names::first(0),
            registry: Registry::new(),
        };
        metrics.register(workers_collector(workers));
        metrics.register(Box::new(Scraped::new(&Rare::DEFS, move || rare.scrape())));
        metrics.register(process_collector());
        metrics.register(Box::new(Scraped::new(
            &[table::BUILD_INFO, table::LOG_SUPPRESSED, table::LOG_DROPPED],
            scrape_own,
        )));
        Arc::new(metrics)
    }

    /// The counters of one worker; numbers beyond the last share the last one's.
    pub fn worker(&self, number: usize) -> Arc<WorkerMetrics> {
        let last = self.workers.len().saturating_sub(1);
        Arc::clone(&self.workers[number.min(last)])
    }

    /// Names the clients that get a label of their own: the configured ones. All others count as `other`.
    pub fn name_clients<'a>(&self, names: impl IntoIterator<Item = &'a str>) {
        self.client_names.set(names.into_iter().take(CLIENTS_MAX));
    }

    /// Counts a refusal.
    pub fn refused(&self, rule: &'static str, client: &str) {
        self.rare.count(Which::Refusals, &[rule, self.client_names.admit(client)], 1);
    }

    /// Counts a breach of a rule, as a verdict and in the report. A refusal that the client sees is counted by [`Self::refused`]
    /// besides.
    pub fn hit(&self, hit: Hit<'_>) {
        let mode = match hit.outcome {
            HitOutcome::Refused => "enforce",
            HitOutcome::Warned => "warn",
        };
        self.verdict(hit.rule, mode, 1);
        self.report.hit(hit);
    }

    /// What was measured and found fault with so far.
    pub const fn report(&self) -> &Report {
        &self.report
    }

    /// Counts a rule that panicked.
    pub fn rule_failed(&self, rule: &'static str) {
        self.rare.count(Which::RulesFailed, &[rule], 1);
    }

    /// Counts breaches of a rule in the mode that it ran in. Where client and shape are known, [`Self::hit`] does so too.
    pub fn verdict(&self, rule: &'static str, mode: &'static str, count: u64) {
        self.rare.count(Which::Verdicts, &[rule, mode], i64::try_from(count).unwrap_or(i64::MAX));
    }

    /// How many breaches of a rule were counted in that mode.
    pub fn verdicts(&self, rule: &'static str, mode: &'static str) -> u64 {
        let cell = self.rare.family(Which::Verdicts).cell(&[rule, mode]);
        u64::try_from(cell.load(Ordering::Relaxed)).unwrap_or_default()
    }

    /// A client is connected for as long as the guard lives.
    pub fn client_connected(&self, listener: &str) -> GaugeGuard {
        self.rare.hold(Which::Clients, &[self.listeners.admit(listener)])
    }

    /// A server is connected for as long as the guard lives.
    pub fn server_connected(&self, listener: &str) -> GaugeGuard {
        self.rare.hold(Which::Servers, &[self.listeners.admit(listener)])
    }

    /// Somebody waits for a cap for as long as the guard lives.
    pub fn waiting(&self, cap: &'static str) -> GaugeGuard {
        self.rare.hold(Which::Waiting, &[cap])
    }

    /// Counts how long somebody waited for a cap, in vain or not.
    pub fn waited(&self, cap: &'static str, time: Duration) {
        self.rare.waits.cell(&[cap]).observe(units::micros(time));
    }

    /// Counts a login by how it ended.
    pub fn login(&self, outcome: &'static str) {
        self.rare.count(Which::Logins, &[outcome], 1);
    }

    /// Counts a session by why it ended.
    pub fn session_ended(&self, reason: &'static str) {
        self.rare.count(Which::Ended, &[reason], 1);
    }

    /// Counts a client's cancel request by what became of it.
    pub fn cancel(&self, outcome: &'static str) {
        self.rare.count(Which::Cancels, &[outcome], 1);
    }

    /// Counts a statement that was cancelled by ourselves: for a rule, or since its session has ended.
    pub fn own_cancel(&self, reason: &'static str) {
        self.rare.count(Which::OwnCancels, &[reason], 1);
    }

    /// Counts a login to the console by how it ended.
    pub fn console_login(&self, outcome: &'static str) {
        self.rare.count(Which::ConsoleLogins, &[outcome], 1);
    }

    /// Counts a breach of a rule that a break-glass pass lifted.
    pub fn break_glass(&self, rule: &'static str) {
        self.rare.count(Which::BreakGlass, &[rule], 1);
    }

    /// How many breaches of a rule were lifted.
    pub fn lifted(&self, rule: &'static str) -> u64 {
        let cell = self.rare.family(Which::BreakGlass).cell(&[rule]);
        u64::try_from(cell.load(Ordering::Relaxed)).unwrap_or_default()
    }

    /// Counts a break-glass pass that did not hold.
    pub fn break_glass_rejected(&self, reason: &'static str) {
        self.rare.count(Which::BreakGlassRejected, &[reason], 1);
    }

    /// Counts a TLS handshake with a `client` or a `server`. `version` is `none` where it failed.
    pub fn handshake(&self, side: &'static str, outcome: &'static str, version: &'static str) {
        self.rare.count(Which::Handshakes, &[side, outcome, version], 1);
    }

    /// Adds metrics that somebody else holds. A name that is taken is refused, with a log line.
    pub fn register(&self, collector: Box<dyn Collector>) {
        if let Err(error) = self.registry.register(collector) {
            tracing::error!(%error, "metrics not registered");
        }
    }

    /// Everything in the Prometheus text format. What has happened to nobody yet is named all the same: whoever writes an alert looks
    /// here for what there is.
    pub fn render(&self) -> String {
        let families = self.registry.gather();
        let mut text = TextEncoder::new().encode_to_string(&families).unwrap_or_else(|error| {
            tracing::error!(%error, "metrics not encoded");
            String::new()
        });
        let is_there = |def: &&Def| families.iter().any(|family| family.name() == def.name);
        table::ALL.iter().filter(|def| !is_there(def)).for_each(|def| text.push_str(&def.heading()));
        text
    }
}

impl Rare {
    const DEFS: [Def; 15] = [
        table::CLIENTS,
        table::SERVERS,
        table::WAITING,
        table::REFUSALS,
        table::VERDICTS,
        table::LOGINS,
        table::SESSIONS_ENDED,
        table::CANCELS,
        table::OWN_CANCELS,
        table::CONSOLE_LOGINS,
        table::RULE_FAILED,
        table::BREAK_GLASS,
        table::BREAK_GLASS_REJECTED,
        table::TLS_HANDSHAKES,
        table::WAIT_SECONDS,
    ];

    fn new() -> Self {
        Self {
            counters: [
                Family::new(table::CLIENTS),
                Family::new(table::SERVERS),
                Family::new(table::WAITING),
                Family::new(table::REFUSALS),
                Family::new(table::VERDICTS),
                Family::new(table::LOGINS),
                Family::new(table::SESSIONS_ENDED),
                Family::new(table::CANCELS),
                Family::new(table::OWN_CANCELS),
                Family::new(table::CONSOLE_LOGINS),
                Family::new(table::RULE_FAILED),
                Family::new(table::BREAK_GLASS),
                Family::new(table::BREAK_GLASS_REJECTED),
                Family::new(table::TLS_HANDSHAKES),
            ],
            waits: Family::new(table::WAIT_SECONDS),
        }
    }

    const fn family(&self, which: Which) -> &Family<AtomicI64> {
        &self.counters[which as usize]
    }

    fn count(&self, which: Which, values: &[&str], by: i64) {
        self.family(which).cell(values).fetch_add(by, Ordering::Relaxed);
    }

    fn hold(&self, which: Which, values: &[&str]) -> GaugeGuard {
        GaugeGuard::new(self.family(which).cell(values))
    }

    fn scrape(&self) -> Vec<prometheus::proto::MetricFamily> {
        self.counters.iter().map(Family::scrape).chain(std::iter::once(self.waits.scrape())).collect()
    }
}

/// Metrics that are about telemetry itself.
fn scrape_own() -> Vec<prometheus::proto::MetricFamily> {
    let mut build = value(table::BUILD_INFO.kind, 1.0);
    build.set_label(labels(&table::BUILD_INFO, &[VERSION]));
    let single = |def: &Def, number: u64| def.family(vec![value(def.kind, number as f64)]);
    vec![
        table::BUILD_INFO.family(vec![build]),
        single(&table::LOG_SUPPRESSED, lines::suppressed_total()),
        single(&table::LOG_DROPPED, lines::dropped_total()),
    ]
}

/// One in a gauge, taken out on drop.
#[derive(Debug)]
pub struct GaugeGuard {
    gauge: Arc<AtomicI64>,
}

impl GaugeGuard {
    fn new(gauge: Arc<AtomicI64>) -> Self {
        gauge.fetch_add(1, Ordering::Relaxed);
        Self { gauge }
    }
}

impl Drop for GaugeGuard {
    fn drop(&mut self) {
        self.gauge.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Label values that may be used. All others become `other`.
#[derive(Debug)]
struct Names {
    known: RwLock<HashSet<Box<str>>>,
    /// So many come to be known by being used; 0: only what is set.
    learns: usize,
}

impl Names {
    fn first(learns: usize) -> Self {
        Self { known: RwLock::default(), learns }
    }

    fn set<'a>(&self, names: impl Iterator<Item = &'a str>) {
        *self.known.write().unwrap_or_else(PoisonError::into_inner) = names.map(Box::from).collect();
    }

    fn admit<'a>(&self, name: &'a str) -> &'a str {
        if self.known.read().unwrap_or_else(PoisonError::into_inner).contains(name) {
            return name;
        }
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= self.learns {
            return OTHER;
        }
        known.insert(name.into());
        name
    }
}

#[cfg(test)]
#[path = "metrics_tests.rs"]
mod tests;

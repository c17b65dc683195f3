//! What a scrape shows of what was counted.

use super::*;
use crate::telemetry::rows::{CapRow, Label, SurgeRow};
use crate::telemetry::{CacheKind, Direction, StatementKind, caps_collector, surges_collector};

fn line<'a>(text: &'a str, series: &str) -> Option<&'a str> {
    text.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' '))
}

#[test]
fn workers_are_summed() {
    let metrics = Metrics::new(2);
    for number in 0..2 {
        let worker = metrics.worker(number);
        worker.statement(StatementKind::Select);
        worker.latency_us(1_000);
        worker.bytes(Direction::ToClient, 100);
        worker.cache(CacheKind::Text, 4096, 10);
        worker.cache_hit(CacheKind::Text);
        worker.cache_miss(CacheKind::Shape);
    }
    let text = metrics.render();
    assert_eq!(line(&text, "floodwall_statements_total{kind=\"select\"}"), Some("2"));
    assert_eq!(line(&text, "floodwall_statements_total{kind=\"insert\"}"), Some("0"));
    assert_eq!(line(&text, "floodwall_statement_seconds_count"), Some("2"));
    assert_eq!(line(&text, "floodwall_statement_seconds_sum"), Some("0.002"));
    assert_eq!(line(&text, "floodwall_statement_seconds_bucket{le=\"0.001\"}"), Some("2"));
    assert_eq!(line(&text, "floodwall_statement_seconds_bucket{le=\"+Inf\"}"), Some("2"));
    assert_eq!(line(&text, "floodwall_bytes_total{direction=\"to_client\"}"), Some("200"));
    assert_eq!(line(&text, "floodwall_cache_bytes{cache=\"text\"}"), Some("8192"));
    assert_eq!(line(&text, "floodwall_cache_hits_total{cache=\"text\"}"), Some("2"));
    assert_eq!(line(&text, "floodwall_cache_misses_total{cache=\"shape\"}"), Some("2"));
}

#[test]
fn gauges_go_back_to_zero() {
    let metrics = Metrics::new(1);
    let guards: Vec<_> = (0..3).map(|_| metrics.client_connected("main")).collect();
    let server = metrics.server_connected("main");
    let text = metrics.render();
    assert_eq!(line(&text, "floodwall_clients{listener=\"main\"}"), Some("3"));
    assert_eq!(line(&text, "floodwall_servers{listener=\"main\"}"), Some("1"));
    drop((guards, server));
    let text = metrics.render();
    assert_eq!(line(&text, "floodwall_clients{listener=\"main\"}"), Some("0"));
    assert_eq!(line(&text, "floodwall_servers{listener=\"main\"}"), Some("0"));
}

#[test]
fn only_named_clients_get_a_label() {
    let metrics = Metrics::new(1);
    metrics.name_clients(["web"]);
    metrics.refused("bulk_write", "web");
    for n in 0..5000 {
        metrics.refused("bulk_write", &format!("evil{n}\"\n"));
    }
    let text = metrics.render();
    assert_eq!(
        line(&text, "floodwall_refusals_total{client=\"web\",rule=\"bulk_write\"}")
            .or_else(|| line(&text, "floodwall_refusals_total{rule=\"bulk_write\",client=\"web\"}")),
        Some("1")
    );
    assert!(text.contains("client=\"other\"") && !text.contains("evil"));
}

#[test]
fn listeners_are_bounded_too() {
    let metrics = Metrics::new(1);
    for n in 0..1000 {
        drop(metrics.client_connected(&format!("listener{n}")));
    }
    assert!(metrics.render().matches("floodwall_clients{").count() <= LISTENERS_MAX + 1);
}

#[test]
fn rare_events_are_counted() {
    let metrics = Metrics::new(1);
    metrics.verdict("bulk_write", "warn", 7);
    metrics.login("ok");
    metrics.session_ended("client_gone");
    metrics.cancel("forwarded");
    metrics.waited("max_connections", Duration::from_millis(3));
    let waiting = metrics.waiting("max_connections");
    let text = metrics.render();
    assert_eq!(metrics.verdicts("bulk_write", "warn"), 7);
    assert!(
        text.contains("floodwall_rule_verdicts_total{") && text.contains("floodwall_logins_total{outcome=\"ok\"} 1")
    );
    assert_eq!(line(&text, "floodwall_wait_seconds_count{cap=\"max_connections\"}"), Some("1"));
    assert_eq!(line(&text, "floodwall_waiting{cap=\"max_connections\"}"), Some("1"));
    drop(waiting);
    assert_eq!(line(&metrics.render(), "floodwall_waiting{cap=\"max_connections\"}"), Some("0"));
}

#[test]
fn registered_rows_show_where_their_label_is_bounded() {
    let metrics = Metrics::new(1);
    let cap = |listener: &str, scope: &str, label| CapRow {
        cap: "max_connections",
        listener: listener.to_owned(),
        scope: scope.to_owned(),
        current: 3,
        limit: Some(60),
        waiting: 0,
        refused_total: 2,
        label,
    };
    let rows = vec![
        cap("main", "web", Label::Bounded),
        cap("main", "django/shop", Label::Free),
        cap("main", "address 10.0.0.9", Label::As("address")),
        cap("second", "web", Label::Bounded),
    ];
    metrics.register(caps_collector(move || rows.clone()));
    metrics.register(surges_collector(|| {
        let surge = |listener: &str| SurgeRow {
            listener: listener.to_owned(),
            client: "web".to_owned(),
            connections: 40,
            fast_average: 30.5,
            slow_average: 12.0,
            slope_per_second: 2.0,
            seconds_to_full: None,
            state: "step",
            label: Label::Bounded,
        };
        vec![surge("main"), surge("second")]
    }));
    let text = metrics.render();
    assert!(text.contains("scope=\"web\"") && !text.contains("10.0.0.9") && !text.contains("django/shop"));
    let address = "floodwall_cap_current{listener=\"main\",cap=\"max_connections\",scope=\"address\"}";
    assert_eq!(line(&text, address), Some("3"));
    assert_eq!(line(&text, "floodwall_surge_fast_average{listener=\"main\",client=\"web\"}"), Some("30.5"));
    // A client of two listeners is two series: a scrape with one of them twice is refused.
    let series = text.lines().filter(|line| !line.starts_with('#')).filter_map(|line| line.rsplit_once(' '));
    let mut seen = HashSet::new();
    for (series, _) in series {
        assert!(seen.insert(series), "{series} twice");
    }
    assert!(!text.contains("floodwall_surge_full_in_seconds{"));
    assert!(text.contains("state=\"step\""));
}

/// Whoever writes an alert on `floodwall_pinned_sessions` found no such name, until somebody was pinned.
#[test]
fn what_has_not_happened_yet_is_named_once_with_its_help() {
    let text = Metrics::new(1).render();
    for def in table::ALL {
        assert_eq!(text.matches(&format!("# HELP {} ", def.name)).count(), 1, "{}", def.name);
        assert_eq!(text.matches(&format!("# TYPE {} ", def.name)).count(), 1, "{}", def.name);
    }
}

#[test]
fn every_metric_shown_is_in_the_table() {
    let metrics = Metrics::new(1);
    metrics.login("ok");
    for shown in metrics.render().lines().filter_map(|line| line.strip_prefix("# TYPE ")) {
        let name = shown.split(' ').next().unwrap_or_default();
        assert!(table::ALL.iter().any(|def| def.name == name), "{name}");
    }
}

//! What an exporter for PgBouncer reads while clients wait for the servers of a pool.

use std::collections::HashMap;
use std::time::Duration;

use crate::pooling::{Pooled, one};
use crate::support::floodwall::direct;
use crate::support::process::{SOON, wait_until};

/// What pgbouncer_exporter asks, round after round.
const ASKED: [&str; 6] = ["SHOW LISTS", "SHOW STATS", "SHOW POOLS", "SHOW DATABASES", "SHOW CONFIG", "SHOW VERSION"];

fn row(pooled: &Pooled, command: &str, key: &str, value: &str) -> HashMap<String, String> {
    let rows = pooled.site.proxy.console(command).unwrap();
    rows.into_iter().find(|row| row[key] == value).unwrap_or_default().into_iter().collect()
}

fn number(row: &HashMap<String, String>, column: &str) -> u64 {
    row.get(column).map_or(0, |value| value.parse().unwrap())
}

fn numbers<const N: usize>(row: &HashMap<String, String>, columns: [&str; N]) -> [u64; N] {
    columns.map(|column| number(row, column))
}

/// What is told of the connections that the server has room for.
fn room(pooled: &Pooled) -> u64 {
    number(&row(pooled, "SHOW DATABASES", "name", &pooled.site.database), "max_connections")
}

/// Those who wait do so for a second at the least, however slowly they came one after the other.
async fn all_wait_for_a_second(pool: impl Fn() -> HashMap<String, String>) {
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert!(wait_until(SOON, || number(&pool(), "maxwait") >= 1), "{:?}", pool());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_exporter_reads_numbers_that_add_up() {
    if direct() {
        return;
    }
    let pooled = Pooled::new("exporter", 2, "query_wait_timeout = '5m'");
    let busy = [pooled.site.session("app").await, pooled.site.session("app").await];
    for client in &busy {
        client.batch_execute("BEGIN").await.unwrap();
    }
    let mut waiting = Vec::new();
    for _ in 0..4 {
        let client = pooled.site.session("app").await;
        waiting.push(tokio::spawn(async move {
            one(&client, "SELECT 1").await.unwrap();
            client
        }));
    }
    let pool = || row(&pooled, "SHOW POOLS", "user", "app");
    assert!(wait_until(SOON, || number(&pool(), "cl_waiting") == 4), "{:?}", pool());
    let counted = pool();
    let columns = ["cl_active", "sv_active", "sv_idle", "sv_login", "sv_being_canceled"];
    assert_eq!(numbers(&counted, columns), [2, 2, 0, 0, 0], "{counted:?}");
    assert_eq!((&*counted["database"], &*counted["pool_mode"]), (&*pooled.site.database, "transaction"));
    all_wait_for_a_second(pool).await;
    for command in ASKED {
        assert!(!pooled.site.proxy.console(command).unwrap().is_empty(), "{command}");
    }
    let database = row(&pooled, "SHOW DATABASES", "name", &pooled.site.database);
    let columns = ["current_client_connections", "current_connections", "pool_size", "paused"];
    assert_eq!(numbers(&database, columns), [6, 2, 2, 0], "{database:?}");
    // Learnt from the server: what there is room for is no secret to whoever watches it fill.
    assert!(wait_until(SOON, || room(&pooled) > 50), "{database:?}");
    let list = |name: &str| number(&row(&pooled, "SHOW LISTS", "list", name), "items");
    assert_eq!([list("used_clients"), list("used_servers"), list("free_servers")], [6, 2, 0]);
    for client in &busy {
        client.batch_execute("COMMIT").await.unwrap();
    }
    let mut served = Vec::new();
    for client in waiting {
        served.push(client.await.unwrap());
    }
    let idle = || {
        let pool = pool();
        numbers(&pool, ["cl_active", "cl_waiting", "sv_active", "maxwait", "maxwait_us"]) == [6, 0, 0, 0, 0]
    };
    assert!(wait_until(SOON, idle), "{:?}", pool());
    drop((busy, served));
    assert!(wait_until(SOON, || number(&pool(), "cl_active") == 0), "{:?}", pool());
    // What clients did stays counted when they have left: 2 of BEGIN and COMMIT, 4 of one SELECT.
    let stats = row(&pooled, "SHOW STATS", "database", &pooled.site.database);
    let columns = [
        "total_xact_count",
        "total_query_count",
        "total_server_assignment_count",
        "total_client_login_count",
        "total_bind_count",
    ];
    assert_eq!(numbers(&stats, columns), [6, 8, 6, 6, 0], "{stats:?}");
    // Four have waited for about a second each, while two transactions were open.
    assert!(number(&stats, "total_wait_time") >= 4_000_000, "{stats:?}");
    assert!(number(&stats, "total_xact_time") >= 2_000_000, "{stats:?}");
    assert!(number(&stats, "total_query_time") < number(&stats, "total_xact_time"), "{stats:?}");
    assert!(number(&stats, "total_received") >= 100 && number(&stats, "total_sent") >= 100, "{stats:?}");
    pooled.finish();
}

/// Whoever has only `/metrics` is woken by it as well: an exhausted pool, and a client that keeps a server.
#[tokio::test(flavor = "multi_thread")]
async fn metrics_tell_of_a_pool_that_is_exhausted_and_of_who_is_pinned() {
    if direct() {
        return;
    }
    let pooled = Pooled::new("woken", 1, "query_wait_timeout = '5m'");
    let metric = |name: &str, labels: &[&str]| pooled.site.proxy.metric(name, labels);
    let standing = |state: &str| metric("floodwall_pool_servers", &[&format!("state=\"{state}\"")]);
    let busy = pooled.site.session("app").await;
    busy.batch_execute("BEGIN").await.unwrap();
    assert_eq!((standing("active"), metric("floodwall_pool_longest_waiting_seconds", &[])), (1.0, 0.0));
    let waiting = pooled.site.session("app").await;
    let waiting = tokio::spawn(async move { one(&waiting, "SELECT 1").await.unwrap() });
    assert!(wait_until(SOON, || metric("floodwall_pool_longest_waiting_seconds", &[]) > 0.3));
    assert_eq!(metric("floodwall_sessions", &["state=\"waiting\""]), 1.0);
    busy.batch_execute("COMMIT").await.unwrap();
    waiting.await.unwrap();
    let is_idle = || standing("idle") == 1.0 && metric("floodwall_pool_longest_waiting_seconds", &[]) == 0.0;
    assert!(wait_until(SOON, is_idle));
    busy.batch_execute("LISTEN wake").await.unwrap();
    assert!(wait_until(SOON, || metric("floodwall_pinned_sessions", &[]) == 1.0));
    assert_eq!(standing("active"), 1.0);
    busy.batch_execute("UNLISTEN wake").await.unwrap();
    assert!(wait_until(SOON, || metric("floodwall_pinned_sessions", &[]) == 0.0 && standing("idle") == 1.0));
    drop(busy);
    pooled.finish();
}

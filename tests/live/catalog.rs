//! The catalogue against a real server, through a role without any privilege.

use std::sync::Arc;
use std::time::{Duration, Instant};

use floodwall::catalog::{Catalog, Sight};
use floodwall::config::{Listener, Monitor, Secret};
use floodwall::sql::schema::{Estimate, Schema, TableName};
use tokio::sync::oneshot;
use tokio::time::{sleep, timeout};

use crate::support::cluster::{Cluster, password};

fn listener(port: u16, user: &str, secret: &str) -> Listener {
    let monitor = Monitor { user: user.into(), password: Some(Secret::new(secret)), database: "postgres".into() };
    Listener {
        name: "main".into(),
        bind: ([127, 0, 0, 1], 0).into(),
        servers: vec![format!("127.0.0.1:{port}")],
        max_server_connections: None,
        allow_trust: false,
        monitor: Some(monitor),
    }
}

/// A running catalogue; stopped, and waited for, at the end of a test.
struct Running {
    catalog: Arc<Catalog>,
    stop: oneshot::Sender<()>,
    task: tokio::task::JoinHandle<()>,
}

impl Running {
    fn start(listener: &Listener) -> Self {
        let catalog = Catalog::start(listener);
        let (stop, stopped) = oneshot::channel::<()>();
        let shutdown = async move {
            stopped.await.ok();
        };
        Self { task: tokio::spawn(Arc::clone(&catalog).run(shutdown)), catalog, stop }
    }

    async fn stop(self) {
        self.stop.send(()).ok();
        timeout(Duration::from_secs(1), self.task).await.unwrap().unwrap();
    }

    /// Asks until the schema says what is wanted; the time that took.
    async fn until(&self, database: &str, wanted: impl Fn(&Schema) -> bool) -> Duration {
        let began = Instant::now();
        loop {
            if self.catalog.schema(database, Sight::Changed).is_some_and(|schema| wanted(&schema)) {
                return began.elapsed();
            }
            let seen = self.catalog.schema(database, Sight::Changed);
            assert!(began.elapsed() < Duration::from_secs(15), "not within 15 s: {seen:?}");
            sleep(Duration::from_millis(20)).await;
        }
    }
}

fn rows(schema: &Schema, name: &str) -> Estimate {
    schema.rows(&TableName::new(name))
}

#[tokio::test(flavor = "multi_thread")]
async fn estimates_come_from_statistics_partitions_and_size() {
    let cluster = Cluster::start(&[("autovacuum", "off"), ("max_connections", "40")]);
    cluster.sql(
        "app",
        "CREATE TABLE analysed AS SELECT generate_series(1, 20000) AS id;
         CREATE TABLE counted AS SELECT generate_series(1, 3000) AS id;
         CREATE TABLE empty (id int);
         CREATE TABLE parted (id int) PARTITION BY RANGE (id);
         CREATE TABLE parted_1 PARTITION OF parted FOR VALUES FROM (0) TO (100) PARTITION BY RANGE (id);
         CREATE TABLE parted_1a PARTITION OF parted_1 FOR VALUES FROM (0) TO (100);
         CREATE TABLE parted_2 PARTITION OF parted FOR VALUES FROM (100) TO (20000);
         INSERT INTO parted SELECT generate_series(0, 9999);
         CREATE VIEW seen AS SELECT * FROM analysed;
         CREATE MATERIALIZED VIEW kept AS SELECT * FROM counted;
         CREATE TABLE ancestor (id int);
         CREATE TABLE descendant () INHERITS (ancestor);
         INSERT INTO descendant SELECT generate_series(1, 700);
         CREATE SCHEMA \"Odd name\"; CREATE TABLE \"Odd name\".\"a.b\" (id int);",
    );
    cluster.sql("app", "ANALYZE");
    let running = Running::start(&listener(cluster.port, "floodwall", password("floodwall")));
    running.until("app", |schema| rows(schema, "analysed") == Estimate::Known(20_000)).await;
    let schema = running.catalog.schema("app", Sight::Changed).unwrap();
    let expected = [
        ("counted", 3_000),
        ("empty", 0),
        ("parted", 10_000),
        ("parted_1", 100),
        ("parted_2", 9_900),
        ("kept", 3_000),
        ("ancestor", 700),
        ("a.b", 0),
    ];
    for (name, expected) in expected {
        assert_eq!(rows(&schema, name), Estimate::Known(expected), "{name}");
    }
    assert_eq!(rows(&schema, "seen"), Estimate::NotATable);
    assert_eq!(schema.rows(&TableName::qualified("Odd name", "a.b")), Estimate::Known(0));
    assert_eq!(schema.len(), 12, "the server's own tables are left out");
    assert!(running.catalog.generation() > 0);
    assert_eq!(running.catalog.max_server_connections(), Some(40 - 3 - 5));
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_touch_shows_a_new_table_soon_and_rows_follow_without_analyze() {
    let cluster = Cluster::start(&[("autovacuum", "off")]);
    let running = Running::start(&listener(cluster.port, "floodwall", password("floodwall")));
    running.until("app", |_| true).await;
    let before = running.catalog.generation();
    cluster.sql("app", "CREATE TABLE fresh (id int)");
    running.catalog.touch("app");
    let took = running.until("app", |schema| rows(schema, "fresh") == Estimate::Known(0)).await;
    assert!(took < Duration::from_millis(2_000), "{took:?}");
    assert!(running.catalog.generation() > before);

    cluster.sql("app", "INSERT INTO fresh SELECT generate_series(1, 12345)");
    running.catalog.touch("app");
    let took = running.until("app", |schema| rows(schema, "fresh") == Estimate::Known(12_345)).await;
    assert!(took < Duration::from_millis(3_000), "{took:?}");
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_locked_table_holds_nobody_up() {
    let cluster = Cluster::start(&[("autovacuum", "off")]);
    cluster.sql("app", "CREATE TABLE altered AS SELECT generate_series(1, 50) AS id; ANALYZE altered;");
    let (client, connection) =
        tokio_postgres::connect(&cluster.conn_str("postgres", "app"), tokio_postgres::NoTls).await.unwrap();
    let driver = tokio::spawn(connection);
    client.batch_execute("BEGIN; LOCK TABLE altered IN ACCESS EXCLUSIVE MODE").await.unwrap();
    let running = Running::start(&listener(cluster.port, "floodwall", password("floodwall")));
    let took = running.until("app", |schema| rows(schema, "altered") == Estimate::Known(50)).await;
    assert!(took < Duration::from_secs(2), "{took:?}");
    running.stop().await;
    drop(client);
    driver.await.unwrap().unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_role_that_comes_later_is_found_and_a_lost_server_too() {
    let cluster = Cluster::start(&[]);
    let running = Running::start(&listener(cluster.port, "latecomer", "late"));
    sleep(Duration::from_millis(1_500)).await;
    assert!(running.catalog.schema("app", Sight::Changed).is_none());
    assert_eq!(running.catalog.max_server_connections(), None);
    cluster.sql("postgres", "CREATE ROLE latecomer LOGIN PASSWORD 'late'");
    running.until("app", |_| true).await;

    let restarted = cluster.sql("app", "CREATE TABLE after_restart (id int)");
    assert_eq!(restarted, "");
    cluster.stop(rustix::process::Signal::INT);
    cluster.restart();
    running.until("app", |schema| rows(schema, "after_restart") != Estimate::Unknown).await;
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn many_databases_take_two_connections_at_most() {
    let cluster = Cluster::start(&[("log_connections", "on")]);
    let databases: Vec<String> = (0..4).map(|n| cluster.create_database(&format!("cat{n}"))).collect();
    for database in &databases {
        cluster.sql(database, &format!("CREATE TABLE in_{database} (id int)"));
    }
    let running = Running::start(&listener(cluster.port, "floodwall", password("floodwall")));
    for database in &databases {
        running.catalog.schema(database, Sight::Changed);
    }
    let count = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'floodwall-monitor'";
    let mut most = 0;
    for _ in 0..20 {
        most = most.max(cluster.sql("postgres", count).parse::<u32>().unwrap());
        sleep(Duration::from_millis(20)).await;
    }
    assert!((1..=2).contains(&most), "{most}");
    for database in &databases {
        running.until(database, |schema| rows(schema, &format!("in_{database}")) != Estimate::Unknown).await;
    }
    let kept = "SELECT string_agg(datname, ',') FROM pg_stat_activity WHERE application_name = 'floodwall-monitor'";
    assert_eq!(cluster.sql("postgres", kept), "postgres", "one stays, in the monitor's own database");
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_was_read_can_be_dropped_renamed_and_copied() {
    let cluster = Cluster::start(&[]);
    let running = Running::start(&listener(cluster.port, "floodwall", password("floodwall")));
    running.until("app", |_| true).await;
    // The server itself waits up to 5 s for others to leave.
    cluster.sql("postgres", "ALTER DATABASE app RENAME TO renamed");
    cluster.sql("postgres", "CREATE DATABASE app TEMPLATE renamed");
    running.until("renamed", |_| true).await;
    cluster.sql("postgres", "DROP DATABASE renamed");
    running.stop().await;
}

//! The catalogue against a real server, through a role without any privilege.

use std::sync::Arc;
use std::time::{Duration, Instant};

use floodwall::catalog::{Catalog, Sight};
use floodwall::config::{Listener, Monitor, Secret};
use floodwall::sql::schema::{Estimate, Key, Nulls, Rank, Schema, TableName};
use tokio::sync::oneshot;
use tokio::time::{sleep, timeout};

use crate::support::cluster::{Cluster, password};
use crate::support::floodwall::direct;
use crate::support::process::{SOON, wait_until};
use crate::support::raw::{Message, Raw, reply_codes, sqlstates, startup};
use crate::support::site::Site;

pub(crate) fn listener(port: u16, user: &str, secret: &str) -> Listener {
    let monitor = Monitor { user: user.into(), password: Some(Secret::new(secret)), database: "postgres".into() };
    Listener {
        bind: ([127, 0, 0, 1], 0).into(),
        servers: vec![format!("127.0.0.1:{port}")],
        monitor: Some(monitor),
        ..Listener::default()
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
        let catalog = Catalog::new(listener);
        let (stop, stopped) = oneshot::channel::<()>();
        let shutdown = async move {
            stopped.await.ok();
        };
        Self { task: tokio::spawn(Arc::clone(&catalog).run(shutdown)), catalog, stop }
    }

    async fn stop(self) {
        self.stop.send(()).ok();
        timeout(SOON, self.task).await.unwrap().unwrap();
    }

    /// Asks until the schema says what is wanted.
    async fn until(&self, database: &str, wanted: impl Fn(&Schema) -> bool) {
        self.until_as(Sight::Changed, database, wanted).await
    }

    /// What has changed is told a moment after it can be seen.
    async fn changes_from(&self, generation: u64) {
        let began = Instant::now();
        while self.catalog.generation() <= generation {
            assert!(began.elapsed() < SOON, "not in time: {}", self.catalog.generation());
            sleep(Duration::from_millis(1)).await;
        }
    }

    /// The same for one sight of the tables.
    async fn until_as(&self, sight: Sight<'_>, database: &str, wanted: impl Fn(&Schema) -> bool) {
        let began = Instant::now();
        loop {
            if self.catalog.schema(database, sight).is_some_and(|schema| wanted(&schema)) {
                return;
            }
            let seen = self.catalog.schema(database, sight);
            assert!(began.elapsed() < SOON, "not in time: {seen:?}");
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
    // What the first session inserted is reported when it ends; reported behind ANALYZE it would count twice.
    cluster.sql(
        "app",
        "DO $$ BEGIN
           FOR turn IN 1..300 LOOP
             PERFORM pg_stat_clear_snapshot();
             EXIT WHEN (SELECT sum(n_live_tup) FROM pg_stat_user_tables) = 20000 + 3000 + 3000 + 10000 + 700;
             PERFORM pg_sleep(0.05);
           END LOOP;
         END $$",
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
    running.changes_from(0).await;
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
    running.until("app", |schema| rows(schema, "fresh") == Estimate::Known(0)).await;
    running.changes_from(before).await;

    cluster.sql("app", "INSERT INTO fresh SELECT generate_series(1, 12345)");
    running.catalog.touch("app");
    running.until("app", |schema| rows(schema, "fresh") == Estimate::Known(12_345)).await;
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
    // The lock is held for as long as this takes.
    running.until("app", |schema| rows(schema, "altered") == Estimate::Known(50)).await;
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
    let cluster = Cluster::start(&[]);
    let databases: Vec<String> = (0..4).map(|n| cluster.create_database(&format!("cat{n}"))).collect();
    for database in &databases {
        cluster.sql(database, &format!("CREATE TABLE in_{database} (id int)"));
    }
    let running = Running::start(&listener(cluster.port, "floodwall", password("floodwall")));
    for database in &databases {
        running.catalog.schema(database, Sight::Changed);
    }
    let read = || {
        let sees = |database: &String| running.catalog.schema(database, Sight::Changed);
        let known = |database: &String| {
            sees(database).is_some_and(|schema| rows(&schema, &format!("in_{database}")) != Estimate::Unknown)
        };
        databases.iter().all(known)
    };
    let (mut most, mut before) = (0, Vec::new());
    let begin = Instant::now();
    while !read() || most == 0 {
        let now = connected_to(cluster.port);
        most = most.max(now.iter().filter(|port| before.contains(*port)).count());
        before = now;
        assert!(begin.elapsed() < SOON * 2, "not in time");
        sleep(Duration::from_millis(2)).await;
    }
    // A third one is just being closed when the next is opened, for as long as nobody has the processor for that; each at once would be six.
    assert!((1..=3).contains(&most), "{most}");
    let kept = "SELECT string_agg(datname, ',') FROM pg_stat_activity WHERE application_name = 'floodwall-monitor'";
    let one_stays = || cluster.sql("postgres", kept) == "postgres";
    assert!(wait_until(SOON, one_stays), "one stays, in the monitor's own database: {}", cluster.sql("postgres", kept));
    running.stop().await;
}

/// Ports of this machine from which somebody is connected to that one: what the server still has on its way out is not among them.
fn connected_to(port: u16) -> Vec<String> {
    let table = std::fs::read_to_string("/proc/net/tcp").unwrap();
    let (server, established) = (format!("0100007F:{port:04X}"), "01");
    let rows = table.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
    let there = rows.filter(|row| row.get(2) == Some(&server.as_str()) && row.get(3) == Some(&established));
    there.map(|row| row[1].to_owned()).collect()
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

/// The keys of a table: their columns, primary keys marked by `*`, nullable ones by `?`, those with one null by `=`.
fn keys(schema: &Schema, name: &str) -> String {
    let Some(columns) = schema.table(&TableName::new(name)).and_then(|table| table.columns.clone()) else {
        return "unknown".to_owned();
    };
    let one = |key: &Key| {
        let rank = if key.rank == Rank::Primary { "*" } else { "" };
        let nulls = match key.nulls {
            Nulls::Never => "",
            Nulls::Same => "=",
            Nulls::Distinct => "?",
        };
        format!("{}{rank}{nulls}", key.columns.join("+"))
    };
    columns.keys.iter().map(one).collect::<Vec<_>>().join(" ")
}

#[tokio::test(flavor = "multi_thread")]
async fn only_keys_that_hold_for_every_row_count() {
    let cluster = Cluster::start(&[("autovacuum", "off")]);
    // Before PostgreSQL 15 every null differs from any other.
    let knows_same = cluster.sql("app", "SHOW server_version_num").parse::<u32>().unwrap() >= 150_000;
    let (clause, key) = if knows_same { ("NULLS NOT DISTINCT", "e=") } else { ("", "e?") };
    let tables = "CREATE TABLE keyed (a int PRIMARY KEY, b int UNIQUE, c int NOT NULL UNIQUE, d text, e int,
                             UNIQUE (d, c), UNIQUE SAME_NULLS (e), f int, g text COLLATE \"C\", h int NOT NULL);
         CREATE UNIQUE INDEX ON keyed (lower(d));
         CREATE UNIQUE INDEX ON keyed (f) WHERE f > 0;
         CREATE UNIQUE INDEX ON keyed (g COLLATE \"POSIX\");
         CREATE INDEX ON keyed (h);
         CREATE UNIQUE INDEX ON keyed (h) INCLUDE (f);
         CREATE TABLE late (a int UNIQUE DEFERRABLE);
         CREATE TABLE keyless (a int);
         CREATE TABLE parted (id int, at int, PRIMARY KEY (id, at)) PARTITION BY RANGE (at);
         CREATE TABLE parted_1 PARTITION OF parted FOR VALUES FROM (0) TO (9);
         CREATE TABLE parent (id int PRIMARY KEY);
         CREATE TABLE child () INHERITS (parent);
         CREATE VIEW seen AS SELECT * FROM keyed;
         CREATE MATERIALIZED VIEW kept AS SELECT a FROM keyed;
         CREATE UNIQUE INDEX ON kept (a);";
    cluster.sql("app", &tables.replace("SAME_NULLS", clause));
    let running = Running::start(&listener(cluster.port, "floodwall", password("floodwall")));
    running.until("app", |_| true).await;
    let schema = running.catalog.schema("app", Sight::Changed).unwrap();
    let expected = [
        ("keyed", "a* b? c KEY h d+c?"),
        ("late", ""),
        ("keyless", ""),
        ("parted", "id+at*"),
        ("parted_1", "id+at*"),
        ("parent", ""),
        ("child", ""),
        ("seen", "unknown"),
        ("kept", "a?"),
        ("elsewhere", "unknown"),
    ];
    for (name, expected) in expected {
        assert_eq!(keys(&schema, name), expected.replace("KEY", key), "{name}");
    }
    let columns = schema.table(&TableName::new("keyed")).unwrap().columns.clone().unwrap();
    assert_eq!(columns.never_null.iter().map(|name| &**name).collect::<Vec<_>>(), ["a", "c", "h"]);
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_of_keys_is_noticed_by_a_touch_and_without_one() {
    let cluster = Cluster::start(&[("autovacuum", "off")]);
    cluster.sql("app", "CREATE TABLE t (id int NOT NULL, n int NOT NULL); CREATE UNIQUE INDEX by_id ON t (id)");
    let running = Running::start(&listener(cluster.port, "floodwall", password("floodwall")));
    running.until("app", |schema| keys(schema, "t") == "id").await;
    for (change, expected) in [
        ("DROP INDEX by_id", ""),
        ("CREATE UNIQUE INDEX by_n ON t (n)", "n"),
        ("ALTER TABLE t ADD PRIMARY KEY (id)", "id* n"),
        ("ALTER TABLE t ALTER n DROP NOT NULL", "id* n?"),
        ("ALTER TABLE t RENAME id TO key", "key* n?"),
    ] {
        cluster.sql("app", change);
        running.catalog.touch("app");
        running.until("app", |schema| keys(schema, "t") == expected).await;
    }
    // By somebody else, past the proxy: the server's counters tell.
    cluster.sql("app", "DROP INDEX by_n");
    running.until("app", |schema| keys(schema, "t") == "key*").await;
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn names_are_looked_up_as_the_server_does_for_each_role() {
    let cluster = Cluster::start(&[("autovacuum", "off")]);
    cluster.sql(
        "app",
        "CREATE SCHEMA small; CREATE SCHEMA big; CREATE SCHEMA trusted;
         CREATE TABLE small.t AS SELECT 1 AS id; CREATE TABLE big.t AS SELECT generate_series(1, 2000) AS id;
         CREATE TABLE trusted.t AS SELECT generate_series(1, 30) AS id;
         ALTER ROLE app SET search_path = small, big;
         ALTER ROLE md5_user IN DATABASE app SET search_path = big;
         ALTER ROLE md5_user SET search_path = small; ANALYZE;",
    );
    let running = Running::start(&listener(cluster.port, "floodwall", password("floodwall")));
    running.until("app", |_| true).await;
    let seen = |role: &str| rows(&running.catalog.schema("app", Sight::Role(role)).unwrap(), "t");
    assert_eq!(seen("app"), Estimate::Known(1));
    assert_eq!(seen("md5_user"), Estimate::Known(2_000));
    assert_eq!(seen("trusted"), Estimate::Known(30), "\"$user\"");
    assert_eq!(seen("replicator"), Estimate::Unknown, "no schema of its path has it");
    let pathless = running.catalog.schema("app", Sight::Changed).unwrap();
    assert_eq!(rows(&pathless, "t"), Estimate::Known(1), "the smallest");
    let again = running.catalog.schema("app", Sight::Role("app")).unwrap();
    let same = running.catalog.schema("app", Sight::Role("app")).unwrap();
    assert!(Arc::ptr_eq(&again, &same), "what was judged by one holds for the other");

    cluster.sql("app", "ALTER DATABASE app SET search_path = big, public");
    running.catalog.touch("app");
    running.until_as(Sight::Role("replicator"), "app", |schema| rows(schema, "t") == Estimate::Known(2_000)).await;
    running.stop().await;
}

/// A proxy whose database has two tables `t`: one of 20,000 rows in `public`, one of three in `small`.
fn twins(label: &str) -> Option<Site> {
    let tables = "CREATE TABLE t AS SELECT generate_series(1, 20000) AS id; CREATE SCHEMA small;
                  CREATE TABLE small.t AS SELECT generate_series(1, 3) AS id; ANALYZE";
    if direct() {
        return None;
    }
    let site = Site::prepared(label, "", tables);
    assert!(site.knows_its_tables("public.t"));
    Some(site)
}

fn is_refused(session: &mut Raw, sql: &str) -> bool {
    let reply = session.query(sql);
    let refused = sqlstates(&reply) == ["54000"];
    assert!(refused || sqlstates(&reply).is_empty(), "{sql}: {}", reply[0].summary());
    refused
}

#[test]
fn a_session_that_looks_elsewhere_is_not_refused_for_a_namesake() {
    let Some(site) = twins("twins") else { return };
    let mut session = site.raw();
    assert!(is_refused(&mut session, "SELECT * FROM t"), "public is what its path begins with");
    assert!(!is_refused(&mut session, "SELECT * FROM small.t"));
    assert!(!is_refused(&mut session, "SET search_path = small; SELECT * FROM t"));
    assert_eq!(session.rows("SELECT * FROM t").len(), 3);
    assert!(is_refused(&mut session, "SELECT * FROM public.t"));

    let mut other = site.raw();
    assert!(is_refused(&mut other, "SELECT * FROM t"), "another session is as before");
    for parameter in [("search_path", "small"), ("options", "-c search-path=small")] {
        let mut session = Raw::open(site.proxy.port);
        session.send(&startup(0x0003_0000, &[("user", "postgres"), ("database", &site.database), parameter]));
        session.finish_login().unwrap_or_else(|error: Message| panic!("{}", error.summary()));
        assert_eq!(session.rows("SELECT * FROM t").len(), 3, "{parameter:?}");
    }
    drop((session, other));
    site.finish();
}

#[test]
fn a_temporary_table_hides_a_large_one_from_its_session_alone() {
    let Some(site) = twins("temporary") else { return };
    let mut session = site.raw();
    assert!(is_refused(&mut session, "SELECT * FROM t"));
    assert_eq!(reply_codes(&session.query("CREATE TEMP TABLE t (id int)")), "C Z");
    assert!(!is_refused(&mut session, "SELECT * FROM t"));
    assert!(is_refused(&mut session, "SELECT * FROM public.t"));
    assert!(is_refused(&mut site.raw(), "SELECT * FROM t"));
    drop(session);
    site.finish();
}

#[test]
fn a_key_that_a_client_makes_is_in_the_next_hint() {
    let Some(site) = twins("hints") else { return };
    let mut session = site.raw();
    let mut hint_has = |part: &str| {
        let reply = session.query("SELECT * FROM public.t");
        reply[0].field(b'H').is_some_and(|hint| hint.contains(part))
    };
    assert!(hint_has("public.t has no unique key"));
    let mut client = site.raw();
    for (change, part) in [
        ("ALTER TABLE public.t ADD PRIMARY KEY (id)", "WHERE id > $1 ORDER BY id LIMIT 1000"),
        ("ALTER TABLE public.t RENAME id TO \"Key\"", "WHERE \"Key\" > $1 ORDER BY \"Key\" LIMIT 1000"),
        ("ALTER TABLE public.t DROP CONSTRAINT t_pkey", "has no unique key"),
    ] {
        assert_eq!(reply_codes(&client.query(change)), "C Z", "{change}");
        assert!(wait_until(SOON, || hint_has(part)), "{change}: {part}");
    }
    drop((session, client));
    site.finish();
}

//! The console's verbs over pools: what becomes of servers and of those who wait for them, and that everything goes on afterwards.

mod cancels;
mod pauses;

use std::collections::HashMap;
use std::process::{Command, Output};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use tokio_postgres::{Client, NoTls};

use crate::pooling::{Pooled, one};
use crate::support::cluster::Cluster;
use crate::support::command::{pg_within, stderr};
use crate::support::floodwall::{CONSOLE_USER, as_row, direct};
use crate::support::lock::Lock;
use crate::support::process::{SOON, wait_until};

type Row = HashMap<String, String>;

impl Pooled {
    fn console(&self, sql: &str) -> Vec<Row> {
        self.site.proxy.console(sql).unwrap_or_else(|error| panic!("{sql}: {error}"))
    }

    /// psql at the console, which shows what is told meanwhile.
    fn console_psql(&self, sql: &str) -> Command {
        let (user, password) = CONSOLE_USER;
        let mut psql = pg_within(60, "psql", self.site.proxy.console_port, (user, "floodwall"));
        psql.env("PGPASSWORD", password).args(["-XAtq", "-c", sql]);
        psql
    }

    /// The same beside the test.
    fn console_begin(&self, sql: &str) -> JoinHandle<Output> {
        let mut psql = self.console_psql(sql);
        std::thread::spawn(move || psql.output().unwrap())
    }

    fn pool(&self) -> Row {
        self.console("SHOW POOLS").into_iter().find(|row| row["user"] == "app").unwrap_or_default()
    }

    fn count(&self, column: &str) -> usize {
        self.pool().get(column).map_or(0, |count| count.parse().unwrap())
    }

    fn expect(&self, column: &str, count: usize) {
        assert!(wait_until(SOON, || self.count(column) == count), "{column} is no {count}: {:?}", self.pool());
    }

    fn server_rows(&self) -> Vec<Row> {
        let mut rows = self.console("SHOW SERVERS");
        rows.retain(|row| row["user"] == "app");
        rows
    }

    fn database(&self) -> Row {
        let rows = self.console("SHOW DATABASES");
        rows.into_iter().find(|row| row["name"] == self.site.database).unwrap_or_default()
    }

    fn expect_servers(&self, count: usize) {
        assert!(wait_until(SOON, || self.servers() == count), "{} servers\n{}", self.servers(), self.site.proxy.log());
    }
}

/// A statement that waits for a server.
struct Waiting(tokio::task::JoinHandle<(Client, Result<String, tokio_postgres::Error>)>);

impl Waiting {
    fn begin(client: Client, sql: &'static str) -> Self {
        Self(tokio::spawn(async move {
            let told = one(&client, sql).await;
            (client, told)
        }))
    }

    async fn served(self) -> (Client, String) {
        let (client, told) = self.0.await.unwrap();
        (client, told.unwrap())
    }
}

fn sqlstate(error: &tokio_postgres::Error) -> String {
    error.as_db_error().map(|error| error.code().code().to_owned()).unwrap_or_default()
}

#[tokio::test(flavor = "multi_thread")]
async fn reconnect_replaces_servers_as_they_become_free() {
    if direct() {
        return;
    }
    let pooled = Pooled::new("reconnect", 3, "");
    let (busy, other) = (pooled.site.session("app").await, pooled.site.session("app").await);
    busy.batch_execute("BEGIN").await.unwrap();
    let lent = one(&busy, "SELECT pg_backend_pid()").await.unwrap();
    let idle = one(&other, "SELECT pg_backend_pid()").await.unwrap();
    pooled.console("RECONNECT no_such_database");
    assert_eq!(one(&other, "SELECT pg_backend_pid()").await.unwrap(), idle);
    pooled.console(&format!("RECONNECT {}", pooled.site.database));
    pooled.expect_servers(1);
    let rows = pooled.server_rows();
    let told: Vec<_> = rows.iter().map(|row| (&*row["state"], &*row["remote_pid"], &*row["close_needed"])).collect();
    assert_eq!(told, [("active", &*lent, "1")]);
    // A new one serves others meanwhile.
    assert_ne!(one(&other, "SELECT pg_backend_pid()").await.unwrap(), idle);
    let waiting = pooled.console_begin("WAIT_CLOSE");
    assert_eq!(one(&busy, "SELECT pg_backend_pid()").await.unwrap(), lent, "a transaction stays where it is");
    assert!(!waiting.is_finished());
    busy.batch_execute("COMMIT").await.unwrap();
    let waited = waiting.join().unwrap();
    assert!(waited.status.success(), "{}", stderr(&waited));
    assert_ne!(one(&busy, "SELECT pg_backend_pid()").await.unwrap(), lent);
    drop((busy, other));
    pooled.finish();
}

#[tokio::test(flavor = "multi_thread")]
async fn servers_and_pools_tell_the_same() {
    if direct() {
        return;
    }
    let pooled = Pooled::new("servers_rows", 3, "");
    let (busy, other) = (pooled.site.session("app").await, pooled.site.session("app").await);
    busy.batch_execute("BEGIN").await.unwrap();
    let lent = one(&busy, "SELECT pg_backend_pid()").await.unwrap();
    let idle = one(&other, "SELECT pg_backend_pid()").await.unwrap();
    let rows = pooled.server_rows();
    let mut told: Vec<_> = rows.iter().map(|row| (&*row["state"], &*row["remote_pid"])).collect();
    told.sort_unstable();
    assert_eq!(told, [("active", &*lent), ("idle", &*idle)]);
    assert_eq!([pooled.count("sv_active"), pooled.count("sv_idle"), pooled.count("sv_login")], [1, 1, 0]);
    let active = rows.iter().find(|row| row["state"] == "active").unwrap();
    let clients = pooled.console("SHOW CLIENTS");
    let client = clients.iter().find(|row| row["server_pid"] == lent).unwrap();
    assert_eq!((&active["link"], &*active["port"]), (&client["id"], &*pooled.site.cluster.port.to_string()));
    for time in ["connect_time", "request_time"] {
        assert!(active[time].ends_with(" UTC"), "{active:?}");
    }
    busy.batch_execute("COMMIT").await.unwrap();
    pooled.expect("sv_idle", 2);
    assert!(pooled.server_rows().iter().all(|row| row["state"] == "idle" && row["link"].is_empty()));
    drop((busy, other));
    pooled.finish();
}

#[tokio::test(flavor = "multi_thread")]
async fn kill_ends_the_clients_of_a_database_and_new_ones_wait_for_resume() {
    if direct() {
        return;
    }
    let pooled = Pooled::new("kill_pool", 2, "");
    let mut clients = Vec::new();
    for _ in 0..3 {
        clients.push(pooled.site.session("app").await);
    }
    let mut running =
        clients.into_iter().map(|client| Waiting::begin(client, "SELECT pg_sleep(60)")).collect::<Vec<_>>();
    assert!(wait_until(SOON, || pooled.sleepers() == 2));
    pooled.expect("cl_waiting", 1);
    // One by its number first.
    let number =
        pooled.console("SHOW CLIENTS").into_iter().find(|row| row["state"] == "waiting").unwrap()["id"].clone();
    pooled.console(&format!("KILL_CLIENT {number}"));
    pooled.expect("cl_waiting", 0);
    assert_eq!(pooled.sleepers(), 2, "the others go on");
    pooled.console(&format!("KILL {}", pooled.site.database));
    for ended in running.drain(..) {
        let (_, told) = ended.0.await.unwrap();
        assert_eq!(sqlstate(&told.unwrap_err()), "57P01");
    }
    pooled.expect_servers(0);
    // Whoever comes when everybody has been gone for a while gets in as well, and waits with its first statement.
    let kept = || pooled.site.proxy.console("SHOW POOLS").unwrap().iter().any(|row| row["user"] == "app");
    tokio::time::sleep(Duration::from_millis(2500)).await;
    assert!(kept(), "the pool is forgotten");
    let waiting = Waiting::begin(pooled.site.session("app").await, "SELECT 'again'");
    pooled.expect("cl_waiting", 1);
    pooled.console(&format!("RESUME {}", pooled.site.database));
    let (client, served) = waiting.served().await;
    assert_eq!(served, "again");
    drop(client);
    pooled.finish();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disabled_database_keeps_its_clients_and_takes_no_others() {
    if direct() {
        return;
    }
    let pooled = Pooled::new("disable", 2, "");
    let client = pooled.site.session("app").await;
    pooled.console(&format!("DISABLE {}", pooled.site.database));
    let target = pooled.site.proxy.conn_str("app", &pooled.site.database);
    let refused = tokio_postgres::connect(&target, NoTls).await.err().unwrap();
    assert_eq!(sqlstate(&refused), "57P03");
    assert!(refused.as_db_error().unwrap().message().starts_with("FLOODWALL[rule=disable]"), "{refused}");
    assert_eq!(one(&client, "SELECT 1").await.unwrap(), "1");
    assert_eq!(pooled.database()["disabled"], "1");
    pooled.console(&format!("ENABLE {}", pooled.site.database));
    let next = pooled.site.session("app").await;
    assert_eq!(one(&next, "SELECT 1").await.unwrap(), "1");
    drop((client, next));
    pooled.finish();
}

#[tokio::test(flavor = "multi_thread")]
async fn reload_changes_the_size_of_a_pool_and_its_users() {
    if direct() {
        return;
    }
    let pooled = Pooled::new("reload_pool", 1, "");
    let small = pooled.site.proxy.config_text();
    let large = small.replace("pool_size = 1\n", "pool_size = 2\n");
    assert_ne!(small, large);
    let (busy, other) = (pooled.site.session("app").await, pooled.site.session("app").await);
    busy.batch_execute("BEGIN; SELECT 1").await.unwrap();
    let waiting = Waiting::begin(other, "SELECT 'room'");
    pooled.expect("cl_waiting", 1);
    pooled.site.proxy.write_config(&large);
    pooled.console("RELOAD");
    let (other, served) = waiting.served().await;
    assert_eq!(served, "room", "who waits gets a place that there is now");
    pooled.expect_servers(2);
    busy.batch_execute("COMMIT").await.unwrap();
    pooled.site.proxy.write_config(&small);
    pooled.console("RELOAD");
    pooled.expect_servers(1);
    assert_eq!(one(&busy, "SELECT 1").await.unwrap(), "1");
    // A user who is no longer in the file stays until the session ends.
    pooled.write_users("[[user]]\nname = 'somebody'\npassword = 'secret'\n");
    pooled.console("RELOAD");
    let target = pooled.site.proxy.conn_str("app", &pooled.site.database);
    let refused = tokio_postgres::connect(&target, NoTls).await.err().unwrap();
    assert_eq!(sqlstate(&refused), "28P01");
    assert_eq!(one(&other, "SELECT 2").await.unwrap(), "2");
    pooled.write_users("[[user]]\nname = 'app'\npassword = 'app-secret'\n");
    pooled.console("RELOAD");
    let back = pooled.site.session("app").await;
    assert_eq!(one(&back, "SELECT 3").await.unwrap(), "3");
    drop((busy, other, back));
    pooled.finish();
}

#[tokio::test(flavor = "multi_thread")]
async fn reload_without_a_listener_leaves_it_until_a_restart() {
    if direct() {
        return;
    }
    let pooled = Pooled::new("reload_listener", 2, "");
    let client = pooled.site.session("app").await;
    let good = pooled.site.proxy.config_text();
    let renamed = good.replace("name = \"main\"", "name = \"next\"");
    assert_ne!(good, renamed);
    pooled.site.proxy.write_config(&renamed);
    pooled.console("RELOAD");
    let told = || pooled.site.proxy.log().contains("need a restart: listener");
    assert!(wait_until(SOON, told), "{}", pooled.site.proxy.log());
    assert_eq!(one(&client, "SELECT 1").await.unwrap(), "1");
    let next = pooled.site.session("app").await;
    assert_eq!(one(&next, "SELECT 1").await.unwrap(), "1");
    pooled.site.proxy.write_config(&good);
    pooled.console("RELOAD");
    drop((client, next));
    pooled.finish();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_drain_closes_idle_servers_and_lets_transactions_end() {
    if direct() {
        return;
    }
    let mut pooled = Pooled::new("drain_pool", 3, "min_pool_size = 2");
    let (busy, idle) = (pooled.site.session("app").await, pooled.site.session("app").await);
    busy.batch_execute("BEGIN; CREATE TABLE drained (n int)").await.unwrap();
    one(&idle, "SELECT 1").await.unwrap();
    pooled.expect_servers(2);
    pooled.console("SHUTDOWN");
    // The idle one goes while the transaction is still open.
    pooled.expect_servers(1);
    busy.batch_execute("INSERT INTO drained VALUES (1)").await.unwrap();
    busy.batch_execute("COMMIT").await.unwrap();
    let status = pooled.site.proxy.wait(SOON).expect("still running");
    assert!(status.success(), "{status}");
    assert_eq!(pooled.site.direct_sql("SELECT count(*) FROM drained"), "1");
    pooled.expect_servers(0);
    drop((busy, idle));
}

/// An operator's connection that stays.
struct Console(Client);

impl Console {
    /// Of cancels: those of clients, those on their way, servers that they may hit, and servers that idle.
    const CANCELS: [&str; 4] = ["cl_active_cancel_req", "sv_active_cancel", "sv_being_canceled", "sv_idle"];

    async fn open(pooled: &Pooled) -> Self {
        let (user, password) = CONSOLE_USER;
        let port = pooled.site.proxy.console_port;
        let target = format!("host=127.0.0.1 port={port} user={user} password={password} dbname=floodwall");
        let (client, connection) = tokio_postgres::connect(&target, NoTls).await.unwrap();
        tokio::spawn(connection);
        Self(client)
    }

    async fn show(&self, sql: &str) -> Vec<Row> {
        let messages = self.0.simple_query(sql).await.unwrap();
        messages.iter().filter_map(as_row).collect()
    }

    /// Waits until the pool of `app` counts so many of each that is asked about.
    async fn until(&self, wanted: [Option<usize>; 4]) {
        let begin = Instant::now();
        loop {
            let pools = self.show("SHOW POOLS").await;
            let pool = pools.iter().find(|row| row["user"] == "app").unwrap();
            let counts = Self::CANCELS.map(|column| pool[column].parse::<usize>().unwrap());
            if wanted.iter().zip(counts).all(|(wanted, count)| wanted.is_none_or(|wanted| wanted == count)) {
                return;
            }
            assert!(begin.elapsed() < SOON, "{:?}: {counts:?}", Self::CANCELS);
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
}

//! `pool = "transaction"`: many clients on few servers, and no client sees another.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use tokio_postgres::NoTls;
use tokio_postgres::error::SqlState;

use crate::support::cluster::bin;
use crate::support::floodwall::direct;
use crate::support::process::{SOON, Scratch, wait_until};
use crate::support::site::Site;

/// Users of a pool: `app`, to whom the test's database belongs, and others.
const USERS: &str = "[[user]]\nname = 'app'\npassword = 'app-secret'\n[[user]]\nname = 'md5_user'\npassword = 'md5-secret'\n\
     [[user]]\nname = 'replicator'\npassword = 'replicator-secret'\n";

/// A site whose clients share servers.
pub(crate) struct Pooled {
    pub(crate) site: Site,
    folder: Scratch,
}

impl Pooled {
    /// `keys` are further lines of the listener. Idle servers stay, however slowly a test goes, where these do not say otherwise.
    pub(crate) fn new(label: &str, size: usize, keys: &str) -> Self {
        let folder = Scratch::new("users");
        let file = folder.path().join("users.toml");
        std::fs::write(&file, USERS).unwrap();
        let idle = if keys.contains("server_idle_timeout") {
            String::new()
        } else {
            "server_idle_timeout = '10m'\n".to_owned()
        };
        let listener = format!(
            "[[listener]]\npool = 'transaction'\npool_size = {size}\nlogin = 'users'\nusers_file = '{}'\n\
             {idle}{keys}\n[caps.client]\nmax_connections = 1000\n",
            file.display()
        );
        Self { site: Site::new(label, &listener), folder }
    }

    /// Server processes of this test.
    pub(crate) fn servers(&self) -> usize {
        let sql = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND usename = 'app'";
        self.site.direct_sql(sql).parse().unwrap()
    }

    /// Puts another file of users in the place of the one at hand; nothing is reloaded.
    pub(crate) fn write_users(&self, text: &str) {
        std::fs::write(self.folder.path().join("users.toml"), text).unwrap();
    }

    /// A file with this secret, and nobody else's to read.
    pub(crate) fn secret(&self, text: &str) -> PathBuf {
        let file = self.folder.path().join("secret");
        std::fs::write(&file, text).unwrap();
        std::fs::set_permissions(&file, Permissions::from_mode(0o600)).unwrap();
        file
    }

    pub(crate) fn sleepers(&self) -> usize {
        let sql = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event = 'PgSleep'";
        self.site.direct_sql(sql).parse().unwrap()
    }

    /// Once the clients have left, idle servers are told to go; then nothing may be held.
    pub(crate) fn finish(self) {
        // What a driver says while it leaves takes a server once more.
        let proxy = &self.site.proxy;
        let held = || ["floodwall_clients", "floodwall_sessions", "floodwall_waiting"].map(|name| proxy.held(name));
        assert!(wait_until(SOON, || held() == [0.0; 3]), "{:?}\n{}", held(), proxy.log());
        proxy.console("RECONNECT").unwrap();
        let gone = wait_until(SOON, || self.servers() == 0);
        assert!(gone, "{} servers are left\n{}", self.servers(), self.site.proxy.log());
        self.site.finish();
    }
}

pub(crate) async fn one(client: &tokio_postgres::Client, sql: &str) -> Result<String, tokio_postgres::Error> {
    let messages = client.simple_query(sql).await?;
    let row = messages.iter().find_map(|message| match message {
        tokio_postgres::SimpleQueryMessage::Row(row) => row.get(0).map(str::to_owned),
        _ => None,
    });
    Ok(row.unwrap_or_default())
}

#[tokio::test(flavor = "multi_thread")]
async fn many_clients_on_few_servers_each_read_their_own_replies() {
    if direct() {
        return;
    }
    let pooled = Pooled::new("pool_tokens", 4, "");
    let mut tasks = Vec::new();
    for number in 0..60 {
        let client = pooled.site.session("app").await;
        tasks.push(tokio::spawn(async move {
            for turn in 0..20 {
                let token = format!("client {number} turn {turn}");
                assert_eq!(one(&client, &format!("SELECT '{token}'")).await.unwrap(), token);
                client.batch_execute("BEGIN").await.unwrap();
                let pid = one(&client, "SELECT pg_backend_pid()").await.unwrap();
                assert_eq!(one(&client, "SELECT pg_backend_pid()").await.unwrap(), pid);
                client.batch_execute("COMMIT").await.unwrap();
            }
        }));
    }
    for task in tasks {
        task.await.unwrap();
    }
    let made = pooled.servers();
    assert!((1..=4).contains(&made), "{made} servers");
    pooled.finish();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_statement_that_waits_too_long_fails_and_its_session_lives() {
    if direct() {
        return;
    }
    // Longer than a busy machine takes to make the server, which the first login waits for.
    let pooled = Pooled::new("pool_wait", 1, "query_wait_timeout = '5s'");
    let (busy, waiting) = (pooled.site.session("app").await, pooled.site.session("app").await);
    busy.batch_execute("BEGIN; SELECT 1").await.unwrap();
    let begin = Instant::now();
    let refused = one(&waiting, "SELECT 1").await.unwrap_err();
    let error = refused.as_db_error().unwrap();
    assert_eq!(error.code().code(), "53300");
    assert!(error.message().starts_with("FLOODWALL[rule=query_wait_timeout]"), "{}", error.message());
    assert!(error.hint().unwrap().starts_with("Shorten transactions"), "{error:?}");
    assert!(begin.elapsed() >= Duration::from_secs(5));
    let pools = pooled.site.proxy.console("SHOW POOLS").unwrap();
    let row = pools.iter().find(|row| row["user"] == "app").unwrap();
    assert_eq!((&*row["database"], &*row["sv_active"], &*row["cl_waiting"]), (&*pooled.site.database, "1", "0"));
    busy.batch_execute("COMMIT").await.unwrap();
    assert_eq!(one(&waiting, "SELECT 7").await.unwrap(), "7");
    drop((busy, waiting));
    pooled.finish();
}

#[tokio::test(flavor = "multi_thread")]
async fn cancels_hit_only_their_own_client_on_a_pool_of_one() {
    if direct() {
        return;
    }
    let pooled = Pooled::new("pool_cancel", 1, "");
    let (busy, other) = (pooled.site.session("app").await, pooled.site.session("app").await);
    let mut queued = Vec::new();
    for _ in 0..20 {
        queued.push(pooled.site.session("app").await);
    }
    let token = busy.cancel_token();
    let sleeping = tokio::spawn(async move {
        let ended = one(&busy, "SELECT pg_sleep(60)").await;
        (busy, ended)
    });
    assert!(wait_until(SOON, || pooled.sleepers() == 1));
    // Those who wait are taken out of the queue by their own keys.
    let tokens: Vec<_> = queued.iter().map(tokio_postgres::Client::cancel_token).collect();
    let waiting: Vec<_> = queued
        .into_iter()
        .map(|client| tokio::spawn(async move { one(&client, "SELECT 1").await.map_err(|error| (client, error)) }))
        .collect();
    assert!(wait_until(SOON, || waits(&pooled) == 20));
    for token in &tokens {
        token.cancel_query(NoTls).await.unwrap();
    }
    for waiter in waiting {
        let (client, error) = waiter.await.unwrap().unwrap_err();
        assert_eq!(error.code().unwrap().code(), "57014");
        drop(client);
    }
    // A hundred at once for the one that works; whoever comes next is not hit.
    let storm: Vec<_> = (0..100)
        .map(|_| {
            let token = token.clone();
            tokio::spawn(async move { token.cancel_query(NoTls).await })
        })
        .collect();
    let (busy, ended) = sleeping.await.unwrap();
    assert_eq!(ended.unwrap_err().code().unwrap().code(), "57014");
    for _ in 0..20 {
        assert_eq!(one(&other, "SELECT 'mine' FROM pg_sleep(0.02)").await.unwrap(), "mine");
    }
    for cancel in storm {
        drop(cancel.await.unwrap());
    }
    assert_eq!(one(&busy, "SELECT 1").await.unwrap(), "1");
    drop((busy, other));
    pooled.finish();
}

/// Clients that wait for a server.
pub(crate) fn waits(pooled: &Pooled) -> usize {
    let clients = pooled.site.proxy.console("SHOW CLIENTS").unwrap();
    clients.iter().filter(|row| row.values().any(|value| value == "waiting")).count()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_client_leaves_behind_is_gone_before_the_next_one_comes() {
    if direct() {
        return;
    }
    let pooled = Pooled::new("pool_death", 1, "");
    pooled.site.direct_sql("CREATE TABLE kept (id int); GRANT ALL ON kept TO app");
    let next = pooled.site.session("app").await;
    let pid = one(&next, "SELECT pg_backend_pid()").await.unwrap();
    // In a transaction: rolled back, and the server serves on.
    let client = pooled.site.session("app").await;
    client.batch_execute("BEGIN; INSERT INTO kept VALUES (1)").await.unwrap();
    drop(client);
    assert_eq!(one(&next, "SELECT count(*) FROM kept").await.unwrap(), "0");
    // With a statement at work: cancelled.
    let template = pooled.site.psql(&[]);
    let mut psql = std::process::Command::new(bin("psql"));
    psql.envs(template.get_envs().filter_map(|(name, value)| Some((name, value?))));
    // The same start-up parameters, or it would have a pool of its own.
    psql.env("PGCLIENTENCODING", "UTF8").args(["-XAtqc", "SELECT pg_sleep(60)"]);
    let mut client = psql.spawn().unwrap();
    assert!(wait_until(SOON, || pooled.sleepers() == 1));
    client.kill().unwrap();
    client.wait().unwrap();
    let begin = Instant::now();
    assert_eq!(one(&next, "SELECT 1").await.unwrap(), "1");
    assert!(begin.elapsed() < SOON, "long before it has slept: {:?}", begin.elapsed());
    assert_eq!(one(&next, "SELECT pg_backend_pid()").await.unwrap(), pid, "neither cost a connection");
    drop(next);
    pooled.finish();
}

#[tokio::test(flavor = "multi_thread")]
async fn servers_that_die_while_idle_are_replaced() {
    if direct() {
        return;
    }
    let pooled = Pooled::new("pool_killed", 2, "");
    let client = pooled.site.session("app").await;
    let pid = one(&client, "SELECT pg_backend_pid()").await.unwrap();
    pooled.site.direct_sql(&format!("SELECT pg_terminate_backend({pid})"));
    assert!(wait_until(SOON, || {
        pooled.site.direct_sql(&format!("SELECT count(*) FROM pg_stat_activity WHERE pid = {pid}")) == "0"
    }));
    let other = one(&client, "SELECT pg_backend_pid()").await.unwrap();
    assert_ne!(other, pid);
    drop(client);
    pooled.finish();
}

/// A server that has been asked what a transaction left, and stays with its client, is the one that the client had before.
#[tokio::test(flavor = "multi_thread")]
async fn who_keeps_a_server_keeps_its_last_value() {
    if direct() {
        return;
    }
    let pooled = Pooled::new("pool_lastval_kept", 1, "");
    pooled.site.direct_sql("CREATE TABLE counted (id serial, v text); GRANT ALL ON counted, counted_id_seq TO app");
    let (client, other) = (pooled.site.session("app").await, pooled.site.session("app").await);
    let insert = "INSERT INTO counted (v) VALUES ('x')";
    other.batch_execute(insert).await.unwrap();
    assert_eq!(one(&other, "SELECT lastval()").await.unwrap(), "1");
    client.batch_execute("LISTEN news").await.unwrap();
    client.batch_execute(insert).await.unwrap();
    client.batch_execute("SET work_mem = '5MB'").await.unwrap();
    for text in ["SELECT lastval()", "SELECT currval('counted_id_seq')"] {
        assert_eq!(one(&client, text).await.unwrap(), "2", "{text}: nobody had it since");
    }
    client.batch_execute("UNLISTEN news").await.unwrap();
    let error = other.batch_execute("SELECT lastval()").await.unwrap_err();
    assert_eq!(error.code(), Some(&SqlState::OBJECT_NOT_IN_PREREQUISITE_STATE), "what it would tell is the client's");
    drop((client, other));
    pooled.finish();
}

/// `lastval()` is the session's, and a server that others had since would tell theirs.
#[tokio::test(flavor = "multi_thread")]
async fn nobody_reads_another_clients_last_value() {
    if direct() {
        return;
    }
    let pooled = Pooled::new("pool_lastval", 1, "");
    pooled.site.direct_sql("CREATE TABLE counted (id serial, v text); GRANT ALL ON counted, counted_id_seq TO app");
    let (client, other) = (pooled.site.session("app").await, pooled.site.session("app").await);
    let insert = "INSERT INTO counted (v) VALUES ('x')";
    let both = ["SELECT lastval()", "SELECT currval('counted_id_seq')"];
    client.batch_execute(insert).await.unwrap();
    for text in both {
        assert_eq!(one(&client, text).await.unwrap(), "1", "nobody had it since");
    }
    other.batch_execute(insert).await.unwrap();
    assert_eq!(one(&client, "SELECT 7").await.unwrap(), "7", "which sets no value");
    let child = "INSERT INTO counted (id, v) VALUES (currval('counted_id_seq') + 1000, 'child')";
    for text in both.into_iter().chain([child]) {
        let error = client.batch_execute(text).await.unwrap_err();
        assert_eq!(error.code(), Some(&SqlState::OBJECT_NOT_IN_PREREQUISITE_STATE), "{text}: {error}");
        let error = client.query(text, &[]).await.unwrap_err();
        assert_eq!(error.code(), Some(&SqlState::OBJECT_NOT_IN_PREREQUISITE_STATE), "{text}: {error}");
    }
    assert_eq!(one(&other, "SELECT lastval()").await.unwrap(), "2", "a refused statement took its server from nobody");
    client.batch_execute("BEGIN").await.unwrap();
    assert!(one(&client, "SELECT lastval()").await.is_err(), "nor does BEGIN");
    client.batch_execute("ROLLBACK").await.unwrap();
    // In the transaction of its INSERT, in one text and with its own nextval it is what it was meant to be.
    client.batch_execute(&format!("BEGIN; {insert}")).await.unwrap();
    assert_eq!(one(&client, "SELECT lastval()").await.unwrap(), "3");
    client.batch_execute("COMMIT").await.unwrap();
    other.batch_execute(insert).await.unwrap();
    let replies = client.simple_query(&format!("{insert}; SELECT lastval()")).await.unwrap();
    let last = replies.iter().find_map(|reply| match reply {
        tokio_postgres::SimpleQueryMessage::Row(row) => row.get(0),
        _ => None,
    });
    assert_eq!(last, Some("5"));
    assert_eq!(pooled.site.proxy.metric("floodwall_refusals_total", &["rule=\"sequence\""]), 7.0);
    drop((client, other));
    pooled.finish();
}

//! The console's verbs over pools: what becomes of servers and of those who wait for them, and that everything goes on afterwards.

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
async fn pause_waits_for_transactions_closes_all_servers_and_loses_no_statement() {
    if direct() {
        return;
    }
    let pooled = Pooled::new("pool_pause", 3, "");
    let (busy, idle) = (pooled.site.session("app").await, pooled.site.session("app").await);
    let impatient = pooled.site.session("app").await;
    busy.batch_execute("BEGIN; CREATE TABLE paused (n int)").await.unwrap();
    one(&idle, "SELECT 1").await.unwrap();
    let pausing = pooled.console_begin(&format!("PAUSE {}", pooled.site.database));
    assert!(wait_until(SOON, || pooled.database()["paused"] == "1"));
    // Only the one that is lent is left, and its transaction goes on.
    pooled.expect_servers(1);
    let waiting = Waiting::begin(idle, "SELECT 'served'");
    let cancel = impatient.cancel_token();
    let cancelled = Waiting::begin(impatient, "SELECT 'never'");
    pooled.expect("cl_waiting", 2);
    // Whoever waits in a pause can still be cancelled.
    cancel.cancel_query(NoTls).await.unwrap();
    let (impatient, told) = cancelled.0.await.unwrap();
    assert_eq!(sqlstate(&told.unwrap_err()), "57014");
    busy.batch_execute("INSERT INTO paused VALUES (7)").await.unwrap();
    tokio::time::sleep(Duration::from_millis(1500)).await;
    assert!(!pausing.is_finished(), "a transaction is open");
    busy.batch_execute("COMMIT").await.unwrap();
    let paused = pausing.join().unwrap();
    assert!(paused.status.success(), "{}", stderr(&paused));
    for told in ["waiting for 1 servers (1 held by clients): client ", "user app, idle in transaction for "] {
        assert!(stderr(&paused).contains(told), "{told}: {}", stderr(&paused));
    }
    assert_eq!(pooled.servers(), 0, "PAUSE returns when they are closed");
    assert_eq!(pooled.server_rows().len(), 0);
    // Newcomers log in, and wait with their first statement.
    let newcomer = Waiting::begin(pooled.site.session("app").await, "SELECT n::text FROM paused");
    pooled.expect("cl_waiting", 2);
    assert!(pooled.site.proxy.console("RESUME").is_err(), "it is the pause of one database");
    pooled.console(&format!("RESUME {}", pooled.site.database));
    let (idle, served) = waiting.served().await;
    assert_eq!(served, "served");
    let (newcomer, served) = newcomer.served().await;
    assert_eq!(served, "7");
    assert_eq!(one(&impatient, "SELECT 'on'").await.unwrap(), "on");
    assert_eq!(pooled.database()["paused"], "0");
    drop((busy, idle, impatient, newcomer));
    pooled.finish();
}

#[tokio::test(flavor = "multi_thread")]
async fn who_waits_in_a_pause_for_too_long_is_told_and_goes_on() {
    if direct() {
        return;
    }
    // Longer than a busy machine takes to make the first server, which the login waits for.
    let pooled = Pooled::new("pause_wait", 2, "query_wait_timeout = '5s'");
    let client = pooled.site.session("app").await;
    assert_eq!(one(&client, "SELECT 1").await.unwrap(), "1");
    pooled.console("PAUSE");
    let error = one(&client, "SELECT 2").await.unwrap_err();
    assert_eq!(sqlstate(&error), "53300");
    assert!(error.as_db_error().unwrap().message().contains("query_wait_timeout"), "{error}");
    // A client that leaves while it waits is gone at once.
    let leaving = Waiting::begin(pooled.site.session("app").await, "SELECT 3");
    pooled.expect("cl_waiting", 1);
    leaving.0.abort();
    pooled.expect("cl_waiting", 0);
    // A pause ends by itself, too.
    pooled.console("PAUSE 300ms");
    assert!(wait_until(SOON, || pooled.database()["paused"] == "0"));
    assert_eq!(one(&client, "SELECT 4").await.unwrap(), "4");
    drop(client);
    pooled.finish();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_keeps_a_server_keeps_a_pause_from_its_end_and_is_named() {
    if direct() {
        return;
    }
    let pooled = Pooled::new("pause_pin", 2, "");
    let (pinned, other) = (pooled.site.session("app").await, pooled.site.session("app").await);
    pinned.batch_execute("LISTEN news").await.unwrap();
    one(&other, "SELECT 1").await.unwrap();
    assert!(wait_until(SOON, || !pooled.console("SHOW PINS").is_empty()));
    let pausing = pooled.console_begin("PAUSE");
    pooled.expect_servers(1);
    tokio::time::sleep(Duration::from_millis(1500)).await;
    // It has its server, and is served until it lets go.
    assert_eq!(one(&pinned, "SELECT 'mine'").await.unwrap(), "mine");
    pinned.batch_execute("UNLISTEN news").await.unwrap();
    let paused = pausing.join().unwrap();
    assert!(paused.status.success() && stderr(&paused).contains("pinned: "), "{}", stderr(&paused));
    assert_eq!(pooled.servers(), 0);
    pooled.console("RESUME");
    assert_eq!(one(&pinned, "SELECT 1").await.unwrap(), "1");
    assert_eq!(one(&other, "SELECT 1").await.unwrap(), "1");
    drop((pinned, other));
    pooled.finish();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pause_that_is_cancelled_is_none() {
    if direct() {
        return;
    }
    let pooled = Pooled::new("pause_cancel", 2, "");
    let (busy, other) = (pooled.site.session("app").await, pooled.site.session("app").await);
    busy.batch_execute("BEGIN").await.unwrap();
    let Console(console) = Console::open(&pooled).await;
    let cancel = console.cancel_token();
    let pausing = tokio::spawn(async move {
        let told = console.simple_query("PAUSE").await.map(drop);
        (console, told)
    });
    assert!(wait_until(SOON, || pooled.database()["paused"] == "1"));
    let waiting = Waiting::begin(other, "SELECT 'served'");
    pooled.expect("cl_waiting", 1);
    cancel.cancel_query(NoTls).await.unwrap();
    let (console, told) = pausing.await.unwrap();
    assert_eq!(sqlstate(&told.unwrap_err()), "57014");
    let (other, served) = waiting.served().await;
    assert_eq!(served, "served");
    // The same connection may pause again, and the old cancel is no concern of that.
    busy.batch_execute("COMMIT").await.unwrap();
    console.simple_query("PAUSE; RESUME").await.unwrap();
    assert_eq!(one(&other, "SELECT 1").await.unwrap(), "1");
    drop((busy, other, console));
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

/// Stands before a server, and keeps cancel requests from it while it is closed.
struct Gatekeeper {
    port: u16,
    open: Arc<Notify>,
}

impl Gatekeeper {
    async fn before(server: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let keeper = Self { port: listener.local_addr().unwrap().port(), open: Arc::default() };
        let open = Arc::clone(&keeper.open);
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(Self::pass(client, server, Arc::clone(&open)));
            }
        });
        keeper
    }

    async fn pass(mut client: TcpStream, server: u16, open: Arc<Notify>) {
        let mut head = [0; 8];
        if client.read_exact(&mut head).await.is_err() {
            return;
        }
        // CancelRequest: 16 bytes and 80877102.
        if head == [0, 0, 0, 16, 4, 210, 22, 46] {
            open.notified().await;
        }
        let Ok(mut server) = TcpStream::connect(("127.0.0.1", server)).await else { return };
        if server.write_all(&head).await.is_ok() {
            drop(copy_bidirectional(&mut client, &mut server).await);
        }
    }
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

#[tokio::test(flavor = "multi_thread")]
async fn cancel_requests_are_told_while_they_are_under_way_and_hit_nobody_else() {
    if direct() {
        return;
    }
    let keeper = Gatekeeper::before(Cluster::shared().port).await;
    let pooled = Pooled::new("canceling", 1, &format!("servers = ['127.0.0.1:{}']", keeper.port));
    let (slow, next) = (pooled.site.session("app").await, pooled.site.session("app").await);
    // A cancel that gets nowhere is given up after five seconds: what is looked at meanwhile must not have to log in each time.
    let console = Console::open(&pooled).await;
    let cancel = slow.cancel_token();
    let lock = Lock::hold(pooled.site.cluster, &pooled.site.database);
    let running = Waiting::begin(slow, "SELECT 'done' FROM pg_advisory_xact_lock(1)");
    lock.is_waited_for();
    let cancelling = tokio::spawn(async move { cancel.cancel_query(NoTls).await });
    console.until([Some(1), Some(1), None, None]).await;
    // The statement ends by itself. Nobody gets its server while the cancel may still land.
    drop(lock);
    let (slow, done) = running.served().await;
    assert_eq!(done, "done");
    let waiting = Waiting::begin(next, "SELECT 'unharmed'");
    console.until([Some(1), Some(1), Some(1), Some(0)]).await;
    let servers = console.show("SHOW SERVERS").await;
    let mut states: Vec<_> = servers.iter().filter(|row| row["user"] == "app").map(|row| &*row["state"]).collect();
    states.sort_unstable();
    assert_eq!(states, ["active_cancel", "being_canceled"]);
    keeper.open.notify_one();
    let (next, served) = waiting.served().await;
    assert_eq!(served, "unharmed");
    cancelling.await.unwrap().unwrap();
    console.until([Some(0), Some(0), Some(0), Some(1)]).await;
    drop((slow, next));
    pooled.finish();
}

/// `floodwall ctl` is an operator's console as well: it tells whom a pause waits for while it waits, and ^C gives the pause up.
#[tokio::test(flavor = "multi_thread")]
async fn ctl_tells_whom_a_pause_waits_for_and_gives_it_up() {
    if direct() {
        return;
    }
    let pooled = Pooled::new("ctl_pause", 1, "");
    let busy = pooled.site.session("app").await;
    busy.batch_execute("BEGIN; SELECT 1").await.unwrap();
    let told = pooled.site.proxy.folder().join("ctl.log");
    let mut ctl = Command::new(env!("CARGO_BIN_EXE_floodwall"));
    ctl.args(["ctl", "--config"]).arg(pooled.site.proxy.config_path()).arg("PAUSE");
    let log = std::fs::File::create(&told).unwrap();
    let mut ctl = ctl.stdout(log.try_clone().unwrap()).stderr(log).spawn().unwrap();
    let said = || std::fs::read_to_string(&told).unwrap();
    let waits = wait_until(SOON, || said().contains("waiting for 1 server"));
    rustix::process::kill_process(rustix::process::Pid::from_child(&ctl), rustix::process::Signal::INT).unwrap();
    let status = ctl.wait().unwrap();
    assert!(waits, "{}", said());
    assert!(!status.success() && said().contains("canceling statement"), "{status}: {}", said());
    assert_eq!(pooled.database()["paused"], "0");
    busy.batch_execute("COMMIT").await.unwrap();
    drop(busy);
    pooled.finish();
}

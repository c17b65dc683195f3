//! A console and an HTTP port on free ports, with sources that a test can change.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant};

use floodwall::admin::{self, Http, Token, state_collector};
use floodwall::config::{AdminUser, Role, Secret};
use floodwall::console::{self, Accounts, Averages, Doors, Sources};
use floodwall::control::Control;
use floodwall::roster::{Identity, Newcomer, Roster, Seat};
use floodwall::telemetry::Metrics;
use floodwall::telemetry::report::Slot;
use floodwall::telemetry::rows::{
    CapRow, ConfigRow, Label, LimitRow, ListenerRow, NodeRow, PartsBound, PoolRow, RuleRow, ServerRow, Standing,
    SurgeRow,
};
use floodwall::telemetry::shapes::Shapes;
use floodwall::units::Unit;
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::sync::oneshot;

pub(crate) const TOKEN: &str = "0123456789abcdef0123456789abcdef";

/// The port in the name of the Unix socket.
const SOCKET_PORT: u16 = 9301;

pub(crate) fn socket(state: &Path) -> PathBuf {
    state.join(format!(".s.PGSQL.{SOCKET_PORT}"))
}

/// A running console; it stops when dropped.
pub(crate) struct Steer {
    pub(crate) console: SocketAddr,
    pub(crate) http: SocketAddr,
    pub(crate) state: TempDir,
    pub(crate) sources: Sources,
    pub(crate) accounts: Arc<Accounts>,
    /// RELOAD fails while this is set.
    pub(crate) broken: Arc<AtomicBool>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<std::thread::JoinHandle<()>>,
}

pub(crate) fn user(name: &str, role: Role, password: &str) -> AdminUser {
    AdminUser { name: name.to_owned(), role, password: Secret::new(password) }
}

/// An admin `sre` and a reader `looker`.
pub(crate) fn users() -> Vec<AdminUser> {
    vec![user("sre", Role::Admin, "admin secret"), user("looker", Role::Read, "read secret")]
}

impl Steer {
    pub(crate) fn start(users: &[AdminUser]) -> Self {
        let state = TempDir::new().unwrap();
        let accounts = Accounts::open(users, state.path()).unwrap();
        let broken = Arc::new(AtomicBool::new(false));
        let sources = sources(&broken);
        let (stop, stopped) = oneshot::channel();
        let (ready, wait) = mpsc::channel();
        let parts = (Arc::clone(&accounts), sources.clone(), state.path().to_owned());
        let thread = std::thread::spawn(move || serve(parts, &ready, stopped));
        let (console, http) = wait.recv_timeout(Duration::from_secs(60)).unwrap();
        Self { console, http, state, sources, accounts, broken, stop: Some(stop), thread: Some(thread) }
    }

    /// Somebody in the roster.
    pub(crate) fn join(&self, user: &str) -> Seat {
        self.sources.roster.join(Newcomer {
            identity: Identity {
                listener: "main".into(),
                user: user.to_owned(),
                database: "shop".to_owned(),
                role: None,
                application_name: "web\u{1b}[2J".to_owned(),
                address: [10, 1, 2, 3].into(),
            },
            client: user.into(),
            peer: "10.1.2.3:4444".parse::<SocketAddr>().unwrap().into(),
            server: "127.0.0.1:5432".parse::<SocketAddr>().unwrap().into(),
            server_generation: Some(0),
        })
    }

    /// The Unix socket.
    pub(crate) fn socket(&self) -> PathBuf {
        socket(self.state.path())
    }

    /// A driver's connection string.
    pub(crate) fn dsn(&self, user: &str, password: &str) -> String {
        format!("host=127.0.0.1 port={} user={user} password='{password}' dbname=console", self.console.port())
    }

    /// `psql` over TCP.
    pub(crate) fn psql(&self, user: &str, password: &str, sql: &str) -> Output {
        run_psql("127.0.0.1", self.console.port(), user, Some(password), sql)
    }

    /// `psql` over the Unix socket.
    pub(crate) fn psql_unix(&self, sql: &str) -> Output {
        run_psql(self.state.path().to_str().unwrap(), SOCKET_PORT, "anybody", None, sql)
    }
}

impl Drop for Steer {
    fn drop(&mut self) {
        drop(self.stop.take());
        self.thread.take().unwrap().join().unwrap();
    }
}

pub(crate) struct Output {
    pub(crate) out: String,
    pub(crate) err: String,
    pub(crate) ok: bool,
}

fn run_psql(host: &str, port: u16, user: &str, password: Option<&str>, sql: &str) -> Output {
    let mut psql = Command::new("psql");
    psql.args([
        "-X",
        "-A",
        "-t",
        "-v",
        "ON_ERROR_STOP=1",
        "-v",
        "VERBOSITY=verbose",
        "-h",
        host,
        "-p",
        &port.to_string(),
    ]);
    psql.args(["-U", user, "-d", "console", "-c", sql]).env("PGCONNECT_TIMEOUT", "10").env_remove("PGPASSFILE");
    if let Some(password) = password {
        psql.env("PGPASSWORD", password);
    }
    let done = psql.output().unwrap();
    Output {
        out: String::from_utf8(done.stdout).unwrap(),
        err: String::from_utf8(done.stderr).unwrap(),
        ok: done.status.success(),
    }
}

type Parts = (Arc<Accounts>, Sources, PathBuf);

fn serve(
    (accounts, sources, state): Parts,
    ready: &mpsc::Sender<(SocketAddr, SocketAddr)>,
    stopped: oneshot::Receiver<()>,
) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let doors = Doors::open(Some("127.0.0.1:0".parse().unwrap()), Some(&socket(&state)), &accounts).await.unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        ready.send((doors.address().unwrap(), listener.local_addr().unwrap())).unwrap();
        let http = Http {
            metrics: Arc::clone(&sources.metrics),
            control: Arc::clone(&sources.control),
            rules: Arc::clone(&sources.rules),
            nodes: Arc::clone(&sources.nodes),
            token: Token::new(TOKEN),
        };
        sources.metrics.register(state_collector(Arc::clone(&sources.roster), Arc::clone(&sources.control)));
        tokio::select! {
            () = console::serve(doors, accounts, sources, std::future::pending()) => {}
            () = admin::serve(listener, http, std::future::pending()) => {}
            _ = stopped => {}
        }
    });
}

fn sources(broken: &Arc<AtomicBool>) -> Sources {
    let broken = Arc::clone(broken);
    let roster = Arc::new(Roster::default());
    Sources {
        averages: Arc::new(Averages::new(&roster)),
        pools: Arc::new(|| vec![pool()]),
        cancels: Arc::new(Vec::new),
        steer: Arc::new(Still),
        listeners: Arc::new(|| vec![listener()]),
        clients_most: Arc::new(|user| (user == "django").then_some(40)),
        parts_most: Arc::new(|_, role, database| PartsBound {
            database: (database == "shop").then_some(50),
            role: (role == "django").then_some(30),
        }),
        roster,
        control: Arc::new(Control::default()),
        metrics: Metrics::new(1),
        shapes: Arc::new(Shapes::default()),
        caps: Arc::new(|| vec![cap()]),
        surges: Arc::new(|| vec![surge()]),
        nodes: Arc::new(|| vec![node()]),
        rules: Arc::new(|| vec![rule()]),
        config: Arc::new(|| vec![setting()]),
        reload: Arc::new(move |who| {
            if broken.load(Ordering::Relaxed) {
                Err("config.toml:3: unknown key".to_owned())
            } else {
                Ok(format!("configuration read for {who}"))
            }
        }),
    }
}

fn cap() -> CapRow {
    CapRow {
        cap: "max_connections",
        listener: "main".to_owned(),
        scope: "web".to_owned(),
        current: 59,
        limit: None,
        waiting: 2,
        refused_total: 7,
        label: Label::Bounded,
    }
}

fn surge() -> SurgeRow {
    SurgeRow {
        listener: "main".to_owned(),
        client: "web".to_owned(),
        connections: 59,
        fast_average: 41.26,
        slow_average: 12.0,
        slope_per_second: 1.5,
        seconds_to_full: Some(27.9),
        state: "step",
        label: Label::Bounded,
    }
}

fn node() -> NodeRow {
    NodeRow {
        listener: "main".to_owned(),
        server: "127.0.0.1:5432".to_owned(),
        state: "up",
        role: "primary",
        used: true,
        since_ms: 0,
        error: None,
    }
}

/// No pool does what it is told.
struct Still;

impl console::Steer for Still {
    fn pause(&self) {}

    fn reconnect(&self, _database: Option<&str>) {}
}

/// Three active, one being cancelled, two idle, four being made.
fn standing() -> Vec<ServerRow> {
    let so = [(Standing::Active, 3), (Standing::BeingCanceled, 1), (Standing::Idle, 2), (Standing::Login, 4)];
    let servers = so.into_iter().flat_map(|(standing, count)| std::iter::repeat_n(standing, count));
    let row = |(number, standing)| ServerRow { number, standing, process: None, lent_ms: 0, close_needed: false };
    (1..).zip(servers).map(row).collect()
}

fn pool() -> PoolRow {
    PoolRow {
        listener: "main".to_owned(),
        database: "shop".to_owned(),
        user: "django".to_owned(),
        size: 20,
        min_size: 0,
        server_lifetime: Duration::from_secs(3600),
        servers: standing(),
        max_wait: Duration::from_micros(2_000_017),
    }
}

fn listener() -> ListenerRow {
    ListenerRow {
        listener: "main".to_owned(),
        host: "127.0.0.1".to_owned(),
        port: 5432,
        pool_size: 20,
        min_pool_size: 1,
        server_lifetime: Duration::from_secs(3600),
        max_server_connections: None,
        max_clients: 10_000,
        databases: Vec::new(),
    }
}

fn rule() -> RuleRow {
    RuleRow {
        rule: "bulk_write",
        mode: "enforce",
        state: "failed",
        settings: "max_rows = 5000".to_owned(),
        enforced_total: 3,
        warned_total: 0,
        lifted_total: 0,
        limits: vec![
            LimitRow { setting: "max_rows", unit: Unit::Count, slot: Slot::new(0), limit: Some(5000) },
            LimitRow { setting: "max_bytes", unit: Unit::Bytes, slot: Slot::new(1), limit: Some(16 << 20) },
        ],
    }
}

/// Waits until something is so, though not for ever.
pub(crate) fn eventually(what: &str, check: impl Fn() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(60);
    while !check() {
        assert!(Instant::now() < deadline, "never: {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

pub(crate) fn exists(path: &Path) -> bool {
    path.symlink_metadata().is_ok()
}

fn setting() -> ConfigRow {
    let key = "caps.max_clients".to_owned();
    ConfigRow { key, value: "9000".to_owned(), default: Some("10000".to_owned()), changeable: true }
}

//! The built proxy in front of a test's server.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use rustix::process::Signal;

use super::cluster::{Cluster, conn_str, password};
use super::http;
use super::ports::free_port;
use super::process::{Guarded, SOON, STARTED, Scratch, wait_until};

/// Name and password of the console's only user.
pub const CONSOLE_USER: (&str, &str) = ("admin", "console-secret");

/// With `FLOODWALL_TEST_DIRECT=1` no proxy starts and every test speaks to the server itself: what fails then
/// is a fault of the test.
pub fn direct() -> bool {
    std::env::var_os("FLOODWALL_TEST_DIRECT").is_some_and(|value| value == "1")
}

/// A row of the console: column name to value.
pub type Row = HashMap<String, String>;

/// What a service manager gives a process.
#[derive(Debug, Default)]
pub struct Launch {
    /// Variables of its environment.
    pub variables: Vec<(&'static str, String)>,
    /// A listening socket, as the first of `LISTEN_FDS`.
    pub socket: Option<std::os::fd::OwnedFd>,
}

/// Moves the socket from standard output to descriptor 3, where the protocol wants it, and becomes the program.
const ACTIVATE: &str = r#"exec 3>&1 1>&2; export LISTEN_PID=$$ LISTEN_FDS=1; exec "$0" "$@""#;

/// A running proxy with its own configuration file, state folder and ports.
#[derive(Debug)]
pub struct Proxy {
    /// Where clients connect, on 127.0.0.1 unless the overrides say otherwise.
    pub port: u16,
    /// The console.
    pub console_port: u16,
    /// Metrics and health.
    pub http_port: u16,
    process: Option<Guarded>,
    folder: Scratch,
}

impl Proxy {
    /// Starts the proxy in front of `cluster` and waits until it is ready, until it must have [`STARTED`].
    ///
    /// `overrides` is TOML laid over the base configuration: tables are merged key by key, the first
    /// `[[listener]]` with the only listener of the base, anything else replaces or is added.
    pub fn start(cluster: &Cluster, overrides: &str) -> Self {
        if direct() {
            return Self::stand_in(cluster);
        }
        Self::start_for(&format!("127.0.0.1:{}", cluster.port), overrides)
    }

    /// The same in front of any `host:port`.
    pub fn start_for(server: &str, overrides: &str) -> Self {
        Self::launch(server, overrides, Launch::default())
    }

    /// The same, started as a service manager would.
    pub fn launch(server: &str, overrides: &str, launch: Launch) -> Self {
        let mut proxy = Self {
            port: free_port(),
            console_port: free_port(),
            http_port: free_port(),
            process: None,
            folder: Scratch::new("proxy"),
        };
        let mut config = proxy.base_config(server);
        merge(&mut config, toml::from_str(overrides).expect("the overrides are TOML"));
        proxy.write_config(&toml::to_string(&config).unwrap());
        proxy.process = Some(proxy.spawn(launch));
        let ready = wait_until(STARTED, || proxy.is_ready() || !proxy.is_running());
        assert!(ready && proxy.is_running(), "the proxy did not start:\n{}", proxy.log());
        proxy
    }

    /// A second process with the configuration of this one; it is there when its log says so.
    pub fn successor(&self) -> Self {
        let folder = Scratch::new("successor");
        let Self { port, console_port, http_port, .. } = *self;
        let mut proxy = Self { port, console_port, http_port, process: None, folder };
        proxy.write_config(&self.config_text());
        proxy.process = Some(proxy.spawn(Launch::default()));
        let started = wait_until(STARTED, || proxy.log().contains("started") || !proxy.is_running());
        assert!(started && proxy.is_running(), "the second proxy did not start:\n{}", proxy.log());
        proxy
    }

    /// Connection parameters of one of [`super::cluster::ROLES`], through the proxy.
    pub fn conn_str(&self, user: &str, database: &str) -> String {
        conn_str(self.port, user, database)
    }

    /// `postgresql://…` through the proxy, for drivers that want an address.
    pub fn url(&self, user: &str, database: &str) -> String {
        format!("postgresql://{user}:{}@127.0.0.1:{}/{database}", password(user), self.port)
    }

    /// The configuration file.
    pub fn config_path(&self) -> PathBuf {
        self.folder.path().join("config.toml")
    }

    /// What the configuration file says now.
    pub fn config_text(&self) -> String {
        std::fs::read_to_string(self.config_path()).unwrap()
    }

    /// Replaces the configuration file; nothing is reloaded.
    pub fn write_config(&self, text: &str) {
        std::fs::write(self.config_path(), text).unwrap();
    }

    /// All that the proxy logged.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.log_path()).unwrap_or_default()
    }

    /// The process id. There is none with `FLOODWALL_TEST_DIRECT`.
    pub fn pid(&self) -> i32 {
        self.process.as_ref().expect("no proxy runs").pid().as_raw_nonzero().get()
    }

    /// Sends the proxy a signal.
    pub fn signal(&self, signal: Signal) {
        self.process.as_ref().expect("no proxy runs").signal(signal);
    }

    /// Waits for the proxy to end by itself; its exit status, or `None` when it still runs after `limit`.
    pub fn wait(&mut self, limit: Duration) -> Option<std::process::ExitStatus> {
        self.process.as_mut().expect("no proxy runs").wait(limit)
    }

    /// Every sample of `/metrics`, by name with labels as written there.
    pub fn metrics(&self) -> HashMap<String, f64> {
        let body = http::get(self.http_port, "/metrics").expect("no /metrics").body;
        let samples = body.lines().filter(|line| !line.starts_with('#') && !line.is_empty());
        samples
            .map(|line| {
                let (name, value) = line.rsplit_once(' ').unwrap_or_else(|| panic!("not a sample: {line}"));
                (name.to_owned(), value.parse().unwrap_or_else(|_| panic!("not a number: {line}")))
            })
            .collect()
    }

    /// The sum of a metric over all of its labels that contain each of `labels`, such as `rule="bulk_write"`.
    pub fn metric(&self, name: &str, labels: &[&str]) -> f64 {
        let matching =
            |sample: &str| sample.split('{').next() == Some(name) && labels.iter().all(|label| sample.contains(label));
        self.metrics().iter().filter(|(sample, _)| matching(sample)).map(|(_, value)| value).sum()
    }

    /// Runs a console command. Rows come as column name to value; a command without rows gives none.
    pub fn console(&self, sql: &str) -> Result<Vec<Row>, String> {
        let (user, password) = CONSOLE_USER;
        let target =
            format!("host=127.0.0.1 port={} user={user} password={password} dbname=floodwall", self.console_port);
        let sql = sql.to_owned();
        // A thread and a runtime of its own: callable from tests with and without one.
        let worker = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(console_rows(&target, &sql))
        });
        worker.join().unwrap()
    }

    /// What one of the gauges of things held says, summed over its labels.
    pub fn held(&self, name: &str) -> f64 {
        assert!(HELD.contains(&name), "{name} is no count of things held");
        self.metric(name, &[])
    }

    /// Fails unless every count of something held (connections, permits, waiters, logins) is zero [`SOON`].
    pub fn assert_all_zero(&self) {
        if direct() {
            return;
        }
        let held = self.still_held(SOON);
        assert!(held.is_empty(), "still held: {held:?}\n{}", self.log());
    }

    /// What is held after waiting so long for everything to be given back.
    pub fn still_held(&self, limit: Duration) -> Vec<(String, f64)> {
        let mut held = Vec::new();
        wait_until(limit, || {
            held = self.all_held();
            held.is_empty()
        });
        held
    }

    /// The gauges of things held that are not zero.
    fn all_held(&self) -> Vec<(String, f64)> {
        let counts = |sample: &str| {
            let name = sample.split('{').next().unwrap_or(sample);
            HELD.contains(&name)
        };
        self.metrics().into_iter().filter(|(sample, value)| counts(sample) && *value != 0.0).collect()
    }

    /// The server itself in the proxy's place.
    fn stand_in(cluster: &Cluster) -> Self {
        Self { port: cluster.port, console_port: 0, http_port: 0, process: None, folder: Scratch::new("proxy") }
    }

    /// How long a text may take to be read is a matter of the machine: by default one that takes a second counts as unreadable.
    fn base_config(&self, server: &str) -> toml::Table {
        let folder = self.folder.path().display();
        let (user, password) = CONSOLE_USER;
        let secret = self.folder.path().join("console.secret");
        write_secret(&secret, password);
        let monitor = self.folder.path().join("monitor.secret");
        write_secret(&monitor, super::cluster::password("floodwall"));
        let text = format!(
            "state_dir = '{folder}/state'\n\
             [limits]\nguard_time = '10m'\n\
             [admin]\nhttp = '127.0.0.1:{http}'\nconsole = '127.0.0.1:{console}'\n\
             [[admin.user]]\nname = '{user}'\nrole = 'admin'\npassword_file = '{secret}'\n\
             [[listener]]\nname = 'main'\nprotocol = 'postgres'\nbind = '127.0.0.1:{port}'\nservers = ['{server}']\n\
             monitor = {{ user = 'floodwall', password_file = '{monitor}', database = 'postgres' }}\n",
            http = self.http_port,
            console = self.console_port,
            port = self.port,
            secret = secret.display(),
            monitor = monitor.display(),
        );
        toml::from_str(&text).unwrap()
    }

    fn spawn(&self, launch: Launch) -> Guarded {
        let log = std::fs::File::create(self.log_path()).unwrap();
        // Another build of it, such as the release binary, where FLOODWALL_BIN names one.
        let built = || env!("CARGO_BIN_EXE_floodwall").into();
        let program = std::env::var_os("FLOODWALL_BIN").unwrap_or_else(built);
        let mut command = match &launch.socket {
            None => Command::new(program),
            Some(_) => {
                let mut shell = Command::new("sh");
                shell.args(["-c", ACTIVATE]).arg(program);
                shell
            }
        };
        command.arg("run").arg("--config").arg(self.config_path()).envs(launch.variables);
        match launch.socket {
            None => command.stdout(log.try_clone().unwrap()),
            Some(socket) => command.stdout(socket),
        };
        command.stderr(log);
        Guarded::spawn(&mut command, self.folder.path())
    }

    fn log_path(&self) -> PathBuf {
        self.folder.path().join("proxy.log")
    }

    fn is_ready(&self) -> bool {
        http::get(self.http_port, "/readyz").is_ok_and(|answer| answer.status == 200)
    }

    fn is_running(&mut self) -> bool {
        self.process.as_mut().is_some_and(Guarded::is_running)
    }

    /// The folder of this proxy: configuration, state, log.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        if let Some(mut process) = self.process.take() {
            // Twice: the first begins a drain, the second ends it, since a failed test may leave clients behind.
            process.signal(Signal::TERM);
            if process.wait(Duration::from_millis(300)).is_none() {
                process.stop(Signal::TERM, SOON);
            }
        }
        if std::thread::panicking() {
            eprintln!("--- log of the proxy ---\n{}", self.log());
        }
    }
}

/// Gauges that count what somebody holds at this moment.
const HELD: [&str; 8] = [
    "floodwall_clients",
    "floodwall_sessions",
    "floodwall_servers",
    "floodwall_waiting",
    "floodwall_cap_current",
    "floodwall_cap_waiting",
    "floodwall_prepared_statements",
    "floodwall_prepared_bytes",
];

/// Lays `over` on top of `base`.
/// A file that nobody else may read: of others `check` and RELOAD warn.
fn write_secret(path: &Path, secret: &str) {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::write(path, secret).unwrap();
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).unwrap();
}

fn merge(base: &mut toml::Table, over: toml::Table) {
    for (key, value) in over {
        match (base.get_mut(&key), value) {
            (Some(toml::Value::Table(below)), toml::Value::Table(above)) => merge(below, above),
            (Some(toml::Value::Array(below)), toml::Value::Array(above)) if key == "listener" => {
                merge_listeners(below, above);
            }
            (_, value) => {
                base.insert(key, value);
            }
        }
    }
}

/// The first listener is merged, the others are added.
fn merge_listeners(base: &mut Vec<toml::Value>, over: Vec<toml::Value>) {
    for (at, listener) in over.into_iter().enumerate() {
        match (base.get_mut(at), listener) {
            (Some(toml::Value::Table(below)), toml::Value::Table(above)) => merge(below, above),
            (_, listener) => base.push(listener),
        }
    }
}

async fn console_rows(target: &str, sql: &str) -> Result<Vec<Row>, String> {
    let (client, connection) =
        tokio_postgres::connect(target, tokio_postgres::NoTls).await.map_err(|e| describe(&e))?;
    let driver = tokio::spawn(connection);
    let messages = tokio::time::timeout(SOON, client.simple_query(sql)).await;
    let messages = messages.map_err(|_| "the console did not answer in time".to_owned())?;
    drop(client);
    driver.await.ok();
    let rows = messages.map_err(|e| describe(&e))?;
    Ok(rows.iter().filter_map(as_row).collect())
}

/// What a message of a driver says, where it is a row.
pub fn as_row(message: &tokio_postgres::SimpleQueryMessage) -> Option<Row> {
    let tokio_postgres::SimpleQueryMessage::Row(row) = message else { return None };
    let cells = row.columns().iter().enumerate();
    Some(cells.map(|(at, column)| (column.name().to_owned(), row.get(at).unwrap_or_default().to_owned())).collect())
}

/// SQLSTATE and text of an error; the driver's own wording hides both.
pub fn describe(error: &tokio_postgres::Error) -> String {
    match error.as_db_error() {
        Some(db) => format!("{}: {}", db.code().code(), db.message()),
        None => format!("{error} ({:?})", std::error::Error::source(error).map(ToString::to_string)),
    }
}

//! A throwaway PostgreSQL server: its own folder, its own port, gone after the test.

use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::{Mutex, OnceLock};

use rustix::process::Signal;

use super::ports::free_port;
use super::process::{Guarded, SOON, STARTED, Scratch, wait_until};

/// Roles that every cluster has, with their passwords. `postgres` is a superuser let in without one.
pub const ROLES: [(&str, &str); 5] = [
    ("app", "app-secret"),
    ("md5_user", "md5-secret"),
    ("trusted", ""),
    ("floodwall", "monitor-secret"),
    ("replicator", "replicator-secret"),
];

/// A running server. `postgres` is its superuser; the database `app` belongs to the role `app`.
#[derive(Debug)]
pub struct Cluster {
    /// Where it listens, on 127.0.0.1.
    pub port: u16,
    settings: Vec<(String, String)>,
    server: Mutex<Option<Guarded>>,
    folder: Scratch,
}

impl Cluster {
    /// Starts a server with `settings` on top of the test defaults. Panics when it hasn't [`STARTED`].
    pub fn start(settings: &[(&str, &str)]) -> Self {
        let folder = Scratch::new("pg");
        copy_template(folder.path());
        let settings = settings.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        let cluster = Self { port: free_port(), settings, server: Mutex::new(None), folder };
        cluster.restart();
        cluster
    }

    /// Starts a standby that streams from `primary`.
    pub fn standby_of(primary: &Self) -> Self {
        let folder = Scratch::new("standby");
        own(folder.path());
        let mut copy = as_server_user(&bin("pg_basebackup"));
        copy.args(["-R", "-X", "stream", "--checkpoint=fast", "--no-sync", "-D"]).arg(folder.path().join("data"));
        copy.arg("-d").arg(primary.conn_str("replicator", "postgres"));
        run(&mut copy);
        let standby = Self { port: free_port(), settings: Vec::new(), server: Mutex::new(None), folder };
        standby.restart();
        standby
    }

    /// One server for all tests of this process that need no special settings; each takes its own database
    /// from [`Cluster::create_database`].
    pub fn shared() -> &'static Self {
        static SHARED: OnceLock<Cluster> = OnceLock::new();
        SHARED.get_or_init(|| Self::start(&[("max_connections", "200")]))
    }

    /// Starts the stopped server again, on the same port with the same data.
    pub fn restart(&self) {
        let mut command = as_server_user(&bin("postgres"));
        command.arg("-D").arg(self.data()).arg("-p").arg(self.port.to_string());
        for (name, value) in &self.settings {
            command.arg("-c").arg(format!("{name}={value}"));
        }
        let log = std::fs::File::options().create(true).append(true).open(self.log_path()).unwrap();
        command.stdout(log.try_clone().unwrap()).stderr(log);
        let mut server = Guarded::spawn(&mut command, self.folder.path());
        let ended = wait_until(STARTED, || self.is_ready() || !server.is_running());
        assert!(ended && self.is_ready(), "PostgreSQL did not start:\n{}", self.log());
        *self.server.lock().unwrap() = Some(server);
    }

    /// Stops it with `signal` (`Signal::INT` is a fast shutdown, `Signal::QUIT` an immediate one).
    pub fn stop(&self, signal: Signal) {
        if let Some(mut server) = self.server.lock().unwrap().take() {
            server.stop(signal, SOON);
        }
    }

    /// The postmaster's process id.
    pub fn pid(&self) -> i32 {
        self.server.lock().unwrap().as_ref().unwrap().pid().as_raw_nonzero().get()
    }

    /// A new, empty database with a name of its own, owned by `app`.
    pub fn create_database(&self, label: &str) -> String {
        static NEXT: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(1);
        let name = format!("{label}_{}", NEXT.fetch_add(1, std::sync::atomic::Ordering::Relaxed));
        self.sql("postgres", &format!("CREATE DATABASE {name} OWNER app"));
        name
    }

    /// `host=… port=… user=… password=… dbname=…` for the server itself, as libpq and tokio-postgres read it.
    pub fn conn_str(&self, user: &str, database: &str) -> String {
        conn_str(self.port, user, database)
    }

    /// Runs SQL directly at the server as its superuser; the answer is psql's unaligned output.
    pub fn sql(&self, database: &str, sql: &str) -> String {
        let out = run(Command::new(bin("psql"))
            .args(["-XAtq", "-v", "ON_ERROR_STOP=1", "-c", sql])
            .arg(self.conn_str("postgres", database)));
        String::from_utf8(out.stdout).unwrap().trim_end().to_owned()
    }

    /// All that the server logged.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.log_path()).unwrap_or_default()
    }

    /// The folder of this cluster; `data` is in it.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The last that it logged, of one database or of all.
    pub fn last_words(&self, database: &str) -> String {
        let log = self.log();
        let lines: Vec<&str> = log.lines().filter(|line| line.contains(database)).collect();
        lines[lines.len().saturating_sub(LAST_LINES)..].join("\n")
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    fn log_path(&self) -> PathBuf {
        self.folder.path().join("server.log")
    }

    /// The postmaster writes its state into the last line of its pid file.
    fn is_ready(&self) -> bool {
        let text = std::fs::read_to_string(self.data().join("postmaster.pid")).unwrap_or_default();
        text.lines().nth(7).is_some_and(|state| matches!(state.trim(), "ready" | "standby"))
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        self.stop(Signal::QUIT);
        if std::thread::panicking() {
            eprintln!("--- the end of the server's log ---\n{}", self.last_words(""));
        }
    }
}

/// Connection parameters of one of [`ROLES`] for a port of this machine.
pub fn conn_str(port: u16, user: &str, database: &str) -> String {
    let mut text = format!("host=127.0.0.1 port={port} user={user} dbname={database} connect_timeout=60");
    let password = password(user);
    if !password.is_empty() {
        text.push_str(&format!(" password={password}"));
    }
    text
}

/// The password of one of [`ROLES`]; empty for everybody else.
pub fn password(user: &str) -> &'static str {
    ROLES.iter().find(|(name, _)| *name == user).map_or("", |(_, password)| password)
}

/// The program `name` of the PostgreSQL whose programs are in the folder `$PG_BIN`, or else of the newest one installed.
pub fn bin(name: &str) -> PathBuf {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    FOLDER.get_or_init(|| std::env::var_os("PG_BIN").map_or_else(newest_installed, PathBuf::from)).join(name)
}

/// The major version of that PostgreSQL.
pub fn major() -> u32 {
    static MAJOR: OnceLock<u32> = OnceLock::new();
    *MAJOR.get_or_init(|| {
        let text = String::from_utf8(run(Command::new(bin("postgres")).arg("--version")).stdout).unwrap();
        let number = text.split_whitespace().nth(2).and_then(|version| version.split(['.', 'b', 'r', 'd']).next());
        number.unwrap().parse().unwrap()
    })
}

fn newest_installed() -> PathBuf {
    let root = Path::new("/usr/lib/postgresql");
    let versions = std::fs::read_dir(root).unwrap_or_else(|e| panic!("no PostgreSQL below {}: {e}", root.display()));
    let with_server = versions.flatten().filter(|v| v.path().join("bin/postgres").exists());
    let number = |v: &std::fs::DirEntry| v.file_name().to_string_lossy().parse::<u32>().unwrap_or(0);
    with_server.max_by_key(number).expect("no PostgreSQL server installed").path().join("bin")
}

/// Runs a command to its end; panics with its output when it fails.
pub fn run(command: &mut Command) -> Output {
    let out = command.output().unwrap_or_else(|e| panic!("cannot start {command:?}: {e}"));
    let text = [&out.stdout[..], &out.stderr[..]].concat();
    assert!(out.status.success(), "{command:?}: {}\n{}", out.status, text.escape_ascii());
    out
}

/// The server refuses to run as root: then it runs as the package's user.
fn as_server_user(program: &Path) -> Command {
    let mut command = Command::new(program);
    if let Some((uid, gid)) = server_user() {
        command.uid(uid).gid(gid).current_dir("/");
    }
    command
}

/// Ids of the user `postgres` when this process is root.
fn server_user() -> Option<(u32, u32)> {
    if !rustix::process::geteuid().is_root() {
        return None;
    }
    let users = std::fs::read_to_string("/etc/passwd").unwrap();
    let line = users.lines().find(|line| line.starts_with("postgres:")).expect("no user named postgres");
    let mut ids = line.split(':').skip(2).map(|id| id.parse().unwrap());
    Some((ids.next().unwrap(), ids.next().unwrap()))
}

/// Fills `folder` with a data directory that was made once and kept: a copy takes a fraction of a second.
fn copy_template(folder: &Path) {
    static TEMPLATE: OnceLock<PathBuf> = OnceLock::new();
    let template = TEMPLATE.get_or_init(template);
    run(Command::new("cp").args(["-r", "--reflink=auto"]).arg(template).arg(folder.join("data")));
    own(folder);
}

fn own(folder: &Path) {
    if let Some((uid, gid)) = server_user() {
        run(Command::new("chown").arg("-R").arg(format!("{uid}:{gid}")).arg(folder));
    }
    run(Command::new("chmod").args(["-R", "u+rwX,go-rwx"]).arg(folder));
}

/// The kept data directory, made if this build folder has none for this recipe and server version.
fn template() -> PathBuf {
    let version = run(Command::new(bin("postgres")).arg("--version")).stdout;
    let recipe = format!("{CONF}{HBA}{ROLES:?}{}", String::from_utf8(version).unwrap());
    let kept = build_folder().join(format!("pg-template-{:016x}", fnv(recipe.as_bytes())));
    if !kept.exists() {
        make_template(&kept);
    }
    kept
}

/// Initialises a data directory in a scratch folder and moves it to `kept` in one step, so that a second
/// process doing the same at the same moment does no harm.
fn make_template(kept: &Path) {
    let scratch = Scratch::new("template");
    own(scratch.path());
    let data = scratch.path().join("data");
    let options = ["-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync", "--wal-segsize=4"];
    run(as_server_user(&bin("initdb")).args(options).arg("-D").arg(&data));
    append(&data.join("postgresql.conf"), CONF);
    std::fs::write(data.join("pg_hba.conf"), HBA).unwrap();
    create_roles(&data);
    let draft = kept.with_extension(std::process::id().to_string());
    run(Command::new("cp").arg("-r").arg(&data).arg(&draft));
    if std::fs::rename(&draft, kept).is_err() {
        std::fs::remove_dir_all(&draft).ok();
    }
}

/// Creates [`ROLES`] and the database `app` without a running server.
fn create_roles(data: &Path) {
    use std::io::Write;
    let mut single = as_server_user(&bin("postgres"));
    single.args(["--single", "-j", "-D"]).arg(data).arg("postgres");
    single.stdin(std::process::Stdio::piped()).stdout(std::process::Stdio::null()).stderr(std::process::Stdio::null());
    let mut single = single.spawn().unwrap();
    single.stdin.take().unwrap().write_all(role_sql().as_bytes()).unwrap();
    assert!(single.wait().unwrap().success(), "cannot create the roles");
}

/// In single-user mode with `-j`, an empty line ends a command.
fn role_sql() -> String {
    let mut sql = String::new();
    for (name, password) in ROLES {
        let encryption = if name == "md5_user" { "md5" } else { "scram-sha-256" };
        sql.push_str(&format!("SET password_encryption = '{encryption}';\n\n"));
        let password = if password.is_empty() { String::new() } else { format!(" PASSWORD '{password}'") };
        sql.push_str(&format!("CREATE ROLE {name} LOGIN{password};\n\n"));
    }
    sql.push_str("ALTER ROLE replicator REPLICATION;\n\nGRANT pg_monitor TO floodwall;\n\n");
    sql.push_str("CREATE DATABASE app OWNER app;\n\n");
    sql
}

/// Where cargo builds: `target/`, two folders above the test's own binary folder.
fn build_folder() -> PathBuf {
    PathBuf::from(env!("CARGO_TARGET_TMPDIR"))
}

fn append(path: &Path, text: &str) {
    let before = std::fs::read_to_string(path).unwrap();
    std::fs::write(path, before + text).unwrap();
}

/// A hash that is the same in every run (FNV-1a).
fn fnv(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3))
}

/// Of a log, where a test has failed.
const LAST_LINES: usize = 30;

/// Nothing here is ever needed after a crash.
const CONF: &str = "
listen_addresses = '127.0.0.1'
unix_socket_directories = ''
max_connections = 100
shared_buffers = '32MB'
fsync = off
full_page_writes = off
autovacuum = on
log_min_messages = warning
log_line_prefix = '%m [%p] %u@%d '
wal_level = replica
max_wal_senders = 4
max_wal_size = '512MB'
min_wal_size = '32MB'
password_encryption = 'scram-sha-256'
";

const HBA: &str = "
local all          postgres       trust
local all          all            scram-sha-256
host  all          postgres  all  trust
host  all          trusted   all  trust
host  all          md5_user  all  md5
host  all          all       all  scram-sha-256
host  replication  all       all  scram-sha-256
";

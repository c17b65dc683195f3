//! Logins beside many others, which a thread of their own receives: they are the same as alone.

use std::fs;
use std::time::Duration;

use tokio::runtime::Runtime;
use tokio_postgres::NoTls;

use crate::pki::Office;
use crate::support::cluster::Cluster;
use crate::support::floodwall::{Proxy, direct};
use crate::support::process::{SOON, Scratch, wait_until};
use crate::support::raw::{Raw, VERSION_3_0, cancel, query, reply_codes, sqlstates, startup};
use crate::tls::{LISTENER, answer, psql, refusal};

/// So many that no worker sees to one more.
const MANY: usize = 6;

/// A proxy with one worker, at which many logins are under way.
struct Crowded {
    proxy: Proxy,
    /// Asked for their passwords, and silent since.
    undecided: Vec<Raw>,
    _folder: Scratch,
}

impl Crowded {
    /// `keys` is TOML behind those of the listener.
    fn new(keys: &str) -> Self {
        let cluster = Cluster::shared();
        let folder = Scratch::new("users");
        let file = folder.path().join("users.toml");
        let stored = cluster.sql("postgres", "SELECT rolpassword FROM pg_authid WHERE rolname = 'app'");
        let users =
            format!("[[user]]\nname = 'app'\nverifier = '{stored}'\n[[user]]\nname = 'trusted'\npassword = 'any'\n");
        fs::write(&file, users).unwrap();
        let access =
            "[[access]]\nuser = 'trusted'\naddress = '127.0.0.0/8'\nmethod = 'trust'\n[[access]]\nmethod = 'scram'";
        let listener = format!("{LISTENER}login = 'users'\nusers_file = '{}'\n{keys}\n{access}", file.display());
        let proxy = Proxy::start(cluster, &format!("workers = 1\n{listener}"));
        let undecided = (0..MANY).map(|_| undecided(proxy.port)).collect();
        Self { proxy, undecided, _folder: folder }
    }

    /// How often the thread that receives the many had to wait for something to do.
    fn waits(&self) -> u64 {
        let tasks = fs::read_dir(format!("/proc/{}/task", self.proxy.pid())).unwrap().map(|task| task.unwrap().path());
        let is_it = |name: &str| name.trim() == "login-0";
        let mut found = tasks.filter(|task| fs::read_to_string(task.join("comm")).is_ok_and(|name| is_it(&name)));
        let status = fs::read_to_string(found.next().expect("a thread for logins").join("status")).unwrap();
        let waits = status.lines().find_map(|line| line.strip_prefix("voluntary_ctxt_switches:")).unwrap();
        waits.trim().parse().unwrap()
    }

    fn finish(self) {
        drop(self.undecided);
        self.proxy.assert_all_zero();
    }
}

/// What makes a pool of that mode, which keeps no server for long.
fn pool(mode: &str) -> &'static str {
    if mode == "session" { "pool = 'session'" } else { "pool = 'transaction'\nserver_idle_timeout = '1s'" }
}

fn undecided(port: u16) -> Raw {
    let mut raw = Raw::open(port);
    raw.send(&startup(VERSION_3_0, &[("user", "app"), ("database", "app")]));
    assert_eq!(raw.message().code, b'R', "a challenge");
    raw
}

/// A client that wants to see that the other side knows its verifier: libpq 15 logs in without.
async fn proves_itself(proxy: &Proxy) -> Result<(), tokio_postgres::Error> {
    let (client, connection) = tokio_postgres::connect(&proxy.conn_str("app", "app"), NoTls).await?;
    tokio::select! {
        answered = client.simple_query("SELECT 1") => answered.map(drop),
        ended = connection => ended,
    }
}

#[test]
fn a_login_beside_many_is_the_same_as_alone() {
    if direct() {
        return;
    }
    let office = Office::new();
    office.issue("proxy", &["localhost"]);
    for mode in ["session", "transaction"] {
        let keys = format!("{}\nclient_tls = {}", pool(mode), office.side("prefer", Some("proxy"), None));
        let crowded = Crowded::new(&keys);
        let (port, before) = (crowded.proxy.port, crowded.waits());
        for tls in ["disable", "require"] {
            let settings = [("PGSSLMODE", tls), ("PGAPPNAME", "mine"), ("PGOPTIONS", "-c statement_timeout=77s")];
            let sql = "SELECT current_user, current_setting('application_name'), current_setting('statement_timeout')";
            assert_eq!(answer(&mut psql(port, "app", &settings, sql)), "app|mine|77s", "{mode} {tls}");
            let wrong = [("PGSSLMODE", tls), ("PGPASSWORD", "wrong")];
            let told = refusal(&mut psql(port, "app", &wrong, "SELECT 1"));
            assert!(told.contains("password authentication failed"), "{mode} {tls}: {told}");
        }
        Runtime::new()
            .unwrap()
            .block_on(proves_itself(&crowded.proxy))
            .unwrap_or_else(|error| panic!("{mode}: {error}"));
        assert!(wait_until(SOON, || crowded.waits() > before), "{mode}: they were received elsewhere");
        crowded.finish();
    }
}

#[test]
fn what_a_client_says_behind_its_login_comes_along_beside_many() {
    if direct() {
        return;
    }
    for mode in ["session", "transaction"] {
        let crowded = Crowded::new(pool(mode));
        let before = crowded.waits();
        let mut eager = Raw::open(crowded.proxy.port);
        let login = startup(VERSION_3_0, &[("user", "trusted"), ("database", "app")]);
        eager.send(&[login, query("SELECT 7"), query("SELECT 8")].concat());
        eager.finish_login().unwrap();
        assert_eq!(reply_codes(&eager.until(b"Z")), "T D C Z", "{mode}");
        assert_eq!(reply_codes(&eager.until(b"Z")), "T D C Z", "{mode}");
        assert!(wait_until(SOON, || crowded.waits() > before), "{mode}: it was received elsewhere");
        drop(eager);
        crowded.finish();
    }
}

#[test]
fn a_cancel_gets_through_beside_many() {
    if direct() {
        return;
    }
    let crowded = Crowded::new(pool("transaction"));
    let mut sleeper = Raw::login(crowded.proxy.port, "trusted", "app").unwrap();
    let (pid, secret) = sleeper.key.clone().unwrap();
    sleeper.send(&query("SELECT pg_sleep(60)"));
    let runs = || crowded.proxy.console("SHOW POOLS").unwrap().iter().any(|row| row["sv_active"] == "1");
    assert!(wait_until(SOON, runs));
    let before = crowded.waits();
    cancel(crowded.proxy.port, pid, &secret);
    assert_eq!(sqlstates(&sleeper.until(b"Z")), ["57014"]);
    assert!(wait_until(SOON, || crowded.waits() > before), "it was received elsewhere");
    drop(sleeper);
    crowded.finish();
}

#[test]
fn whoever_leaves_or_is_too_late_beside_many_leaves_nothing_behind() {
    if direct() {
        return;
    }
    let crowded = Crowded::new(&format!("{}\n[caps]\nlogin_timeout = '2s'", pool("transaction")));
    let port = crowded.proxy.port;
    drop((undecided(port), Raw::open(port)));
    let mut late = undecided(port);
    assert_eq!(sqlstates(&late.until(b"E")), ["28000"], "told that it was too late");
    let mut silent = Raw::open(port);
    assert!(silent.is_silent(Duration::from_millis(500)));
    drop((late, silent));
    crowded.finish();
}

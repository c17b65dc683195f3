//! Several servers: which one is used, and what clients see of a switch.

use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

use crate::pki::Office;
use crate::support::cluster::Cluster;
use crate::support::floodwall::{Proxy, Row, direct};
use crate::support::ports::free_port;
use crate::support::process::{SOON, Scratch, wait_until};
use crate::support::raw::{Raw, VERSION_3_0, query, sqlstates, startup};
use crate::tls::{SERVER_SSL, encrypting_server};

/// In front of both, the standby named first.
fn start(primary: &Cluster, standby: &Cluster, interval: &str) -> Proxy {
    let servers = format!("[\"127.0.0.1:{}\", \"127.0.0.1:{}\"]", standby.port, primary.port);
    let overrides = format!(
        "[caps]\nqueue_wait = \"1m\"\nlogin_timeout = \"2m\"\n[[listener]]\nserver_check_interval = \"{interval}\"\nservers = {servers}"
    );
    Proxy::start(primary, &overrides)
}

/// The same where Floodwall checks who comes, which is everybody, and gives each a server of its own.
fn owned(primary: &Cluster, standby: &Cluster, interval: &str) -> (Proxy, Scratch) {
    with_users(primary, standby, &format!("server_check_interval = \"{interval}\"\npool = \"session\"\n"))
}

/// The same with pools of two.
fn pooled(primary: &Cluster, standby: &Cluster, interval: &str) -> (Proxy, Scratch) {
    let pool = format!(
        "server_check_interval = \"{interval}\"\npool = \"transaction\"\npool_size = 2\nquery_wait_timeout = \"2m\"\n\
         server_idle_timeout = \"10m\"\nserver_connect_timeout = \"1m\"\n"
    );
    with_users(primary, standby, &pool)
}

/// Everybody comes on trust.
fn with_users(primary: &Cluster, standby: &Cluster, keys: &str) -> (Proxy, Scratch) {
    let folder = Scratch::new("users");
    let users = folder.path().join("users.toml");
    std::fs::write(&users, "# Everybody comes on trust.\n").unwrap();
    let overrides = format!(
        "[caps]\nqueue_wait = \"1m\"\nlogin_timeout = \"2m\"\n[[access]]\naddress = \"127.0.0.0/8\"\nmethod = \"trust\"\n\
         [[listener]]\nservers = [\"127.0.0.1:{}\", \"127.0.0.1:{}\"]\nlogin = \"users\"\nusers_file = \"{}\"\n{keys}",
        standby.port,
        primary.port,
        users.display()
    );
    (Proxy::start(primary, &overrides), folder)
}

/// As a cluster manager switches on purpose: the standby is promoted, and the primary comes back as a standby of nobody.
fn change_places(primary: &Cluster, standby: &Cluster) {
    standby.sql("postgres", "SELECT pg_promote()");
    primary.stop(Signal::INT);
    std::fs::write(primary.folder().join("data/standby.signal"), "").unwrap();
    primary.restart();
    assert_eq!(primary.sql("postgres", "SELECT pg_is_in_recovery()"), "t");
}

fn login(proxy: &Proxy) -> Raw {
    Raw::login(proxy.port, "postgres", "postgres").unwrap_or_else(|error| panic!("{}", error.summary()))
}

/// The row of one server in SHOW NODES.
fn node(proxy: &Proxy, cluster: &Cluster) -> Row {
    let server = format!("127.0.0.1:{}", cluster.port);
    let rows = proxy.console("SHOW NODES").unwrap();
    rows.into_iter().find(|row| row["server"] == server).unwrap()
}

fn is_used(proxy: &Proxy, cluster: &Cluster) -> bool {
    node(proxy, cluster)["used"] == "yes"
}

fn in_recovery(client: &mut Raw) -> String {
    client.rows("SELECT pg_is_in_recovery()")[0][0].clone()
}

#[test]
fn a_primary_that_is_killed_is_followed_by_the_standby_that_is_promoted() {
    if direct() {
        return;
    }
    let primary = Cluster::start(&[]);
    let standby = Cluster::standby_of(&primary);
    let proxy = start(&primary, &standby, "200ms");
    let mut client = login(&proxy);
    assert_eq!(in_recovery(&mut client), "f", "the standby is named first and not used");
    assert!(wait_until(SOON, || node(&proxy, &standby)["role"] == "standby"));
    assert!(is_used(&proxy, &primary));
    primary.stop(Signal::KILL);
    assert!(wait_until(SOON, || !is_used(&proxy, &primary)));
    // Waits for the switch and sees nothing of it.
    let waiting = std::thread::scope(|scope| {
        let waiting = scope.spawn(|| {
            let mut client = login(&proxy);
            let recovering = in_recovery(&mut client);
            client.rows("CREATE TABLE after_the_switch (id int)");
            recovering
        });
        std::thread::sleep(Duration::from_millis(500));
        standby.sql("postgres", "SELECT pg_promote()");
        waiting.join().unwrap()
    });
    assert_eq!(waiting, "f");
    assert!(is_used(&proxy, &standby));
    assert!(client.rest().is_ok(), "the old session has ended");
    drop(client);
    proxy.assert_all_zero();
}

#[test]
fn a_server_that_accepts_and_does_not_answer_is_found_by_its_silence() {
    if direct() {
        return;
    }
    let primary = Cluster::start(&[]);
    let standby = Cluster::standby_of(&primary);
    let proxy = start(&primary, &standby, "200ms");
    let mut client = login(&proxy);
    assert_eq!(client.rows("SELECT 1"), [["1"]]);
    let stopped = Stopped::new(&primary);
    // By a probe that gets no answer within 1.5 s: nothing else would find it within a minute.
    assert!(wait_until(SOON, || node(&proxy, &primary)["state"] == "down"));
    client.send(&query("SELECT 2"));
    standby.sql("postgres", "SELECT pg_promote()");
    assert_eq!(in_recovery(&mut login(&proxy)), "f");
    assert!(is_used(&proxy, &standby));
    let last = client.rest().expect("a statement that gets no answer ends with its session");
    assert_eq!(sqlstates(&last).len(), 1, "one error");
    // The stopped one comes back and believes that it is the primary still: nobody goes there.
    drop(stopped);
    assert!(wait_until(SOON, || node(&proxy, &primary)["state"] == "up"));
    assert!(is_used(&proxy, &standby));
    drop(client);
    proxy.assert_all_zero();
}

/// Its servers are all at one that hangs: whoever waits for them would do so until the last of them had timed out.
#[test]
fn a_pool_leaves_a_primary_that_hangs_and_each_client_loses_no_more_than_a_statement() {
    if direct() {
        return;
    }
    let primary = Cluster::start(&[]);
    let standby = Cluster::standby_of(&primary);
    let (proxy, _users) = pooled(&primary, &standby, "200ms");
    let [mut alone, mut within, mut waiting] = [(); 3].map(|()| login(&proxy));
    within.query("BEGIN; SELECT 1");
    assert_eq!(alone.rows("SELECT 1"), [["1"]]);
    let stopped = Stopped::new(&primary);
    alone.send(&query("SELECT 2"));
    within.send(&query("SELECT 2"));
    let busy = || proxy.metric("floodwall_pool_servers", &["state=\"active\""]) == 2.0;
    assert!(wait_until(SOON, busy), "{:?}", proxy.console("SHOW POOLS"));
    waiting.send(&query("SELECT pg_is_in_recovery()"));
    assert!(wait_until(SOON, || node(&proxy, &primary)["state"] == "down"));
    standby.sql("postgres", "SELECT pg_promote()");
    let reply = waiting.until(b"Z");
    assert!(sqlstates(&reply).is_empty() && reply[1].columns() == ["f"], "who waited has lost nothing: {reply:?}");
    assert_eq!(sqlstates(&alone.until(b"Z")), ["08006"]);
    assert_eq!(in_recovery(&mut alone), "f", "and goes on");
    let last = within.rest().expect("what its transaction did is lost, so its session ends");
    assert_eq!(sqlstates(&last), ["08006"]);
    drop(stopped);
    drop((alone, waiting, within));
    proxy.console("RECONNECT").unwrap();
    proxy.console("WAIT_CLOSE").unwrap();
    proxy.assert_all_zero();
}

/// Between two looks at the servers the login itself tells that this one is a standby.
#[test]
fn a_pool_stays_away_from_a_primary_that_comes_back_as_a_standby() {
    if direct() {
        return;
    }
    let primary = Cluster::start(&[]);
    let standby = Cluster::standby_of(&primary);
    let (proxy, _users) = pooled(&primary, &standby, "5s");
    let mut client = login(&proxy);
    assert_eq!(in_recovery(&mut client), "f");
    change_places(&primary, &standby);
    assert_eq!(in_recovery(&mut client), "f", "the same session, at the new primary");
    drop(client);
    proxy.console("RECONNECT").unwrap();
    proxy.console("WAIT_CLOSE").unwrap();
    proxy.assert_all_zero();
}

#[test]
fn a_session_does_not_begin_at_a_primary_that_has_come_back_as_a_standby() {
    if direct() {
        return;
    }
    let primary = Cluster::start(&[]);
    let standby = Cluster::standby_of(&primary);
    let (proxy, _users) = owned(&primary, &standby, "8s");
    assert_eq!(in_recovery(&mut login(&proxy)), "f");
    change_places(&primary, &standby);
    let mut client = login(&proxy);
    assert_eq!(in_recovery(&mut client), "f");
    assert!(is_used(&proxy, &standby));
    drop(client);
    proxy.assert_all_zero();
}

/// Its proof was for that server and cannot be asked for twice: it is told to come again, once that helps.
#[test]
fn a_relayed_login_at_a_primary_that_has_come_back_as_a_standby_fails_once() {
    if direct() {
        return;
    }
    let primary = Cluster::start(&[]);
    let standby = Cluster::standby_of(&primary);
    let proxy = start(&primary, &standby, "8s");
    assert_eq!(in_recovery(&mut login(&proxy)), "f");
    change_places(&primary, &standby);
    match Raw::login(proxy.port, "postgres", "postgres") {
        Ok(mut client) => assert_eq!(in_recovery(&mut client), "f", "somebody has looked by now"),
        Err(error) => {
            assert_eq!((error.sqlstate().as_str(), is_used(&proxy, &standby)), ("57P03", true), "{}", error.summary())
        }
    }
    assert_eq!(in_recovery(&mut login(&proxy)), "f");
    proxy.assert_all_zero();
}

/// The first of `servers` was read until another was chosen: where that is a standby, its limit held for the primary.
#[test]
fn no_server_is_read_before_it_is_the_one_that_is_used() {
    if direct() {
        return;
    }
    let cluster = Cluster::shared();
    let servers = format!("servers = [\"127.0.0.1:{}\", \"127.0.0.1:{}\"]", free_port(), cluster.port);
    let proxy = Proxy::start(cluster, &format!("[[listener]]\n{servers}"));
    let learnt = || proxy.log().contains("learnt from the server");
    assert!(wait_until(SOON, learnt), "{}", proxy.log());
    assert!(!proxy.log().contains("the monitor can't read"), "{}", proxy.log());
}

/// It counted as down, so that with several servers nobody was let in, and the log said to look whether it runs.
#[test]
fn a_server_that_asks_the_monitor_for_a_password_is_up() {
    if direct() {
        return;
    }
    let cluster = Cluster::shared();
    let servers = format!("servers = [\"127.0.0.1:{}\", \"127.0.0.1:{}\"]", free_port(), cluster.port);
    let proxy = Proxy::start(cluster, &format!("[[listener]]\nserver_check_interval = \"100ms\"\n{servers}"));
    let mut config: toml::Table = proxy.config_text().parse().unwrap();
    config["listener"][0]["monitor"].as_table_mut().unwrap().remove("password_file").unwrap();
    proxy.write_config(&config.to_string());
    proxy.console("RELOAD").unwrap();
    let told = || node(&proxy, cluster)["last_error"].contains("password");
    assert!(wait_until(SOON, told), "{}", proxy.log());
    let found = node(&proxy, cluster);
    assert_eq!((found["state"].as_str(), found["used"].as_str()), ("up", "yes"));
    let advised = || proxy.log().contains("the password in `monitor`");
    assert!(wait_until(SOON, advised), "{}", proxy.log());
    drop(login(&proxy));
}

/// It went in plain, as had been asked for when the wait began.
#[test]
fn a_login_that_waits_for_a_primary_goes_to_it_as_the_last_reload_asks() {
    if direct() {
        return;
    }
    let office = Office::new();
    office.issue("late", &["127.0.0.1"]);
    let cluster = encrypting_server(&office, "late", &[]);
    let servers = format!("servers = [\"127.0.0.1:{}\", \"127.0.0.1:{}\"]", cluster.port, free_port());
    let wait = "[caps]\nqueue_wait = \"1m\"\nlogin_timeout = \"2m\"\n";
    let proxy = Proxy::start(&cluster, &format!("{wait}[[listener]]\nserver_check_interval = \"100ms\"\n{servers}"));
    cluster.stop(Signal::INT);
    assert!(wait_until(SOON, || !is_used(&proxy, &cluster)));
    let mut client = Raw::open(proxy.port);
    client.send(&startup(VERSION_3_0, &[("user", "trusted"), ("database", "app")]));
    let waits = || proxy.metric("floodwall_cap_current", &["cap=\"max_server_connections\""]) == 1.0;
    assert!(wait_until(SOON, waits));
    let text = proxy.config_text();
    proxy.write_config(&text.replace("[[listener]]", "[[listener]]\nserver_tls = { mode = \"require\" }"));
    proxy.console("RELOAD").unwrap();
    cluster.restart();
    client.finish_login().unwrap_or_else(|error| panic!("{}", error.summary()));
    assert_eq!(client.rows(SERVER_SSL), [["t"]]);
}

#[test]
fn a_single_server_that_hangs_is_told_and_used_all_the_same() {
    if direct() {
        return;
    }
    let cluster = Cluster::start(&[]);
    let proxy = Proxy::start(&cluster, "[[listener]]\nserver_check_interval = \"200ms\"");
    let state = || node(&proxy, &cluster)["state"].clone();
    assert!(wait_until(SOON, || state() == "up"));
    assert_eq!(node(&proxy, &cluster)["role"], "primary");
    let mut client = login(&proxy);
    let stopped = Stopped::new(&cluster);
    assert!(wait_until(SOON, || state() == "down"));
    assert_eq!(node(&proxy, &cluster)["used"], "yes");
    client.send(&query("SELECT 1"));
    drop(stopped);
    assert!(wait_until(SOON, || state() == "up"));
    // The line told the error that had just passed.
    let is_of = |line: &&str, state: &str| line.contains("a server changed") && line.contains(state);
    assert!(wait_until(SOON, || proxy.log().lines().any(|line| is_of(&line, "state=\"up\""))));
    let log = proxy.log();
    let tells = |state| log.lines().rfind(|line| is_of(line, state)).unwrap().contains("error=");
    assert_eq!((tells("state=\"down\""), tells("state=\"up\"")), (true, false), "{log}");
    client.until(b"Z");
    assert_eq!(client.rows("SELECT 2"), [["2"]], "its session has only waited");
    // It was told to be up with what had been wrong before as its error.
    let told =
        || proxy.log().lines().filter(|line| line.contains("a server changed")).map(str::to_owned).collect::<Vec<_>>();
    assert!(wait_until(SOON, || told().len() == 2), "{:?}", told());
    assert_eq!(told().iter().map(|line| line.contains("error")).collect::<Vec<_>>(), [true, false], "{:?}", told());
    drop(client);
    proxy.assert_all_zero();
}

/// A statement that waited for a server that hangs was advised to shorten transactions.
#[test]
fn who_waits_for_a_server_that_hangs_is_told_to_look_at_it() {
    if direct() {
        return;
    }
    let cluster = Cluster::start(&[]);
    let folder = Scratch::new("users");
    let users = folder.path().join("users.toml");
    std::fs::write(&users, "# Everybody comes on trust.\n").unwrap();
    let overrides = format!(
        "[[access]]\naddress = \"127.0.0.0/8\"\nmethod = \"trust\"\n[[listener]]\nlogin = \"users\"\nusers_file = \"{}\"\n\
         server_check_interval = \"200ms\"\npool = \"transaction\"\npool_size = 1\nquery_wait_timeout = \"6s\"\n",
        users.display()
    );
    let proxy = Proxy::start(&cluster, &overrides);
    let (mut busy, mut waiting) = (login(&proxy), login(&proxy));
    busy.query("BEGIN; SELECT 1");
    let advised = |client: &mut Raw| {
        client.send(&query("SELECT 2"));
        let reply = client.until(b"Z");
        assert_eq!(sqlstates(&reply), ["53300"]);
        [b'D', b'H'].map(|code| reply[0].field(code).unwrap_or_default()).join(" ")
    };
    let told = advised(&mut waiting);
    assert!(told.contains("Shorten transactions"), "{told}");
    let stopped = Stopped::new(&cluster);
    assert!(wait_until(SOON, || node(&proxy, &cluster)["state"] == "down"));
    let told = advised(&mut waiting);
    assert!(told.contains("The server does not answer: ") && told.contains("See that the server runs"), "{told}");
    assert!(!told.contains("Shorten transactions"), "{told}");
    drop(stopped);
    busy.query("COMMIT");
    assert!(wait_until(SOON, || node(&proxy, &cluster)["state"] == "up"));
    assert_eq!(waiting.rows("SELECT 3"), [["3"]]);
    drop((busy, waiting));
    proxy.console("RECONNECT").unwrap();
    proxy.console("WAIT_CLOSE").unwrap();
    proxy.assert_all_zero();
}

#[test]
fn sessions_of_a_past_primary_end_with_their_transaction() {
    if direct() {
        return;
    }
    let primary = Cluster::start(&[]);
    let standby = Cluster::standby_of(&primary);
    let proxy = start(&primary, &standby, "200ms");
    let mut busy = login(&proxy);
    let mut idle = login(&proxy);
    busy.query("BEGIN");
    // A reload that no longer names the primary is a planned switch.
    standby.sql("postgres", "SELECT pg_promote()");
    let text = proxy.config_text();
    let elsewhere = format!("\"127.0.0.1:{}\", \"127.0.0.1:1\"", standby.port);
    let both = format!("\"127.0.0.1:{}\", \"127.0.0.1:{}\"", standby.port, primary.port);
    assert!(text.contains(&both), "{text}");
    proxy.write_config(&text.replace(&both, &elsewhere));
    proxy.console("RELOAD").unwrap();
    assert!(wait_until(SOON, || is_used(&proxy, &standby)));
    let last = idle.rest().expect("an idle session ends");
    assert!(last.iter().any(|message| message.summary().contains("another server is used now")), "{last:?}");
    assert_eq!(busy.rows("SELECT 1"), [["1"]], "a transaction goes on");
    busy.query("COMMIT");
    assert!(busy.rest().is_ok(), "and ends then");
    assert_eq!(in_recovery(&mut login(&proxy)), "f");
    proxy.assert_all_zero();
}

/// A postmaster and its processes that are stopped, until dropped: they accept and do not answer.
struct Stopped(Vec<Pid>);

impl Stopped {
    fn new(cluster: &Cluster) -> Self {
        // The postmaster first: what it starts while its processes are looked for would go on answering.
        let mut stopped = Self(Vec::new());
        stopped.stop(cluster.pid());
        let state = || std::fs::read_to_string(format!("/proc/{}/stat", cluster.pid())).unwrap();
        assert!(wait_until(SOON, || state().contains(") T ")), "{}", state());
        let children = std::fs::read_to_string(format!("/proc/{0}/task/{0}/children", cluster.pid())).unwrap();
        children.split_whitespace().for_each(|pid| stopped.stop(pid.parse().unwrap()));
        stopped
    }

    fn stop(&mut self, pid: i32) {
        let pid = Pid::from_raw(pid).unwrap();
        kill_process(pid, Signal::STOP).unwrap_or_default();
        self.0.push(pid);
    }
}

impl Drop for Stopped {
    fn drop(&mut self) {
        self.0.iter().for_each(|pid| kill_process(*pid, Signal::CONT).unwrap_or_default());
    }
}

//! How sessions end: the client vanishes, the server vanishes, an operator drains.

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use crate::pooling::Pooled;
use crate::support::cluster::{Cluster, bin};
use crate::support::floodwall::{Proxy, direct};
use crate::support::http;
use crate::support::process::{SOON, wait_until};
use crate::support::raw::{self, Raw, reply_codes};
use crate::support::site::Site;

#[test]
fn the_query_of_a_killed_client_is_cancelled_at_the_server() {
    let site = Site::new("killed", "");
    let url = site.proxy.url("app", &site.database);
    let mut psql = Command::new(bin("psql"));
    let mut psql = psql.args(["-X", &url, "-c", "SELECT pg_sleep(600)"]).stdout(Stdio::null()).spawn().unwrap();
    assert!(wait_until(SOON, || running(&site) == "1"));
    psql.kill().unwrap();
    psql.wait().unwrap();
    if !direct() {
        assert!(wait_until(SOON, || connected(&site) == "0"), "{} still connected", connected(&site));
    }
    site.direct_sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()");
    site.finish();
}

#[test]
fn a_client_that_resets_the_connection_is_cleaned_up() {
    let site = Site::new("reset", "");
    let mut client = site.raw();
    client.query("BEGIN; CREATE TABLE t (n int); LOCK TABLE t");
    // A closed socket with unread data is a reset for the peer.
    client.send(&raw::query("SELECT repeat('x', 100) FROM generate_series(1, 2000000)"));
    while client.is_silent(Duration::from_millis(50)) {}
    drop(client);
    assert!(wait_until(SOON, || connected(&site) == "0"));
    assert_eq!(site.direct_sql("SELECT to_regclass('t') IS NULL"), "t");
    site.finish();
}

#[test]
fn clients_gone_in_every_state_leave_nothing_behind() {
    let site = Site::new("states", "");
    site.direct_sql("CREATE TABLE t (n int)");
    let states: [&[Vec<u8>]; 7] = [
        &[],
        &[raw::query("BEGIN")],
        &[raw::query("BEGIN; SELECT 1/0")],
        &[raw::query("COPY t FROM STDIN")],
        &[raw::parse("", "SELECT 1"), raw::flush()],
        &[raw::query("SELECT 1")[..5].to_vec()],
        &[raw::query("SELECT pg_sleep(100)")],
    ];
    for messages in states {
        let mut client = site.raw();
        client.send_all(messages);
        std::thread::sleep(Duration::from_millis(20));
        drop(client);
    }
    if !direct() {
        assert!(wait_until(SOON, || connected(&site) == "0"), "{} still connected", connected(&site));
    }
    site.finish();
}

#[test]
fn a_client_that_leaves_while_its_query_begins_is_cleaned_up_too() {
    if direct() {
        return;
    }
    let site = Site::new("early", "");
    // The cancel request may reach the server before the query does, and is lost then.
    for round in 0..20_u64 {
        let mut client = site.raw();
        client.send(&raw::query("SELECT pg_sleep(600)"));
        std::thread::sleep(Duration::from_micros(round * 50));
        drop(client);
    }
    assert!(wait_until(SOON, || running(&site) == "0"), "{} still running", running(&site));
    site.finish();
}

#[test]
fn a_terminated_backend_tells_the_client_why() {
    let site = Site::new("terminated", "");
    let mut client = site.raw();
    let pid = client.key.clone().unwrap().0;
    site.direct_sql(&format!("SELECT pg_terminate_backend({pid})"));
    let last = client.rest().unwrap();
    assert_eq!(last[0].sqlstate(), "57P01");
    assert_eq!(last[0].field(b'S').unwrap(), "FATAL");
    assert_eq!(last.len(), 1, "one goodbye: {}", raw::codes(&last));
    drop(client);
    site.finish();
}

#[test]
fn a_server_that_vanishes_without_a_word_still_means_a_fatal_error() {
    if direct() {
        return;
    }
    let cluster = Cluster::start(&[]);
    let proxy = Proxy::start(&cluster, "");
    let mut idle = Raw::login(proxy.port, "postgres", "app").unwrap();
    let mut busy = Raw::login(proxy.port, "postgres", "app").unwrap();
    busy.send(&raw::query("SELECT pg_sleep(60)"));
    std::thread::sleep(Duration::from_millis(100));
    for client in [&idle, &busy] {
        let pid = i32::try_from(client.key.clone().unwrap().0).unwrap();
        // Where one is killed the server ends all others, perhaps before we come to the second.
        kill_process(Pid::from_raw(pid).unwrap(), Signal::KILL).ok();
    }
    for client in [&mut idle, &mut busy] {
        let last = client.rest().unwrap();
        assert_eq!(last.last().unwrap().field(b'S').unwrap(), "FATAL");
        assert!(
            ["08006", "57P02", "57P01"].contains(&last.last().unwrap().sqlstate().as_str()),
            "{}",
            last[0].summary()
        );
    }
    proxy.assert_all_zero();
}

#[test]
fn a_stopped_server_ends_sessions_in_order_and_a_started_one_serves_again() {
    let cluster = Cluster::start(&[]);
    let proxy = Proxy::start(&cluster, "");
    let mut client = Raw::login(proxy.port, "postgres", "app").unwrap();
    cluster.stop(Signal::INT);
    let last = client.rest().unwrap();
    assert_eq!(last.last().unwrap().sqlstate(), "57P01");
    if !direct() {
        let error = Raw::login(proxy.port, "postgres", "app").unwrap_err();
        assert_eq!(error.sqlstate(), "08001", "{}", error.summary());
        assert_eq!(error.field(b'S').unwrap(), "FATAL");
        proxy.assert_all_zero();
        assert_eq!(http::get(proxy.http_port, "/healthz").unwrap().status, 200, "health never looks at the server");
        assert_eq!(http::get(proxy.http_port, "/readyz").unwrap().status, 200);
    }
    cluster.restart();
    assert_eq!(Raw::login(proxy.port, "postgres", "app").unwrap().rows("SELECT 1"), [["1"]]);
    proxy.assert_all_zero();
}

#[test]
fn a_server_that_is_full_answers_in_its_own_words() {
    let cluster =
        Cluster::start(&[("max_connections", "8"), ("superuser_reserved_connections", "3"), ("max_wal_senders", "0")]);
    let proxy = Proxy::start(&cluster, "[[listener]]\nmax_server_connections = 50");
    let mut held = Vec::new();
    // Of five slots the monitor keeps two, and comes and goes in others; whoever is refused has one for a moment too. So the server is
    // full again and again before it stays full.
    let stays_full = wait_until(SOON, || match Raw::login(proxy.port, "trusted", "app") {
        Ok(session) => {
            held.push(session);
            false
        }
        Err(error) => {
            assert_eq!(error.sqlstate(), "53300", "{}", error.summary());
            assert!(!error.field(b'M').unwrap().starts_with("FLOODWALL"), "{}", error.summary());
            held.len() >= 3
        }
    });
    assert!(stays_full, "{} sessions, and the server is not full", held.len());
    for session in &mut held {
        assert_eq!(session.rows("SELECT 1"), [["1"]]);
    }
    drop(held);
    proxy.assert_all_zero();
}

#[test]
fn a_drain_lets_transactions_finish_and_takes_nobody_new() {
    if direct() {
        return;
    }
    let cluster = Cluster::shared();
    let mut proxy = Proxy::start(cluster, "drain_timeout = '5m'");
    let mut idle = Raw::login(proxy.port, "postgres", "app").unwrap();
    let mut working = Raw::login(proxy.port, "postgres", "app").unwrap();
    working.query("BEGIN");
    proxy.signal(Signal::TERM);
    let goodbye = idle.rest().unwrap();
    assert_eq!(goodbye[0].sqlstate(), "57P01");
    assert!(wait_until(SOON, || not_welcome(&proxy)));
    assert!(http::get(proxy.http_port, "/readyz").map_or(true, |answer| answer.status != 200));
    assert_eq!(working.rows("SELECT 1"), [["1"]]);
    assert_eq!(reply_codes(&working.query("COMMIT"))[..3], *"C Z");
    assert_eq!(working.rest().unwrap().last().unwrap().sqlstate(), "57P01");
    let status = proxy.wait(SOON).expect("the drain ends with the last session");
    assert!(status.success(), "{status}\n{}", proxy.log());
}

#[test]
fn a_drain_has_a_deadline() {
    if direct() {
        return;
    }
    let mut proxy = Proxy::start(Cluster::shared(), "drain_timeout = '1s'");
    let mut working = Raw::login(proxy.port, "postgres", "app").unwrap();
    working.query("BEGIN");
    let begin = Instant::now();
    proxy.signal(Signal::TERM);
    assert_eq!(working.rest().unwrap().last().unwrap().sqlstate(), "57P01");
    // Without it the transaction would keep the process for ever.
    proxy.wait(SOON).expect("still running");
    assert!(begin.elapsed() >= Duration::from_millis(900), "{:?}", begin.elapsed());
}

#[test]
fn a_second_signal_ends_at_once() {
    if direct() {
        return;
    }
    let mut proxy = Proxy::start(Cluster::shared(), "drain_timeout = '10m'");
    let mut working = Raw::login(proxy.port, "postgres", "app").unwrap();
    working.query("BEGIN");
    proxy.signal(Signal::TERM);
    assert!(proxy.wait(Duration::from_millis(300)).is_none());
    proxy.signal(Signal::TERM);
    assert!(proxy.wait(SOON).is_some(), "still running:\n{}", proxy.log());
}

/// It said that it drained for as long as `drain_timeout`, and waited for nobody.
#[test]
fn sigquit_says_that_it_waits_for_nobody() {
    if direct() {
        return;
    }
    let mut proxy = Proxy::start(Cluster::shared(), "drain_timeout = '10m'");
    let mut working = Raw::login(proxy.port, "postgres", "app").unwrap();
    working.query("BEGIN");
    proxy.signal(Signal::QUIT);
    assert!(proxy.wait(SOON).is_some(), "still running:\n{}", proxy.log());
    let log = proxy.log();
    assert!(log.contains("ending at once") && !log.contains("draining") && !log.contains("timeout="), "{log}");
}

/// Nobody listens any more, or the newcomer is told to come later.
fn not_welcome(proxy: &Proxy) -> bool {
    if std::net::TcpStream::connect(("127.0.0.1", proxy.port)).is_err() {
        return true;
    }
    Raw::login(proxy.port, "postgres", "app").is_err_and(|error| error.sqlstate() == "57P03")
}

/// Queries of this test's clients that the server works on.
fn running(site: &Site) -> String {
    site.direct_sql(
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event = 'PgSleep'",
    )
}

/// Connections of this test's clients at the server.
fn connected(site: &Site) -> String {
    site.direct_sql(
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid() \
         AND usename <> 'floodwall' AND backend_type = 'client backend'",
    )
}

/// They go in turns; who holds what others wait for does not.
#[test]
fn of_a_crowd_that_leaves_at_once_nothing_is_left() {
    if direct() {
        return;
    }
    let no_password = "[[access]]\nuser = 'app'\naddress = '127.0.0.0/8'\nmethod = 'trust'";
    let pooled = Pooled::new("ends_crowd", 2, no_password);
    let join = || Raw::login(pooled.site.proxy.port, "app", &pooled.site.database).unwrap();
    let (mut stays, mut holds) = (join(), join());
    stays.query("CREATE TABLE held (n int)");
    let crowd: Vec<Raw> = (0..300).map(|_| join()).collect();
    holds.query("BEGIN");
    holds.query("LOCK TABLE held");
    stays.send(&raw::query("INSERT INTO held VALUES (1)"));
    for (number, mut client) in crowd.into_iter().enumerate() {
        if number % 2 == 0 {
            client.send(&raw::terminate());
        }
    }
    drop(holds);
    assert_eq!(reply_codes(&stays.until(b"Z")), "C Z");
    let clients = || pooled.site.proxy.metric("floodwall_clients", &[]);
    assert!(wait_until(SOON, || clients() <= 1.0), "{} clients are left", clients());
    assert_eq!(stays.rows("SELECT count(*) FROM held"), [["1"]]);
    drop(stays);
    pooled.finish();
}

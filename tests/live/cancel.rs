//! Cancel requests: they reach the right query, always, and no other.

use std::process::Stdio;

use rustix::process::{Pid, Signal, kill_process};
use tokio_postgres::NoTls;

use crate::pooling::Pooled;
use crate::support::cluster::bin;
use crate::support::floodwall::direct;
use crate::support::lock::Lock;
use crate::support::process::{SOON, wait_until};
use crate::support::raw::{self, Raw, reply_codes, sqlstates};
use crate::support::site::Site;

const CANCELLED: &str = "57014";

#[tokio::test(flavor = "multi_thread")]
async fn a_driver_cancels_its_query() {
    let site = Site::new("cancel", "");
    let client = site.session("app").await;
    let token = client.cancel_token();
    let canceller = async {
        tokio::task::block_in_place(|| wait_for_sleepers(&site, 1));
        token.cancel_query(NoTls).await.unwrap();
    };
    let (result, ()) = tokio::join!(client.simple_query("SELECT pg_sleep(60)"), canceller);
    assert_eq!(result.unwrap_err().code().unwrap().code(), CANCELLED);
    client.simple_query("SELECT 1").await.unwrap();
    drop(client);
    site.finish();
}

#[test]
fn interrupting_psql_cancels_its_query() {
    let site = Site::new("interrupt", "");
    let template = site.psql(&["-c", "SELECT pg_sleep(60)"]);
    let mut psql = std::process::Command::new(bin("psql"));
    psql.envs(template.get_envs().filter_map(|(name, value)| Some((name, value?))));
    let psql = psql.args(["-XAtq", "-c", "SELECT pg_sleep(60)"]).stderr(Stdio::piped()).spawn().unwrap();
    wait_for_sleepers(&site, 1);
    kill_process(Pid::from_child(&psql), Signal::INT).unwrap();
    let out = psql.wait_with_output().unwrap();
    assert!(String::from_utf8_lossy(&out.stderr).contains("canceling statement due to user request"), "{out:?}");
    site.finish();
}

#[test]
fn a_cancel_passes_when_the_house_is_full() {
    let overrides = "[caps]\nover = 'refuse'\nmax_clients = 1\nmax_logins = 1\n[caps.address]\nmax_connections = 1";
    let site = Site::new("cancel_full", overrides);
    let mut client = site.raw();
    client.send(&raw::query("SELECT pg_sleep(60)"));
    wait_for_sleepers(&site, 1);
    if !direct() {
        assert!(Raw::login(site.proxy.port, "postgres", &site.database).is_err());
    }
    // As libpq 17 does: it first asks for encryption, also for a cancel request.
    let (pid, secret) = client.key.clone().unwrap();
    let mut cancel = Raw::open(site.proxy.port);
    cancel.send(&raw::ssl_request());
    assert_eq!(cancel.byte(), Some(b'N'));
    cancel.send(&raw::cancel_request(pid, &secret));
    assert_eq!(cancel.byte(), None);
    let reply = client.until(b"Z");
    assert_eq!(sqlstates(&reply), [CANCELLED]);
    assert_eq!(client.rows("SELECT 1"), [["1"]]);
    drop(client);
    site.finish();
}

#[test]
fn a_wrong_key_cancels_nothing_and_tells_nothing() {
    let site = Site::new("cancel_wrong", "");
    let mut client = site.raw();
    let lock = Lock::hold(site.cluster, &site.database);
    lock.keep(&mut client);
    let (pid, secret) = client.key.clone().unwrap();
    let mut wrong = secret.clone();
    wrong[0] ^= 1;
    cancel(&site, pid, &wrong);
    cancel(&site, pid + 1, &secret);
    if !direct() {
        for length in [4, 5, 32, 256] {
            cancel(&site, pid, &vec![7; length]);
        }
    }
    drop(lock);
    assert_eq!(reply_codes(&client.until(b"Z")), "T D C Z");
    drop(client);
    site.finish();
}

#[test]
fn the_servers_own_key_is_not_the_clients() {
    if direct() {
        return;
    }
    let site = Site::new("cancel_secret", "");
    let mut client = site.raw();
    let lock = Lock::hold(site.cluster, &site.database);
    lock.keep(&mut client);
    // The client's secret is of Floodwall's own making, so the server itself does not know it.
    let (pid, secret) = client.key.clone().unwrap();
    raw::cancel(site.cluster.port, pid, &secret);
    drop(lock);
    assert_eq!(reply_codes(&client.until(b"Z")), "T D C Z");
    drop(client);
    site.finish();
}

#[test]
fn a_key_dies_with_its_session() {
    let site = Site::new("cancel_late", "");
    let client = site.raw();
    let (pid, secret) = client.key.clone().unwrap();
    drop(client);
    site.proxy.assert_all_zero();
    cancel(&site, pid, &secret);
    assert_eq!(site.raw().rows("SELECT 1"), [["1"]]);
    site.finish();
}

#[test]
fn a_storm_of_cancels_hits_only_its_own_sessions() {
    let site = Site::new("cancel_storm", "");
    let mut sleepers: Vec<Raw> = (0..10).map(|_| site.raw()).collect();
    let mut bystander = site.raw();
    for sleeper in &mut sleepers {
        sleeper.send(&raw::query("SELECT pg_sleep(60)"));
    }
    let lock = Lock::hold(site.cluster, &site.database);
    lock.keep(&mut bystander);
    wait_for_sleepers(&site, 10);
    let cancels: Vec<_> = sleepers
        .iter()
        .flat_map(|sleeper| std::iter::repeat_n(sleeper.key.clone().unwrap(), 5))
        .map(|(pid, secret)| {
            let mut raw = Raw::open(site.proxy.port);
            raw.send(&raw::cancel_request(pid, &secret));
            raw
        })
        .collect();
    for sleeper in &mut sleepers {
        assert_eq!(sqlstates(&sleeper.until(b"Z")), [CANCELLED]);
    }
    drop(lock);
    assert_eq!(reply_codes(&bystander.until(b"Z")), "T D C Z");
    drop((cancels, sleepers, bystander));
    site.finish();
}

/// As drivers do whose user interrupts them: the statement on one socket, the cancel on another, and neither waits for the other.
#[test]
fn a_cancel_right_behind_its_statement_finds_it_and_none_that_comes_later() {
    let site = Site::new("cancel_behind", "");
    let mut client = site.raw();
    let (pid, secret) = client.key.clone().unwrap();
    // One that has to be read first, and one whose bind value comes in many reads.
    let list: Vec<String> = (0..100_000).map(|number| number.to_string()).collect();
    let long = raw::query(&format!("SELECT pg_sleep(9) WHERE 1 IN ({})", list.join(",")));
    let sleep = raw::query("SELECT pg_sleep(9)");
    let value = "x".repeat(300_000);
    let extended = [raw::parse("", "SELECT pg_sleep(9), $1::text"), raw::bind("", &[&value]), raw::execute()].concat();
    let extended = [extended, raw::sync()].concat();
    for turn in 0..60 {
        let statement = match turn % 6 {
            0 | 1 => &long,
            2 | 3 => &extended,
            _ => &sleep,
        };
        let transaction = turn % 2 == 1;
        if transaction {
            client.query("BEGIN");
        }
        let mut cancel = Raw::open(site.proxy.port);
        client.send(statement);
        cancel.send(&raw::cancel_request(pid, &secret));
        let reply = client.until(b"Z");
        assert_eq!(sqlstates(&reply), [CANCELLED], "turn {turn}: {:?}", outcomes(&site));
        assert_eq!(cancel.byte(), None);
        if transaction {
            client.query("ROLLBACK");
        }
        assert_eq!(client.rows(&format!("SELECT {turn}")), [[turn.to_string()]]);
    }
    // One that comes when nothing runs goes nowhere.
    let idle = || site.proxy.metric("floodwall_cancels_total", &["outcome=\"idle\""]);
    let before = if direct() { 0.0 } else { idle() };
    for turn in 0..20 {
        cancel(&site, pid, &secret);
        assert_eq!(client.rows(&format!("SELECT {turn} FROM pg_sleep(0.001)")), [[turn.to_string()]]);
    }
    assert!(direct() || idle() >= before + 20.0, "{} after {before}", idle());
    drop(client);
    site.finish();
}

/// How many cancels went each way.
/// Who sends the data of a COPY without waiting sends their end behind an error, too: the server overlooks it, so it is no statement.
#[test]
fn the_end_of_a_copy_that_has_failed_is_nothing_to_cancel_and_waits_for_no_server() {
    if direct() {
        return;
    }
    let keys = "query_wait_timeout = '1s'\n[[access]]\nuser = 'app'\naddress = '127.0.0.0/8'\nmethod = 'trust'";
    let pooled = Pooled::new("cancel_copy", 1, keys);
    let login = || Raw::login(pooled.site.proxy.port, "app", &pooled.site.database).unwrap();
    let (mut client, mut other) = (login(), login());
    let (copy, fail) = (raw::query("COPY nosuch FROM STDIN"), raw::frame(b'f', b"enough\0"));
    for _ in 0..3 {
        client.send(&[copy.clone(), fail.clone()].concat());
        assert_eq!(reply_codes(&client.until(b"Z")), "E Z");
        let (pid, secret) = client.key.clone().unwrap();
        cancel(&pooled.site, pid, &secret);
        assert_eq!(client.rows("SELECT 1"), [["1"]]);
    }
    assert_eq!(sqlstates(&client.query("COPY nosuch FROM STDIN")), ["42P01"]);
    other.query("BEGIN; SELECT 1");
    client.send(&[fail, raw::query("SELECT 1")].concat());
    assert_eq!(sqlstates(&client.until(b"Z")), ["53300"], "of the query alone");
    other.query("ROLLBACK");
    assert_eq!(client.rows("SELECT 1"), [["1"]]);
    drop((client, other));
    pooled.finish();
}

fn outcomes(site: &Site) -> Vec<(&'static str, f64)> {
    let count = |outcome| site.proxy.metric("floodwall_cancels_total", &[&format!("outcome=\"{outcome}\"")]);
    ["forwarded", "queued", "idle", "server_unreachable"].map(|outcome| (outcome, count(outcome))).into()
}

fn cancel(site: &Site, pid: u32, secret: &[u8]) {
    raw::cancel(site.proxy.port, pid, secret);
}

/// Waits until `count` sessions of this test sleep in the server.
fn wait_for_sleepers(site: &Site, count: usize) {
    let sql = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event = 'PgSleep'";
    let there = wait_until(SOON, || site.direct_sql(sql) == count.to_string());
    assert!(there, "{}", site.direct_sql("SELECT pid, state, wait_event, query FROM pg_stat_activity"));
}

//! Cancel requests where servers are lent.

use std::time::{Duration, Instant};

use super::gate::{Gate, Manner};
use super::{SOON, cancel, join, one, pid, pool, state};
use crate::pooling::{Pooled, waits};
use crate::support::cluster::Cluster;
use crate::support::floodwall::direct;
use crate::support::process::wait_until;
use crate::support::raw::{Raw, cancel_request, query, reply_codes, sqlstates};

const CANCELLED: &str = "57014";

/// Has the client sleep at its server.
fn sleep(pool: &Pooled, client: &mut Raw, seconds: f64) {
    client.send(&query(&format!("SELECT pg_sleep({seconds})")));
    assert!(wait_until(SOON, || pool.sleepers() == 1));
}

#[test]
fn a_key_that_leads_to_no_statement_stops_nobodys() {
    if direct() {
        return;
    }
    let pool = pool("bhv_cancel_idle", 1, "");
    let (mut busy, mut idle) = (join(&pool), join(&pool));
    // The one server was its own a moment ago.
    assert_eq!(one(&mut idle, "SELECT 1"), "1");
    sleep(&pool, &mut busy, 2.0);
    let (pid, secret) = idle.key.clone().unwrap();
    let wrong: Vec<u8> = secret.iter().map(|byte| !byte).collect();
    let busys = busy.key.clone().unwrap();
    for key in [(pid, secret.clone()), (pid, wrong.clone()), (busys.0, wrong), (busys.0, secret), (1, busys.1)] {
        cancel(&pool, &key);
    }
    assert_eq!(reply_codes(&busy.until(b"Z")), "T D C Z");
    assert_eq!(one(&mut idle, "SELECT 'mine' FROM pg_sleep(0.1)"), "mine");
    drop((busy, idle));
    pool.finish();
}

#[test]
fn a_cancelled_transaction_is_rolled_back_and_its_server_goes_on() {
    if direct() {
        return;
    }
    let pool = pool("bhv_cancel_tx", 1, "");
    pool.site.direct_sql("CREATE TABLE t (n int); GRANT ALL ON t TO app");
    let (mut client, mut other) = (join(&pool), join(&pool));
    let server = pid(&mut client);
    client.rows("BEGIN");
    client.rows("INSERT INTO t VALUES (1)");
    sleep(&pool, &mut client, 60.0);
    cancel(&pool, &client.key.clone().unwrap());
    let reply = client.until(b"Z");
    assert_eq!((sqlstates(&reply), state(&reply)), (vec![CANCELLED.to_owned()], b'E'));
    assert_eq!(sqlstates(&client.query("SELECT 1")), ["25P02"]);
    assert_eq!(state(&client.query("COMMIT")), b'I');
    assert_eq!(one(&mut other, "SELECT count(*) FROM t"), "0");
    assert_eq!(pid(&mut other), server);
    drop((client, other));
    pool.finish();
}

#[test]
fn who_waits_for_a_server_that_is_being_made_can_cancel() {
    if direct() {
        return;
    }
    let gate = Gate::new(Cluster::shared().port, Manner::Open);
    let pool = pool("bhv_cancel_dial", 2, &gate.key());
    let (mut busy, mut waiting) = (join(&pool), join(&pool));
    busy.rows("BEGIN");
    busy.rows("SELECT 1");
    gate.set(Manner::Silent);
    waiting.send(&query("SELECT 'not any more'"));
    assert!(wait_until(SOON, || waits(&pool) == 1));
    let begin = Instant::now();
    cancel(&pool, &waiting.key.clone().unwrap());
    let reply = waiting.until(b"Z");
    assert_eq!((sqlstates(&reply), state(&reply)), (vec![CANCELLED.to_owned()], b'I'));
    assert!(begin.elapsed() < Duration::from_secs(5), "{:?}", begin.elapsed());
    gate.set(Manner::Open);
    assert_eq!(one(&mut waiting, "SELECT 2"), "2");
    busy.rows("COMMIT");
    drop((busy, waiting));
    pool.finish();
}

/// It was on its way for so long that it was given up, and arrives when its server has ended what it was for.
#[test]
fn a_cancel_that_comes_too_late_finds_nobody() {
    if direct() {
        return;
    }
    let gate = Gate::new(Cluster::shared().port, Manner::Open);
    let pool = pool("bhv_cancel_late", 1, &gate.key());
    let (mut client, mut other) = (join(&pool), join(&pool));
    sleep(&pool, &mut client, 2.0);
    gate.set(Manner::Silent);
    let begin = Instant::now();
    cancel(&pool, &client.key.clone().unwrap());
    assert!(begin.elapsed() < Duration::from_secs(9), "whoever cancels is not kept: {:?}", begin.elapsed());
    assert_eq!(reply_codes(&client.until(b"Z")), "T D C Z");
    gate.set(Manner::Open);
    for _ in 0..20 {
        assert_eq!(one(&mut other, "SELECT 'mine' FROM pg_sleep(0.02)"), "mine");
    }
    assert_eq!(one(&mut client, "SELECT 1"), "1");
    drop((client, other));
    pool.finish();
}

#[test]
fn a_cancel_hits_a_statement_that_nobody_has_read_yet_and_none_that_comes_later() {
    if direct() {
        return;
    }
    let pool = pool("bhv_cancel_early", 1, "");
    let (mut client, mut other) = (join(&pool), join(&pool));
    let key = client.key.clone().unwrap();
    // Long enough to be on its way, or under judgement, when the cancel comes.
    let list: Vec<String> = (0..200_000).map(|number| number.to_string()).collect();
    let long = query(&format!("SELECT pg_sleep(30) WHERE 1 IN ({})", list.join(",")));
    for _ in 0..3 {
        client.send(&long);
        let begin = Instant::now();
        cancel(&pool, &key);
        assert_eq!(sqlstates(&client.until(b"Z")), [CANCELLED]);
        assert!(begin.elapsed() < Duration::from_secs(20), "{:?}", begin.elapsed());
        // One that has come to nothing hits nothing.
        for turn in 0..5 {
            cancel(&pool, &key);
            assert_eq!(one(&mut client, &format!("SELECT {turn}")), turn.to_string());
        }
        assert_eq!(one(&mut other, "SELECT 'mine'"), "mine");
    }
    let outcome =
        |outcome: &str| pool.site.proxy.metric("floodwall_cancels_total", &[&format!("outcome=\"{outcome}\"")]);
    assert!(outcome("queued") >= 1.0 && outcome("idle") >= 15.0, "{} {}", outcome("queued"), outcome("idle"));
    drop((client, other));
    pool.finish();
}

#[test]
fn a_cancel_inside_a_transaction_hits_a_statement_that_nobody_has_read_yet() {
    if direct() {
        return;
    }
    let pool = pool("bhv_cancel_inside", 1, "");
    let mut client = join(&pool);
    let key = client.key.clone().unwrap();
    for _ in 0..20 {
        client.rows("BEGIN");
        // Nothing runs yet, so nothing is hit.
        cancel(&pool, &key);
        assert_eq!(one(&mut client, "SELECT 'mine' FROM pg_sleep(0.001)"), "mine");
        let mut request = Raw::open(pool.site.proxy.port);
        client.send(&query("SELECT pg_sleep(9)"));
        request.send(&cancel_request(key.0, &key.1));
        let reply = client.until(b"Z");
        assert_eq!((sqlstates(&reply), state(&reply)), (vec![CANCELLED.to_owned()], b'E'));
        assert_eq!(request.byte(), None);
        assert_eq!(state(&client.query("ROLLBACK")), b'I');
    }
    drop(client);
    pool.finish();
}

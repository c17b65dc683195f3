//! Cancel requests where servers are lent.

use super::gate::{Gate, Manner};
use super::{SOON, cancel, join, one, pid, pool, state};
use crate::pooling::{Pooled, waits};
use crate::support::cluster::Cluster;
use crate::support::floodwall::direct;
use crate::support::lock::Lock;
use crate::support::process::wait_until;
use crate::support::raw::{Raw, cancel_request, query, reply_codes, sqlstates};

const CANCELLED: &str = "57014";

/// Has the client sleep at its server.
fn sleep(pool: &Pooled, client: &mut Raw) {
    client.send(&query("SELECT pg_sleep(60)"));
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
    let lock = Lock::hold(pool.site.cluster, &pool.site.database);
    lock.keep(&mut busy);
    let (pid, secret) = idle.key.clone().unwrap();
    let wrong: Vec<u8> = secret.iter().map(|byte| !byte).collect();
    let busys = busy.key.clone().unwrap();
    for key in [(pid, secret.clone()), (pid, wrong.clone()), (busys.0, wrong), (busys.0, secret), (1, busys.1)] {
        cancel(&pool, &key);
    }
    drop(lock);
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
    sleep(&pool, &mut client);
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
    cancel(&pool, &waiting.key.clone().unwrap());
    let reply = waiting.until(b"Z");
    assert_eq!((sqlstates(&reply), state(&reply)), (vec![CANCELLED.to_owned()], b'I'));
    // The server was never made, so nothing else has ended its wait.
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
    let lock = Lock::hold(pool.site.cluster, &pool.site.database);
    lock.keep(&mut client);
    gate.set(Manner::Silent);
    // Whoever cancels is not kept for as long as the way is closed.
    cancel(&pool, &client.key.clone().unwrap());
    drop(lock);
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
        cancel(&pool, &key);
        assert_eq!(sqlstates(&client.until(b"Z")), [CANCELLED]);
        // One that has come to nothing hits nothing.
        for turn in 0..5 {
            cancel(&pool, &key);
            assert_eq!(one(&mut client, &format!("SELECT {turn}")), turn.to_string());
        }
        assert_eq!(one(&mut other, "SELECT 'mine'"), "mine");
    }
    // Where a text takes longer to be read than a cancel waits for that, it is told as idle as well, and hits all the same.
    let idle = pool.site.proxy.metric("floodwall_cancels_total", &["outcome=\"idle\""]);
    assert!(idle >= 15.0, "{idle}");
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

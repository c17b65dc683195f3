//! What has an end, and what goes on behind it.

use std::io::ErrorKind;
use std::time::{Duration, Instant};

use super::gate::{Gate, Manner};
use super::{SOON, join, join_as, leave, one, pid, pool};
use crate::support::cluster::Cluster;
use crate::support::floodwall::{Proxy, direct};
use crate::support::process::wait_until;
use crate::support::raw::{Raw, VERSION_3_0, query, sqlstates, startup};
use crate::support::site::Site;

/// SQLSTATE of the fatal error that ends a session.
fn last_word(client: &mut Raw) -> String {
    sqlstates(&client.rest().unwrap_or_default()).join(" ")
}

#[test]
fn an_idle_server_goes_and_one_at_work_stays() {
    if direct() {
        return;
    }
    let pool = pool("bhv_idle", 2, "server_idle_timeout = '1s'\n");
    let (mut busy, mut other) = (join(&pool), join(&pool));
    busy.rows("BEGIN");
    let server = pid(&mut busy);
    assert_ne!(pid(&mut other), server);
    let begin = Instant::now();
    assert!(wait_until(SOON, || pool.servers() == 1));
    std::thread::sleep(Duration::from_secs(2).saturating_sub(begin.elapsed()));
    assert_eq!(pid(&mut busy), server);
    busy.rows("COMMIT");
    drop((busy, other));
    pool.finish();
}

#[test]
fn a_server_outlives_its_time_only_in_a_transaction() {
    if direct() {
        return;
    }
    let pool = pool("bhv_life", 2, "server_lifetime = '1s'\nserver_idle_timeout = '1m'\n");
    let mut client = join(&pool);
    client.rows("BEGIN");
    let server = pid(&mut client);
    std::thread::sleep(Duration::from_millis(2_500));
    assert_eq!(pid(&mut client), server);
    client.rows("COMMIT");
    assert_ne!(pid(&mut client), server);
    assert!(wait_until(SOON, || pool.servers() == 0), "an unused one goes when its time is over");
    assert_eq!(one(&mut client, "SELECT 1"), "1");
    drop(client);
    leave(&pool);
}

#[test]
fn a_transaction_that_takes_too_long_ends_with_its_client() {
    if direct() {
        return;
    }
    let rules = "[rules.idle_transaction_timeout]\nmode = 'enforce'\nlimit = '2s'\n\
                 [rules.transaction_timeout]\nmode = 'enforce'\nlimit = '5s'\n";
    let pool = pool("bhv_tx", 1, rules);
    pool.site.direct_sql("CREATE TABLE t (n int); GRANT ALL ON t TO app");
    let mut other = join(&pool);
    let server = pid(&mut other);
    let mut idle = join(&pool);
    // At once: on a busy machine the session might end between the two.
    idle.rows("BEGIN; INSERT INTO t VALUES (1)");
    assert_eq!(last_word(&mut idle), "25P03");
    assert_eq!((one(&mut other, "SELECT count(*) FROM t"), pid(&mut other)), ("0".to_owned(), server.clone()));
    let mut long = join(&pool);
    long.send_all(&[query("BEGIN; INSERT INTO t VALUES (1)"), query("SELECT pg_sleep(60)")]);
    assert!(last_word(&mut long).ends_with("25P04"));
    assert_eq!(one(&mut other, "SELECT count(*) FROM t"), "0");
    drop((idle, long, other));
    pool.finish();
}

#[test]
fn a_query_that_takes_too_long_is_stopped_and_nobody_elses() {
    if direct() {
        return;
    }
    let pool = pool("bhv_query", 1, "[rules.statement_timeout]\nmode = 'enforce'\nlimit = '3s'\n");
    let (mut client, mut other) = (join(&pool), join(&pool));
    for _ in 0..2 {
        let begin = Instant::now();
        assert_eq!(sqlstates(&client.query("SELECT pg_sleep(60)")), ["57014"]);
        assert!(begin.elapsed() >= Duration::from_secs(3));
        assert_eq!(one(&mut other, "SELECT 'mine' FROM pg_sleep(0.1)"), "mine");
        assert_eq!(one(&mut client, "SELECT 'lives'"), "lives");
    }
    // To wait for a server is not to run.
    other.rows("BEGIN");
    assert_eq!(one(&mut other, "SELECT 1"), "1");
    client.send(&query("SELECT 'was patient'"));
    std::thread::sleep(Duration::from_millis(3_500));
    other.rows("COMMIT");
    assert_eq!(sqlstates(&client.until(b"Z")), [""; 0]);
    drop((client, other));
    pool.finish();
}

/// Clients of `user`, none of whom needs a password.
fn idles(proxy: &Proxy, user: &str, database: &str) {
    let login = || Raw::login(proxy.port, user, database).unwrap();
    let (mut idle, mut in_transaction, mut busy, mut now_and_then) = (login(), login(), login(), login());
    in_transaction.rows("BEGIN");
    busy.send(&query("SELECT pg_sleep(7)"));
    let begin = Instant::now();
    while begin.elapsed() < Duration::from_secs(7) {
        assert_eq!(one(&mut now_and_then, "SELECT 1"), "1");
        std::thread::sleep(Duration::from_millis(100));
    }
    assert_eq!(last_word(&mut idle), "57P05");
    assert_eq!(sqlstates(&busy.until(b"Z")), [""; 0]);
    assert_eq!(one(&mut busy, "SELECT 'still here'"), "still here");
    in_transaction.rows("COMMIT");
    assert_eq!(one(&mut in_transaction, "SELECT 'still here'"), "still here");
    for client in [&mut in_transaction, &mut busy, &mut now_and_then] {
        assert_eq!(last_word(client), "57P05");
    }
}

#[test]
fn a_client_that_idles_too_long_is_ended() {
    if direct() {
        return;
    }
    let pool = pool("bhv_away", 4, "client_idle_timeout = '5s'\n");
    idles(&pool.site.proxy, "app", &pool.site.database);
    pool.finish();
}

#[test]
fn so_is_one_with_a_server_of_its_own() {
    if direct() {
        return;
    }
    let site = Site::new("bhv_away_own", "[[listener]]\nclient_idle_timeout = '5s'\n");
    idles(&site.proxy, "postgres", &site.database);
    site.finish();
}

#[test]
fn a_login_has_an_end() {
    if direct() {
        return;
    }
    let keys = "[caps]\nlogin_timeout = '2s'\n[[access]]\nuser = 'md5_user'\nmethod = 'scram'\n";
    let pool = pool("bhv_login", 1, keys);
    let start = startup(VERSION_3_0, &[("user", "md5_user"), ("database", &pool.site.database)]);
    for sent in [&[][..], &start[..5], &start[..]] {
        let mut client = Raw::open(pool.site.proxy.port);
        client.send(sent);
        if let Err(error) = client.rest() {
            let no_end = matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut);
            assert!(!no_end, "no end after {} bytes", sent.len());
        }
    }
    assert!(wait_until(SOON, || Raw::login(pool.site.proxy.port, "app", &pool.site.database).is_ok()));
    pool.finish();
}

#[test]
fn a_server_that_says_nothing_is_given_up() {
    if direct() {
        return;
    }
    let gate = Gate::new(Cluster::shared().port, Manner::Silent);
    let pool =
        pool("bhv_silent", 1, &format!("{}server_connect_timeout = '1s'\n[caps]\nlogin_timeout = '2m'\n", gate.key()));
    let begin = Instant::now();
    let told = Raw::login(pool.site.proxy.port, "app", &pool.site.database).unwrap_err();
    let took = begin.elapsed();
    assert!((Duration::from_secs(1)..SOON * 2).contains(&took), "{took:?}: {}", told.summary());
    assert!(told.summary().contains("in time"), "{}", told.summary());
    gate.set(Manner::Open);
    assert!(wait_until(SOON, || Raw::login(pool.site.proxy.port, "app", &pool.site.database).is_ok()));
    pool.finish();
}

/// Its transactions are not too long: there is none.
#[test]
fn who_waits_for_a_server_that_says_nothing_is_told_that_one_is_dialled() {
    if direct() {
        return;
    }
    let gate = Gate::new(Cluster::shared().port, Manner::Open);
    let own = "query_wait_timeout = '1s'\nserver_connect_timeout = '1m'\n";
    let pool = pool("bhv_dialled", 1, &format!("{}{own}", gate.key()));
    let mut client = join(&pool);
    gate.set(Manner::Silent);
    gate.cut();
    let reply = client.query("SELECT 1");
    assert_eq!(sqlstates(&reply), ["53300"]);
    let told = [b'D', b'H'].map(|code| reply[0].field(code).unwrap_or_default()).join(" ");
    let known = told.contains("one is being dialled") || told.contains("The server does not answer");
    assert!(known && told.contains("See that the server runs") && !told.contains("Shorten"), "{told}");
    gate.set(Manner::Open);
    gate.cut();
    assert!(wait_until(SOON, || sqlstates(&client.query("SELECT 2")).is_empty()));
    drop(client);
    pool.finish();
}

#[test]
fn who_comes_while_the_server_is_away_is_told_at_once() {
    if direct() {
        return;
    }
    let gate = Gate::new(Cluster::shared().port, Manner::Open);
    let pool = pool("bhv_down", 2, &gate.key());
    let (mut client, mut other) = (join(&pool), join(&pool));
    assert_eq!(one(&mut client, "SELECT 1"), "1");
    gate.set(Manner::Shut);
    gate.cut();
    for _ in 0..3 {
        let begin = Instant::now();
        assert_eq!(sqlstates(&client.query("SELECT 2")), ["08001"]);
        assert!(begin.elapsed() < Duration::from_secs(20), "before query_wait_timeout: {:?}", begin.elapsed());
    }
    gate.set(Manner::Open);
    // Nobody has to tell Floodwall that it is there again, and sessions of before go on.
    assert!(wait_until(SOON, || sqlstates(&client.query("SELECT 3")).is_empty()));
    assert_eq!(one(&mut other, "SELECT 4"), "4");
    drop((client, other));
    pool.finish();
}

#[test]
fn connections_that_died_while_idle_are_given_to_nobody() {
    if direct() {
        return;
    }
    let gate = Gate::new(Cluster::shared().port, Manner::Open);
    let pool = pool("bhv_dead", 3, &format!("{}server_idle_timeout = '1m'\n", gate.key()));
    let mut clients = [join(&pool), join(&pool), join(&pool)];
    for client in &mut clients {
        client.rows("BEGIN");
    }
    for client in &mut clients {
        client.rows("COMMIT");
    }
    assert_eq!(pool.servers(), 3);
    gate.cut();
    assert!(wait_until(SOON, || pool.servers() == 0));
    for client in &mut clients {
        assert_eq!(one(client, "SELECT 'noticed nothing'"), "noticed nothing");
    }
    drop(clients);
    leave(&pool);
}

/// PgBouncer's `[users]`: a user's own limits take the place of the common ones, tighter or wider.
#[test]
fn a_user_has_time_limits_of_its_own() {
    if direct() {
        return;
    }
    let rules = "[rules.statement_timeout]\nmode = 'enforce'\nlimit = '3s'\n\
                 [rules.idle_transaction_timeout]\nmode = 'enforce'\nlimit = '10m'\n\
                 [[client]]\nname = 'patient'\nmatch = { user = 'app' }\n\
                 rules = { statement_timeout = { limit = '10m' }, idle_transaction_timeout = { limit = '1s' } }\n";
    let pool = pool("bhv_user_time", 2, rules);
    let (mut own, mut common) = (join(&pool), join_as(&pool, "md5_user", &pool.site.database));
    assert_eq!(sqlstates(&common.query("SELECT pg_sleep(30)")), ["57014"]);
    assert_eq!(one(&mut own, "SELECT 'whole' FROM pg_sleep(3.5)"), "whole");
    for client in [&mut own, &mut common] {
        client.rows("BEGIN");
    }
    assert_eq!(last_word(&mut own), "25P03");
    assert_eq!(one(&mut common, "SELECT 'in its transaction'"), "in its transaction");
    common.rows("COMMIT");
    drop((own, common));
    leave(&pool);
}

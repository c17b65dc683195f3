//! Signals, and the end of a process whose clients wait.

use std::time::Duration;

use rustix::process::Signal;

use super::{SOON, join, leave, one, pool};
use crate::pooling::{Pooled, waits};
use crate::support::floodwall::direct;
use crate::support::process::wait_until;
use crate::support::raw::{Raw, query, sqlstates};

/// Well before the end of a drain, which takes 30 s where something keeps it.
const AT_ONCE: Duration = Duration::from_secs(20);

/// A value of SHOW STATE.
fn told(pool: &Pooled, key: &str) -> String {
    let rows = pool.site.proxy.console("SHOW STATE").unwrap();
    rows.into_iter().find(|row| row["key"] == key).map(|row| row["value"].clone()).unwrap_or_default()
}

fn is_paused(pool: &Pooled, paused: &str) -> bool {
    wait_until(SOON, || told(pool, "paused") == paused)
}

/// A client that waits for its statement's server.
fn waiting(pool: &Pooled) -> Raw {
    let (mut client, before) = (join(pool), waits(pool));
    client.send(&query("SELECT 'served'"));
    assert!(wait_until(SOON, || waits(pool) == before + 1));
    client
}

#[test]
fn signals_that_pause_and_resume_end_no_process() {
    if direct() {
        return;
    }
    let pool = pool("bhv_signals", 2, "");
    let proxy = &pool.site.proxy;
    let mut client = join(&pool);
    assert_eq!(one(&mut client, "SELECT 1"), "1");
    proxy.signal(Signal::USR1);
    assert!(is_paused(&pool, "yes"), "{}", proxy.log());
    assert!(told(&pool, "pauses").starts_with("by SIGUSR1, 9m"), "{}", told(&pool, "pauses"));
    let mut other = waiting(&pool);
    assert!(wait_until(SOON, || pool.servers() == 0), "a pause closes servers");
    proxy.signal(Signal::USR2);
    assert!(is_paused(&pool, "no"));
    assert_eq!(other.until(b"Z")[1].columns(), ["served"]);
    // To resume what is not paused is nothing.
    proxy.signal(Signal::USR2);
    assert_eq!(one(&mut client, "SELECT 2"), "2");
    drop((client, other));
    leave(&pool);
}

#[test]
fn a_quit_ends_at_once() {
    if direct() {
        return;
    }
    let mut pool = pool("bhv_quit", 1, "");
    let mut client = join(&pool);
    client.rows("BEGIN");
    assert_eq!(one(&mut client, "SELECT 1"), "1");
    pool.site.proxy.signal(Signal::QUIT);
    assert_eq!(sqlstates(&client.rest().unwrap()), ["57P01"]);
    let status = pool.site.proxy.wait(AT_ONCE).expect("still running");
    assert!(status.success(), "{status}");
}

/// What has been asked for is done, where its turn comes within the drain's time.
#[test]
fn a_drain_serves_who_waits_already() {
    if direct() {
        return;
    }
    let mut pool = pool("bhv_drain", 1, "");
    let mut busy = join(&pool);
    busy.rows("BEGIN");
    assert_eq!(one(&mut busy, "SELECT 1"), "1");
    let mut queued = waiting(&pool);
    pool.site.proxy.signal(Signal::TERM);
    assert!(wait_until(SOON, || pool.site.proxy.log().contains("draining")));
    assert_eq!(one(&mut busy, "SELECT 'in its transaction'"), "in its transaction");
    busy.rows("COMMIT");
    assert_eq!(sqlstates(&busy.rest().unwrap()), ["57P01"]);
    assert_eq!(queued.until(b"Z")[1].columns(), ["served"]);
    assert_eq!(sqlstates(&queued.rest().unwrap()), ["57P01"]);
    assert!(pool.site.proxy.wait(SOON).expect("still running").success());
}

/// As for PgBouncer: who is there is served as ever and leaves when it wants to, and nobody new gets in.
#[test]
fn a_shutdown_that_waits_for_clients_ends_with_the_last_of_them() {
    if direct() {
        return;
    }
    let mut pool = pool("bhv_vacated", 2, "");
    let (mut first, mut last) = (join(&pool), join(&pool));
    assert_eq!(one(&mut first, "SELECT 1"), "1");
    pool.site.proxy.console("SHUTDOWN WAIT_FOR_CLIENTS").unwrap();
    assert!(wait_until(SOON, || std::net::TcpStream::connect(("127.0.0.1", pool.site.proxy.port)).is_err()));
    drop(first);
    // A drain would end a session that rests at once.
    assert!(pool.site.proxy.wait(Duration::from_secs(2)).is_none(), "{}", pool.site.proxy.log());
    assert_eq!(one(&mut last, "SELECT 'still here'"), "still here");
    pool.site.proxy.console("RECONNECT").unwrap();
    assert_eq!(one(&mut last, "SELECT 'by another server'"), "by another server");
    drop(last);
    assert!(pool.site.proxy.wait(SOON).expect("still running").success());
}

#[test]
fn a_signal_drains_who_was_left_to_go_by_itself() {
    if direct() {
        return;
    }
    let mut pool = pool("bhv_impatient", 1, "");
    let mut busy = join(&pool);
    busy.rows("BEGIN");
    assert_eq!(one(&mut busy, "SELECT 1"), "1");
    pool.site.proxy.console("SHUTDOWN WAIT_FOR_CLIENTS").unwrap();
    pool.site.proxy.signal(Signal::TERM);
    assert!(wait_until(SOON, || pool.site.proxy.log().contains("draining")));
    assert_eq!(one(&mut busy, "SELECT 'in its transaction'"), "in its transaction");
    busy.rows("COMMIT");
    assert_eq!(sqlstates(&busy.rest().unwrap()), ["57P01"]);
    assert!(pool.site.proxy.wait(SOON).expect("still running").success());
}

#[test]
fn a_drain_in_a_pause_ends_those_who_wait_for_its_end() {
    if direct() {
        return;
    }
    let mut pool = pool("bhv_drain_paused", 1, "");
    let mut paused = join(&pool);
    assert_eq!(one(&mut paused, "SELECT 1"), "1");
    pool.site.proxy.console("PAUSE").unwrap();
    paused.send(&query("SELECT 1"));
    assert!(wait_until(SOON, || waits(&pool) == 1));
    pool.site.proxy.console("SHUTDOWN WAIT_FOR_SERVERS").unwrap();
    assert_eq!(sqlstates(&paused.rest().unwrap()), ["57P01"]);
    assert!(pool.site.proxy.wait(AT_ONCE).expect("still running").success());
}

/// As a log file gets it that has reached LimitFSIZE: it ended the process, with all of its sessions.
#[test]
fn a_file_that_may_not_grow_ends_nothing() {
    if direct() {
        return;
    }
    let pool = pool("bhv_file_size", 1, "");
    let mut client = join(&pool);
    pool.site.proxy.signal(Signal::XFSZ);
    // It is in order behind that one.
    pool.site.proxy.signal(Signal::HUP);
    assert!(wait_until(SOON, || pool.site.proxy.log().contains("audit: reloaded")));
    assert_eq!(one(&mut client, "SELECT 1"), "1");
    drop(client);
    pool.finish();
}

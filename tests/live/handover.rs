//! A new process takes over from an old one on the same port.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use rustix::process::Signal;

use crate::support::cluster::Cluster;
use crate::support::floodwall::{Proxy, direct};
use crate::support::process::{SOON, Stop, wait_until};
use crate::support::raw::{self, Raw, query, sqlstates, ssl_request};

/// Connections in a row by one client, until told to stop.
fn visit(port: u16, stop: &AtomicBool, visits: &AtomicUsize) -> Result<(), String> {
    while !stop.load(Ordering::Relaxed) {
        let mut client = Raw::login(port, "postgres", "postgres").map_err(|error| error.summary())?;
        let rows = client.rows("SELECT 1");
        if rows != [["1"]] {
            return Err(format!("{rows:?}"));
        }
        visits.fetch_add(1, Ordering::Relaxed);
    }
    Ok(())
}

#[test]
fn newcomers_notice_nothing_when_a_new_process_takes_over() {
    if direct() {
        return;
    }
    let cluster = Cluster::shared();
    let mut old = Proxy::start(cluster, "[[listener]]\nreuse_port = true");
    let port = old.port;
    let (stop, visits) = (AtomicBool::new(false), AtomicUsize::new(0));
    let seen = || visits.load(Ordering::Relaxed);
    std::thread::scope(|scope| {
        let clients: Vec<_> = (0..4).map(|_| scope.spawn(|| visit(port, &stop, &visits))).collect();
        let told = Stop(&stop);
        assert!(wait_until(SOON * 4, || seen() > 50));
        let new = old.successor();
        old.signal(Signal::TERM);
        let ended = old.wait(SOON);
        let so_far = seen();
        let goes_on = wait_until(SOON * 4, || seen() > so_far + 50);
        drop(told);
        for client in clients {
            assert_eq!(client.join().unwrap(), Ok(()), "old process:\n{}", old.log());
        }
        assert!(ended.is_some_and(|status| status.success()), "the old process ends: {}", old.log());
        assert!(goes_on);
        // Console and HTTP are the new one's now.
        assert!(wait_until(SOON, || new.console("SHOW VERSION").is_ok()), "{}", new.log());
        new.assert_all_zero();
    });
}

#[test]
fn who_had_connected_when_the_end_began_is_still_taken_in() {
    if direct() {
        return;
    }
    let mut proxy = Proxy::start(Cluster::shared(), "[[listener]]\nreuse_port = true");
    proxy.signal(Signal::STOP);
    // The kernel completes these; nobody accepts them.
    let mut queued: Vec<Raw> = (0..400).map(|_| Raw::open(proxy.port)).collect();
    queued.iter_mut().for_each(|client| client.send(&ssl_request()));
    proxy.signal(Signal::TERM);
    proxy.signal(Signal::CONT);
    let answers: Vec<Option<u8>> = queued.iter_mut().map(Raw::byte).collect();
    let answered = answers.iter().filter(|answer| **answer == Some(b'N')).count();
    assert_eq!(answered, queued.len(), "{}", proxy.log());
    drop(queued);
    assert!(proxy.wait(SOON).is_some_and(|status| status.success()), "{}", proxy.log());
}

#[test]
fn a_cancel_finds_its_session_in_the_process_that_drains() {
    if direct() {
        return;
    }
    let mut old = Proxy::start(Cluster::shared(), "[[listener]]\nreuse_port = true");
    let mut client = Raw::login(old.port, "postgres", "postgres").unwrap();
    let (pid, secret) = client.key.clone().unwrap();
    client.rows("BEGIN");
    client.send(&query("SELECT pg_sleep(60)"));
    let new = old.successor();
    old.signal(Signal::TERM);
    assert!(wait_until(SOON, || old.log().contains("draining")), "{}", old.log());
    let cancel = |secret: &[u8]| raw::cancel(new.port, pid, secret);
    cancel(&[0; 4]);
    assert!(client.is_silent(Duration::from_millis(200)), "a wrong secret leads nowhere");
    // One that overtakes its statement is lost at the server.
    let cancelled = wait_until(SOON, || {
        cancel(&secret);
        !client.is_silent(Duration::from_millis(500))
    });
    assert!(cancelled, "{}", old.log());
    assert_eq!(sqlstates(&client.until(b"Z")), ["57014"]);
    client.rows("ROLLBACK");
    assert!(old.wait(SOON).is_some_and(|status| status.success()), "{}", old.log());
    assert!(wait_until(SOON, || new.console("SHOW VERSION").is_ok()), "{}", new.log());
    assert!(new.metric("floodwall_cancels_total", &["outcome=\"sibling\""]) >= 1.0);
    assert_eq!(new.metric("floodwall_cancels_total", &["outcome=\"unknown_key\""]), 1.0);
    let state = old.config_path().with_file_name("state");
    let sockets = || {
        let names = std::fs::read_dir(&state).unwrap().map(|entry| entry.unwrap().file_name());
        names.filter(|name| name.to_string_lossy().starts_with("cancel-")).count()
    };
    assert_eq!(sockets(), 1, "that of the new one");
    new.assert_all_zero();
}

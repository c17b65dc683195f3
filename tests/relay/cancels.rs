//! Cancels of the client's: they hit what came before them, read or not, and nothing that comes later.

use std::sync::Arc;

use floodwall::session::cancel::{Cancelled, Keys, Target};
use floodwall::session::end::End;
use tokio::io::AsyncWriteExt;
use tokio::task::{spawn_local, yield_now};

use crate::support::{
    Ends, Puppet, canceled, expect, expect_nothing, message, parse, put, query, ready, receive, sync, with_relay_of,
};

/// A session whose server's postmaster is not there, so that only what the session itself does is seen.
fn with_key<F: Future<Output = ()>>(test: impl FnOnce(Ends, Arc<Target>) -> F) {
    let keys = Arc::new(Keys::default());
    let nobody: std::net::SocketAddr = "127.0.0.1:1".parse().unwrap();
    let key = keys.issue(floodwall::address::Endpoint::from(nobody), 7, b"abcd", 4).unwrap();
    let target = key.target();
    let puppet = Puppet(Default::default(), Some(Arc::clone(&target)));
    with_relay_of(puppet, 4096, |ends| async {
        // The session begins.
        yield_now().await;
        test(ends, target).await;
    });
}

async fn begin(ends: &mut Ends) {
    put(&mut ends.client, &query("BEGIN")).await;
    expect(&mut ends.server, &query("BEGIN")).await;
    put(&mut ends.server, &ready(b'T')).await;
    expect(&mut ends.client, &ready(b'T')).await;
}

async fn expect_cancelled(ends: &mut Ends) {
    let (code, body) = receive(&mut ends.client).await;
    let text = String::from_utf8_lossy(&body).into_owned();
    assert!(code == b'E' && text.contains("C57014") && text.contains("FLOODWALL[rule=cancel]"), "{text}");
}

#[test]
fn where_nothing_runs_a_cancel_goes_nowhere() {
    with_key(|mut ends, target| async move {
        for _ in 0..3 {
            assert_eq!(target.cancel().await, Cancelled::Idle);
            begin(&mut ends).await;
            assert_eq!(target.cancel().await, Cancelled::Idle);
            put(&mut ends.client, &query("COMMIT")).await;
            expect(&mut ends.server, &query("COMMIT")).await;
            put(&mut ends.server, &ready(b'I')).await;
            expect(&mut ends.client, &ready(b'I')).await;
        }
        assert_eq!(ends.book.borrow().insisted, 0);
    });
}

#[test]
fn a_statement_that_nobody_has_read_does_not_go_to_the_server() {
    let bind = message(b'B', b"\0\0\0\0\0\0\0\0");
    let run = [parse("", "SELECT 1"), bind, message(b'E', b"\0\0\0\0\0"), sync()].concat();
    for statement in [query("SELECT 1"), run, query("COMMIT"), query("lend it")] {
        with_key(|mut ends, target| async move {
            put(&mut ends.client, &statement).await;
            assert_eq!(target.cancel().await, Cancelled::Queued);
            expect_cancelled(&mut ends).await;
            expect(&mut ends.client, &ready(b'I')).await;
            expect_nothing(&mut ends.server).await;
            put(&mut ends.client, &query("SELECT 2")).await;
            expect(&mut ends.server, &query("SELECT 2")).await;
        });
    }
}

#[test]
fn what_a_pause_holds_back_is_cancelled_and_what_stands_behind_it_is_not() {
    let bind = message(b'B', b"\0\0\0\0\0\0\0\0");
    let run = [parse("", "SELECT 1"), bind, message(b'E', b"\0\0\0\0\0"), sync()].concat();
    for statement in [query("SELECT 1"), query("lend it"), run] {
        with_key(|mut ends, target| async move {
            ends.book.borrow_mut().paused = true;
            // Nothing has come in, so nothing is hit.
            assert_eq!(target.cancel().await, Cancelled::Idle);
            put(&mut ends.client, &[statement.clone(), query("SELECT 2")].concat()).await;
            expect_nothing(&mut ends.client).await;
            assert_eq!(target.cancel().await, Cancelled::Queued);
            expect_cancelled(&mut ends).await;
            expect(&mut ends.client, &ready(b'I')).await;
            expect_nothing(&mut ends.server).await;
            ends.book.borrow_mut().paused = false;
            put(&mut ends.client, &statement).await;
            expect(&mut ends.server, &[query("SELECT 2"), statement].concat()).await;
        });
    }
}

#[test]
fn a_client_that_leaves_while_a_pause_holds_it_back_is_gone() {
    with_key(|mut ends, target| async move {
        ends.book.borrow_mut().paused = true;
        put(&mut ends.client, &[query("SELECT 1"), query("SELECT 2")].concat()).await;
        assert_eq!(target.cancel().await, Cancelled::Queued);
        drop(ends.client);
        assert_eq!(ends.relay.await.unwrap().end, End::ClientGone);
        drop(ends.server);
    });
}

#[test]
fn inside_a_transaction_the_server_fails_in_its_place() {
    with_key(|mut ends, target| async move {
        begin(&mut ends).await;
        put(&mut ends.client, &query("SELECT 1")).await;
        assert_eq!(target.cancel().await, Cancelled::Queued);
        let (code, body) = receive(&mut ends.server).await;
        let text = String::from_utf8_lossy(&body).into_owned();
        assert!(code == b'Q' && !text.starts_with("SELECT 1"), "{text}");
        let word = text.trim_end_matches('\0').to_owned();
        let raised = format!("SERROR\0VERROR\0C42601\0Msyntax error at or near \"{word}\"\0\0");
        put(&mut ends.server, &[message(b'E', raised.as_bytes()), ready(b'E')].concat()).await;
        expect_cancelled(&mut ends).await;
        expect(&mut ends.client, &ready(b'E')).await;
    });
}

#[test]
fn what_may_end_a_transaction_goes_to_the_server_and_the_cancel_behind_it() {
    with_key(|mut ends, target| async move {
        begin(&mut ends).await;
        put(&mut ends.client, &query("COMMIT")).await;
        let cancel = spawn_local(async move { target.cancel().await });
        expect(&mut ends.server, &query("COMMIT")).await;
        assert_eq!(cancel.await.unwrap(), Cancelled::Unreachable);
        assert_eq!(ends.book.borrow().insisted, 1);
        // What comes behind waits until it has ended and nothing that was sent can hit.
        put(&mut ends.client, &query("SELECT 2")).await;
        expect_nothing(&mut ends.server).await;
        put(&mut ends.server, &[canceled(), ready(b'I')].concat()).await;
        expect(&mut ends.client, &[canceled(), ready(b'I')].concat()).await;
        expect_nothing(&mut ends.server).await;
        ends.book.borrow_mut().close_cancel();
        expect(&mut ends.server, &query("SELECT 2")).await;
        ends.server.shutdown().await.unwrap();
    });
}

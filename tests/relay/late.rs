//! Statements that take too long: stopped at the server, by an error of ours, and nothing behind them is hit.

use floodwall::session::watch::{Excess, Reach};

use crate::steps::{done, expect_refusal, expect_standing, row, run};
use crate::support::{
    Cancel, Ends, canceled, error, expect, expect_nothing, flush, message, put, query, ran, ready, receive, sync,
    with_relay,
};

/// Nothing may be sent behind it that a cancel could hit.
const SLOW: &str = "slow";

async fn ask(ends: &mut Ends, bytes: &[u8]) {
    put(&mut ends.client, bytes).await;
    expect(&mut ends.server, bytes).await;
}

/// The time of the statement at work is up; the server's row wakes the relay.
async fn be_late(ends: &mut Ends) {
    ends.book.borrow_mut().late = true;
    put(&mut ends.server, &row()).await;
    expect(&mut ends.client, &row()).await;
    assert_eq!(ends.book.borrow().excesses, [(Excess::Time, Reach::Whole)]);
    assert_eq!((ends.book.borrow().stops, ends.book.borrow().cancel), (1, Cancel::Open));
}

#[test]
fn the_error_of_a_cancelled_statement_is_ours_and_the_next_waits_for_the_cancel() {
    for status in [b'I', b'E'] {
        with_relay(4096, |mut ends| async move {
            ask(&mut ends, &query(SLOW)).await;
            be_late(&mut ends).await;
            put(&mut ends.client, &query("SELECT 1")).await;
            put(&mut ends.server, &[canceled(), ready(status)].concat()).await;
            expect_refusal(&mut ends).await;
            expect(&mut ends.client, &ready(status)).await;
            expect_nothing(&mut ends.server).await;
            ends.book.borrow_mut().close_cancel();
            expect(&mut ends.server, &query("SELECT 1")).await;
            put(&mut ends.server, &[done("SELECT 1"), ready(b'I')].concat()).await;
            expect(&mut ends.client, &[done("SELECT 1"), ready(b'I')].concat()).await;
            expect_standing(&mut ends, b'I').await;
        });
    }
}

#[test]
fn a_statement_that_ends_before_its_cancel_has_ended_well() {
    with_relay(4096, |mut ends| async move {
        ask(&mut ends, &query(SLOW)).await;
        be_late(&mut ends).await;
        put(&mut ends.server, &[done("UPDATE 1"), ready(b'I')].concat()).await;
        expect(&mut ends.client, &[done("UPDATE 1"), ready(b'I')].concat()).await;
        ends.book.borrow_mut().close_cancel();
        expect_standing(&mut ends, b'I').await;
    });
}

#[test]
fn another_error_of_a_late_statement_passes_as_it_is() {
    with_relay(4096, |mut ends| async move {
        ask(&mut ends, &query(SLOW)).await;
        be_late(&mut ends).await;
        let reply = [error("22012", "division by zero"), ready(b'I')].concat();
        put(&mut ends.server, &reply).await;
        expect(&mut ends.client, &reply).await;
        ends.book.borrow_mut().close_cancel();
        expect_standing(&mut ends, b'I').await;
    });
}

#[test]
fn a_cancel_of_the_client_itself_is_none_of_ours() {
    with_relay(4096, |mut ends| async move {
        ask(&mut ends, &query(SLOW)).await;
        put(&mut ends.server, &[canceled(), ready(b'I')].concat()).await;
        expect(&mut ends.client, &[canceled(), ready(b'I')].concat()).await;
        expect_standing(&mut ends, b'I').await;
    });
}

#[test]
fn nothing_is_sent_behind_what_may_be_late() {
    with_relay(4096, |mut ends| async move {
        put(&mut ends.client, &[query(SLOW), query("SELECT 1")].concat()).await;
        expect(&mut ends.server, &query(SLOW)).await;
        expect_nothing(&mut ends.server).await;
        put(&mut ends.server, &[done("SELECT 1"), ready(b'I')].concat()).await;
        expect(&mut ends.server, &query("SELECT 1")).await;
    });
}

#[test]
fn a_late_pipeline_fails_up_to_its_sync() {
    with_relay(4096, |mut ends| async move {
        ask(&mut ends, &[run(SLOW), sync()].concat()).await;
        put(&mut ends.server, &ran()).await;
        expect(&mut ends.client, &ran()).await;
        be_late(&mut ends).await;
        put(&mut ends.server, &[canceled(), ready(b'I')].concat()).await;
        expect_refusal(&mut ends).await;
        expect(&mut ends.client, &ready(b'I')).await;
        ends.book.borrow_mut().close_cancel();
        expect_standing(&mut ends, b'I').await;
    });
}

#[test]
fn a_late_pipeline_without_its_sync_is_asked_what_it_has_done() {
    with_relay(4096, |mut ends| async move {
        ask(&mut ends, &[run(SLOW), flush()].concat()).await;
        put(&mut ends.server, &ran()).await;
        expect(&mut ends.client, &ran()).await;
        be_late(&mut ends).await;
        expect(&mut ends.server, &flush()).await;
        put(&mut ends.client, &sync()).await;
        expect_nothing(&mut ends.server).await;
        put(&mut ends.server, &done("SELECT 1")).await;
        expect(&mut ends.client, &done("SELECT 1")).await;
        ends.book.borrow_mut().close_cancel();
        expect(&mut ends.server, &sync()).await;
        put(&mut ends.server, &ready(b'I')).await;
        expect(&mut ends.client, &ready(b'I')).await;
        expect_standing(&mut ends, b'I').await;
    });
}

#[test]
fn a_late_copy_is_given_up_and_its_data_dropped() {
    with_relay(4096, |mut ends| async move {
        ask(&mut ends, &query(SLOW)).await;
        let begins = message(b'G', b"\0\0\0");
        put(&mut ends.server, &begins).await;
        expect(&mut ends.client, &begins).await;
        ask(&mut ends, &message(b'd', b"a\n")).await;
        ends.book.borrow_mut().late = true;
        put(&mut ends.server, &message(b'N', b"SNOTICE\0\0")).await;
        let (code, body) = receive(&mut ends.server).await;
        assert!(code == b'f' && body.starts_with(b"floodwall_refused_statement_timeout"), "{}", char::from(code));
        put(&mut ends.client, &[message(b'd', b"b\n"), message(b'c', b"")].concat()).await;
        let failed = error("57014", "COPY from stdin failed: floodwall_refused_statement_timeout");
        put(&mut ends.server, &[failed, ready(b'I')].concat()).await;
        let (code, _) = receive(&mut ends.client).await;
        assert_eq!(code, b'N');
        expect_refusal(&mut ends).await;
        expect(&mut ends.client, &ready(b'I')).await;
        ends.book.borrow_mut().close_cancel();
        expect_standing(&mut ends, b'I').await;
    });
}

#[test]
fn a_client_that_leaves_meanwhile_ends_the_session() {
    with_relay(4096, |mut ends| async move {
        ask(&mut ends, &query(SLOW)).await;
        be_late(&mut ends).await;
        drop(ends.client);
        let remains = ends.relay.await.unwrap();
        assert!(remains.working, "the server is still to be stopped");
    });
}

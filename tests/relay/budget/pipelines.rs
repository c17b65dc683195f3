//! Pipelines: what may not be sent before what stands in front of it is decided.

use super::*;
use floodwall::wire::{Request, Values};

#[test]
fn nothing_is_sent_behind_a_group_that_may_be_cut() {
    with_relay(4096, |mut ends| async move {
        let group = [run(ROWS), sync()].concat();
        put(&mut ends.client, &[group.clone(), run("INSERT"), sync()].concat()).await;
        expect(&mut ends.server, &group).await;
        expect_nothing(&mut ends.server).await;
        let reply = [ran(), rows(2), done("SELECT 2"), ready(b'I')].concat();
        put(&mut ends.server, &reply).await;
        expect(&mut ends.server, &[run("INSERT"), sync()].concat()).await;
        expect(&mut ends.client, &reply).await;
    });
}

#[test]
fn a_group_that_may_be_cut_waits_for_those_before_it() {
    with_relay(4096, |mut ends| async move {
        put(&mut ends.client, &[query("SELECT 1"), query("SELECT 2"), query(ROWS)].concat()).await;
        expect(&mut ends.server, &[query("SELECT 1"), query("SELECT 2")].concat()).await;
        put(&mut ends.server, &ready(b'I')).await;
        expect_nothing(&mut ends.server).await;
        put(&mut ends.server, &ready(b'I')).await;
        expect(&mut ends.server, &query(ROWS)).await;
        assert_eq!(ends.book.borrow().forwarded.len(), 3);
    });
}

#[test]
fn groups_that_are_bounded_flow_untouched() {
    with_relay(4096, |mut ends| async move {
        let group = [run("read bounded"), sync()].concat();
        ask(&mut ends, &group.repeat(20)).await;
        ask(&mut ends, &query("read bounded").repeat(20)).await;
    });
}

#[test]
fn a_bounded_reply_of_too_many_bytes_is_cut_where_nothing_was_sent_behind_it() {
    with_relay(4096, |mut ends| async move {
        let asked = query("read bounded bytes=20");
        ask(&mut ends, &asked).await;
        put(&mut ends.server, &rows(2)).await;
        expect(&mut ends.client, &row()).await;
        expect_refusal(&mut ends).await;
        put(&mut ends.server, &[canceled(), ready(b'I')].concat()).await;
        ends.book.borrow_mut().close_cancel();
        expect(&mut ends.client, &ready(b'I')).await;
        ask(&mut ends, &asked.repeat(2)).await;
        let reply = [rows(2), done("SELECT 2"), ready(b'I')].concat();
        put(&mut ends.server, &reply).await;
        expect(&mut ends.client, &row()).await;
        assert_eq!(receive(&mut ends.client).await.0, b'N', "a cancel could hit the next one");
        expect(&mut ends.client, &[row(), done("SELECT 2"), ready(b'I')].concat()).await;
    });
}

#[test]
fn a_pipeline_that_is_cut_fails_at_the_server_before_its_sync() {
    with_relay(4096, |mut ends| async move {
        ask(&mut ends, &[run(ROWS), flush()].concat()).await;
        put(&mut ends.server, &[ran(), rows(3), done("SELECT 3")].concat()).await;
        expect(&mut ends.client, &[ran(), rows(2)].concat()).await;
        expect_refusal(&mut ends).await;
        let word = expect_failing(&mut ends.server, b'P').await;
        expect(&mut ends.server, &flush()).await;
        put(&mut ends.client, &[run("INSERT"), sync()].concat()).await;
        put(&mut ends.server, &stumbled(&word)).await;
        expect_nothing(&mut ends.server).await;
        ends.book.borrow_mut().close_cancel();
        expect(&mut ends.server, &[run("INSERT"), sync()].concat()).await;
        put(&mut ends.server, &ready(b'I')).await;
        expect(&mut ends.client, &ready(b'I')).await;
        expect_usable(&mut ends).await;
    });
}

#[test]
fn a_pipeline_that_wrote_is_cut_before_it_commits() {
    with_relay(4096, |mut ends| async move {
        put(&mut ends.client, &[run("write"), run(ROWS), sync(), query("SELECT 2")].concat()).await;
        expect(&mut ends.server, &[run("write"), run(ROWS), flush()].concat()).await;
        let first = [ran(), done("INSERT 0 1")].concat();
        put(&mut ends.server, &[first.clone(), ran(), rows(3), done("SELECT 3")].concat()).await;
        expect(&mut ends.client, &[first, ran(), rows(2)].concat()).await;
        expect_refusal(&mut ends).await;
        let word = expect_failing(&mut ends.server, b'P').await;
        expect(&mut ends.server, &flush()).await;
        put(&mut ends.server, &stumbled(&word)).await;
        ends.book.borrow_mut().close_cancel();
        expect(&mut ends.server, &sync()).await;
        put(&mut ends.server, &ready(b'I')).await;
        expect(&mut ends.client, &ready(b'I')).await;
        expect(&mut ends.server, &query("SELECT 2")).await;
    });
}

#[test]
fn a_commit_in_the_same_pipeline_waits_for_what_may_be_cut() {
    with_relay(4096, |mut ends| async move {
        begin(&mut ends).await;
        put(&mut ends.client, &[run(ROWS), run("other"), sync()].concat()).await;
        let commit_parts = prepared("other");
        expect(&mut ends.server, &[run(ROWS), commit_parts, flush()].concat()).await;
        let reply = [ran(), rows(2), done("SELECT 2"), ran()].concat();
        put(&mut ends.server, &reply).await;
        expect(&mut ends.client, &reply).await;
        expect(&mut ends.server, &execute()).await;
    });
}

#[test]
fn the_servers_own_error_lets_a_held_sync_go() {
    with_relay(4096, |mut ends| async move {
        put(&mut ends.client, &[run("write changes=5"), sync()].concat()).await;
        expect(&mut ends.server, &[run("write changes=5"), flush()].concat()).await;
        let failed = error("23505", "duplicate key");
        put(&mut ends.server, &[ran(), failed.clone()].concat()).await;
        expect(&mut ends.server, &sync()).await;
        put(&mut ends.server, &ready(b'I')).await;
        expect(&mut ends.client, &[ran(), failed, ready(b'I')].concat()).await;
        assert_eq!(ends.book.borrow().failures, ["23505"]);
        expect_usable(&mut ends).await;
    });
}

#[test]
fn a_write_in_a_pipeline_is_decided_before_its_sync() {
    with_relay(4096, |mut ends| async move {
        for (tag, within) in [("UPDATE 5", true), ("UPDATE 6", false)] {
            put(&mut ends.client, &[run("write changes=5"), sync()].concat()).await;
            expect(&mut ends.server, &[run("write changes=5"), flush()].concat()).await;
            put(&mut ends.server, &[ran(), done(tag)].concat()).await;
            expect(&mut ends.client, &ran()).await;
            if within {
                expect(&mut ends.client, &done(tag)).await;
            } else {
                expect_refusal(&mut ends).await;
                let word = expect_failing(&mut ends.server, b'P').await;
                expect(&mut ends.server, &flush()).await;
                put(&mut ends.server, &stumbled(&word)).await;
            }
            expect(&mut ends.server, &sync()).await;
            put(&mut ends.server, &ready(b'I')).await;
            expect(&mut ends.client, &ready(b'I')).await;
            assert_eq!(ends.book.borrow().stops, 0, "what is done cannot be canceled");
        }
        expect_usable(&mut ends).await;
    });
}

#[test]
fn a_query_in_a_pipeline_that_must_be_watched_is_refused() {
    with_relay(4096, |mut ends| async move {
        ask(&mut ends, &parse("", "x")).await;
        put(&mut ends.client, &[query(ROWS), sync()].concat()).await;
        let (code, body) = receive(&mut ends.server).await;
        assert_eq!(code, b'Q');
        assert!(String::from_utf8_lossy(&body).starts_with("floodwall_refused_protocol"));
        expect(&mut ends.server, &sync()).await;
    });
}

const PORTION: &str = "write changes=5 returned=3";

#[test]
fn a_returning_in_portions_is_cut_at_the_first_row_too_many() {
    with_relay(4096, |mut ends| async move {
        ask(&mut ends, &run(PORTION)).await;
        put(&mut ends.server, &[ran(), rows(3)].concat()).await;
        expect(&mut ends.client, &[ran(), rows(2)].concat()).await;
        expect_refusal(&mut ends).await;
        let word = expect_failing(&mut ends.server, b'P').await;
        expect(&mut ends.server, &flush()).await;
        put(&mut ends.client, &sync()).await;
        put(&mut ends.server, &[message(b's', b""), stumbled(&word)].concat()).await;
        expect(&mut ends.server, &sync()).await;
        put(&mut ends.server, &ready(b'I')).await;
        expect(&mut ends.client, &ready(b'I')).await;
        expect_usable(&mut ends).await;
        assert_eq!(ends.book.borrow().excesses, [(Excess::Changes(6), Reach::Whole)]);
        assert_eq!(ends.book.borrow().stops, 0, "nothing is left to cancel");
    });
}

#[test]
fn a_portion_of_a_returning_waits_for_the_portal_before_it() {
    with_relay(4096, |mut ends| async move {
        put(&mut ends.client, &[run("read bounded rows=9"), run(PORTION)].concat()).await;
        expect(&mut ends.server, &[run("read bounded rows=9"), prepared(PORTION), flush()].concat()).await;
        expect_nothing(&mut ends.server).await;
        let reply = [ran(), rows(9), done("SELECT 9"), ran()].concat();
        put(&mut ends.server, &reply).await;
        expect(&mut ends.client, &reply).await;
        expect(&mut ends.server, &execute()).await;
        put(&mut ends.client, &sync()).await;
        let reply = [rows(2), message(b's', b"")].concat();
        expect(&mut ends.server, &flush()).await;
        put(&mut ends.server, &reply).await;
        expect(&mut ends.client, &reply).await;
        expect(&mut ends.server, &sync()).await;
        put(&mut ends.server, &ready(b'I')).await;
        expect(&mut ends.client, &ready(b'I')).await;
        expect_usable(&mut ends).await;
        assert!(ends.book.borrow().excesses.is_empty());
    });
}

#[test]
fn a_function_call_is_counted_as_one_row() {
    with_relay(4096, |mut ends| async move {
        let call = message(b'F', b"\0\0\0\x01\0\0\0\0\0\0");
        ask(&mut ends, &call).await;
        let reply = [message(b'V', b"\0\0\0\x0242"), ready(b'I')].concat();
        put(&mut ends.server, &reply).await;
        expect(&mut ends.client, &reply).await;
        expect_usable(&mut ends).await;
        let book = ends.book.borrow();
        assert_eq!(book.forwarded[0], format!("{:?}", Request::Call { values: Values::new(&[0; 6]) }));
        assert_eq!(book.tallies[0], Tally { rows: 1, bytes: 11, changes: None });
    });
}

#[test]
fn a_function_call_behind_an_undecided_write_waits_for_it() {
    with_relay(4096, |mut ends| async move {
        let call = message(b'F', b"\0\0\0\x01\0\0\0\0\0\0");
        put(&mut ends.client, &[run("write changes=5"), call.clone()].concat()).await;
        expect(&mut ends.server, &[run("write changes=5"), flush()].concat()).await;
        expect_nothing(&mut ends.server).await;
        let reply = [ran(), done("UPDATE 5")].concat();
        put(&mut ends.server, &reply).await;
        expect(&mut ends.client, &reply).await;
        expect(&mut ends.server, &call).await;
    });
}

/// What it runs may be a COMMIT.
#[test]
fn an_execute_behind_an_undecided_write_waits_for_it() {
    with_relay(4096, |mut ends| async move {
        put(&mut ends.client, &[run("write changes=5"), run("execute changes=5")].concat()).await;
        let sent = [run("write changes=5"), prepared("execute changes=5"), flush()].concat();
        expect(&mut ends.server, &sent).await;
        expect_nothing(&mut ends.server).await;
        let reply = [ran(), done("UPDATE 5"), ran()].concat();
        put(&mut ends.server, &reply).await;
        expect(&mut ends.client, &reply).await;
        expect(&mut ends.server, &execute()).await;
    });
}

//! Replies and writes that turn out to be more than allowed: every way in which a server may be done with them.

use floodwall::session::end::End;
use floodwall::session::watch::{Excess, Reach, Tally};
use floodwall::wire::Transaction;
use tokio::io::DuplexStream;

use crate::steps::{begin, done, execute, expect_refusal, expect_standing, prepared, row, run};
use crate::support::{
    Cancel, Ends, canceled, error, expect, expect_nothing, flush, message, parse, put, query, ran, ready, receive,
    sync, with_relay,
};

const ROWS: &str = "read rows=2";

fn rows(count: usize) -> Vec<u8> {
    row().repeat(count)
}

/// Reads the message that makes the server fail; its word.
async fn expect_failing(server: &mut DuplexStream, code: u8) -> String {
    let (got, body) = receive(server).await;
    let text = String::from_utf8_lossy(&body).into_owned();
    assert!(got == code && text.contains("floodwall_refused_"), "{} {text}", char::from(got));
    text.split('\0').find(|word| !word.is_empty()).unwrap().to_owned()
}

fn stumbled(word: &str) -> Vec<u8> {
    error("42601", &format!("syntax error at or near \"{word}\""))
}

/// The session is as good as new.
async fn expect_usable(ends: &mut Ends) {
    expect_standing(ends, b'I').await;
    assert_eq!(ends.book.borrow().boundaries.last().unwrap().0, Transaction::None);
}

async fn ask(ends: &mut Ends, bytes: &[u8]) {
    put(&mut ends.client, bytes).await;
    expect(&mut ends.server, bytes).await;
}

#[test]
fn a_reply_within_its_budget_passes_untouched() {
    with_relay(4096, |mut ends| async move {
        ask(&mut ends, &query(ROWS)).await;
        let reply = [rows(2), done("SELECT 2"), rows(2), done("SELECT 2"), ready(b'I')].concat();
        put(&mut ends.server, &reply).await;
        expect(&mut ends.client, &reply).await;
        assert!(ends.book.borrow().excesses.is_empty());
    });
}

#[test]
fn no_row_beyond_the_budget_is_sent_and_the_cancel_ends_the_reply() {
    with_relay(4096, |mut ends| async move {
        ask(&mut ends, &query(ROWS)).await;
        let notice = message(b'N', b"SNOTICE\0\0");
        put(&mut ends.server, &[message(b'T', b"\0\0"), rows(5), notice.clone(), rows(90)].concat()).await;
        expect(&mut ends.client, &[message(b'T', b"\0\0"), rows(2)].concat()).await;
        expect_refusal(&mut ends).await;
        expect(&mut ends.client, &notice).await;
        assert_eq!(ends.book.borrow().stops, 1);
        assert_eq!(ends.book.borrow().excesses, [(Excess::Rows, Reach::Whole)]);
        put(&mut ends.server, &[rows(9), canceled(), ready(b'I')].concat()).await;
        ends.book.borrow_mut().close_cancel();
        expect(&mut ends.client, &ready(b'I')).await;
        assert!(ends.book.borrow().failures.is_empty(), "the server's error is ours");
        expect_usable(&mut ends).await;
    });
}

#[test]
fn the_next_statement_waits_until_the_cancel_is_out_of_the_way() {
    with_relay(4096, |mut ends| async move {
        ask(&mut ends, &query(ROWS)).await;
        put(&mut ends.client, &query("SELECT 2")).await;
        put(&mut ends.server, &[rows(3), canceled(), ready(b'I')].concat()).await;
        expect(&mut ends.client, &rows(2)).await;
        expect_refusal(&mut ends).await;
        expect_nothing(&mut ends.server).await;
        ends.book.borrow_mut().close_cancel();
        expect(&mut ends.server, &query("SELECT 2")).await;
        expect(&mut ends.client, &ready(b'I')).await;
    });
}

#[test]
fn bytes_are_a_budget_as_well() {
    with_relay(4096, |mut ends| async move {
        ask(&mut ends, &query("read bytes=100")).await;
        let half = message(b'D', &[7; 45]);
        put(&mut ends.server, &[half.clone(), half.clone(), message(b'D', &[7; 90_000])].concat()).await;
        expect(&mut ends.client, &[half.clone(), half].concat()).await;
        expect_refusal(&mut ends).await;
        assert_eq!(ends.book.borrow().excesses, [(Excess::Bytes(2), Reach::Whole)]);
    });
}

#[test]
fn a_reply_that_ended_before_the_cancel_leaves_autocommit_as_it_is() {
    with_relay(4096, |mut ends| async move {
        ask(&mut ends, &query(ROWS)).await;
        put(&mut ends.server, &[rows(3), done("SELECT 3"), ready(b'I')].concat()).await;
        ends.book.borrow_mut().cancel = Cancel::Open;
        expect(&mut ends.client, &rows(2)).await;
        expect_refusal(&mut ends).await;
        ends.book.borrow_mut().close_cancel();
        expect(&mut ends.client, &ready(b'I')).await;
        expect_usable(&mut ends).await;
    });
}

#[test]
fn a_reply_that_ended_before_the_cancel_aborts_its_transaction() {
    with_relay(4096, |mut ends| async move {
        begin(&mut ends).await;
        ask(&mut ends, &query(ROWS)).await;
        put(&mut ends.server, &[rows(3), done("SELECT 3"), ready(b'T')].concat()).await;
        expect(&mut ends.client, &rows(2)).await;
        expect_refusal(&mut ends).await;
        expect_nothing(&mut ends.server).await;
        ends.book.borrow_mut().close_cancel();
        let word = expect_failing(&mut ends.server, b'Q').await;
        put(&mut ends.server, &[stumbled(&word), ready(b'E')].concat()).await;
        expect(&mut ends.client, &ready(b'E')).await;
        ask(&mut ends, &query("ROLLBACK")).await;
        put(&mut ends.server, &[done("ROLLBACK"), ready(b'I')].concat()).await;
        expect(&mut ends.client, &[done("ROLLBACK"), ready(b'I')].concat()).await;
        expect_usable(&mut ends).await;
    });
}

#[test]
fn a_copy_to_the_client_is_cut_between_two_rows() {
    with_relay(4096, |mut ends| async move {
        ask(&mut ends, &query("other rows=2")).await;
        let piece = message(b'd', b"1\n");
        let head = message(b'H', b"\0\0\0");
        put(&mut ends.server, &[head.clone(), piece.repeat(7)].concat()).await;
        expect(&mut ends.client, &[head, piece.repeat(2)].concat()).await;
        expect_refusal(&mut ends).await;
        put(&mut ends.server, &[message(b'c', b""), done("COPY 7"), ready(b'I')].concat()).await;
        ends.book.borrow_mut().close_cancel();
        expect(&mut ends.client, &ready(b'I')).await;
        expect_usable(&mut ends).await;
    });
}

#[test]
fn a_copy_in_behind_what_was_cut_is_given_up() {
    with_relay(4096, |mut ends| async move {
        ask(&mut ends, &query("other rows=2")).await;
        put(&mut ends.server, &[rows(3), done("SELECT 3"), message(b'G', b"\0\0\0")].concat()).await;
        expect(&mut ends.client, &rows(2)).await;
        expect_refusal(&mut ends).await;
        let word = expect_failing(&mut ends.server, b'f').await;
        put(&mut ends.server, &[error("57014", &word), ready(b'I')].concat()).await;
        ends.book.borrow_mut().close_cancel();
        expect(&mut ends.client, &ready(b'I')).await;
        expect_usable(&mut ends).await;
    });
}

#[test]
fn data_for_a_copy_in_passes_while_its_group_is_watched() {
    with_relay(4096, |mut ends| async move {
        ask(&mut ends, &query("other rows=2")).await;
        put(&mut ends.server, &message(b'G', b"\0\0\0")).await;
        expect(&mut ends.client, &message(b'G', b"\0\0\0")).await;
        ask(&mut ends, &[message(b'd', b"1\n"), message(b'c', b"")].concat()).await;
        put(&mut ends.server, &[done("COPY 1"), ready(b'I')].concat()).await;
        expect(&mut ends.client, &[done("COPY 1"), ready(b'I')].concat()).await;
        expect_usable(&mut ends).await;
    });
}

#[test]
fn a_copy_in_takes_the_sync_that_was_held_behind_it() {
    with_relay(4096, |mut ends| async move {
        put(&mut ends.client, &[run("other rows=2"), sync()].concat()).await;
        expect(&mut ends.server, &[run("other rows=2"), flush()].concat()).await;
        let begun = [ran(), message(b'G', b"\0\0\0")].concat();
        put(&mut ends.server, &begun).await;
        expect(&mut ends.client, &begun).await;
        ask(&mut ends, &[message(b'd', b"1\n"), message(b'c', b"")].concat()).await;
        put(&mut ends.client, &sync()).await;
        expect(&mut ends.server, &flush()).await;
        put(&mut ends.server, &done("COPY 1")).await;
        expect(&mut ends.server, &sync()).await;
        put(&mut ends.server, &ready(b'I')).await;
        expect(&mut ends.client, &[done("COPY 1"), ready(b'I')].concat()).await;
        expect_usable(&mut ends).await;
    });
}

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
fn a_frame_that_is_half_sent_is_finished_before_anything_of_ours() {
    with_relay(1 << 16, |mut ends| async move {
        ask(&mut ends, &[run(ROWS), flush()].concat()).await;
        let large = message(b'B', &[&b"\0\0"[..], &[0; 30_000]].concat());
        put(&mut ends.client, &large[..25_000]).await;
        expect(&mut ends.server, &large[..25_000]).await;
        put(&mut ends.server, &[ran(), rows(3), canceled()].concat()).await;
        expect(&mut ends.client, &[ran(), rows(2)].concat()).await;
        expect_refusal(&mut ends).await;
        ends.book.borrow_mut().close_cancel();
        put(&mut ends.client, &[large[25_000..].to_vec(), sync()].concat()).await;
        expect(&mut ends.server, &large[25_000..]).await;
        let (code, _) = receive(&mut ends.server).await;
        if code == b'P' {
            expect(&mut ends.server, &flush()).await;
            expect(&mut ends.server, &sync()).await;
        } else {
            assert_eq!(code, b'S');
        }
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

#[test]
fn what_cannot_be_told_apart_ends_with_the_session() {
    with_relay(4096, |mut ends| async move {
        // A Sync between the data of a COPY that fails: swallowed or not, nobody knows.
        ask(&mut ends, &query("COPY")).await;
        put(&mut ends.server, &message(b'G', b"\0\0\0")).await;
        receive(&mut ends.client).await;
        ask(&mut ends, &[message(b'd', b"1"), sync()].concat()).await;
        let failed = [error("22P02", "bad data"), ready(b'I')].concat();
        put(&mut ends.server, &failed).await;
        expect(&mut ends.client, &failed).await;
        ask(&mut ends, &query(ROWS)).await;
        put(&mut ends.server, &rows(3)).await;
        let remains = ends.relay.await.unwrap();
        assert_eq!(remains.end, End::Overrun);
        assert!(remains.last_words.starts_with(&rows(2)), "whole rows, and then the farewell");
        assert!(remains.working, "the server is told to stop");
        assert!(remains.last_words.windows(5).any(|part| part == b"54000"));
    });
}

#[test]
fn a_client_that_leaves_during_a_cut_leaves_nothing_hanging() {
    with_relay(4096, |mut ends| async move {
        ask(&mut ends, &query(ROWS)).await;
        put(&mut ends.server, &rows(3)).await;
        expect(&mut ends.client, &rows(2)).await;
        drop(ends.client);
        let remains = ends.relay.await.unwrap();
        assert_eq!(remains.end, End::ClientGone);
        assert!(remains.working);
    });
}

#[test]
fn a_client_that_leaves_is_noticed_while_its_next_statement_waits() {
    with_relay(4096, |mut ends| async move {
        ask(&mut ends, &query(ROWS)).await;
        put(&mut ends.client, &query("SELECT 2")).await;
        drop(ends.client);
        let remains = ends.relay.await.unwrap();
        assert_eq!(remains.end, End::ClientGone);
        assert!(remains.working);
    });
}

#[test]
fn what_comes_before_a_goodbye_is_carried_out_although_it_waits() {
    with_relay(4096, |mut ends| async move {
        put(&mut ends.client, &[query(ROWS), query("INSERT"), message(b'X', b"")].concat()).await;
        expect(&mut ends.server, &query(ROWS)).await;
        put(&mut ends.server, &[rows(1), done("SELECT 1"), ready(b'I')].concat()).await;
        expect(&mut ends.server, &[query("INSERT"), message(b'X', b"")].concat()).await;
        let remains = ends.relay.await.unwrap();
        assert_eq!((remains.end, remains.working), (End::ClientQuit, false));
    });
}

#[test]
fn a_kill_ends_a_session_that_is_being_cut() {
    with_relay(4096, |mut ends| async move {
        ask(&mut ends, &query(ROWS)).await;
        put(&mut ends.server, &rows(3)).await;
        expect(&mut ends.client, &rows(2)).await;
        expect_refusal(&mut ends).await;
        ends.book.borrow_mut().end = Some(End::Killed);
        ends.book.borrow_mut().close_cancel();
        let remains = ends.relay.await.unwrap();
        assert_eq!((remains.end, remains.working), (End::Killed, true));
    });
}

#[test]
fn a_drain_waits_for_the_end_of_a_cut() {
    with_relay(4096, |mut ends| async move {
        ask(&mut ends, &query(ROWS)).await;
        put(&mut ends.server, &[rows(3), done("SELECT 3"), ready(b'I')].concat()).await;
        expect(&mut ends.client, &rows(2)).await;
        expect_refusal(&mut ends).await;
        ends.book.borrow_mut().end = Some(End::Drained);
        expect_nothing(&mut ends.client).await;
        ends.book.borrow_mut().close_cancel();
        expect(&mut ends.client, &ready(b'I')).await;
        assert_eq!(ends.relay.await.unwrap().end, End::Drained);
    });
}

#[test]
fn a_server_that_dies_while_it_is_stopped_is_spoken_for_once() {
    with_relay(4096, |mut ends| async move {
        ask(&mut ends, &query(ROWS)).await;
        put(&mut ends.server, &rows(3)).await;
        expect(&mut ends.client, &rows(2)).await;
        expect_refusal(&mut ends).await;
        let why = message(b'E', b"SFATAL\0VFATAL\0C57P01\0Mterminating\0\0");
        put(&mut ends.server, &why).await;
        expect(&mut ends.client, &why).await;
        drop(ends.server);
        let remains = ends.relay.await.unwrap();
        assert!(remains.last_words.is_empty());
    });
}

#[test]
fn a_server_is_read_on_while_a_slow_client_takes_nothing() {
    with_relay(4096, |mut ends| async move {
        ask(&mut ends, &query("read rows=100")).await;
        // The rows of the budget alone fill the client's pipe.
        put(&mut ends.server, &message(b'D', &[7; 40]).repeat(5_000)).await;
        put(&mut ends.server, &[canceled(), ready(b'I')].concat()).await;
        ends.book.borrow_mut().close_cancel();
        expect(&mut ends.client, &message(b'D', &[7; 40]).repeat(100)).await;
        expect_refusal(&mut ends).await;
        expect(&mut ends.client, &ready(b'I')).await;
        expect_usable(&mut ends).await;
    });
}

#[test]
fn a_server_that_never_pauses_is_stopped_all_the_same() {
    with_relay(1 << 16, |mut ends| async move {
        ask(&mut ends, &query(ROWS)).await;
        let flood = message(b'D', &[7; 40]).repeat(1000);
        for _ in 0..200 {
            put(&mut ends.server, &flood).await;
            if ends.book.borrow().waker.is_some() {
                return;
            }
        }
        panic!("the cancel was never sent");
    });
}

#[test]
fn what_each_reply_sent_and_changed_is_told() {
    with_relay(4096, |mut ends| async move {
        ask(&mut ends, &query("SELECT 1")).await;
        let reply = [rows(3), done("SELECT 3"), done("UPDATE 7"), ready(b'I')].concat();
        put(&mut ends.server, &reply).await;
        expect(&mut ends.client, &reply).await;
        ask(&mut ends, &query(ROWS)).await;
        put(&mut ends.server, &rows(5)).await;
        expect(&mut ends.client, &rows(2)).await;
        expect_refusal(&mut ends).await;
        let bytes = |count: u64| count * row().len() as u64;
        let tallies = ends.book.borrow().tallies.clone();
        // A reply that was cut reached the row that was one too many.
        assert_eq!(
            tallies,
            [
                Tally { rows: 3, bytes: bytes(3), changes: None },
                Tally { changes: Some(7), ..Tally::default() },
                Tally { rows: 3, bytes: bytes(3), changes: None },
            ]
        );
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
        assert_eq!(book.forwarded[0], "Call");
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

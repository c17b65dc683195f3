//! Replies and writes that turn out to be more than allowed: every way in which a server may be done with them.

mod copies;
mod ends;
mod pipelines;

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

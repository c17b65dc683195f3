//! Writes that run in a transaction of ours: what the client reads, and what the server commits.

use floodwall::session::end::End;
use floodwall::session::watch::{Excess, Reach};

use crate::steps::{begin, done, expect_refusal, expect_standing};
use crate::support::{Ends, error, expect, expect_nothing, message, put, query, ready, receive, with_relay};

const WRITE: &str = "write changes=5";

/// Sends a guarded write; the server has BEGIN and the write, and has answered the first.
async fn guarded(ends: &mut Ends, text: &str) {
    put(&mut ends.client, &query(text)).await;
    expect(&mut ends.server, &[query("BEGIN"), query(text)].concat()).await;
    put(&mut ends.server, &[done("BEGIN"), ready(b'T')].concat()).await;
}

/// The server rolls back, and the client reads that nothing is open.
async fn expect_rollback(ends: &mut Ends) {
    expect(&mut ends.server, &query("ROLLBACK")).await;
    put(&mut ends.server, &[done("ROLLBACK"), ready(b'I')].concat()).await;
    expect(&mut ends.client, &ready(b'I')).await;
    put(&mut ends.client, &query("SELECT 1")).await;
    expect(&mut ends.server, &query("SELECT 1")).await;
}

#[test]
fn a_write_within_its_budget_is_committed_before_the_client_hears_of_it() {
    with_relay(4096, |mut ends| async move {
        guarded(&mut ends, WRITE).await;
        put(&mut ends.server, &[done("UPDATE 5"), ready(b'T')].concat()).await;
        expect(&mut ends.server, &query("COMMIT")).await;
        expect_nothing(&mut ends.client).await;
        put(&mut ends.server, &[done("COMMIT"), ready(b'I')].concat()).await;
        expect(&mut ends.client, &[done("UPDATE 5"), ready(b'I')].concat()).await;
        assert_eq!(ends.book.borrow().boundaries.len(), 1);
    });
}

#[test]
fn a_write_over_its_budget_is_rolled_back() {
    with_relay(4096, |mut ends| async move {
        guarded(&mut ends, WRITE).await;
        put(&mut ends.server, &[done("UPDATE 6"), ready(b'T')].concat()).await;
        expect_refusal(&mut ends).await;
        expect_rollback(&mut ends).await;
        assert_eq!(ends.book.borrow().excesses, [(Excess::Changes(6), Reach::Whole)]);
    });
}

#[test]
fn a_commit_that_fails_takes_the_place_of_the_completion() {
    with_relay(4096, |mut ends| async move {
        guarded(&mut ends, WRITE).await;
        put(&mut ends.server, &[done("UPDATE 1"), ready(b'T')].concat()).await;
        expect(&mut ends.server, &query("COMMIT")).await;
        let failed = error("23503", "violates a deferred constraint");
        put(&mut ends.server, &[failed.clone(), ready(b'I')].concat()).await;
        expect(&mut ends.client, &[failed, ready(b'I')].concat()).await;
        assert_eq!(ends.book.borrow().failures, ["23503"]);
    });
}

#[test]
fn a_commit_that_is_canceled_before_it_begins_is_rolled_back() {
    with_relay(4096, |mut ends| async move {
        guarded(&mut ends, WRITE).await;
        put(&mut ends.server, &[done("UPDATE 1"), ready(b'T')].concat()).await;
        expect(&mut ends.server, &query("COMMIT")).await;
        let failed = error("57014", "canceling statement due to user request");
        put(&mut ends.server, &[failed.clone(), ready(b'E')].concat()).await;
        expect(&mut ends.client, &failed).await;
        expect_rollback(&mut ends).await;
    });
}

#[test]
fn a_write_that_fails_by_itself_says_so() {
    with_relay(4096, |mut ends| async move {
        guarded(&mut ends, WRITE).await;
        let failed = error("22012", "division by zero");
        put(&mut ends.server, &[failed.clone(), ready(b'E')].concat()).await;
        expect(&mut ends.client, &failed).await;
        expect_rollback(&mut ends).await;
    });
}

#[test]
fn the_completions_before_the_last_pass_at_once() {
    with_relay(4096, |mut ends| async move {
        guarded(&mut ends, WRITE).await;
        put(&mut ends.server, &[done("UPDATE 1"), done("UPDATE 2")].concat()).await;
        expect(&mut ends.client, &done("UPDATE 1")).await;
        expect_nothing(&mut ends.client).await;
        put(&mut ends.server, &[done("UPDATE 9"), done("UPDATE 1"), ready(b'T')].concat()).await;
        expect(&mut ends.client, &done("UPDATE 2")).await;
        expect_refusal(&mut ends).await;
        expect_rollback(&mut ends).await;
    });
}

#[test]
fn a_notice_comes_behind_the_completions_before_it() {
    with_relay(4096, |mut ends| async move {
        guarded(&mut ends, WRITE).await;
        let says = |severity: &str| message(b'N', format!("S{severity}\0V{severity}\0Mdone\0\0").as_bytes());
        put(&mut ends.server, &[done("UPDATE 1"), says("NOTICE"), done("DO")].concat()).await;
        expect(&mut ends.client, &[done("UPDATE 1"), says("NOTICE")].concat()).await;
        expect_nothing(&mut ends.client).await;
        // It says how long the text took, and is behind its last completion.
        put(&mut ends.server, &[says("LOG"), ready(b'T')].concat()).await;
        expect(&mut ends.client, &says("LOG")).await;
        expect(&mut ends.server, &query("COMMIT")).await;
        expect_nothing(&mut ends.client).await;
        // A trigger that waits for the end of the transaction speaks before that is told.
        put(&mut ends.server, &[says("NOTICE"), done("COMMIT"), ready(b'I')].concat()).await;
        expect(&mut ends.client, &[says("NOTICE"), done("DO"), ready(b'I')].concat()).await;
    });
}

#[test]
fn a_returning_that_is_cut_writes_nothing() {
    with_relay(4096, |mut ends| async move {
        let row = message(b'D', b"\0\0");
        guarded(&mut ends, "write rows=2").await;
        put(&mut ends.server, &[row.repeat(3), done("INSERT 0 3"), ready(b'T')].concat()).await;
        expect(&mut ends.client, &row.repeat(2)).await;
        expect_refusal(&mut ends).await;
        expect_nothing(&mut ends.server).await;
        ends.book.borrow_mut().close_cancel();
        expect_rollback(&mut ends).await;
        assert_eq!(ends.book.borrow().stops, 1);
    });
}

#[test]
fn a_begin_that_is_canceled_leaves_the_write_on_its_own() {
    with_relay(4096, |mut ends| async move {
        put(&mut ends.client, &query(WRITE)).await;
        expect(&mut ends.server, &[query("BEGIN"), query(WRITE)].concat()).await;
        let canceled = error("57014", "canceling statement due to user request");
        put(&mut ends.server, &[canceled, ready(b'I'), done("UPDATE 9"), ready(b'I')].concat()).await;
        assert_eq!(receive(&mut ends.client).await.0, b'N', "it is committed already, so it is told and no more");
        expect(&mut ends.client, &[done("UPDATE 9"), ready(b'I')].concat()).await;
        assert_eq!(ends.book.borrow().excesses, [(Excess::Changes(9), Reach::Late)]);
    });
}

#[test]
fn in_the_clients_transaction_nothing_is_put_around_a_write() {
    with_relay(4096, |mut ends| async move {
        put(&mut ends.client, &query("BEGIN")).await;
        expect(&mut ends.server, &query("BEGIN")).await;
        put(&mut ends.server, &ready(b'T')).await;
        expect(&mut ends.client, &ready(b'T')).await;
        put(&mut ends.client, &query(WRITE)).await;
        expect(&mut ends.server, &query(WRITE)).await;
        put(&mut ends.server, &[done("UPDATE 6"), ready(b'T')].concat()).await;
        expect_refusal(&mut ends).await;
        let (code, body) = receive(&mut ends.server).await;
        assert_eq!((code, &body[..]), (b'Q', &b"floodwall_refused_write_budget\0"[..]));
        put(&mut ends.client, &query("COMMIT")).await;
        let stumbled = error("42601", "syntax error at or near \"floodwall_refused_write_budget\"");
        put(&mut ends.server, &[stumbled, ready(b'E')].concat()).await;
        expect(&mut ends.client, &ready(b'E')).await;
        expect(&mut ends.server, &query("COMMIT")).await;
    });
}

#[test]
fn what_cannot_run_in_a_transaction_is_not_put_into_one() {
    with_relay(4096, |mut ends| async move {
        put(&mut ends.client, &query("other changes=5")).await;
        expect(&mut ends.server, &query("other changes=5")).await;
        put(&mut ends.server, &[done("UPDATE 6"), ready(b'I')].concat()).await;
        assert_eq!(receive(&mut ends.client).await.0, b'N');
        expect(&mut ends.client, &[done("UPDATE 6"), ready(b'I')].concat()).await;
    });
}

#[test]
fn a_pipelining_client_gets_its_answers_in_order() {
    with_relay(4096, |mut ends| async move {
        put(&mut ends.client, &[query(WRITE), query(WRITE), query("SELECT 1")].concat()).await;
        for tag in ["UPDATE 1", "UPDATE 2"] {
            expect(&mut ends.server, &[query("BEGIN"), query(WRITE)].concat()).await;
            put(&mut ends.server, &[done("BEGIN"), ready(b'T'), done(tag), ready(b'T')].concat()).await;
            expect(&mut ends.server, &query("COMMIT")).await;
            put(&mut ends.server, &[done("COMMIT"), ready(b'I')].concat()).await;
            expect(&mut ends.client, &[done(tag), ready(b'I')].concat()).await;
        }
        expect(&mut ends.server, &query("SELECT 1")).await;
    });
}

#[test]
fn a_goodbye_behind_a_guarded_write_waits_for_its_commit() {
    with_relay(4096, |mut ends| async move {
        put(&mut ends.client, &[query(WRITE), message(b'X', b"")].concat()).await;
        expect(&mut ends.server, &[query("BEGIN"), query(WRITE)].concat()).await;
        drop(ends.client);
        put(&mut ends.server, &[done("BEGIN"), ready(b'T'), done("UPDATE 1"), ready(b'T')].concat()).await;
        expect(&mut ends.server, &query("COMMIT")).await;
        put(&mut ends.server, &[done("COMMIT"), ready(b'I')].concat()).await;
        let end = ends.relay.await.unwrap().end;
        assert!(matches!(end, End::ClientQuit | End::ClientGone), "{end:?}");
    });
}

#[test]
fn a_client_that_leaves_during_a_guarded_write_commits_nothing() {
    with_relay(4096, |mut ends| async move {
        guarded(&mut ends, WRITE).await;
        drop(ends.client);
        let remains = ends.relay.await.unwrap();
        assert_eq!((remains.end, remains.working), (End::ClientGone, true));
        expect_nothing_but_the_end(ends.server, remains.server.0).await;
    });
}

/// No COMMIT reached the server.
async fn expect_nothing_but_the_end(mut server: tokio::io::DuplexStream, far: tokio::io::DuplexStream) {
    drop(far);
    let mut rest = Vec::new();
    tokio::io::AsyncReadExt::read_to_end(&mut server, &mut rest).await.unwrap();
    assert!(rest.is_empty(), "{rest:?}");
}

#[test]
fn a_kill_during_a_commit_leaves_the_client_without_a_promise() {
    with_relay(4096, |mut ends| async move {
        guarded(&mut ends, WRITE).await;
        put(&mut ends.server, &[done("UPDATE 1"), ready(b'T')].concat()).await;
        expect(&mut ends.server, &query("COMMIT")).await;
        ends.book.borrow_mut().end = Some(End::Killed);
        put(&mut ends.server, &message(b'N', b"SNOTICE\0\0")).await;
        let remains = ends.relay.await.unwrap();
        assert_eq!(remains.end, End::Killed);
        let told = |part: &[u8]| remains.last_words.windows(part.len()).any(|window| window == part);
        assert!(told(b"57P01") && !told(b"UPDATE 1"));
    });
}

#[test]
fn a_server_that_dies_before_the_commit_leaves_the_client_without_a_promise() {
    with_relay(4096, |mut ends| async move {
        guarded(&mut ends, WRITE).await;
        put(&mut ends.server, &[done("UPDATE 1"), ready(b'T')].concat()).await;
        expect(&mut ends.server, &query("COMMIT")).await;
        drop(ends.server);
        let remains = ends.relay.await.unwrap();
        assert_eq!(remains.end, End::ServerGone);
        let told = |part: &[u8]| remains.last_words.windows(part.len()).any(|window| window == part);
        assert!(told(b"08006") && !told(b"UPDATE 1"));
    });
}

const SAVED: &str = "write changes=5 savepoint";
const SAVEPOINT: &str = "SAVEPOINT floodwall_write";
const RELEASE: &str = "RELEASE SAVEPOINT floodwall_write";
const BACK: &str = "ROLLBACK TO SAVEPOINT floodwall_write; RELEASE SAVEPOINT floodwall_write";

/// Sends a write inside a transaction; the server has our savepoint and the write, and has answered the first.
async fn saved(ends: &mut Ends, text: &str) {
    begin(ends).await;
    put(&mut ends.client, &query(text)).await;
    expect(&mut ends.server, &[query(SAVEPOINT), query(text)].concat()).await;
    put(&mut ends.server, &[done("SAVEPOINT"), ready(b'T')].concat()).await;
}

#[test]
fn a_write_behind_a_savepoint_is_released_before_the_client_hears_of_it() {
    with_relay(4096, |mut ends| async move {
        saved(&mut ends, SAVED).await;
        put(&mut ends.server, &[done("UPDATE 5"), ready(b'T')].concat()).await;
        expect(&mut ends.server, &query(RELEASE)).await;
        expect_nothing(&mut ends.client).await;
        put(&mut ends.server, &[done("RELEASE"), ready(b'T')].concat()).await;
        expect(&mut ends.client, &[done("UPDATE 5"), ready(b'T')].concat()).await;
        expect_standing(&mut ends, b'T').await;
        assert!(ends.book.borrow().excesses.is_empty());
    });
}

#[test]
fn a_write_over_its_budget_goes_back_to_its_savepoint_and_the_transaction_stands() {
    with_relay(4096, |mut ends| async move {
        saved(&mut ends, SAVED).await;
        put(&mut ends.server, &[done("UPDATE 1"), done("UPDATE 6"), done("UPDATE 1"), ready(b'T')].concat()).await;
        expect(&mut ends.client, &done("UPDATE 1")).await;
        expect_refusal(&mut ends).await;
        expect(&mut ends.server, &query(BACK)).await;
        expect_nothing(&mut ends.client).await;
        put(&mut ends.server, &[done("ROLLBACK"), done("RELEASE"), ready(b'T')].concat()).await;
        expect(&mut ends.client, &ready(b'T')).await;
        expect_standing(&mut ends, b'T').await;
        assert_eq!(ends.book.borrow().excesses, [(Excess::Changes(6), Reach::Whole)]);
    });
}

#[test]
fn a_returning_that_is_cut_goes_back_to_its_savepoint_though_the_cancel_hit_it() {
    with_relay(4096, |mut ends| async move {
        saved(&mut ends, "write rows=2 changes=5 savepoint").await;
        let row = message(b'D', b"\0\0");
        put(&mut ends.server, &row.repeat(3)).await;
        expect(&mut ends.client, &row.repeat(2)).await;
        expect_refusal(&mut ends).await;
        put(&mut ends.server, &[error("57014", "canceling statement"), ready(b'E')].concat()).await;
        expect_nothing(&mut ends.server).await;
        ends.book.borrow_mut().close_cancel();
        expect(&mut ends.server, &query(BACK)).await;
        put(&mut ends.server, &[done("ROLLBACK"), done("RELEASE"), ready(b'T')].concat()).await;
        expect(&mut ends.client, &ready(b'T')).await;
        expect_standing(&mut ends, b'T').await;
    });
}

#[test]
fn what_fails_by_itself_behind_a_savepoint_aborts_the_transaction_as_ever() {
    with_relay(4096, |mut ends| async move {
        saved(&mut ends, SAVED).await;
        let failed = [error("22012", "division by zero"), ready(b'E')].concat();
        put(&mut ends.server, &failed).await;
        expect(&mut ends.client, &failed).await;
        expect_standing(&mut ends, b'E').await;
        assert_eq!(ends.book.borrow().failures, ["22012"]);
    });
}

#[test]
fn a_release_or_a_way_back_that_fails_leaves_an_aborted_transaction() {
    for over in [false, true] {
        with_relay(4096, |mut ends| async move {
            saved(&mut ends, SAVED).await;
            let tag = if over { "UPDATE 6" } else { "UPDATE 1" };
            put(&mut ends.server, &[done(tag), ready(b'T')].concat()).await;
            expect(&mut ends.server, &query(if over { BACK } else { RELEASE })).await;
            let failed = error("57014", "canceling statement due to user request");
            put(&mut ends.server, &[failed.clone(), ready(b'E')].concat()).await;
            if over {
                expect_refusal(&mut ends).await;
            } else {
                expect(&mut ends.client, &failed).await;
            }
            expect(&mut ends.client, &ready(b'E')).await;
            expect_standing(&mut ends, b'E').await;
        });
    }
}

#[test]
fn a_savepoint_that_fails_leaves_the_write_to_fail_by_itself() {
    with_relay(4096, |mut ends| async move {
        begin(&mut ends).await;
        put(&mut ends.client, &query(SAVED)).await;
        expect(&mut ends.server, &[query(SAVEPOINT), query(SAVED)].concat()).await;
        put(&mut ends.server, &[error("57014", "canceling statement"), ready(b'E')].concat()).await;
        let aborted = [error("25P02", "current transaction is aborted"), ready(b'E')].concat();
        put(&mut ends.server, &aborted).await;
        expect(&mut ends.client, &aborted).await;
        expect_standing(&mut ends, b'E').await;
    });
}

#[test]
fn outside_a_transaction_there_is_no_savepoint() {
    with_relay(4096, |mut ends| async move {
        guarded(&mut ends, SAVED).await;
        put(&mut ends.server, &[done("UPDATE 6"), ready(b'T')].concat()).await;
        expect_refusal(&mut ends).await;
        expect_rollback(&mut ends).await;
    });
}

#[test]
fn a_guarded_text_takes_data_of_a_copy_and_is_committed_behind_it() {
    with_relay(4096, |mut ends| async move {
        guarded(&mut ends, WRITE).await;
        put(&mut ends.server, &[done("UPDATE 5"), message(b'G', b"\0\0\0")].concat()).await;
        expect(&mut ends.client, &[done("UPDATE 5"), message(b'G', b"\0\0\0")].concat()).await;
        let data = [message(b'd', b"1\n").repeat(3), message(b'c', b"")].concat();
        put(&mut ends.client, &[data.clone(), query("SELECT 1")].concat()).await;
        expect(&mut ends.server, &data).await;
        expect_nothing(&mut ends.server).await;
        put(&mut ends.server, &[done("COPY 3"), ready(b'T')].concat()).await;
        expect(&mut ends.server, &query("COMMIT")).await;
        put(&mut ends.server, &[done("COMMIT"), ready(b'I')].concat()).await;
        expect(&mut ends.client, &[done("COPY 3"), ready(b'I')].concat()).await;
        expect(&mut ends.server, &query("SELECT 1")).await;
    });
}

#[test]
fn a_copy_behind_a_write_that_was_too_much_is_given_up_and_both_are_rolled_back() {
    with_relay(4096, |mut ends| async move {
        guarded(&mut ends, WRITE).await;
        put(&mut ends.server, &[done("UPDATE 6"), message(b'G', b"\0\0\0")].concat()).await;
        expect_refusal(&mut ends).await;
        assert_eq!(receive(&mut ends.server).await.0, b'f');
        put(&mut ends.client, &query("SELECT 2")).await;
        put(&mut ends.server, &[error("57014", "COPY from stdin failed"), ready(b'E')].concat()).await;
        expect(&mut ends.server, &query("ROLLBACK")).await;
        put(&mut ends.server, &[done("ROLLBACK"), ready(b'I')].concat()).await;
        expect(&mut ends.client, &ready(b'I')).await;
        expect(&mut ends.server, &query("SELECT 2")).await;
    });
}

#[test]
fn a_text_that_leaves_its_transaction_open_is_made_to_fail_in_it() {
    with_relay(4096, |mut ends| async move {
        let text = "open changes=5";
        put(&mut ends.client, &query(text)).await;
        expect(&mut ends.server, &query(text)).await;
        put(&mut ends.server, &[done("BEGIN"), done("UPDATE 6"), ready(b'T')].concat()).await;
        expect(&mut ends.client, &done("BEGIN")).await;
        expect_refusal(&mut ends).await;
        let (code, body) = receive(&mut ends.server).await;
        let word = String::from_utf8_lossy(&body).trim_end_matches('\0').to_owned();
        assert!(code == b'Q' && word.contains("floodwall_refused_"), "{word}");
        put(&mut ends.server, &[error("42601", &format!("syntax error at or near \"{word}\"")), ready(b'E')].concat())
            .await;
        expect(&mut ends.client, &ready(b'E')).await;
        expect_standing(&mut ends, b'E').await;
        assert_eq!(ends.book.borrow().excesses, [(Excess::Changes(6), Reach::Whole)]);
    });
}

#[test]
fn an_execute_is_guarded_outside_a_transaction_and_by_no_savepoint_inside() {
    with_relay(4096, |mut ends| async move {
        let text = "execute changes=5 savepoint";
        guarded(&mut ends, text).await;
        put(&mut ends.server, &[done("UPDATE 6"), ready(b'T')].concat()).await;
        expect_refusal(&mut ends).await;
        expect(&mut ends.server, &query("ROLLBACK")).await;
        put(&mut ends.server, &[done("ROLLBACK"), ready(b'I')].concat()).await;
        expect(&mut ends.client, &ready(b'I')).await;
        begin(&mut ends).await;
        put(&mut ends.client, &query(text)).await;
        expect(&mut ends.server, &query(text)).await;
        let reply = [done("UPDATE 5"), ready(b'T')].concat();
        put(&mut ends.server, &reply).await;
        expect(&mut ends.client, &reply).await;
    });
}

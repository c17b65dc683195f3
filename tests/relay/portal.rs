//! Writes of the extended protocol behind savepoints of ours: each portal is taken back alone, and the client's pipeline goes on.

use bytes::BytesMut;
use floodwall::session::watch::{Excess, Reach};
use floodwall::wire::pg::errand::write;
use floodwall::wire::{Errand, Form};

use crate::steps::{begin, done, execute, expect_refusal, expect_standing, prepared};
use crate::support::{Ends, error, expect, expect_nothing, flush, message, put, ready, receive, sync, with_relay};

const SAVED: &str = "write changes=5 savepoint";

fn ours(errand: Errand<'_>) -> Vec<u8> {
    let mut out = BytesMut::new();
    write(errand, &mut out, |_| {});
    out.to_vec()
}

fn savepoint() -> Vec<u8> {
    ours(Errand::Savepoint(Form::Pipeline))
}

/// What a server says to one of ours.
fn step(tag: &str) -> Vec<u8> {
    let closed = message(b'3', b"");
    [closed.clone(), message(b'1', b""), message(b'2', b""), done(tag), closed.clone(), closed].concat()
}

fn set(state: u8) -> Vec<u8> {
    [step("SAVEPOINT"), ready(state)].concat()
}

fn parts() -> Vec<u8> {
    [message(b'1', b""), message(b'2', b"")].concat()
}

/// Sends a write with what follows it; the server has it behind a savepoint of ours, and has answered all before it.
async fn saved(ends: &mut Ends, text: &str, behind: &[u8]) {
    put(&mut ends.client, &[prepared(text), execute(), behind.to_vec()].concat()).await;
    let guarded = [prepared(text), sync(), savepoint(), execute(), sync()].concat();
    expect(&mut ends.server, &guarded).await;
    put(&mut ends.server, &[parts(), ready(b'T'), set(b'T')].concat()).await;
    expect(&mut ends.client, &parts()).await;
}

async fn released(ends: &mut Ends, tag: &str) {
    put(&mut ends.server, &[done(tag), ready(b'T')].concat()).await;
    expect(&mut ends.server, &ours(Errand::Release(Form::Pipeline))).await;
    expect_nothing(&mut ends.client).await;
    put(&mut ends.server, &[step("RELEASE"), ready(b'T')].concat()).await;
    expect(&mut ends.client, &done(tag)).await;
}

#[test]
fn a_portal_within_its_budget_is_released_and_its_pipeline_goes_on() {
    with_relay(4096, |mut ends| async move {
        begin(&mut ends).await;
        saved(&mut ends, SAVED, &sync()).await;
        released(&mut ends, "UPDATE 5").await;
        expect(&mut ends.server, &sync()).await;
        put(&mut ends.server, &ready(b'T')).await;
        expect(&mut ends.client, &ready(b'T')).await;
        expect_standing(&mut ends, b'T').await;
        let book = ends.book.borrow();
        assert!(book.excesses.is_empty());
        assert_eq!(book.boundaries.len(), 3, "the client's alone: {:?}", book.boundaries);
    });
}

#[test]
fn a_portal_over_its_budget_goes_back_alone_and_the_rest_of_its_pipeline_goes_nowhere() {
    with_relay(4096, |mut ends| async move {
        begin(&mut ends).await;
        saved(&mut ends, SAVED, &[prepared("INSERT"), execute(), flush(), sync()].concat()).await;
        put(&mut ends.server, &[done("UPDATE 6"), ready(b'T')].concat()).await;
        expect_refusal(&mut ends).await;
        expect(&mut ends.server, &ours(Errand::RollbackTo(Form::Pipeline))).await;
        expect_nothing(&mut ends.client).await;
        put(&mut ends.server, &[step("ROLLBACK"), step("RELEASE"), ready(b'T')].concat()).await;
        expect(&mut ends.client, &ready(b'T')).await;
        expect_nothing(&mut ends.server).await;
        expect_standing(&mut ends, b'T').await;
        assert_eq!(ends.book.borrow().excesses, [(Excess::Changes(6), Reach::Whole)]);
    });
}

#[test]
fn each_portal_of_a_pipeline_has_a_savepoint_of_its_own() {
    with_relay(4096, |mut ends| async move {
        begin(&mut ends).await;
        saved(&mut ends, SAVED, &[execute(), prepared("SELECT 1"), execute(), execute(), sync()].concat()).await;
        released(&mut ends, "UPDATE 1").await;
        // Nothing is owed, so there is nothing to be ended by a Sync.
        expect(&mut ends.server, &[savepoint(), execute(), sync()].concat()).await;
        put(&mut ends.server, &set(b'T')).await;
        released(&mut ends, "UPDATE 2").await;
        expect(&mut ends.server, &[prepared("SELECT 1"), execute(), execute(), sync()].concat()).await;
        let reply = [parts(), done("SELECT 1"), done("SELECT 1"), ready(b'T')].concat();
        put(&mut ends.server, &reply).await;
        expect(&mut ends.client, &reply).await;
        expect_standing(&mut ends, b'T').await;
    });
}

#[test]
fn what_was_run_before_in_the_pipeline_is_answered_first() {
    with_relay(4096, |mut ends| async move {
        begin(&mut ends).await;
        let before = [prepared("SELECT 1"), execute()].concat();
        put(&mut ends.client, &[before.clone(), prepared(SAVED), execute(), sync()].concat()).await;
        expect(&mut ends.server, &[before, prepared(SAVED), flush()].concat()).await;
        expect_nothing(&mut ends.server).await;
        let reply = [parts(), done("SELECT 1"), parts()].concat();
        put(&mut ends.server, &reply).await;
        expect(&mut ends.client, &reply).await;
        expect(&mut ends.server, &[sync(), savepoint(), execute(), sync()].concat()).await;
        put(&mut ends.server, &[ready(b'T'), set(b'T')].concat()).await;
        released(&mut ends, "UPDATE 1").await;
        expect(&mut ends.server, &sync()).await;
    });
}

#[test]
fn what_fails_before_it_skips_it_as_ever() {
    with_relay(4096, |mut ends| async move {
        begin(&mut ends).await;
        put(&mut ends.client, &[prepared(SAVED), execute(), prepared("INSERT"), execute(), sync()].concat()).await;
        expect(&mut ends.server, &[prepared(SAVED), sync(), savepoint(), execute(), sync()].concat()).await;
        let (failed, aborted) = (error("42P01", "no such table"), error("25P02", "transaction is aborted"));
        put(&mut ends.server, &[failed.clone(), ready(b'E'), aborted.clone(), ready(b'E')].concat()).await;
        expect(&mut ends.client, &failed).await;
        put(&mut ends.server, &[aborted, ready(b'E')].concat()).await;
        expect(&mut ends.client, &ready(b'E')).await;
        expect_nothing(&mut ends.server).await;
        expect_standing(&mut ends, b'E').await;
        assert_eq!(ends.book.borrow().failures, ["42P01"]);
    });
}

#[test]
fn what_fails_by_itself_aborts_the_transaction_as_ever() {
    with_relay(4096, |mut ends| async move {
        begin(&mut ends).await;
        saved(&mut ends, SAVED, &[prepared("INSERT"), execute(), sync()].concat()).await;
        let failed = error("22012", "division by zero");
        put(&mut ends.server, &[failed.clone(), ready(b'E')].concat()).await;
        expect(&mut ends.client, &[failed, ready(b'E')].concat()).await;
        expect_nothing(&mut ends.server).await;
        expect_standing(&mut ends, b'E').await;
    });
}

#[test]
fn a_returning_that_is_cut_goes_back_though_the_cancel_hit_it() {
    with_relay(4096, |mut ends| async move {
        begin(&mut ends).await;
        saved(&mut ends, "write rows=2 changes=5 savepoint", &sync()).await;
        let row = message(b'D', b"\0\0");
        put(&mut ends.server, &row.repeat(3)).await;
        expect(&mut ends.client, &row.repeat(2)).await;
        expect_refusal(&mut ends).await;
        put(&mut ends.server, &[error("57014", "canceling statement"), ready(b'E')].concat()).await;
        expect_nothing(&mut ends.server).await;
        ends.book.borrow_mut().close_cancel();
        expect(&mut ends.server, &ours(Errand::RollbackTo(Form::Pipeline))).await;
        put(&mut ends.server, &[step("ROLLBACK"), step("RELEASE"), ready(b'T')].concat()).await;
        expect(&mut ends.client, &ready(b'T')).await;
        expect_standing(&mut ends, b'T').await;
    });
}

#[test]
fn a_savepoint_a_release_or_a_way_back_that_fails_leaves_an_aborted_transaction() {
    let (canceled, aborted) = (error("57014", "canceling statement"), error("25P02", "transaction is aborted"));
    for tag in ["", "UPDATE 1", "UPDATE 6"] {
        let (canceled, aborted) = (canceled.clone(), aborted.clone());
        with_relay(4096, |mut ends| async move {
            begin(&mut ends).await;
            put(&mut ends.client, &[prepared(SAVED), execute(), sync()].concat()).await;
            expect(&mut ends.server, &[prepared(SAVED), sync(), savepoint(), execute(), sync()].concat()).await;
            put(&mut ends.server, &[parts(), ready(b'T')].concat()).await;
            expect(&mut ends.client, &parts()).await;
            if tag.is_empty() {
                put(&mut ends.server, &[canceled, ready(b'E'), aborted.clone(), ready(b'E')].concat()).await;
                expect(&mut ends.client, &aborted).await;
            } else {
                put(&mut ends.server, &[set(b'T'), done(tag), ready(b'T')].concat()).await;
                let over = tag == "UPDATE 6";
                let errand = if over { Errand::RollbackTo(Form::Pipeline) } else { Errand::Release(Form::Pipeline) };
                expect(&mut ends.server, &ours(errand)).await;
                put(&mut ends.server, &[canceled.clone(), ready(b'E')].concat()).await;
                if over {
                    expect_refusal(&mut ends).await;
                } else {
                    expect(&mut ends.client, &canceled).await;
                }
            }
            expect(&mut ends.client, &ready(b'E')).await;
            expect_standing(&mut ends, b'E').await;
        });
    }
}

/// Behind a COMMIT in the same pipeline there is nothing that a savepoint could stand in, and portions of a RETURNING have all been
/// written with the first.
#[test]
fn where_a_savepoint_would_not_hold_the_transaction_is_aborted() {
    for text in ["write changes=5 savepoint returned=0", "other changes=5 savepoint"] {
        with_relay(4096, |mut ends| async move {
            begin(&mut ends).await;
            put(&mut ends.client, &[prepared(text), execute(), sync()].concat()).await;
            expect(&mut ends.server, &[prepared(text), execute(), flush()].concat()).await;
            put(&mut ends.server, &[parts(), done("UPDATE 6")].concat()).await;
            expect(&mut ends.client, &parts()).await;
            expect_refusal(&mut ends).await;
            assert_eq!(receive(&mut ends.server).await.0, b'P', "the pipeline is made to fail");
        });
    }
    with_relay(4096, |mut ends| async move {
        begin(&mut ends).await;
        let commit = [prepared("other COMMIT"), execute()].concat();
        let all = [commit, prepared(SAVED), execute()].concat();
        put(&mut ends.client, &[all.clone(), sync()].concat()).await;
        expect(&mut ends.server, &[all, flush()].concat()).await;
    });
}

#[test]
fn a_goodbye_behind_a_guarded_portal_waits_for_its_release() {
    with_relay(4096, |mut ends| async move {
        begin(&mut ends).await;
        saved(&mut ends, SAVED, &[sync(), message(b'X', b"")].concat()).await;
        released(&mut ends, "UPDATE 1").await;
        expect(&mut ends.server, &sync()).await;
        put(&mut ends.server, &ready(b'T')).await;
        expect(&mut ends.server, &message(b'X', b"")).await;
    });
}

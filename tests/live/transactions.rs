//! A refusal inside a transaction or a pipeline: the server aborts as well, and nothing is half written.

use tokio_postgres::error::SqlState;

use crate::rules::site;
use crate::support::raw::{self, Message, Raw, codes, reply_codes, sqlstates};
use crate::support::site::Site;

const REFUSED: &str = "DELETE FROM small";
const NEVER: &str = "54000";
const ABORTED: &str = "25P02";

#[test]
fn commit_after_a_refusal_commits_nothing_in_the_simple_protocol() {
    let Some(site) = scene("tx_simple") else { return };
    let mut client = site.raw();
    client.query("BEGIN");
    client.query("INSERT INTO kept VALUES (1)");
    let refused = client.query(REFUSED);
    assert_refused_in_transaction(&refused);
    assert_eq!(sqlstates(&client.query("INSERT INTO kept VALUES (2)")), [ABORTED]);
    assert_rolled_back(&client.query("COMMIT"));
    assert_nothing_written(site, client);
}

#[test]
fn commit_after_a_refusal_commits_nothing_in_the_extended_protocol() {
    let Some(site) = scene("tx_extended") else { return };
    let mut client = site.raw();
    let mut step = |sql: &str| {
        client.send_all(&[raw::run(sql), raw::sync()]);
        client.until(b"Z")
    };
    step("BEGIN");
    step("INSERT INTO kept VALUES (1)");
    assert_refused_in_transaction(&step(REFUSED));
    assert_eq!(sqlstates(&step("INSERT INTO kept VALUES (2)")), [ABORTED]);
    assert_rolled_back(&step("COMMIT")[2..]);
    assert_nothing_written(site, client);
}

#[test]
fn commit_after_a_refusal_commits_nothing_in_a_pipeline_of_many_syncs() {
    let Some(site) = scene("tx_syncs") else { return };
    let mut client = site.raw();
    let steps = ["BEGIN", "INSERT INTO kept VALUES (1)", REFUSED, "INSERT INTO kept VALUES (2)", "COMMIT", "SELECT 9"];
    let batch: Vec<Vec<u8>> = steps.iter().flat_map(|sql| [raw::run(sql), raw::sync()]).collect();
    client.send_all(&batch);
    let replies: Vec<Vec<Message>> = steps.iter().map(|_| client.until(b"Z")).collect();
    assert_refused_in_transaction(&replies[2]);
    assert_eq!(sqlstates(&replies[3]), [ABORTED]);
    assert_rolled_back(&replies[4][2..]);
    assert_eq!(reply_codes(&replies[5]), "1 2 D C Z");
    assert_nothing_written(site, client);
}

#[test]
fn a_refusal_in_a_pipeline_of_one_sync_undoes_all_of_it() {
    let Some(site) = scene("tx_sync") else { return };
    let mut client = site.raw();
    let batch = [raw::run("INSERT INTO kept VALUES (1)"), raw::run(REFUSED), raw::run("INSERT INTO kept VALUES (2)")];
    client.send_all(&[batch.concat(), raw::sync(), raw::run("SELECT 8"), raw::sync()]);
    let reply = client.until(b"Z");
    assert_eq!(reply_codes(&reply), "1 2 C E Z");
    assert_eq!(sqlstates(&reply), [NEVER]);
    assert_eq!(reply.last().unwrap().body, b"I");
    assert_eq!(reply_codes(&client.until(b"Z")), "1 2 D C Z");
    assert_nothing_written(site, client);
}

#[test]
fn a_whole_transaction_in_a_pipeline_of_one_sync_commits_nothing() {
    let Some(site) = scene("tx_whole") else { return };
    let mut client = site.raw();
    let steps = ["BEGIN", "INSERT INTO kept VALUES (1)", REFUSED, "COMMIT"];
    let batch: Vec<Vec<u8>> = steps.iter().map(|sql| raw::run(sql)).collect();
    client.send_all(&[batch.concat(), raw::sync()]);
    let reply = client.until(b"Z");
    assert_eq!(sqlstates(&reply), [NEVER]);
    assert_eq!(reply.last().unwrap().body, b"E");
    assert_rolled_back(&client.query("COMMIT"));
    assert_nothing_written(site, client);
}

#[test]
fn simple_queries_sent_without_waiting_commit_nothing() {
    let Some(site) = scene("tx_eager") else { return };
    let mut client = site.raw();
    let steps = ["BEGIN", "INSERT INTO kept VALUES (1)", REFUSED, "INSERT INTO kept VALUES (2)", "COMMIT"];
    client.send_all(&steps.map(raw::query));
    let replies: Vec<Vec<Message>> = steps.iter().map(|_| client.until(b"Z")).collect();
    let all: Vec<String> = replies.iter().map(|reply| reply_codes(reply)).collect();
    assert_eq!(all, ["C Z", "C Z", "E Z", "E Z", "C Z"]);
    assert_refused_in_transaction(&replies[2]);
    assert_eq!(sqlstates(&replies[3]), [ABORTED]);
    assert_rolled_back(&replies[4]);
    assert_nothing_written(site, client);
}

#[test]
fn a_savepoint_that_is_rolled_back_to_keeps_the_rest() {
    let Some(site) = scene("tx_savepoint") else { return };
    let mut client = site.raw();
    for sql in ["BEGIN", "INSERT INTO kept VALUES (1)", "SAVEPOINT s"] {
        assert_eq!(reply_codes(&client.query(sql)), "C Z");
    }
    assert_refused_in_transaction(&client.query(REFUSED));
    for sql in ["ROLLBACK TO s", "INSERT INTO kept VALUES (2)", "COMMIT"] {
        assert_eq!(reply_codes(&client.query(sql)), "C Z", "{sql}");
    }
    assert_eq!(client.rows("SELECT sum(n), count(*) FROM kept"), [["3", "2"]]);
    drop(client);
    site.finish();
}

#[test]
fn a_savepoint_in_a_pipeline_keeps_the_rest() {
    let Some(site) = scene("tx_savepipe") else { return };
    let mut client = site.raw();
    let steps = [
        "BEGIN",
        "INSERT INTO kept VALUES (1)",
        "SAVEPOINT s",
        REFUSED,
        "ROLLBACK TO s",
        "INSERT INTO kept VALUES (2)",
        "COMMIT",
    ];
    let batch: Vec<Vec<u8>> = steps.iter().flat_map(|sql| [raw::run(sql), raw::sync()]).collect();
    client.send_all(&batch);
    let states: Vec<u8> = steps.iter().map(|_| client.until(b"Z").last().unwrap().body[0]).collect();
    assert_eq!(states, *b"TTTETTI");
    assert_eq!(client.rows("SELECT sum(n), count(*) FROM kept"), [["3", "2"]]);
    drop(client);
    site.finish();
}

#[test]
fn a_refused_text_of_several_statements_aborts_the_transaction_it_stands_in() {
    let Some(site) = scene("tx_text") else { return };
    let mut client = site.raw();
    client.query("BEGIN");
    client.query("INSERT INTO kept VALUES (1)");
    // The COMMIT in the text must not run either: nothing of a refused text does.
    assert_refused_in_transaction(&client.query(&format!("COMMIT; {REFUSED}")));
    assert_rolled_back(&client.query("COMMIT"));
    assert_nothing_written(site, client);
}

#[test]
fn a_refusal_in_a_failed_transaction_leaves_it_failed() {
    let Some(site) = scene("tx_failed") else { return };
    let mut client = site.raw();
    client.query("BEGIN");
    client.query("INSERT INTO kept VALUES (1)");
    client.query("SELECT 1/0");
    let reply = client.query(REFUSED);
    assert_eq!(reply_codes(&reply), "E Z");
    assert_eq!(reply[1].body, b"E");
    assert_rolled_back(&client.query("COMMIT"));
    assert_nothing_written(site, client);
}

#[test]
fn a_refused_prepare_in_a_transaction_keeps_earlier_statements() {
    let Some(site) = scene("tx_prepared") else { return };
    let mut client = site.raw();
    client.send_all(&[raw::parse("good", "SELECT 3"), raw::sync()]);
    client.until(b"Z");
    client.query("BEGIN");
    client.send_all(&[raw::parse("bad", REFUSED), raw::describe_statement("bad"), raw::flush()]);
    assert_eq!(sqlstates(&client.until(b"E")), [NEVER]);
    client.send_all(&[raw::bind("good", &[]), raw::execute(), raw::sync()]);
    let reply = client.until(b"Z");
    assert_eq!(codes(&reply), "Z", "everything up to Sync is skipped");
    assert_eq!(reply[0].body, b"E");
    client.query("ROLLBACK");
    client.send_all(&[raw::bind("good", &[]), raw::execute(), raw::sync()]);
    assert_eq!(reply_codes(&client.until(b"Z")), "2 D C Z");
    drop(client);
    site.finish();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_driver_sees_an_aborted_transaction() {
    let Some(site) = scene("tx_driver") else { return };
    let mut client = site.session("postgres").await;
    let transaction = client.transaction().await.unwrap();
    transaction.execute("INSERT INTO kept VALUES ($1)", &[&1_i32]).await.unwrap();
    let refused = transaction.execute(REFUSED, &[]).await.unwrap_err();
    assert_eq!(refused.code(), Some(&SqlState::PROGRAM_LIMIT_EXCEEDED));
    let next = transaction.execute("INSERT INTO kept VALUES ($1)", &[&2_i32]).await.unwrap_err();
    assert_eq!(next.code(), Some(&SqlState::IN_FAILED_SQL_TRANSACTION));
    transaction.commit().await.unwrap();
    let count = client.query_one("SELECT count(*) FROM kept", &[]).await.unwrap();
    assert_eq!(count.get::<_, i64>(0), 0);
    drop(client);
    site.finish();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_driver_that_pipelines_keeps_its_other_statements() {
    let Some(site) = scene("tx_join") else { return };
    let client = site.session("postgres").await;
    let (one, refused, two) = tokio::join!(
        client.query("SELECT n FROM small ORDER BY n LIMIT 5", &[]),
        client.query("SELECT * FROM big", &[]),
        client.query("SELECT count(*) FROM big", &[]),
    );
    assert_eq!(one.unwrap().len(), 5);
    assert_eq!(refused.unwrap_err().code(), Some(&SqlState::PROGRAM_LIMIT_EXCEEDED));
    assert_eq!(two.unwrap()[0].get::<_, i64>(0), 400_000);
    drop(client);
    site.finish();
}

/// The rules' tables and an empty table `kept`.
fn scene(label: &str) -> Option<Site> {
    let site = site(label, "")?;
    site.direct_sql("CREATE TABLE kept (n int)");
    Some(site)
}

fn assert_refused_in_transaction(reply: &[Message]) {
    assert_eq!(sqlstates(reply), [NEVER]);
    assert!(reply_codes(reply).ends_with("E Z"), "{}", codes(reply));
    assert!(
        reply.iter().any(|m| m.field(b'M').is_some_and(|text| text.starts_with("FLOODWALL[rule=unfiltered_write]")))
    );
    assert_eq!(reply.last().unwrap().body, b"E", "the transaction is aborted");
}

/// COMMIT of an aborted transaction is answered with the tag ROLLBACK.
fn assert_rolled_back(reply: &[Message]) {
    assert_eq!(reply_codes(reply), "C Z");
    assert_eq!(reply[0].body, raw::cstring("ROLLBACK"));
    assert_eq!(reply.last().unwrap().body, b"I");
}

fn assert_nothing_written(site: Site, mut client: Raw) {
    assert_eq!(client.rows("SELECT count(*) FROM kept"), [["0"]]);
    assert_eq!(client.rows("SELECT count(*) FROM small"), [["100"]]);
    drop(client);
    assert_eq!(site.direct_sql("SELECT count(*) FROM kept"), "0");
    site.finish();
}

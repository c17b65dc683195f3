//! Statements and transactions that take too long, in front of a real server.

use std::time::Duration;

use crate::support::floodwall::direct;
use crate::support::process::{SOON, wait_until};
use crate::support::raw::{self, Message, reply_codes, sqlstates};
use crate::support::site::Site;

const SLEEP: &str = "SELECT pg_sleep(60)";
/// No other statement is as late as that, however busy the machine is.
const STATEMENT: &str = "[rules.statement_timeout]\nmode = 'enforce'\nlimit = '3s'";
const VERDICTS: &str = "floodwall_rule_verdicts_total";

#[test]
fn a_statement_that_runs_too_long_is_cancelled_and_the_session_goes_on() {
    let Some(site) = site("slow_statement", STATEMENT) else { return };
    let mut client = site.raw();
    assert_stopped(&client.query(SLEEP), b'I');
    client.send_all(&[raw::run(SLEEP), raw::sync()]);
    assert_stopped(&client.until(b"Z"), b'I');
    client.send_all(&[raw::run(SLEEP), raw::flush()]);
    assert_eq!(sqlstates(&client.until(b"E")), ["57014"]);
    client.send(&raw::sync());
    assert_eq!(reply_codes(&client.until(b"Z")), "Z");
    // What the client sets is the server's affair: Floodwall keeps the time itself.
    assert_eq!(sqlstates(&client.query("SET statement_timeout = 0")), [""; 0]);
    assert_stopped(&client.query(SLEEP), b'I');
    assert_eq!(client.rows("SELECT 1"), [["1"]]);
    assert!(site.proxy.metric(VERDICTS, &["statement_timeout", "enforce"]) >= 4.0);
    drop(client);
    site.finish();
}

#[test]
fn a_late_statement_fails_its_transaction_and_nothing_else() {
    let Some(site) = site("slow_in_transaction", STATEMENT) else { return };
    let mut client = site.raw();
    client.query("BEGIN");
    client.query("INSERT INTO notes VALUES (1)");
    client.query("SAVEPOINT here");
    assert_stopped(&client.query("INSERT INTO notes SELECT 2 FROM pg_sleep(60)"), b'E');
    assert_eq!(sqlstates(&client.query("SELECT 1")), ["25P02"]);
    assert_eq!(sqlstates(&client.query("ROLLBACK TO here")), [""; 0]);
    client.query("INSERT INTO notes VALUES (3)");
    client.query("COMMIT");
    assert_eq!(site.direct_sql("SELECT sum(n) FROM notes"), "4");
    // What comes right behind a late statement is not hit by its cancel.
    for number in 0..3 {
        client.send_all(&[raw::query(SLEEP), raw::query(&format!("INSERT INTO notes VALUES (1{number})"))]);
        assert_stopped(&client.until(b"Z"), b'I');
        assert_eq!(sqlstates(&client.until(b"Z")), [""; 0]);
    }
    assert_eq!(site.direct_sql("SELECT count(*) FROM notes"), "5");
    drop(client);
    site.finish();
}

#[test]
fn a_copy_whose_client_sends_nothing_is_given_up() {
    let Some(site) = site("slow_copy", STATEMENT) else { return };
    let mut client = site.raw();
    client.send(&raw::query("COPY notes FROM STDIN"));
    client.until(b"G");
    client.send(&raw::frame(b'd', b"1\n"));
    assert_stopped(&client.until(b"Z"), b'I');
    // A client that has not read the error yet sends on.
    client.send_all(&[raw::frame(b'd', b"2\n"), raw::frame(b'c', b"")]);
    assert_eq!(client.rows("SELECT count(*) FROM notes"), [["0"]]);
    drop(client);
    site.finish();
}

#[test]
fn a_transaction_that_idles_too_long_ends_with_its_session() {
    let idle = "[rules.idle_transaction_timeout]\nmode = 'enforce'\nlimit = '1s'";
    let Some(site) = site("idle_transaction", idle) else { return };
    let mut client = site.raw();
    client.query("BEGIN; INSERT INTO notes VALUES (1)");
    assert_ended(&client.rest().unwrap(), "25P03", "idle_transaction_timeout");
    assert_gone(&site);
    assert_eq!(site.proxy.metric(VERDICTS, &["idle_transaction_timeout", "enforce"]), 1.0);
    // Who is not in a transaction may idle.
    let mut client = site.raw();
    assert!(client.is_silent(Duration::from_millis(2500)));
    assert_eq!(client.rows("SELECT count(*) FROM notes"), [["0"]]);
    drop(client);
    site.finish();
}

#[test]
fn a_transaction_that_stays_open_too_long_ends_with_its_session() {
    let open = "[rules.transaction_timeout]\nmode = 'enforce'\nlimit = '2s'";
    let Some(site) = site("long_transaction", open) else { return };
    let mut client = site.raw();
    // At once: on a busy machine the session might end between the two.
    client.send_all(&[raw::query("BEGIN; INSERT INTO notes VALUES (1)"), raw::query(SLEEP)]);
    assert_ended(&client.rest().unwrap(), "25P04", "transaction_timeout");
    assert_gone(&site);
    assert_eq!(site.direct_sql("SELECT count(*) FROM notes"), "0");
    site.finish();
}

#[test]
fn a_transaction_counts_from_its_begin_though_no_boundary_followed_it() {
    let open = "[rules.transaction_timeout]\nmode = 'enforce'\nlimit = '2s'";
    let Some(site) = site("long_unbounded", open) else { return };
    let mut client = site.raw();
    for sent in [
        raw::query(&format!("BEGIN; INSERT INTO notes VALUES (1); {SLEEP}")),
        [raw::run("BEGIN"), raw::run(SLEEP), raw::flush()].concat(),
    ] {
        client.send(&sent);
        assert_ended(&client.rest().unwrap(), "25P04", "transaction_timeout");
        assert_gone(&site);
        client = site.raw();
    }
    // A statement alone is no transaction that anybody opened.
    assert_eq!(sqlstates(&client.query("SELECT pg_sleep(3)")), [""; 0]);
    assert_eq!(site.direct_sql("SELECT count(*) FROM notes"), "0");
    drop(client);
    site.finish();
}

#[test]
fn warn_counts_each_and_ends_nothing() {
    let warn = ["statement", "transaction", "idle_transaction"]
        .map(|what| format!("[rules.{what}_timeout]\nmode = 'warn'\nlimit = '300ms'"))
        .join("\n");
    let Some(site) = site("late_warned", &warn) else { return };
    let mut client = site.raw();
    client.query("BEGIN");
    assert_eq!(sqlstates(&client.query("SELECT pg_sleep(1.5)")), [""; 0]);
    assert!(client.is_silent(Duration::from_millis(1500)));
    assert_eq!(sqlstates(&client.query("COMMIT")), [""; 0]);
    for what in ["statement_timeout", "transaction_timeout", "idle_transaction_timeout"] {
        let told = |mode: &str| site.proxy.metric(VERDICTS, &[&format!("\"{what}\""), mode]);
        // On a busy machine more may be late than what was made to be.
        assert!(told("warn") >= 1.0, "{what}");
        assert_eq!(told("enforce"), 0.0, "{what}");
    }
    assert_eq!(site.proxy.metric(VERDICTS, &["\"transaction_timeout\"", "warn"]), 1.0, "once for each transaction");
    drop(client);
    site.finish();
}

fn site(label: &str, overrides: &str) -> Option<Site> {
    (!direct()).then(|| Site::prepared(label, overrides, "CREATE TABLE notes (n int)"))
}

/// One error, ours, and the session goes on.
fn assert_stopped(reply: &[Message], state: u8) {
    assert_eq!(sqlstates(reply), ["57014"]);
    let error = reply.iter().find(|message| message.code == b'E').unwrap();
    assert!(error.field(b'M').unwrap().starts_with("FLOODWALL[rule=statement_timeout]"), "{}", error.summary());
    assert_eq!(reply.last().unwrap().body, [state]);
}

fn assert_ended(rest: &[Message], sqlstate: &str, rule: &str) {
    let error = rest.iter().find(|message| message.code == b'E').unwrap();
    assert_eq!((error.sqlstate().as_str(), error.field(b'S').unwrap().as_str()), (sqlstate, "FATAL"));
    assert!(error.field(b'M').unwrap().starts_with(&format!("FLOODWALL[rule={rule}]")), "{}", error.summary());
}

/// No session of the database is left at the server.
fn assert_gone(site: &Site) {
    let others = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid() \
                  AND state IS DISTINCT FROM 'idle'";
    assert!(wait_until(SOON, || site.direct_sql(others) == "0"), "the server's session is still there");
}

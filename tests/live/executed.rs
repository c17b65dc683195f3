//! `EXECUTE` by SQL of what a client has prepared by the protocol, where servers are lent: as sqlx asks for the plans of its queries.

use crate::pooling::Pooled;
use crate::support::floodwall::direct;
use crate::support::raw::{self, Raw, reply_codes, sqlstates};

/// For clients that write their messages themselves.
const NO_PASSWORD: &str = "[[access]]\nuser = 'app'\naddress = '127.0.0.0/8'\nmethod = 'trust'";

fn raw_client(pooled: &Pooled) -> Raw {
    Raw::login(pooled.site.proxy.port, "app", &pooled.site.database).unwrap()
}

#[test]
fn sql_executes_what_the_protocol_has_prepared_at_whatever_server() {
    if direct() {
        return;
    }
    let pooled = Pooled::new("pool_execute", 2, NO_PASSWORD);
    pooled.site.direct_sql("CREATE TABLE executed (n int); GRANT ALL ON executed TO app");
    let (mut client, mut other) = (raw_client(&pooled), raw_client(&pooled));
    for (name, text) in [("s0", "SELECT $1::int + 40"), ("w", "INSERT INTO executed VALUES ($1)")] {
        client.send(&[raw::parse(name, text), raw::sync()].concat());
        assert_eq!(reply_codes(&client.until(b"Z")), "1 Z");
    }
    let explained = [
        raw::parse("", "EXPLAIN (COSTS off) EXECUTE s0(NULL)"),
        raw::parse("runs", "execute S0(2)"),
        raw::describe_statement("runs"),
        raw::sync(),
    ];
    client.send(&explained.concat());
    assert_eq!(reply_codes(&client.until(b"Z")), "1 1 t T Z");
    let asks = |name: &str| [raw::bind(name, &[]), raw::execute(), raw::sync()].concat();
    // At a server, and at the other one while somebody holds that.
    for begins in [false, true] {
        if begins {
            other.query("BEGIN; SELECT 1");
        }
        assert_eq!(client.rows("EXECUTE s0(2)"), [["42"]]);
        assert_eq!(client.rows("EXPLAIN (COSTS off) EXECUTE s0(2);"), [["Result"]]);
        assert_eq!(reply_codes(&client.query("EXECUTE w(1)")), "C Z");
        assert_eq!(sqlstates(&client.query("EXECUTE s0('x')")), ["22P02"]);
        client.send(&asks("runs"));
        assert_eq!(reply_codes(&client.until(b"Z")), "2 D C Z");
    }
    client.send(&[raw::parse("", "EXPLAIN EXECUTE s0(NULL)"), asks("")].concat());
    assert!(reply_codes(&client.until(b"Z")).starts_with("1 2 D"));
    other.query("ROLLBACK");
    client.query("BEGIN");
    assert_eq!(client.rows("EXECUTE s0(2)"), [["42"]]);
    assert_eq!(sqlstates(&client.query("SELECT 1/0")), ["22012"]);
    assert_eq!(sqlstates(&client.query("EXECUTE s0(2)")), ["25P02"]);
    client.query("ROLLBACK");
    assert_eq!(client.rows("SELECT count(*) FROM executed"), [["2"]]);
    drop((client, other));
    pooled.finish();
}

#[test]
fn nobody_executes_what_is_not_theirs_or_was_theirs_before() {
    if direct() {
        return;
    }
    let pooled = Pooled::new("pool_execute_own", 1, NO_PASSWORD);
    let (mut client, mut other) = (raw_client(&pooled), raw_client(&pooled));
    let asks = [raw::bind("runs", &[]), raw::execute(), raw::sync()].concat();
    client.send(&[raw::parse("a", "SELECT 1"), raw::parse("runs", "EXECUTE a"), asks.clone()].concat());
    assert_eq!(reply_codes(&client.until(b"Z")), "1 1 2 D C Z");
    // Whatever the number of the first one is.
    let names = other.rows("SELECT name FROM pg_prepared_statements");
    assert!(!names.is_empty());
    for name in names.concat().iter().map(String::as_str).chain(["a"]) {
        assert_eq!(sqlstates(&other.query(&format!("EXECUTE \"{name}\""))), ["26000"], "{name}");
    }
    client.send(&[raw::close_statement("a"), raw::parse("a", "SELECT 2"), asks.clone()].concat());
    assert_eq!(sqlstates(&client.until(b"Z")), ["26000"]);
    assert_eq!(client.rows("EXECUTE a"), [["2"]]);
    assert_eq!(reply_codes(&client.query("DEALLOCATE a")), "C Z");
    assert_eq!(sqlstates(&client.query("EXECUTE a")), ["26000"]);
    // What SQL has prepared is run by SQL as ever.
    client.query("PREPARE a AS SELECT 3");
    assert_eq!(client.rows("EXECUTE a"), [["3"]]);
    client.query("DEALLOCATE a");
    drop((client, other));
    pooled.finish();
}

/// As with a Bind: the server reads the text under its settings of now.
#[test]
fn what_was_prepared_under_other_settings_is_executed_at_a_server_that_has_not_got_it() {
    if direct() {
        return;
    }
    let pooled = Pooled::new("pool_execute_set", 2, NO_PASSWORD);
    let (mut client, mut other) = (raw_client(&pooled), raw_client(&pooled));
    client.send(&[raw::parse("a", "SELECT $1::int + 1"), raw::sync()].concat());
    assert_eq!(reply_codes(&client.until(b"Z")), "1 Z");
    client.query("SET xmloption TO 'document'");
    other.query("BEGIN; SELECT 1");
    assert_eq!(client.rows("EXECUTE a(2)"), [["3"]]);
    other.query("ROLLBACK");
    client.query("CREATE TEMP TABLE own (n int)");
    client.send(&[raw::parse("", "EXECUTE a(3)"), raw::bind("", &[]), raw::execute(), raw::sync()].concat());
    assert_eq!(reply_codes(&client.until(b"Z")), "1 2 D C Z");
    client.query("DISCARD ALL");
    drop((client, other));
    pooled.finish();
}

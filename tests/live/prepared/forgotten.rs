//! Functions that end prepared statements, of which the server tells nobody.

use super::*;

const ALL: &str = "DO $$BEGIN EXECUTE 'DEALLOCATE ALL'; END$$";
/// One of those that the server keeps, and no other.
const ONE: &str =
    "DO $$BEGIN EXECUTE (SELECT format('DEALLOCATE %I', name) FROM pg_prepared_statements ORDER BY 1 LIMIT 1); END$$";

#[test]
fn what_a_function_has_ended_is_there_for_others_as_before() {
    if direct() {
        return;
    }
    let pooled = Pooled::new("pool_forgotten", 1, NO_PASSWORD);
    let (mut client, mut other) = (raw_client(&pooled), raw_client(&pooled));
    for raw in [&mut client, &mut other] {
        for name in ["one", "two"] {
            raw.send(&[raw::parse(name, &format!("SELECT '{name}', $1")), raw::sync()].concat());
            assert_eq!(reply_codes(&raw.until(b"Z")), "1 Z");
        }
    }
    let runs = |raw: &mut Raw, name: &str| {
        raw.send(&[raw::bind(name, &["2"]), raw::execute(), raw::sync()].concat());
        reply_codes(&raw.until(b"Z"))
    };
    for forgets in [ALL, ONE] {
        assert_eq!(reply_codes(&client.query(forgets)), "C Z");
        for name in ["one", "two"] {
            assert_eq!(runs(&mut other, name), "2 D C Z", "{name} behind {forgets}");
        }
        assert_eq!(other.rows("EXECUTE one(2)"), [["one", "2"]]);
        client.send(&[raw::run(forgets), raw::sync()].concat());
        assert_eq!(reply_codes(&client.until(b"Z")), "1 2 C Z");
        assert_eq!(other.rows("EXECUTE two(2)"), [["two", "2"]]);
    }
    // In the transaction itself its client is told, as by a server of its own, and nobody else.
    client.query("BEGIN");
    assert_eq!(runs(&mut client, "one"), "2 D C Z");
    client.query(ALL);
    assert_eq!(runs(&mut client, "one"), "E Z");
    client.query("ROLLBACK");
    for raw in [&mut other, &mut client] {
        assert_eq!(runs(raw, "one"), "2 D C Z");
    }
    // What is there still is not prepared again.
    let count = "SELECT count(*) FROM pg_prepared_statements";
    let before = other.rows(count);
    client.query("DO $$BEGIN PERFORM 1; END$$");
    assert_eq!(other.rows(count), before);
    drop((client, other));
    pooled.finish();
}

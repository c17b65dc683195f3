//! What a text means, and to whom: one statement for all only where it means the same.

use super::*;

/// A literal becomes a value when its text is prepared, by the settings of who prepares it: who has others must not get that value.
#[test]
fn a_text_is_shared_only_where_its_literals_mean_the_same() {
    if direct() {
        return;
    }
    let pooled = Pooled::new("pool_literals", 1, NO_PASSWORD);
    // More than workers, so that some share one and its statements.
    let mut one = raw_client(&pooled);
    let mut others = [(); 3].map(|()| raw_client(&pooled));
    let first = |raw: &mut Raw, name: &str, text: &str| {
        raw.send(&[raw::parse(name, text), raw::bind(name, &[]), raw::execute(), raw::sync()].concat());
        let replies = raw.until(b"Z");
        replies.iter().find(|reply| reply.code == b'D').map(|row| row.columns().remove(0)).unwrap()
    };
    for (at, (setting, values, text, expected)) in [
        ("TimeZone", ["UTC", "-02"], "SELECT extract(epoch FROM '1970-01-01 00:00'::timestamptz)::int", ["0", "7200"]),
        ("DateStyle", ["ISO, DMY", "ISO, MDY"], "SELECT extract(day FROM '01/02/2000'::date)::int", ["1", "2"]),
        (
            "IntervalStyle",
            ["sql_standard", "postgres"],
            "SELECT extract(hour FROM '-1 2:00'::interval)::int",
            ["-2", "2"],
        ),
        ("standard_conforming_strings", ["on", "off"], r"SELECT length('\\x')", ["3", "2"]),
        ("client_encoding", ["UTF8", "LATIN1"], "SELECT length('é')", ["1", "2"]),
        ("transform_null_equals", ["off", "on"], "SELECT (length(NULL) = NULL) IS NULL", ["t", "f"]),
        ("array_nulls", ["on", "off"], "SELECT ('{NULL}'::text[])[1] IS NULL", ["t", "f"]),
    ]
    .into_iter()
    .enumerate()
    {
        for (raw, n) in std::iter::once((&mut one, 0)).chain(others.iter_mut().map(|other| (other, 1))) {
            raw.query(&format!("SET {setting} = '{}'", values[n]));
            assert_eq!(first(raw, &format!("n{at}"), text), expected[n], "{setting} = {}", values[n]);
        }
        // The server tells of these while a transaction lasts.
        if at < 5 {
            one.query("BEGIN");
            one.query(&format!("SET LOCAL {setting} = '{}'", values[1]));
            assert_eq!(first(&mut one, &format!("local{at}"), text), expected[1], "{setting} for a transaction");
            one.query("COMMIT");
            assert_eq!(first(&mut one, &format!("again{at}"), text), expected[0], "{setting} behind it");
        }
    }
    drop((one, others));
    pooled.finish();
}

/// A new server learns a text from whoever comes first, who may have other settings than when it was prepared: a literal is what it was then,
/// as at a server of its own.
#[test]
fn who_changed_its_settings_keeps_the_literals_of_what_it_has_prepared() {
    if direct() {
        return;
    }
    let pooled = Pooled::new("pool_relearnt", 1, NO_PASSWORD);
    let mut clients = [(); 4].map(|()| raw_client(&pooled));
    let epoch = "SELECT extract(epoch FROM '1970-01-01 00:00'::timestamptz)::int";
    let run = [raw::bind("epoch", &[]), raw::execute(), raw::sync()].concat();
    let value = |raw: &mut Raw| {
        raw.send(&run);
        raw.until(b"Z").iter().find(|reply| reply.code == b'D').map(|row| row.columns().remove(0)).unwrap()
    };
    for raw in &mut clients {
        raw.query("SET TimeZone = 'UTC'");
        raw.send(&[raw::parse("epoch", epoch), raw::sync()].concat());
        raw.until(b"Z");
        assert_eq!(value(raw), "0");
    }
    clients[0].query("SET TimeZone = '-02'");
    clients[0].query("SET DateStyle = 'SQL, DMY'");
    let ours = "datname = current_database() AND usename = 'app'";
    pooled.site.direct_sql(&format!("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE {ours}"));
    assert!(wait_until(SOON, || pooled.servers() == 0));
    let values = [0, 1, 2, 3, 0].map(|at| value(&mut clients[at]));
    assert_eq!(values, ["0"; 5]);
    let mut shown = |at: usize| clients[at].rows("SHOW TimeZone")[0][0].clone();
    assert_eq!([shown(0), shown(1)], ["<-02>+02", "UTC"], "as they were set");
    clients[0].send(&[raw::parse("new", epoch), raw::bind("new", &[]), raw::execute(), raw::sync()].concat());
    let reply = clients[0].until(b"Z");
    assert_eq!(reply_codes(&reply), "1 2 D C Z");
    assert_eq!(reply[2].columns(), ["7200"], "what it prepares now");
    drop(clients);
    pooled.finish();
}

#[test]
fn a_text_that_the_server_knows_is_not_prepared_in_a_transaction_that_has_failed() {
    if direct() {
        return;
    }
    let pooled = Pooled::new("pool_failed", 1, NO_PASSWORD);
    let mut client = raw_client(&pooled);
    for (name, sql) in [("a", "SELECT 1"), ("b", "ROLLBACK")] {
        client.send_all(&[raw::parse(name, sql), raw::sync()]);
        assert_eq!(reply_codes(&client.until(b"Z")), "1 Z");
    }
    client.query("BEGIN; SELECT 1 / 0");
    client.send_all(&[raw::parse("c", "SELECT 1"), raw::sync()]);
    assert_eq!(sqlstates(&client.until(b"Z")), ["25P02"]);
    // What ends it is prepared as ever.
    client.send_all(&[raw::parse("d", "ROLLBACK"), raw::bind("d", &[]), raw::execute(), raw::sync()]);
    assert_eq!(reply_codes(&client.until(b"Z")), "1 2 C Z");
    for name in ["a", "b", "d"] {
        client.send_all(&[raw::bind(name, &[]), raw::sync()]);
        assert_eq!(reply_codes(&client.until(b"Z")), "2 Z", "{name}");
    }
    client.send_all(&[raw::bind("c", &[]), raw::sync()]);
    assert_eq!(sqlstates(&client.until(b"Z")), ["26000"]);
    drop(client);
    pooled.finish();
}

/// The server tells what a SET has changed once it is ready: what is prepared behind it in the same pipeline is read under settings that
/// nobody was told of yet.
#[test]
fn what_is_prepared_behind_a_set_in_its_pipeline_is_for_nobody_else() {
    if direct() {
        return;
    }
    let pooled = Pooled::new("pool_unsettled", 1, NO_PASSWORD);
    let epoch = "SELECT extract(epoch FROM '1970-01-01 00:00'::timestamptz)::int";
    let value = |raw: &mut Raw, bytes: &[u8]| {
        raw.send(&[bytes, &raw::bind("epoch", &[]), &raw::execute(), &raw::sync()].concat());
        let reply = raw.until(b"Z");
        reply.iter().find(|reply| reply.code == b'D').map(|row| row.columns().remove(0)).unwrap()
    };
    for set in ["SET TimeZone = '-02'", "BEGIN; SET LOCAL TimeZone = '-02'"] {
        // More than workers, so that some share one and its statements.
        let [mut one, mut other, mut third] = [(); 3].map(|()| raw_client(&pooled));
        for raw in [&mut one, &mut other, &mut third] {
            raw.query("SET TimeZone = 'UTC'");
        }
        let sets: Vec<u8> = set.split("; ").flat_map(raw::run).collect();
        let ours = [sets, raw::parse("epoch", epoch)].concat();
        assert_eq!(value(&mut one, &ours), "7200", "{set}");
        assert_eq!(value(&mut one, b""), "7200", "{set}");
        one.query("COMMIT");
        let parse = raw::parse("epoch", epoch);
        assert_eq!([&mut other, &mut third].map(|raw| value(raw, &parse)), ["0", "0"], "{set}");
        // Its own literal is what it was when it was prepared.
        assert_eq!(value(&mut one, b""), "7200", "{set}");
    }
    pooled.finish();
}

/// A temporary table hides another one from its client alone; the server reads no prepared text anew for it.
#[test]
fn a_temporary_table_is_found_by_its_clients_texts_and_by_no_others() {
    if direct() {
        return;
    }
    let pooled = Pooled::new("pool_hidden", 1, NO_PASSWORD);
    pooled.site.direct_sql("CREATE TABLE hidden AS SELECT 'all' AS whose; GRANT ALL ON hidden TO app");
    // More than workers, so that some share one and its statements.
    let mut one = raw_client(&pooled);
    let mut others = [(); 3].map(|()| raw_client(&pooled));
    let whose = |raw: &mut Raw, name: &str, before: &[u8]| {
        raw.send(&[before, &raw::bind(name, &[]), &raw::execute(), &raw::sync()].concat());
        raw.until(b"Z").iter().find(|reply| reply.code == b'D').map(|row| row.columns().remove(0)).unwrap()
    };
    let text = "SELECT whose FROM hidden";
    // From here on the server's session has a schema for what is temporary.
    one.query("CREATE TEMP TABLE earlier (); DROP TABLE earlier");
    for raw in std::iter::once(&mut one).chain(&mut others) {
        assert_eq!(whose(raw, "a", &raw::parse("a", text)), "all");
    }
    for _ in 0..2 {
        one.query("CREATE TEMP TABLE hidden AS SELECT 'mine' AS whose");
        assert_eq!(whose(&mut one, "b", &raw::parse("b", text)), "mine");
        // Read before, at a server of its own as well.
        assert_eq!(whose(&mut one, "a", b""), "all");
        one.query("DROP TABLE hidden");
        one.query("DEALLOCATE b");
        for raw in std::iter::once(&mut one).chain(&mut others) {
            assert_eq!(whose(raw, "a", b""), "all");
            assert_eq!(whose(raw, "c", &raw::parse("c", text)), "all");
            raw.query("DEALLOCATE c");
        }
    }
    drop((one, others));
    pooled.finish();
}

/// What the server wants alone it gets alone: no settings are set in front of a text that has no literals.
#[test]
fn what_must_not_stand_in_a_pipeline_is_run_at_a_server_that_has_not_got_it() {
    if direct() {
        return;
    }
    let pooled = Pooled::new("pool_alone", 2, NO_PASSWORD);
    let (mut client, mut other) = (raw_client(&pooled), raw_client(&pooled));
    client.send(&[raw::parse("all", "DISCARD ALL"), raw::sync()].concat());
    assert_eq!(reply_codes(&client.until(b"Z")), "1 Z");
    client.query("SET DateStyle TO 'SQL, MDY'");
    other.query("BEGIN; SELECT 1");
    client.send(&[raw::bind("all", &[]), raw::execute(), raw::sync()].concat());
    assert_eq!(reply_codes(&client.until(b"Z")), "2 C Z");
    drop((client, other));
    pooled.finish();
}

//! Writes over their budget.

use super::*;

#[test]
fn a_write_over_its_budget_is_never_half_done() {
    let Some(site) = site("write_simple", WRITES) else { return };
    let mut client = site.raw();
    client.query("INSERT INTO kept SELECT n FROM generate_series(1, 10) AS n");
    assert_eq!(kept(&site), "55");
    for sql in [
        "INSERT INTO kept SELECT n FROM generate_series(1, 11) AS n",
        "UPDATE ledger SET v = -v",
        "DELETE FROM ledger",
        "WITH w AS (SELECT 1) UPDATE ledger SET v = 0 WHERE n > 5 RETURNING n",
        "UPDATE ledger SET v = 0 WHERE n = 1; UPDATE ledger SET v = -v",
        "MERGE INTO ledger l USING ledger m ON l.n = m.n WHEN MATCHED THEN DELETE",
    ] {
        assert_written_back(&client.query(sql), b'I');
        client.send_all(&[raw::run(sql), raw::sync()]);
        let reply = client.until(b"Z");
        if !sql.contains(';') {
            assert_written_back(&reply, b'I');
        }
        assert_eq!((kept(&site), ledger(&site)), ("55".to_owned(), "210".to_owned()), "{sql}");
    }
    assert_eq!(reply_codes(&client.query("UPDATE ledger SET v = -v WHERE n <= 10")), "C Z");
    client.send_all(&[raw::run("UPDATE ledger SET v = -v WHERE n > 10"), raw::sync()]);
    assert_eq!(reply_codes(&client.until(b"Z")), "1 2 C Z");
    assert_eq!(ledger(&site), "-210");
    finish(site, client);
}

#[test]
fn a_write_over_its_budget_aborts_the_transaction_it_stands_in() {
    let Some(site) = site("write_tx", WRITES) else { return };
    let mut client = site.raw();
    for extended in [false, true] {
        let mut step = |sql: &str| {
            client.send(&if extended { [raw::run(sql), raw::sync()].concat() } else { raw::query(sql) });
            client.until(b"Z")
        };
        step("BEGIN");
        step("INSERT INTO kept VALUES (1)");
        step("SAVEPOINT s");
        assert_written_back(&step("DELETE FROM ledger"), b'E');
        assert_eq!(sqlstates(&step("INSERT INTO kept VALUES (2)")), [ABORTED]);
        step("ROLLBACK TO s");
        step("INSERT INTO kept VALUES (4)");
        assert_eq!(step("COMMIT").last().unwrap().body, b"I");
        assert_eq!((kept(&site), ledger(&site)), ("5".to_owned(), "210".to_owned()));
        step("TRUNCATE kept");
    }
    finish(site, client);
}

#[test]
fn a_pipeline_commits_nothing_of_what_is_over_its_budget() {
    let Some(site) = site("write_pipe", WRITES) else { return };
    let mut client = site.raw();
    let over = "DELETE FROM ledger";
    for steps in [
        vec!["INSERT INTO kept VALUES (1)", over, "INSERT INTO kept VALUES (2)"],
        vec!["BEGIN", "INSERT INTO kept VALUES (1)", over, "COMMIT"],
        vec![over, "COMMIT"],
    ] {
        let batch: Vec<Vec<u8>> = steps.iter().map(|sql| raw::run(sql)).collect();
        client.send_all(&[batch.concat(), raw::sync(), raw::query("SELECT 1")]);
        let reply = client.until(b"Z");
        assert_refused(&reply, "write_budget");
        let state = reply.last().unwrap().body.clone();
        assert_eq!(reply_codes(&client.until(b"Z")), if state == b"E" { "E Z" } else { "T D C Z" });
        client.query("ROLLBACK");
        assert_eq!((kept(&site), ledger(&site)), (String::new(), "210".to_owned()), "{steps:?}");
    }
    finish(site, client);
}

#[test]
fn a_deferred_constraint_speaks_at_the_commit_as_without_us() {
    let Some(site) = site("write_defer", WRITES) else { return };
    site.direct_sql("CREATE TABLE child (n int REFERENCES ledger (n) DEFERRABLE INITIALLY DEFERRED)");
    let mut client = site.raw();
    let reply = client.query("INSERT INTO child SELECT n FROM generate_series(100, 103) AS n");
    assert_eq!(reply_codes(&reply), "E Z");
    assert_eq!(sqlstates(&reply), ["23503"]);
    assert_eq!(reply[1].body, b"I");
    assert_eq!(client.rows("SELECT count(*) FROM child"), [["0"]]);
    finish(site, client);
}

#[test]
fn what_cannot_run_in_a_transaction_still_runs() {
    let Some(site) = site("write_other", &format!("{READS}\n{WRITES}")) else { return };
    let mut client = site.raw();
    for sql in [
        "VACUUM ledger",
        "CREATE INDEX CONCURRENTLY ledger_n ON ledger (n)",
        "DISCARD ALL",
        "REINDEX TABLE CONCURRENTLY ledger",
    ] {
        let reply = client.query(sql);
        assert!(sqlstates(&reply).is_empty(), "{sql}: {}", reply[0].summary());
    }
    finish(site, client);
}

#[test]
fn an_error_of_a_guarded_write_is_the_servers_own() {
    let Some(site) = site("write_error", WRITES) else { return };
    let mut client = site.raw();
    let reply = client.query("UPDATE ledger SET v = v / 0");
    assert_eq!((reply_codes(&reply), sqlstates(&reply)), ("E Z".to_owned(), vec!["22012".to_owned()]));
    assert_eq!(reply[1].body, b"I");
    assert_eq!(sqlstates(&client.query("UPDATE nowhere SET n = 1")), ["42P01"]);
    finish(site, client);
}

#[test]
fn warn_takes_no_write_back() {
    let overrides = WRITES.replace("enforce", "warn");
    let Some(site) = site("write_warn", &overrides) else { return };
    let mut client = site.raw();
    assert_eq!(reply_codes(&client.query("UPDATE ledger SET v = -v")), "C Z");
    client.send_all(&[raw::run("UPDATE ledger SET v = -v"), raw::sync()]);
    assert_eq!(reply_codes(&client.until(b"Z")), "1 2 C Z");
    assert_eq!(ledger(&site), "210");
    assert_eq!(
        site.proxy.metric("floodwall_rule_verdicts_total", &["write_budget", "warn"]),
        2.0,
        "{:?}",
        site.proxy.metrics()
    );
    finish(site, client);
}

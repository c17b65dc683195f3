//! Writes over their budget where they are hard to take back, in front of a real server: behind savepoints, in texts with a transaction
//! of their own, through EXECUTE, in portions of a RETURNING.

use crate::budget::{TABLES, assert_refused, assert_written_back, finish, kept, ledger, site};
use crate::pooling::Pooled;
use crate::support::floodwall::direct;
use crate::support::raw::{self, Raw, reply_codes, sqlstates};
use crate::support::site::Site;

const WRITES: &str = "[rules.unfiltered_write]\nmode = 'off'\n[rules.write_budget]\nmode = 'enforce'\nmax_rows = 10";
const OVER: &str = "UPDATE ledger SET v = -v";
const WITHIN: &str = "UPDATE ledger SET v = v WHERE n > 15";

#[test]
fn behind_a_savepoint_only_the_write_goes() {
    let Some(site) = site("savepoint", &format!("{WRITES}\nsavepoint = true")) else { return };
    let mut client = site.raw();
    client.query("BEGIN");
    client.query("INSERT INTO kept VALUES (1)");
    client.query("SAVEPOINT mine");
    for sql in
        [OVER, "UPDATE ledger SET v = 0 WHERE n = 1; DELETE FROM ledger WHERE n > 1", "DELETE FROM ledger RETURNING n"]
    {
        assert_written_back(&client.query(sql), b'T');
        assert_eq!(client.rows("SELECT sum(v) FROM ledger"), [["210"]], "{sql}");
    }
    assert_eq!(reply_codes(&client.query(WITHIN)), "C Z");
    client.query("INSERT INTO kept VALUES (2)");
    assert_eq!(sqlstates(&client.query("RELEASE floodwall_write")), ["3B001"], "none of ours is left");
    client.query("ROLLBACK TO mine");
    client.query("INSERT INTO kept VALUES (4)");
    assert_written_back(&client.query(OVER), b'T');
    assert_eq!(client.query("COMMIT").last().unwrap().body, b"I");
    assert_eq!((kept(&site), ledger(&site)), ("5".to_owned(), "210".to_owned()));
    assert_eq!(site.proxy.metric("floodwall_rule_verdicts_total", &["write_budget", "enforce"]), 4.0);
    finish(site, client);
}

#[test]
fn what_fails_by_itself_behind_a_savepoint_aborts_the_transaction_as_ever() {
    let Some(site) = site("savepoint_own", &format!("{WRITES}\nsavepoint = true")) else { return };
    let mut client = site.raw();
    client.query("BEGIN");
    client.query("INSERT INTO kept VALUES (1)");
    client.query("SAVEPOINT mine");
    let reply = client.query("UPDATE ledger SET v = v / 0");
    assert_eq!((reply_codes(&reply), sqlstates(&reply)), ("E Z".to_owned(), vec!["22012".to_owned()]));
    assert_eq!(reply[1].body, b"E");
    assert_eq!(sqlstates(&client.query(OVER)), ["25P02"]);
    assert_eq!(client.query("ROLLBACK TO mine").last().unwrap().body, b"T");
    assert_eq!(client.query("COMMIT").last().unwrap().body, b"I");
    assert_eq!(kept(&site), "1");
    // Outside a transaction it is ours that is rolled back.
    assert_written_back(&client.query(OVER), b'I');
    assert_eq!(ledger(&site), "210");
    finish(site, client);
}

/// A client in a transaction that has written one row.
fn begun(client: &mut Raw, site: &Site) {
    client.query("BEGIN");
    client.query(&format!("INSERT INTO kept VALUES ({})", 1 + kept(site).parse::<u32>().unwrap_or(0)));
}

#[test]
fn behind_a_savepoint_only_the_portal_goes() {
    let Some(site) = site("savepoint_portal", &format!("{WRITES}\nsavepoint = true")) else { return };
    let mut client = site.raw();
    portals(&mut client, &site);
    finish(site, client);
}

#[test]
fn behind_a_savepoint_only_the_portal_goes_where_servers_are_lent() {
    if direct() {
        return;
    }
    let access = "[[access]]\nuser = 'app'\naddress = '127.0.0.0/8'\nmethod = 'trust'";
    let pooled = Pooled::new("savepoint_pooled", 1, &format!("{access}\n{WRITES}\nsavepoint = true"));
    pooled.site.direct_sql(&format!("{TABLES}; GRANT ALL ON kept, ledger TO PUBLIC"));
    let mut client = Raw::login(pooled.site.proxy.port, "app", &pooled.site.database).unwrap();
    portals(&mut client, &pooled.site);
    drop(client);
    pooled.finish();
}

fn portals(client: &mut Raw, site: &Site) {
    begun(client, site);
    client.send_all(&[raw::parse("over", OVER), raw::parse("", "SELECT n FROM ledger WHERE n = 7"), raw::sync()]);
    assert_eq!(reply_codes(&client.until(b"Z")), "1 1 Z");
    for _ in 0..3 {
        client.send_all(&[raw::bind("over", &[]), raw::execute(), raw::run("SELECT 1"), raw::sync()]);
        let reply = client.until(b"Z");
        assert_written_back(&reply, b'T');
        assert_eq!(reply_codes(&reply), "2 E Z", "the rest of the pipeline is skipped");
    }
    // What the client has without a name is still there.
    client.send_all(&[raw::bind("", &[]), raw::execute(), raw::sync()]);
    assert_eq!(reply_codes(&client.until(b"Z")), "2 D C Z");
    // Each of a pipeline is taken back alone, whatever came before it.
    let insert = raw::run("INSERT INTO kept VALUES (10)");
    client.send_all(&[
        insert.clone(),
        raw::run(WITHIN),
        raw::run(WITHIN),
        insert.clone(),
        raw::run(OVER),
        insert,
        raw::sync(),
    ]);
    let reply = client.until(b"Z");
    assert_written_back(&reply, b'T');
    assert_eq!(reply_codes(&reply), "1 2 C 1 2 C 1 2 C 1 2 C 1 2 E Z");
    // A portal that stays open, and one that returns what it writes.
    client.send_all(&[raw::parse("", "SELECT n FROM ledger ORDER BY n"), raw::bind_portal("rows", "", &[])]);
    client.send_all(&[raw::execute_portal("rows", 2), raw::sync()]);
    assert_eq!(reply_codes(&client.until(b"Z")), "1 2 D D s Z");
    client.send_all(&[raw::run("DELETE FROM ledger RETURNING n"), raw::sync()]);
    assert_written_back(&client.until(b"Z"), b'T');
    client.send_all(&[
        raw::run("DELETE FROM ledger WHERE n < 0 RETURNING n"),
        raw::execute_portal("rows", 1),
        raw::sync(),
    ]);
    assert_eq!(reply_codes(&client.until(b"Z")), "1 2 C D s Z");
    // A statement of SQL's PREPARE, run as a query and as a portal.
    client.query(&format!("PREPARE sql AS {OVER}"));
    assert_written_back(&client.query("EXECUTE sql"), b'T');
    client.send_all(&[raw::run("EXECUTE sql"), raw::sync()]);
    assert_written_back(&client.until(b"Z"), b'T');
    assert_eq!(sqlstates(&client.query("RELEASE floodwall_write")), ["3B001"], "none of ours is left");
    client.query("ROLLBACK");
    assert_eq!((kept(site), ledger(site)), (String::new(), "210".to_owned()));
    // What fails by itself aborts the transaction, and what is committed stays.
    begun(client, site);
    for failing in ["UPDATE ledger SET v = v / 0", "UPDATE nowhere SET v = 1"] {
        client.query("SAVEPOINT mine");
        client.send_all(&[raw::run(failing), raw::run("INSERT INTO kept VALUES (5)"), raw::sync()]);
        let reply = client.until(b"Z");
        assert_eq!((sqlstates(&reply).len(), reply.last().unwrap().body.clone()), (1, b"E".to_vec()), "{failing}");
        client.send_all(&[raw::run(WITHIN), raw::sync()]);
        assert_eq!(sqlstates(&client.until(b"Z")), ["25P02"]);
        client.query("ROLLBACK TO mine");
    }
    client.send_all(&[raw::run(OVER), raw::sync()]);
    assert_written_back(&client.until(b"Z"), b'T');
    client.send_all(&[raw::run(WITHIN), raw::run("COMMIT"), raw::sync()]);
    assert_eq!(client.until(b"Z").last().unwrap().body, b"I");
    assert_eq!((kept(site), ledger(site)), ("1".to_owned(), "210".to_owned()));
    let left = "SELECT count(*) FROM pg_prepared_statements WHERE name = 'floodwall_write'";
    assert_eq!(client.rows(left), [["0"]]);
}

#[test]
fn a_text_that_commits_what_nobody_can_bound_is_refused_before_it_runs() {
    let Some(site) = site("commits_itself", WRITES) else { return };
    let mut client = site.raw();
    for sql in [
        format!("BEGIN; {WITHIN}; COMMIT"),
        format!("{OVER}; COMMIT"),
        format!("BEGIN; {OVER}; END; SELECT 1"),
        format!("COMMIT; {OVER}"),
    ] {
        let reply = client.query(&sql);
        assert_refused(&reply, "write_budget");
        assert_eq!((reply_codes(&reply), reply[1].body.clone()), ("E Z".to_owned(), b"I".to_vec()), "{sql}");
    }
    assert_eq!(reply_codes(&client.query("BEGIN; INSERT INTO kept VALUES (1), (2); COMMIT")), "C C C Z");
    assert_eq!((kept(&site), ledger(&site)), ("3".to_owned(), "210".to_owned()));
    finish(site, client);
}

#[test]
fn a_text_that_opens_its_transaction_fails_in_it() {
    let Some(site) = site("opens", WRITES) else { return };
    let mut client = site.raw();
    let reply = client.query(&format!("BEGIN; INSERT INTO kept VALUES (1); {OVER}; INSERT INTO kept VALUES (2)"));
    assert_refused(&reply, "write_budget");
    assert_eq!((reply_codes(&reply), reply.last().unwrap().body.clone()), ("C C E Z".to_owned(), b"E".to_vec()));
    assert_eq!(client.query("COMMIT").last().unwrap().body, b"I");
    assert_eq!((kept(&site), ledger(&site)), (String::new(), "210".to_owned()));
    client.query("ROLLBACK");
    for sql in [format!("INSERT INTO kept VALUES (1); {OVER}; BEGIN"), format!("BEGIN; SAVEPOINT s; {OVER}; RELEASE s")]
    {
        let reply = client.query(&sql);
        assert_refused(&reply, "write_budget");
        assert_eq!(reply.last().unwrap().body, b"E", "{sql}");
        client.query("ROLLBACK");
        assert_eq!((kept(&site), ledger(&site)), (String::new(), "210".to_owned()), "{sql}");
    }
    let reply = client.query(&format!("BEGIN; {WITHIN}"));
    assert_eq!((reply_codes(&reply), reply.last().unwrap().body.clone()), ("C C Z".to_owned(), b"T".to_vec()));
    client.query("COMMIT");
    finish(site, client);
}

#[test]
fn what_execute_writes_is_taken_back() {
    let Some(site) = site("execute", WRITES) else { return };
    let mut client = site.raw();
    client.query(&format!("PREPARE over AS {OVER}"));
    client.query("PREPARE within (int) AS UPDATE ledger SET v = 1 WHERE n = $1");
    client.query("PREPARE reads AS SELECT n FROM ledger");
    assert_written_back(&client.query("EXECUTE over"), b'I');
    client.send_all(&[raw::run("EXECUTE over"), raw::sync()]);
    assert_written_back(&client.until(b"Z"), b'I');
    assert_eq!(reply_codes(&client.query("EXECUTE within(1)")), "C Z");
    assert_eq!(client.rows("EXECUTE reads").len(), 20);
    assert_eq!(ledger(&site), "210");
    client.query("BEGIN");
    assert_written_back(&client.query("EXECUTE over"), b'E');
    client.query("ROLLBACK");
    finish(site, client);
}

/// They are one transaction, of which all goes back or nothing.
#[test]
fn a_text_of_several_statements_is_taken_back_with_what_stands_beside_its_write() {
    let Some(site) = site("several", WRITES) else { return };
    let mut client = site.raw();
    client.query(&format!("PREPARE over AS {OVER}"));
    client.query("PREPARE within (int) AS UPDATE ledger SET v = v WHERE n = $1");
    let texts = [
        format!("ALTER TABLE ledger ADD COLUMN w int; {OVER}"),
        format!("SET application_name = 'mine'; {OVER}; ANALYZE ledger"),
        format!("CREATE TABLE beside (a int); DO $$ BEGIN NULL; END $$; {OVER}; SELECT 1"),
        "EXECUTE within(1); EXECUTE over; EXECUTE within(2)".to_owned(),
        "INSERT INTO kept VALUES (7); EXECUTE over".to_owned(),
    ];
    for sql in &texts {
        let reply = client.query(sql);
        assert_refused(&reply, "write_budget");
        assert_eq!(reply.last().unwrap().body, b"I", "{sql}");
        assert_eq!((kept(&site), ledger(&site)), (String::new(), "210".to_owned()), "{sql}");
    }
    assert!(client.rows("SELECT 1 FROM pg_class WHERE relname = 'beside'").is_empty());
    assert!(client.rows("SELECT 1 FROM pg_attribute WHERE attname = 'w' AND attrelid = 'ledger'::regclass").is_empty());
    assert_ne!(client.rows("SHOW application_name"), [["mine"]]);
    let within = format!("ALTER TABLE ledger ADD COLUMN w int; {WITHIN}; EXECUTE within(1); SELECT 1");
    assert_eq!(reply_codes(&client.query(&within)), "C C C T D C Z");
    assert_eq!(client.rows("SELECT count(w) FROM ledger"), [["0"]]);
    finish(site, client);
}

#[test]
fn a_text_that_copies_beside_its_write_is_taken_back_as_a_whole() {
    let Some(site) = site("copies", WRITES) else { return };
    let mut client = site.raw();
    let data = [raw::frame(b'd', b"5\n"), raw::frame(b'd', b"6\n"), raw::frame(b'c', b"")].concat();
    client.send(&raw::query(&format!("{WITHIN}; COPY kept FROM STDIN; COPY kept TO STDOUT")));
    assert_eq!(reply_codes(&client.until(b"G")), "C G");
    client.send(&data);
    assert_eq!(reply_codes(&client.until(b"Z")), "C H d d c C Z");
    assert_eq!(kept(&site), "11");
    // A client that has not read the error yet sends on.
    for early in [false, true] {
        client.send(&raw::query(&format!("COPY kept FROM STDIN; {OVER}; COPY kept FROM STDIN")));
        client.until(b"G");
        client.send(&data);
        if early {
            client.send(&data);
        }
        assert_written_back(&client.until(b"Z"), b'I');
        assert_eq!((kept(&site), ledger(&site)), ("11".to_owned(), "210".to_owned()));
    }
    finish(site, client);
}

/// A driver can prepare what SQL's PREPARE does not take.
#[test]
fn an_execute_commits_nothing_that_is_not_decided() {
    let Some(site) = site("execute_commit", WRITES) else { return };
    let mut client = site.raw();
    client.send_all(&[raw::parse("ends", "COMMIT"), raw::sync()]);
    client.until(b"Z");
    client.query("BEGIN");
    client.send_all(&[raw::run(OVER), raw::run("EXECUTE ends"), raw::sync()]);
    assert_written_back(&client.until(b"Z"), b'E');
    client.query("ROLLBACK");
    client.query("EXECUTE ends");
    assert_eq!(ledger(&site), "210");
    // Nobody can say that a text is taken back which may have committed itself: it runs as it is, and is reported.
    let reply = client.query(&format!("{OVER}; EXECUTE ends"));
    assert_eq!((sqlstates(&reply), ledger(&site)), (vec![], "-210".to_owned()), "{}", reply_codes(&reply));
    finish(site, client);
}

#[test]
fn a_returning_counts_from_portion_to_portion() {
    let Some(site) = site("portions_written", WRITES) else { return };
    let mut client = site.raw();
    for transaction in [false, true] {
        if transaction {
            client.query("BEGIN");
        }
        let state = if transaction { b'E' } else { b'I' };
        // The portal never comes to its end, where the server would tell how many rows it changed.
        client.send_all(&[raw::parse("", "UPDATE ledger SET v = 0 RETURNING n"), raw::bind_portal("p", "", &[])]);
        for _ in 0..2 {
            client.send_all(&[raw::execute_portal("p", 5), raw::flush()]);
            assert!(sqlstates(&client.until(b"s")).is_empty());
        }
        client.send_all(&[raw::execute_portal("p", 5), raw::sync()]);
        assert_written_back(&client.until(b"Z"), state);
        client.query("ROLLBACK");
        assert_eq!(ledger(&site), "210");
        // All at once in one pipeline.
        if transaction {
            client.query("BEGIN");
        }
        client.send_all(&[raw::parse("", "UPDATE ledger SET v = 0 RETURNING n"), raw::bind_portal("p", "", &[])]);
        client.send_all(&[5, 5, 5].map(|rows| raw::execute_portal("p", rows)));
        client.send(&raw::sync());
        assert_written_back(&client.until(b"Z"), state);
        client.query("ROLLBACK");
        assert_eq!(ledger(&site), "210");
    }
    // As many as are allowed are allowed, however they are read.
    client.send_all(&[
        raw::parse("", "UPDATE ledger SET v = v WHERE n <= 10 RETURNING n"),
        raw::bind_portal("p", "", &[]),
    ]);
    client.send_all(&[
        raw::execute_portal("p", 5),
        raw::execute_portal("p", 5),
        raw::execute_portal("p", 100),
        raw::sync(),
    ]);
    let reply = client.until(b"Z");
    assert!(sqlstates(&reply).is_empty(), "{}", reply_codes(&reply));
    assert_eq!(reply.iter().filter(|message| message.code == b'D').count(), 10);
    finish(site, client);
}

#[test]
fn function_calls_are_counted_and_stopped_when_they_are_late() {
    let late = "[rules.statement_timeout]\nmode = 'enforce'\nlimit = '3s'";
    let Some(site) = site("calls", late) else { return };
    let mut client = site.raw();
    let oid: u32 = client.rows("SELECT 'pg_sleep'::regproc::oid")[0][0].parse().unwrap();
    let call = |seconds: &str| {
        let length = u32::try_from(seconds.len()).unwrap().to_be_bytes();
        let body = [&oid.to_be_bytes()[..], &[0, 0, 0, 1], &length, seconds.as_bytes(), &[0, 0]];
        raw::frame(b'F', &body.concat())
    };
    let counted = site.proxy.metric("floodwall_statements_total", &["other"]);
    client.send(&call("0"));
    assert_eq!(reply_codes(&client.until(b"Z")), "V Z");
    assert_eq!(site.proxy.metric("floodwall_statements_total", &["other"]), counted + 1.0);
    client.send_all(&[call("60"), raw::query("SELECT 1")]);
    assert_eq!(sqlstates(&client.until(b"Z")), ["57014"]);
    assert_eq!(reply_codes(&client.until(b"Z")), "T D C Z", "what stands behind it is not hit");
    finish(site, client);
}

//! Replies and writes over their budget, in front of a real server: what reaches the client, what stays written, and how the
//! session stands afterwards.

mod writes;

use std::time::{Duration, Instant};

use tokio_postgres::error::SqlState;

use crate::support::cluster::Cluster;
use crate::support::floodwall::{Proxy, direct};
use crate::support::process::{SOON, wait_until};
use crate::support::raw::{self, Message, Raw, reply_codes, sqlstates};
use crate::support::site::Site;

const NEVER: &str = "54000";
const ABORTED: &str = "25P02";
/// Far more rows than anybody waits for: only a server that is stopped ends.
const ENDLESS: &str = "SELECT a FROM generate_series(1, 50000) AS a, generate_series(1, 50000) AS b";
/// One row more than allowed, so that the server is done with it before it could be stopped.
const BARELY: &str = "SELECT n FROM generate_series(1, 1001) AS n";
const READS: &str = "[rules.result_budget]\nmax_rows = 1000\n[rules.unbounded_select]\nmode = 'off'";
const WRITES: &str = "[rules.write_budget]\nmode = 'enforce'\nmax_rows = 10\n[rules.unfiltered_write]\nmode = 'off'";

#[test]
fn a_large_reply_ends_at_the_budget_and_the_server_stops_at_once() {
    let overrides = "[rules.result_budget]\nmax_rows = 10000\n[rules.unbounded_select]\nmode = 'off'";
    let Some(site) = site("bar", overrides) else { return };
    site.direct_sql(
        "CREATE TABLE big AS SELECT n, 'row ' || n AS text FROM generate_series(1, 400000) AS n; ANALYZE big",
    );
    let mut client = site.raw();
    // The machine may be busy with other things: the best of several is what Floodwall can do, and a login in the same moment what the machine
    // lets it do. A cancel is a process at the server as well.
    let (mut prompt, mut least, mut seen) = (false, u64::MAX, Vec::new());
    for round in 0..30 {
        let begin = Instant::now();
        drop(Raw::login(site.cluster.port, "postgres", &site.database).unwrap());
        let login = begin.elapsed();
        let before = reset_peak(site.proxy.pid());
        client.send(&raw::query("SELECT * FROM big"));
        let reply = client.until(b"E");
        let told = Instant::now();
        let end = client.until(b"Z");
        let stopped = told.elapsed();
        assert_eq!(rows(&reply), 10_000);
        assert_refused(&reply, "result_budget");
        assert_eq!(reply_codes(&end), "Z", "nothing follows the error");
        least = least.min(peak(site.proxy.pid()).saturating_sub(before));
        prompt |= stopped < Duration::from_millis(100).max(login * 10);
        seen.push((stopped, login));
        if round >= 7 && prompt && least < 1 << 20 {
            break;
        }
    }
    assert!(prompt, "the server worked on, beside a login, for {seen:?}");
    assert!(least < 1 << 20, "memory grew by {least} bytes");
    finish(site, client);
}

#[test]
fn a_reply_without_end_is_stopped_in_every_protocol() {
    let Some(site) = site("endless", READS) else { return };
    let mut client = site.raw();
    for _ in 0..3 {
        assert_cut(&client.query(ENDLESS), b'I');
        client.send_all(&[raw::run(ENDLESS), raw::sync()]);
        assert_cut(&client.until(b"Z"), b'I');
        client.send_all(&[raw::run(ENDLESS), raw::flush()]);
        assert_refused(&client.until(b"E"), "result_budget");
        client.send(&raw::sync());
        assert_eq!(reply_codes(&client.until(b"Z")), "Z");
    }
    let active = "SELECT count(*) FROM pg_stat_activity \
                  WHERE datname = current_database() AND state = 'active' AND pid <> pg_backend_pid()";
    assert!(wait_until(SOON, || site.direct_sql(active) == "0"), "the server still works on it");
    finish(site, client);
}

#[test]
fn a_budget_counts_bytes_as_well() {
    let overrides = "[rules.result_budget]\nmax_bytes = '1MiB'\n[rules.unbounded_select]\nmode = 'off'";
    let Some(site) = site("bytes", overrides) else { return };
    let mut client = site.raw();
    let reply = client.query("SELECT repeat('x', 100000) FROM generate_series(1, 1000)");
    assert_eq!(rows(&reply), 10);
    assert_refused(&reply, "result_budget");
    assert_eq!(rows(&client.query("SELECT repeat('x', 100000) FROM generate_series(1, 10)")), 10);
    finish(site, client);
}

#[test]
fn a_savepoint_before_a_cut_keeps_the_rest() {
    let Some(site) = site("cut_savepoint", READS) else { return };
    let mut client = site.raw();
    for cut in [ENDLESS, BARELY] {
        client.query("TRUNCATE kept");
        for sql in ["BEGIN", "INSERT INTO kept VALUES (1)", "SAVEPOINT s"] {
            assert_eq!(reply_codes(&client.query(sql)), "C Z", "{sql}");
        }
        assert_cut(&client.query(cut), b'E');
        assert_eq!(sqlstates(&client.query("INSERT INTO kept VALUES (2)")), [ABORTED]);
        for sql in ["ROLLBACK TO s", "INSERT INTO kept VALUES (4)", "COMMIT"] {
            assert_eq!(reply_codes(&client.query(sql)), "C Z", "{sql}");
        }
        assert_eq!(kept(&site), "5");
    }
    finish(site, client);
}

#[test]
fn commit_after_a_cut_commits_nothing() {
    let Some(site) = site("cut_commit", READS) else { return };
    let mut client = site.raw();
    for cut in [ENDLESS, BARELY] {
        client.send_all(&[raw::query("BEGIN"), raw::query("INSERT INTO kept VALUES (1)")]);
        client.send_all(&[raw::run(cut), raw::sync(), raw::query("COMMIT")]);
        client.until(b"Z");
        client.until(b"Z");
        assert_cut(&client.until(b"Z"), b'E');
        let commit = client.until(b"Z");
        assert_eq!(commit[0].body, raw::cstring("ROLLBACK"));
        assert_eq!(kept(&site), "");
    }
    finish(site, client);
}

#[test]
fn a_pipeline_that_holds_a_cut_and_a_commit_commits_nothing() {
    let Some(site) = site("cut_whole", READS) else { return };
    let mut client = site.raw();
    for cut in [ENDLESS, BARELY] {
        let steps = ["BEGIN", "INSERT INTO kept VALUES (1)", cut, "COMMIT"];
        client.send_all(&[steps.map(raw::run).concat(), raw::sync()]);
        let reply = client.until(b"Z");
        assert_cut(&reply, b'E');
        client.query("ROLLBACK");
        assert_eq!(kept(&site), "");
    }
    finish(site, client);
}

#[test]
fn a_write_before_a_cut_in_one_pipeline_is_undone_and_one_behind_it_is_not_hit() {
    let Some(site) = site("cut_pipeline", READS) else { return };
    let mut client = site.raw();
    for cut in [ENDLESS, BARELY] {
        client.query("TRUNCATE kept");
        let first = [raw::run("INSERT INTO kept VALUES (1)"), raw::run(cut), raw::sync()].concat();
        client.send_all(&[first, raw::run("INSERT INTO kept VALUES (2)"), raw::sync()]);
        assert_cut(&client.until(b"Z"), b'I');
        assert_eq!(reply_codes(&client.until(b"Z")), "1 2 C Z");
        assert_eq!(kept(&site), "2");
    }
    finish(site, client);
}

#[test]
fn a_cursor_is_bounded_by_each_fetch() {
    let Some(site) = site("cut_cursor", READS) else { return };
    let mut client = site.raw();
    client.query("BEGIN");
    // A FETCH sends its first row when it has all of them, so this one must have an end.
    client.query("DECLARE c CURSOR FOR SELECT n FROM generate_series(1, 20000) AS n");
    for _ in 0..4 {
        assert_eq!(client.rows("FETCH 1000 FROM c").len(), 1000);
    }
    assert_cut(&client.query("FETCH ALL FROM c"), b'E');
    client.query("ROLLBACK");
    finish(site, client);
}

#[test]
fn a_portal_is_bounded_by_each_execute() {
    let Some(site) = site("cut_portal", READS) else { return };
    let mut client = site.raw();
    client.query("BEGIN");
    client.send_all(&[raw::parse("", ENDLESS), raw::bind_portal("p", "", &[])]);
    for _ in 0..4 {
        client.send_all(&[raw::execute_portal("p", 1000), raw::flush()]);
        assert_eq!(rows(&client.until(b"s")), 1000);
    }
    client.send_all(&[raw::execute_portal("p", 0), raw::sync()]);
    assert_cut(&client.until(b"Z"), b'E');
    client.query("ROLLBACK");
    finish(site, client);
}

#[test]
fn a_function_that_returns_too_much_is_cut() {
    let Some(site) = site("cut_function", READS) else { return };
    let body = "BEGIN FOR i IN 1..5000 LOOP RETURN NEXT i; END LOOP; END";
    site.direct_sql(&format!("CREATE FUNCTION many() RETURNS SETOF int LANGUAGE plpgsql AS '{body}'"));
    let mut client = site.raw();
    assert_cut(&client.query("SELECT * FROM many()"), b'I');
    assert_cut(&client.query("SELECT many()"), b'I');
    finish(site, client);
}

#[test]
fn a_returning_that_is_cut_writes_nothing() {
    let Some(site) = site("cut_returning", READS) else { return };
    let mut client = site.raw();
    for count in [1001, 300_000] {
        let sql = format!("INSERT INTO kept SELECT n FROM generate_series(1, {count}) AS n RETURNING n");
        assert_cut(&client.query(&sql), b'I');
        client.send_all(&[raw::run(&sql), raw::sync()]);
        assert_cut(&client.until(b"Z"), b'I');
        assert_eq!(kept(&site), "");
    }
    let within = client.query("INSERT INTO kept SELECT n FROM generate_series(1, 1000) AS n RETURNING n");
    assert_eq!((rows(&within), within.last().unwrap().body.clone()), (1000, b"I".to_vec()));
    assert_eq!(kept(&site), "500500");
    finish(site, client);
}

#[test]
fn a_copy_to_the_client_is_cut_only_where_that_is_asked_for() {
    let Some(site) = site(
        "cut_copy",
        &format!("{READS}\n[rules.result_budget]\nmax_rows = 1000\ncopy = true").replacen(
            "[rules.result_budget]\nmax_rows = 1000\n",
            "",
            1,
        ),
    ) else {
        return;
    };
    let mut client = site.raw();
    let reply = client.query(&format!("COPY ({ENDLESS}) TO STDOUT"));
    assert_eq!(reply.iter().filter(|message| message.code == b'd').count(), 1000);
    assert_refused(&reply, "result_budget");
    assert_eq!(client.rows("SELECT 1"), [["1"]]);
    drop(client);
    site.finish();
    let Some(site) = self::site("copy_free", READS) else { return };
    let mut client = site.raw();
    let reply = client.query("COPY (SELECT n FROM generate_series(1, 5000) AS n) TO STDOUT");
    assert_eq!(reply.iter().filter(|message| message.code == b'd').count(), 5000);
    finish(site, client);
}

#[test]
fn a_copy_from_the_client_passes_in_both_protocols() {
    let Some(site) = site("copy_in", &format!("{READS}\n{WRITES}")) else { return };
    let mut client = site.raw();
    let data = [raw::frame(b'd', b"1\n2\n"), raw::frame(b'c', b"")].concat();
    client.send(&raw::query("COPY kept FROM STDIN"));
    client.until(b"G");
    client.send(&data);
    assert_eq!(reply_codes(&client.until(b"Z")), "C Z");
    client.send_all(&[raw::run("COPY kept FROM STDIN"), raw::sync()]);
    client.until(b"G");
    client.send_all(&[data, raw::sync()]);
    assert_eq!(reply_codes(&client.until(b"Z")), "C Z");
    assert_eq!(kept(&site), "6");
    finish(site, client);
}

#[test]
fn a_client_can_have_a_budget_of_its_own() {
    let overrides =
        format!("{READS}\n[[client]]\nname = 'few'\nmatch = {{ user = 'app' }}\nrules.result_budget.max_rows = 5");
    let Some(site) = site("cut_client", &overrides) else { return };
    let out = site.psql(&["-c", "SELECT n FROM generate_series(1, 6) AS n"]).output().unwrap();
    assert!(String::from_utf8_lossy(&out.stderr).contains("more than 5 rows"), "{out:?}");
    let client = site.raw();
    finish(site, client);
}

#[test]
fn a_server_without_a_free_slot_can_be_stopped() {
    if direct() {
        return;
    }
    let cluster = Cluster::start(&[("max_connections", "8"), ("superuser_reserved_connections", "0")]);
    let proxy = Proxy::start(&cluster, READS);
    let mut client = Raw::login(proxy.port, "postgres", "app").unwrap();
    assert_eq!(client.rows("SELECT 1"), [["1"]]);
    let mut crowd = Vec::new();
    let full = wait_until(SOON, || match Raw::login(cluster.port, "postgres", "app") {
        Ok(one) => {
            crowd.push(one);
            false
        }
        Err(refused) => refused.sqlstate() == "53300",
    });
    assert!(full, "{} sessions and no end", crowd.len());
    assert_cut(&client.query(ENDLESS), b'I');
    assert_eq!(client.rows("SELECT 1"), [["1"]]);
    drop((client, crowd));
    proxy.assert_all_zero();
}

#[test]
fn a_client_that_leaves_while_it_is_cut_leaves_nothing_behind() {
    let Some(site) = site("cut_leave", READS) else { return };
    for _ in 0..5 {
        let mut client = site.raw();
        client.send(&raw::query(ENDLESS));
        client.until(b"E");
        drop(client);
    }
    let running = "SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%50000%' AND datname = current_database() AND pid <> pg_backend_pid()";
    let gone = wait_until(SOON, || site.direct_sql(running) == "0");
    assert!(gone, "{}", site.direct_sql("SELECT pid, state, query FROM pg_stat_activity"));
    site.finish();
}

#[test]
fn warn_counts_what_enforce_would_have_cut() {
    let overrides = "[rules]\nnotice = true\n[rules.result_budget]\nmode = 'warn'\nmax_rows = 1000\n[rules.unbounded_select]\nmode = 'off'";
    let Some(site) = site("cut_warn", overrides) else { return };
    let mut client = site.raw();
    let reply = client.query("SELECT n FROM generate_series(1, 3000) AS n");
    assert_eq!(rows(&reply), 3000);
    let told = reply.iter().filter(|message| message.code == b'N').count();
    assert_eq!(told, 1, "once for each reply");
    assert_eq!(
        site.proxy.metric("floodwall_rule_verdicts_total", &["result_budget", "warn"]),
        1.0,
        "{:?}",
        site.proxy.metrics()
    );
    finish(site, client);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_driver_goes_on_after_each_budget() {
    let Some(site) = site("driver", &format!("{READS}\n{WRITES}")) else { return };
    let mut client = site.session("postgres").await;
    for _ in 0..5 {
        let cut = client.query(ENDLESS, &[]).await.unwrap_err();
        assert_eq!(cut.code(), Some(&SqlState::PROGRAM_LIMIT_EXCEEDED));
        let undone = client.execute("DELETE FROM ledger WHERE n > $1", &[&0_i32]).await.unwrap_err();
        assert_eq!(undone.code(), Some(&SqlState::PROGRAM_LIMIT_EXCEEDED));
        let transaction = client.transaction().await.unwrap();
        transaction.execute("INSERT INTO kept VALUES ($1)", &[&1_i32]).await.unwrap();
        assert!(transaction.query(ENDLESS, &[]).await.is_err());
        transaction.rollback().await.unwrap();
        let (one, many, two) = tokio::join!(
            client.query_one("SELECT 1", &[]),
            client.query(ENDLESS, &[]),
            client.execute("UPDATE ledger SET v = v WHERE n = $1", &[&1_i32]),
        );
        assert!(one.is_ok() && many.is_err());
        assert_eq!(two.unwrap(), 1);
    }
    assert_eq!((kept(&site), ledger(&site)), (String::new(), "210".to_owned()));
    drop(client);
    site.finish();
}

/// An empty table `kept` and a table `ledger` of 20 rows.
pub(crate) const TABLES: &str = "CREATE TABLE kept (n int);
     CREATE TABLE ledger (n int PRIMARY KEY, v int);
     INSERT INTO ledger SELECT n, n FROM generate_series(1, 20) AS n";

pub(crate) fn site(label: &str, overrides: &str) -> Option<Site> {
    (!direct()).then(|| Site::prepared(label, overrides, TABLES))
}

pub(crate) fn kept(site: &Site) -> String {
    site.direct_sql("SELECT sum(n) FROM kept")
}

pub(crate) fn ledger(site: &Site) -> String {
    site.direct_sql("SELECT sum(v) FROM ledger")
}

fn rows(reply: &[Message]) -> usize {
    reply.iter().filter(|message| message.code == b'D').count()
}

/// One error, by this rule, with its hint.
pub(crate) fn assert_refused(reply: &[Message], rule: &str) {
    assert_eq!(sqlstates(reply), [NEVER]);
    let error = reply.iter().find(|message| message.code == b'E').unwrap();
    let text = error.field(b'M').unwrap();
    assert!(text.starts_with(&format!("FLOODWALL[rule={rule}]")), "{text}");
    assert!(error.field(b'H').is_some() && error.field(b'D').is_some(), "{}", error.summary());
}

/// At most the 1000 rows that are allowed, one error, and the transaction in this state.
fn assert_cut(reply: &[Message], state: u8) {
    assert_eq!(rows(reply), 1000);
    assert_refused(reply, "result_budget");
    assert!(reply_codes(reply).ends_with("D E Z"), "nothing follows the error but the boundary");
    assert_eq!(reply.last().unwrap().body, [state]);
}

pub(crate) fn assert_written_back(reply: &[Message], state: u8) {
    assert_refused(reply, "write_budget");
    assert!(reply_codes(reply).ends_with("E Z"), "{}", reply_codes(reply));
    assert_eq!(reply.last().unwrap().body, [state]);
}

/// The session is usable, no transaction is open, and nothing is held.
pub(crate) fn finish(site: Site, mut client: Raw) {
    assert_eq!(client.rows("SELECT 1"), [["1"]]);
    assert_eq!(client.query("SELECT 2").last().unwrap().body, b"I");
    drop(client);
    site.finish();
}

/// Makes the peak of a process what it uses now; that.
fn reset_peak(pid: i32) -> u64 {
    std::fs::write(format!("/proc/{pid}/clear_refs"), "5").unwrap();
    memory(pid, "VmRSS:")
}

fn peak(pid: i32) -> u64 {
    memory(pid, "VmHWM:")
}

fn memory(pid: i32, key: &str) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find(|line| line.starts_with(key)).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() * 1024
}

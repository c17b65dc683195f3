//! A dry run: real traffic in `warn`, what the report says of it, and the suggested limits in force.

use std::process::Command;

use crate::support::cluster::run;
use crate::support::command::{stderr, stdout};
use crate::support::floodwall::{Proxy, Row, direct};
use crate::support::http::{get, get_with};
use crate::support::raw::{self, Message, Raw, reply_codes};
use crate::support::site::Site;

/// From so many values on a limit is suggested.
const OBSERVED_MIN: u64 = 1_000;

fn site(label: &str, overrides: &str) -> Option<Site> {
    let tables = "CREATE TABLE t (n int); CREATE TABLE small (n int); GRANT ALL ON t, small TO app";
    (!direct()).then(|| Site::prepared(label, overrides, tables))
}

fn row(proxy: &Proxy, rule: &str) -> Row {
    let rows = proxy.console("SHOW REPORT").unwrap();
    rows.into_iter().find(|row| row["rule"] == rule).unwrap_or_else(|| panic!("no row for {rule}"))
}

fn values(rows: usize) -> String {
    format!("INSERT INTO t VALUES {}", vec!["(1)"; rows].join(","))
}

fn is_fine(reply: &[Message]) -> bool {
    !reply_codes(reply).contains('E')
}

/// Writes of 1 to 30 rows and pages of 5 to 20 rows; some of them often enough to make up the suggestion.
fn traffic(client: &mut Raw) {
    for n in 0..OBSERVED_MIN as usize + 100 {
        let insert = values(n % 30 + 1);
        client.send_all(&[raw::run(&insert), raw::sync()]);
        assert!(is_fine(&client.until(b"Z")), "{insert}");
        let page = format!("SELECT * FROM t LIMIT {}", 5 + n % 16);
        assert!(is_fine(&client.query(&page)), "{page}");
    }
}

#[test]
fn a_dry_run_tells_limits_that_refuse_nothing_of_the_same_traffic() {
    let rules = "[rules]\nmode = 'warn'\nbulk_write.max_rows = 9\nunbounded_select.max_rows = 15";
    let Some(site) = site("dry", rules) else { return };
    let mut client = site.raw();
    traffic(&mut client);
    let proxy = &site.proxy;
    let (writes, reads) = (row(proxy, "bulk_write"), row(proxy, "unbounded_select"));
    assert_eq!((&*writes["mode"], &*writes["observed"], &*writes["limit"]), ("warn", "1100", "9"));
    assert_eq!((&*writes["largest"], &*writes["suggested"], &*writes["refused"]), ("30", "30", "0"));
    // Of each 30 writes 21 carry more than 9 rows; 1100 = 36 * 30 + 20.
    assert_eq!(writes["warned"], (36 * 21 + 11).to_string());
    assert_eq!((&*writes["callers"], &*reads["observed"]), ("1", "1100"));
    assert_eq!((&*reads["largest"], &*reads["suggested"], &*reads["limit"]), ("20", "20", "15"));
    // Of each 16 pages 5 are longer than 15; 1100 = 68 * 16 + 12.
    assert_eq!(reads["warned"], (68 * 5 + 1).to_string());
    assert_eq!(row(proxy, "bulk_write.max_bytes")["observed"], "1100");
    let detail = proxy.console("SHOW REPORT bulk_write").unwrap();
    let caller = detail.iter().find(|row| row["what"] == "caller").unwrap();
    assert_eq!((&*caller["hits"], &*caller["largest"]), (&*writes["warned"], "30"));
    let shape = detail.iter().find(|row| row["what"] == "shape").unwrap();
    assert!(shape["name"].starts_with("insert into t values") && !shape["name"].contains("(1)"), "{detail:?}");

    let suggested = format!(
        "[rules]\nmode = 'enforce'\nbulk_write.max_rows = {}\nunbounded_select.max_rows = {}",
        writes["suggested"], reads["suggested"]
    );
    let enforced = Proxy::start(site.cluster, &suggested);
    let mut again = Raw::login(enforced.port, "postgres", &site.database).unwrap();
    traffic(&mut again);
    assert_eq!(enforced.metric("floodwall_rule_verdicts_total", &[]), 0.0);
    assert!(!is_fine(&again.query(&values(31))), "and what goes beyond is refused");
    let writes = row(&enforced, "bulk_write");
    assert_eq!((&*writes["mode"], &*writes["refused"], &*writes["warned"]), ("enforce", "1", "0"));
    assert_eq!((&*writes["observed"], &*writes["largest"]), ("1101", "31"), "what was refused was measured too");
    drop((client, again));
    enforced.assert_all_zero();
    site.finish();
}

#[test]
fn a_prepared_statement_counts_each_time_it_runs() {
    let Some(site) = site("prepared_report", "[rules]\nmode = 'warn'\nnotice = true") else { return };
    let mut client = site.raw();
    client.send_all(&[raw::parse("s", "DELETE FROM small"), raw::sync()]);
    let prepared = client.until(b"Z");
    assert!(prepared.iter().all(|message| message.code != b'N'), "it has not run yet");
    for _ in 0..3 {
        client.send_all(&[raw::bind("s", &[]), raw::execute(), raw::sync()]);
        let reply = client.until(b"Z");
        assert_eq!(reply.iter().filter(|message| message.code == b'N').count(), 1);
    }
    client.send_all(&[raw::run("DELETE FROM small"), raw::sync()]);
    assert_eq!(client.until(b"Z").iter().filter(|message| message.code == b'N').count(), 1);
    assert_eq!(row(&site.proxy, "unfiltered_write")["warned"], "4");
    assert_eq!(site.proxy.metric("floodwall_rule_verdicts_total", &["unfiltered_write", "warn"]), 4.0);
    drop(client);
    site.finish();
}

#[test]
fn a_notice_says_what_enforce_would_and_only_in_warn() {
    let rules = "[rules]\nnotice = true\nbulk_write = { mode = 'warn', max_rows = 2 }";
    let Some(site) = site("notice", rules) else { return };
    let out = site.psql(&["-c", &values(3)]).output().unwrap();
    assert!(out.status.success(), "{}", stderr(&out));
    let told = stderr(&out);
    assert!(told.contains("FLOODWALL[rule=bulk_write] one statement carries 3 rows"), "{told}");
    assert!(told.contains("3; limit: 2") && told.contains("HINT:  Write at most 2 rows"), "{told}");
    // Each breach is told, however many there are: that is what `notice` asks for.
    let many = site.psql(&["-c", &values(3), "-c", &values(4), "-c", &values(2)]).output().unwrap();
    assert_eq!(stderr(&many).matches("FLOODWALL[rule=bulk_write]").count(), 2);
    let mut client = site.raw();
    client.send_all(&[raw::run(&values(3)), raw::sync()]);
    let reply = client.until(b"Z");
    let notice = reply.iter().find(|message| message.code == b'N').expect("a notice in the extended protocol");
    assert!(notice.field(b'D').unwrap().contains("3; limit: 2") && notice.field(b'H').is_some());
    assert!(is_fine(&reply));
    let refused = client.query("DELETE FROM small");
    assert_eq!(reply_codes(&refused), "E Z");
    assert!(refused.iter().all(|message| message.code != b'N'), "an error and no notice in enforce");
    drop(client);
    site.finish();
}

#[test]
fn what_enforce_would_let_pass_is_no_hit() {
    let Some(site) = site("doubt", "[rules]\nmode = 'warn'\n[rules.unbounded_select]\nunknown_table = 'warn'") else {
        return;
    };
    let mut client = site.raw();
    client.query("CREATE TEMP TABLE nobody_knows (n int)");
    assert!(is_fine(&client.query("SELECT * FROM nobody_knows")));
    assert_eq!(site.proxy.metric("floodwall_rule_verdicts_total", &["unbounded_select", "warn"]), 1.0, "it is told");
    assert_eq!(row(&site.proxy, "unbounded_select")["warned"], "0");
    drop(client);
    site.finish();
}

#[test]
fn times_are_measured_whether_or_not_they_are_limited() {
    let Some(site) = site("times", "") else { return };
    let mut client = site.raw();
    for sql in ["BEGIN", "SELECT pg_sleep(0.05)", "COMMIT", "SELECT 1"] {
        assert!(is_fine(&client.query(sql)), "{sql}");
    }
    let observed = |rule: &str| row(&site.proxy, rule)["observed"].clone();
    assert_eq!(observed("transaction_timeout"), "1");
    assert_eq!(observed("idle_transaction_timeout"), "2");
    assert_eq!(observed("statement_timeout"), "4");
    let largest = row(&site.proxy, "statement_timeout")["largest"].clone();
    assert!(largest.ends_with("ms") || largest.ends_with("s") && !largest.ends_with("us"), "{largest}");
    drop(client);
    site.finish();
}

#[test]
fn the_report_is_served_to_who_has_the_token_and_fits_a_terminal() {
    let Some(site) = site("token", "") else { return };
    let token = std::fs::read_to_string(site.proxy.folder().join("state/http.token")).unwrap();
    let header = format!("Authorization: Bearer {}\r\n", token.trim());
    let answer = get_with(site.proxy.http_port, "/api/report", &header).unwrap();
    assert_eq!(answer.status, 200);
    assert!(answer.body.starts_with("{\"rules\":[{"), "{}", answer.body);
    assert_eq!(get(site.proxy.http_port, "/api/report").unwrap().status, 401);
    let mut ctl = Command::new(env!("CARGO_BIN_EXE_floodwall"));
    let table = stdout(&run(ctl.arg("ctl").arg("--config").arg(site.proxy.config_path()).arg("SHOW REPORT")));
    assert!(table.contains("idle_transaction_timeout"), "{table}");
    assert!(table.lines().all(|line| line.chars().count() <= 120), "{table}");
    let active = ["rule=\"unfiltered_write\"", "state=\"enforce\""];
    assert_eq!(site.proxy.metric("floodwall_guard_state", &active), 1.0);
    site.finish();
}

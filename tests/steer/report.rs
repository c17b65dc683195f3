//! The report, through `psql` and over HTTP.

use floodwall::telemetry::report::{Hit, HitOutcome, OBSERVED_MIN, Slot};
use serde_json::Value;

use crate::http::{get, status};
use crate::support::{Steer, TOKEN, users};

const PASSWORD: &str = "admin secret";
/// A caller and a shape that try to steer a terminal.
const HOSTILE: &str = "web\u{1b}[2J";

fn shown(steer: &Steer, sql: &str) -> String {
    let output = steer.psql("sre", PASSWORD, sql);
    assert!(output.ok, "{sql}: {}", output.err);
    output.out
}

/// A report with two hits, 2,000 observations of rows and one of bytes.
fn fed() -> Steer {
    let steer = Steer::start(&users());
    let metrics = &steer.sources.metrics;
    (1..=2 * OBSERVED_MIN).for_each(|rows| metrics.worker(0).observe(Slot::new(0), rows));
    metrics.worker(0).observe(Slot::new(1), 3 << 20);
    for (client, outcome) in [(HOSTILE, HitOutcome::Warned), ("batch", HitOutcome::Refused)] {
        let shape = b"insert into t values($1)\x1b[2J";
        metrics.hit(Hit { rule: "bulk_write", outcome, client, shape, value: Some(7_000) });
    }
    steer
}

#[test]
fn show_report_has_a_row_for_each_rule_and_one_for_each_further_limit() {
    let steer = fed();
    let out = shown(&steer, "SHOW REPORT");
    let rows: Vec<Vec<&str>> = out.lines().map(|line| line.split('|').collect()).collect();
    assert_eq!(rows[0][..10], ["bulk_write", "failed", "2000", "1", "1", "2", "2000", "2000", "2000", "5000"]);
    assert!(rows[0][10].ends_with('s'), "{out}");
    assert_eq!(rows[1], ["bulk_write.max_bytes", "", "1", "", "", "", "3MiB", "3MiB", "not yet", "16MiB", ""]);
    assert_eq!(rows.len(), 2);
}

#[test]
fn show_report_of_a_rule_names_callers_and_shapes() {
    let steer = fed();
    let out = shown(&steer, "show report BULK_WRITE");
    // What, hits, largest and name: how long ago the last one was depends on the machine.
    let mut rows: Vec<Vec<&str>> = out.lines().map(|line| line.splitn(5, '|').collect()).collect();
    rows.iter_mut().for_each(|row| assert!(row.remove(3).parse::<u64>().unwrap() < 60, "{out}"));
    rows[..2].sort_unstable();
    assert_eq!(rows[0], ["caller", "1", "7000", "batch"]);
    assert_eq!(rows[1], ["caller", "1", "7000", "web\\u{1b}[2J"]);
    assert_eq!(rows[2..], [["shape", "2", "7000", "insert into t values($1)\\u{1b}[2J"]]);
    let wrong = steer.psql("sre", PASSWORD, "SHOW REPORT bulk_wrote");
    assert!(
        !wrong.ok && wrong.err.contains("42704") && wrong.err.contains("The rules are bulk_write"),
        "{}",
        wrong.err
    );
    let wrong = steer.psql("sre", PASSWORD, "SHOW REPORT bulk_write please");
    assert!(!wrong.ok && wrong.err.contains("Write SHOW REPORT rule"), "{}", wrong.err);
}

#[test]
fn reset_report_is_for_admins_and_begins_anew() {
    let steer = fed();
    let refused = steer.psql("looker", "read secret", "RESET REPORT");
    assert!(!refused.ok && refused.err.contains("42501"), "{}", refused.err);
    assert!(shown(&steer, "SHOW REPORT").starts_with("bulk_write|failed|2000|1|1|2|"));
    assert_eq!(shown(&steer, "RESET REPORT"), "RESET REPORT\n");
    assert!(shown(&steer, "SHOW REPORT").starts_with("bulk_write|failed|0|0|0|0||||5000|"));
    assert_eq!(shown(&steer, "SHOW REPORT bulk_write"), "");
    assert_eq!(shown(&steer, "RESET application_name"), "RESET\n", "drivers still reset their settings");
    assert!(shown(&steer, "SHOW HELP").contains("SHOW REPORT rule|read|"));
}

#[test]
fn api_report_is_json_and_wants_the_token() {
    let steer = fed();
    assert_eq!(status(&get(&steer, "/api/report", "")), "401");
    let answer = get(&steer, "/api/report", &format!("Authorization: Bearer {TOKEN}\r\n"));
    assert_eq!(status(&answer), "200");
    let body: Value = serde_json::from_str(answer.split_once("\r\n\r\n").unwrap().1).unwrap();
    let rule = &body["rules"][0];
    assert_eq!(
        (&rule["rule"], &rule["mode"], &rule["state"]),
        (&"bulk_write".into(), &"enforce".into(), &"failed".into())
    );
    assert_eq!((&rule["refused"], &rule["warned"]), (&1.into(), &1.into()));
    assert!(rule["last_seconds"].as_u64().unwrap() < 60);
    let limit = &rule["limits"][0];
    assert_eq!((&limit["setting"], &limit["unit"]), (&"max_rows".into(), &"count".into()));
    for (key, number) in [("limit", 5_000), ("observed", 2_000), ("largest", 2_000), ("suggested", 2_000)] {
        assert_eq!(limit[key], number, "{key}");
    }
    assert_eq!((&limit["above_suggested"], &limit["suggested_setting"]), (&0.into(), &"2000".into()));
    assert_eq!(rule["limits"][1]["suggested"], Value::Null);
    assert_eq!(rule["shapes"][0]["shape"], "insert into t values($1)\\u{1b}[2J");
    assert_eq!(rule["callers"].as_array().unwrap().len(), 2);
}

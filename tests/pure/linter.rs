//! `floodwall judge`: files in, verdicts out.

use floodwall::guard::Guard;
use floodwall::linter::{self, Format, Outcome};
use floodwall::sql::Dialect;
use toml::Table;

fn run(settings: &str, text: &str, format: Format) -> (Outcome, String) {
    let guard = Guard::build(&settings.parse::<Table>().unwrap()).unwrap();
    let mut out = Vec::new();
    let outcome = linter::run(&guard, Dialect::Postgres, text.as_bytes(), &mut out, format).unwrap();
    (outcome, String::from_utf8(out).unwrap())
}

const MIGRATION: &str = "\
-- a migration
\\set ON_ERROR_STOP on
ALTER TABLE t ADD COLUMN x int;
UPDATE t
   SET x = 1;
COPY t (a, b) FROM stdin;
1\t'
DELETE FROM t;
\\.

-- again
\\echo next
DELETE FROM t WHERE true
  ; SELECT * FROM t;
SELECT * FROM t LIMIT 5;
";

#[test]
fn each_statement_of_a_file_gets_its_verdict() {
    let (outcome, out) = run("", MIGRATION, Format::Text);
    assert_eq!(outcome, Outcome { statements: 6, refused: 2, warned: 1 });
    for line in [
        "line 3: allow: alter table t add column x int",
        "line 4: refuse: update t set x = $1",
        "  unfiltered_write: UPDATE of every row of \"t\": it has no WHERE",
        "line 6: allow: copy t(a, b) from stdin",
        "line 13: refuse: delete from t where true",
        "line 14: warn: select * from t",
        "line 15: allow: select * from t limit $2",
        "  unbounded_select (enforce): bounded: at most 5 rows",
        "6 statements: 2 would be refused, 1 would pass with a warning",
    ] {
        assert!(out.lines().any(|printed| printed == line), "{line}\n{out}");
    }
}

#[test]
fn json_is_one_object_a_statement() {
    let (_, out) = run("", MIGRATION, Format::Json);
    let lines: Vec<serde_json::Value> = out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.len(), 6);
    assert_eq!((&lines[1]["line"], &lines[1]["verdict"]), (&4.into(), &"refuse".into()));
    assert_eq!(lines[1]["refused"]["rule"], "unfiltered_write");
    assert_eq!(lines[4]["warned"][0]["rule"], "unbounded_select");
    assert_eq!(lines[5]["trace"].as_array().unwrap().len(), 1);
}

#[test]
fn settings_apply() {
    let (outcome, out) = run("mode = \"warn\"\nunbounded_select.mode = \"off\"", MIGRATION, Format::Text);
    assert_eq!(outcome, Outcome { statements: 6, refused: 0, warned: 2 });
    assert!(!out.contains("unbounded_select"));
}

#[test]
fn what_no_rule_is_about_takes_one_line() {
    let (_, out) = run("", "BEGIN; DELETE FROM t WHERE id IN (7, 8); COMMIT", Format::Text);
    let expected = "line 1: allow: begin\n\
                    line 1: allow: delete from t where id in ($1)\n  parsed\n\
                    \x20 unfiltered_write (enforce): DELETE with a filter\n\
                    \x20 bulk_write (enforce): 2 IN items, 32 bytes\n\
                    line 1: allow: commit\n\
                    3 statements: 0 would be refused, 0 would pass with a warning\n";
    assert_eq!(out, expected);
}

#[test]
fn literals_are_not_printed() {
    let (_, out) = run("", "DELETE FROM t WHERE 'hunter2' = 'hunter2'; SELECT 'hunter2'", Format::Text);
    assert!(!out.contains("hunter2"), "{out}");
}

#[test]
fn a_file_without_statements_has_none() {
    for text in ["", "\n\n", "-- nothing\n", ";;;", "/* x", "\\connect x"] {
        let (outcome, _) = run("", text, Format::Text);
        assert_eq!(outcome, Outcome::default(), "{text:?}");
    }
}

#[test]
fn a_long_file_takes_no_longer_than_its_statements() {
    let (outcome, _) = run("", &"INSERT INTO t VALUES (1);\n".repeat(20_000), Format::Json);
    assert_eq!(outcome.statements, 20_000);
}

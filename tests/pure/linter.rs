//! `floodwall judge`: files in, verdicts out.

use std::path::{Path, PathBuf};

use floodwall::guard::Guard;
use floodwall::linter::{Failed, Format, Kind, Linter, Outcome};
use floodwall::sql::Dialect;
use toml::Table;

/// SQL on standard input.
fn run(settings: &str, text: &str, format: Format) -> (Outcome, String) {
    judge(settings, Kind::Sql, text, format).unwrap()
}

/// An export on standard input.
fn statistics(settings: &str, text: &str) -> Result<(Outcome, String), Failed> {
    judge(settings, Kind::Statistics, text, Format::Text)
}

fn judge(settings: &str, kind: Kind, text: &str, format: Format) -> Result<(Outcome, String), Failed> {
    let guard = Guard::build(&settings.parse::<Table>().unwrap()).unwrap();
    let linter = Linter { guard: &guard, schema: None, dialect: Dialect::Postgres, kind: Some(kind), format };
    let mut out = Vec::new();
    let outcome = linter.run(&["-".into()], &mut text.as_bytes(), &mut out)?;
    Ok((outcome, String::from_utf8(out).unwrap()))
}

/// Files and folders, by their extensions.
fn files(paths: &[PathBuf]) -> Result<(Outcome, String), Failed> {
    let guard = Guard::build(&Table::new()).unwrap();
    let linter = Linter { guard: &guard, schema: None, dialect: Dialect::Postgres, kind: None, format: Format::Text };
    let mut out = Vec::new();
    let outcome = linter.run(paths, &mut std::io::empty(), &mut out)?;
    Ok((outcome, String::from_utf8(out).unwrap()))
}

fn write(folder: &Path, name: &str, text: &str) -> PathBuf {
    let path = folder.join(name);
    std::fs::write(&path, text).unwrap();
    path
}

#[test]
fn what_is_told_of_mysqls_sql_is_the_reading_that_decides() {
    let guard = Guard::build(&Table::new()).unwrap();
    let linter =
        Linter { guard: &guard, schema: None, dialect: Dialect::MySql, kind: Some(Kind::Sql), format: Format::Text };
    let mut out = Vec::new();
    let text = "DELETE FROM `a b` LIMIT 5;\nDELETE FROM t /*!50000 WHERE id = 5 */;\nDELETE FROM u LIMIT 10001;\n";
    let outcome = linter.run(&["-".into()], &mut text.as_bytes(), &mut out).unwrap();
    let out = String::from_utf8(out).unwrap();
    assert_eq!(outcome, Outcome { statements: 3, refused: 2, warned: 0 }, "{out}");
    let (first, rest) = out.split_once("stdin:2: refuse").unwrap();
    let (second, third) = rest.split_once("stdin:3: refuse").unwrap();
    assert!(first.contains("DELETE with a limit and no filter"), "{out}");
    assert!(second.contains("DELETE with no filter") && !second.contains("DELETE with a filter"), "{out}");
    assert!(third.contains("DELETE … LIMIT 10000 at most"), "{out}");
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
        "stdin:3: allow: alter table t add column x int",
        "stdin:4: refuse: update t set x = $1",
        "  unfiltered_write: UPDATE of every row of \"t\": it has no WHERE",
        "stdin:6: allow: copy t(a, b) from stdin",
        "stdin:13: refuse: delete from t where true",
        "stdin:14: warn: select * from t",
        "stdin:15: allow: select * from t limit $2",
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
    let expected = "stdin:1: allow: begin\n\
                    stdin:1: allow: delete from t where id in ($1)\n  parsed; tables: t\n\
                    \x20 unfiltered_write (enforce): DELETE with a filter\n\
                    \x20 bulk_write (enforce): 2 IN items, 32 bytes\n\
                    stdin:1: allow: commit\n\
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

#[test]
fn a_finding_explains_itself() {
    let (_, out) = run("", "UPDATE t SET x = (SELECT max(x) FROM s) WHERE true", Format::Text);
    for line in [
        "stdin:1: refuse: update t set x = (select max(x) from s) where true",
        "  unfiltered_write: UPDATE of every row of \"t\": its WHERE is true for all of them",
        "  unfiltered_write (enforce): UPDATE with a filter that is always true",
    ] {
        assert!(out.lines().any(|printed| printed == line), "{line}\n{out}");
    }
    assert!(out.contains("    hint: Name the rows: UPDATE") && out.contains("  parsed; tables: t"), "{out}");
    let (_, out) = run("", "SELECT 'open", Format::Text);
    assert!(out.starts_with("stdin:1: "), "{out}");
}

#[test]
fn a_folder_is_read_in_the_order_of_its_names() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), "0002_b.sql", "DELETE FROM b;");
    write(folder.path(), "0001_a.sql", "\n\nDELETE FROM a;");
    write(folder.path(), "notes.txt", "DELETE FROM c;");
    std::fs::create_dir(folder.path().join("old.sql")).unwrap();
    let single = write(folder.path(), "single", "SELECT 1;");
    let (outcome, out) = files(&[folder.path().to_owned(), single]).unwrap();
    assert_eq!(outcome, Outcome { statements: 3, refused: 2, warned: 0 });
    let verdicts: Vec<&str> = out.lines().filter(|line| line.contains(": refuse: ")).collect();
    assert!(verdicts[0].ends_with("/0001_a.sql:3: refuse: delete from a"), "{out}");
    assert!(verdicts[1].ends_with("/0002_b.sql:1: refuse: delete from b"), "{out}");
}

#[test]
fn a_folder_without_migrations_is_no_success() {
    let folder = tempfile::tempdir().unwrap();
    let failed = files(&[folder.path().to_owned()]).unwrap_err();
    assert!(failed.to_string().contains("no .sql file"), "{failed}");
    let missing = folder.path().join("missing.sql");
    let failed = files(&[write(folder.path(), "a.sql", "DELETE FROM t"), missing.clone()]).unwrap_err();
    assert!(failed.to_string().starts_with(&missing.display().to_string()), "{failed}");
}

const EXPORT: &str = "userid,query,calls,rows,mean_exec_time\n\
                      10,\"SELECT *\n  FROM t WHERE a = \"\"x\"\" LIMIT $1\",5,100,0.25\n\
                      10,SELECT * FROM small WHERE id = $1,9000,9000,0.01\n\
                      10,SELECT * FROM log WHERE day = $1,3,1200000,900\n\
                      10,UPDATE t SET x = $1 WHERE y = $2,2,50000,40\n\
                      10,DELETE FROM t WHERE a = $1 AND b IN ($2,1,1,1\n\
                      10,DELETE FROM t,1,,\n";

#[test]
fn an_export_is_judged_most_calls_first_with_what_was_counted() {
    let (outcome, out) = statistics("", EXPORT).unwrap();
    assert_eq!(outcome, Outcome { statements: 6, refused: 2, warned: 1 }, "{out}");
    let places: Vec<&str> = out.lines().filter_map(|line| line.strip_prefix("stdin:")).collect();
    let lines: Vec<&str> = places.iter().map(|place| place.split(':').next().unwrap()).collect();
    assert_eq!(lines, ["4", "2", "5", "6", "7", "8"], "{out}");
    for line in [
        "stdin:4: allow: select * from small where id = $1",
        "  calls: 9000, rows a call: 1.0, ms a call: 0.010",
        "stdin:5: refuse: select * from log where day = $1",
        "  result_budget: its calls sent 400000 rows on average; at most 100000 are allowed",
        "stdin:6: warn: update t set x = $1 where y = $1",
        "  write_budget: its calls changed 25000 rows on average; at most 10000 are allowed",
        "stdin:8: refuse: delete from t",
        "  calls: 1",
    ] {
        assert!(out.lines().any(|printed| printed == line), "{line}\n{out}");
    }
}

#[test]
fn what_an_export_has_cut_off_is_not_taken_for_missing() {
    let export = "query\n\"DELETE FROM t WHERE a IN ($1, $2\"\nUPDATE t SET a = $1...\n\"SELECT * FROM t WHE\"\n";
    let (outcome, out) = statistics("", export).unwrap();
    assert_eq!(outcome.refused, 0, "{out}");
    assert!(out.contains("its end may be missing"), "{out}");
}

#[test]
fn what_an_export_hides_is_told_and_not_taken_for_harmless() {
    let (outcome, out) = statistics("", "query,calls\n<insufficient privilege>,8\n").unwrap();
    assert_eq!(outcome, Outcome { statements: 1, refused: 0, warned: 1 });
    assert!(out.contains("pg_read_all_stats"), "{out}");
}

#[test]
fn a_slow_shape_is_held_against_the_time_limit() {
    let settings = "statement_timeout = { mode = 'warn', limit = '1s' }";
    let (_, out) = statistics(settings, "query,mean_time\nSELECT 1,1500\nSELECT 2,900\n").unwrap();
    assert_eq!(out.matches("statement_timeout: its calls took 1500 ms on average").count(), 1, "{out}");
}

/// A limit of time was told in milliseconds without their unit, beside what was measured in words.
#[test]
fn what_was_measured_and_its_limit_have_one_form() {
    let told = |settings: &str, sql: &str, kind: Kind| {
        let (_, out) = judge(settings, kind, sql, Format::Json).unwrap();
        let line: serde_json::Value = serde_json::from_str(out.lines().next().unwrap()).unwrap();
        let breach = line["refused"].as_object().unwrap();
        ["measured", "limit"].map(|key| breach[key].as_str().unwrap_or_default().to_owned())
    };
    let slow = "query,calls,rows,mean_exec_time\nSELECT $1,2,2,1500.4\n";
    let timeout = "statement_timeout = { mode = 'enforce', limit = '1s' }";
    assert_eq!(told(timeout, slow, Kind::Statistics), ["1s500ms", "1s"]);
    let long = format!("INSERT INTO t VALUES ('{}')", "x".repeat(2048 - 25));
    assert_eq!(told("bulk_write.max_bytes = '1KiB'", &long, Kind::Sql), ["2KiB", "1KiB"]);
    assert_eq!(told("bulk_write.max_rows = 2", "INSERT INTO t VALUES (1), (2), (3)", Kind::Sql), ["3", "2"]);
}

#[test]
fn an_export_may_be_json() {
    let list = r#"[{"query": "DELETE FROM t", "calls": "7", "rows": 70}, {"query": "SELECT 1", "calls": 9}]"#;
    let (outcome, out) = statistics("", list).unwrap();
    assert_eq!(outcome, Outcome { statements: 2, refused: 1, warned: 0 });
    assert!(out.contains("stdin: entry 1: refuse: delete from t\n  calls: 7, rows a call: 10.0\n"), "{out}");
    assert!(out.starts_with("stdin: entry 2: allow: select $1"), "{out}");
    let lines = "{\"query\": \"SELECT 1\"}\n{\"query\": \"SELECT 2\"}\n";
    assert_eq!(statistics("", lines).unwrap().0.statements, 2);
}

#[test]
fn an_export_with_an_error_is_told_with_its_line() {
    for (export, told) in [
        ("calls,rows\n1,2\n", "stdin:1: no column is called \"query\""),
        ("", "stdin:1: no column"),
        ("query,calls\nSELECT 1,3\nSELECT 2,many\n", "stdin:3: \"calls\" is no number"),
        ("calls,query\n1,SELECT 1\n2\n", "stdin:3: the row has 1 fields"),
        ("[{\"query\": \"SELECT 1\"},\n{\"query\": oops}]", "stdin:2: "),
        ("[{\"calls\": 1}]", "stdin:1: entry 1 is no object with a \"query\""),
        ("[7]", "stdin:1: entry 1 is no object"),
    ] {
        let failed = statistics("", export).unwrap_err().to_string();
        assert!(failed.starts_with(told), "{export}: {failed}");
    }
}

#[test]
fn literals_of_an_export_are_not_printed() {
    let (_, out) = statistics("", "query\nALTER ROLE app PASSWORD 'hunter2'\n").unwrap();
    assert!(!out.contains("hunter2"), "{out}");
}

#[test]
fn statements_between_delimiter_lines_end_with_the_delimiter() {
    let guard = Guard::build(&Table::new()).unwrap();
    let linter =
        Linter { guard: &guard, schema: None, dialect: Dialect::MySql, kind: Some(Kind::Sql), format: Format::Text };
    let mut out = Vec::new();
    let text = "DELETE FROM a;\n-- next\nDELIMITER //\nCREATE PROCEDURE p() BEGIN SELECT 1; END //\nDELETE FROM b//\n\
                delimiter ;\nDELETE FROM c;\nDELIMITER $$\nDELETE FROM d$$\nSELECT 2\n";
    let outcome = linter.run(&["-".into()], &mut text.as_bytes(), &mut out).unwrap();
    let out = String::from_utf8(out).unwrap();
    assert_eq!(outcome, Outcome { statements: 6, refused: 4, warned: 0 }, "{out}");
    for line in [1, 5, 7, 9] {
        assert!(out.contains(&format!("stdin:{line}: refuse")), "{line}\n{out}");
    }
}

#[test]
fn a_file_tells_which_tables_are_large() {
    let tables =
        "[orders]\nrows = 400000\nprimary_key = [\"id\"]\n[\"shop.items\"]\nrows = 7\nunique = [[\"a\", \"b\"]]\n";
    let schema = floodwall::linter::read_schema(tables).unwrap();
    let guard = Guard::build(&Table::new()).unwrap();
    let linter = Linter {
        guard: &guard,
        schema: Some(&schema),
        dialect: Dialect::Postgres,
        kind: Some(Kind::Sql),
        format: Format::Text,
    };
    let mut out = Vec::new();
    let text =
        "SELECT * FROM orders;\nSELECT * FROM orders WHERE id = 5;\nSELECT * FROM shop.items;\nSELECT * FROM other;\n";
    let outcome = linter.run(&["-".into()], &mut text.as_bytes(), &mut out).unwrap();
    let out = String::from_utf8(out).unwrap();
    assert_eq!(outcome, Outcome { statements: 4, refused: 1, warned: 1 }, "{out}");
    assert!(out.contains("stdin:1: refuse") && out.contains("about 400000 rows"), "{out}");
    assert!(out.contains("bounded: at most 1 rows"), "{out}");
    for (wrong, told) in [
        ("[a]\nrow = 1", "[a]: row: unknown key"),
        ("[a]\nrows = -1", "[a]: rows is a number of rows, not below 0"),
        ("[a]\nunique = [\"x\"]", "[a]: unique is a list of lists of columns"),
        ("a = 1", "[a]: is no table"),
        ("[", "TOML"),
    ] {
        assert!(floodwall::linter::read_schema(wrong).unwrap_err().contains(told), "{wrong}");
    }
}

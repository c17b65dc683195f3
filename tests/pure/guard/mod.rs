//! Verdicts, by tables of statements in `corpus/`.

mod counted;
mod settings;

use std::time::Duration;

use floodwall::guard::{Guard, Intake, Judgement, Measure, Mode, OnUnreadable, Verdict, Whole, rules};
use floodwall::sql::lexer::{Counts, Wrap};
use floodwall::sql::{Estimate, Flags, Reading, Schema, Strings, Verb};
use toml::Table;

pub(crate) const REFUSED: &str = include_str!("../corpus/refused.txt");
pub(crate) const PASSES: &str = include_str!("../corpus/passes.txt");
const ORDINARY: &str = include_str!("../corpus/ordinary.txt");

pub(crate) const MYSQL_REFUSED: &str = include_str!("../corpus/mysql_refused.txt");
pub(crate) const MYSQL_PASSES: &str = include_str!("../corpus/mysql_passes.txt");
const MYSQL_ORDINARY: &str = include_str!("../corpus/mysql_ordinary.txt");

pub(crate) fn lines(corpus: &'static str) -> impl Iterator<Item = &'static str> {
    corpus.lines().filter(|line| !line.starts_with("# ") && !line.is_empty())
}

fn schema() -> Schema {
    schema_in("public")
}

pub(crate) fn schema_in(home: &str) -> Schema {
    let small = ["small", "countries", "archive", "log", "t", "s", "django_migrations", "other"];
    let large = ["big", "orders", "users", "auth_user"];
    let mut builder = Schema::builder();
    small.iter().for_each(|name| builder.add(home, name, Estimate::Known(100)));
    large.iter().for_each(|name| builder.add(home, name, Estimate::Known(400_000)));
    builder.add(home, "big_view", Estimate::NotATable);
    builder.add("archive", "events", Estimate::Known(5));
    builder.add(home, "events", Estimate::Known(5_000_000));
    builder.build()
}

pub(crate) fn guard(settings: &str) -> Guard {
    Guard::build(&settings.parse::<Table>().unwrap()).unwrap()
}

fn judged(guard: &Guard, schema: Option<&Schema>, sql: &str) -> Judgement {
    judged_as(guard, schema, Flags::POSTGRES, sql)
}

pub(crate) fn judged_as(guard: &Guard, schema: Option<&Schema>, flags: Flags, sql: &str) -> Judgement {
    let reading = Reading::of(flags, sql.as_bytes());
    guard.judge(&Intake::of_text(&reading, schema, sql.len() as u64))
}

/// The rule that refuses a text, at the given settings.
fn refuser(settings: &str, sql: &str) -> Option<&'static str> {
    match judged(&guard(settings), Some(&schema()), sql).verdict {
        Verdict::Allow => None,
        Verdict::Refuse(breach) => Some(breach.rule),
    }
}

fn many(item: &str, count: usize) -> String {
    vec![item; count].join(", ")
}

/// The lines of a table of refusals that were not refused by the rule that they name.
fn not_refused(corpus: &'static str, schema: &Schema, flags: Flags) -> Vec<String> {
    let guard = guard("");
    let wrong = lines(corpus).filter_map(|line| {
        let (rule, sql) = line.split_once(' ').unwrap();
        match judged_as(&guard, Some(schema), flags, sql).verdict {
            Verdict::Refuse(breach) if breach.rule == rule => None,
            other => Some(format!("{line}\n    {other:?}")),
        }
    });
    wrong.collect()
}

/// The lines of a table that did not pass without a warning.
fn not_passed(corpus: &'static str, schema: &Schema, flags: Flags) -> Vec<String> {
    let guard = guard("");
    let wrong = lines(corpus).filter_map(|sql| {
        let judgement = judged_as(&guard, Some(schema), flags, sql);
        let passes = judgement.allows() && judgement.warned.is_empty();
        (!passes).then(|| format!("{sql}\n    {judgement:?}"))
    });
    wrong.collect()
}

pub(crate) fn assert_none(wrong: &[String]) {
    assert!(wrong.is_empty(), "{} wrong:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn what_ought_to_be_refused_is_refused_by_the_rule_that_says_so() {
    assert_none(&not_refused(REFUSED, &schema(), Flags::POSTGRES));
}

#[test]
fn what_ought_to_be_refused_of_mysql_is_refused_by_the_rule_that_says_so() {
    for flags in [Flags::MYSQL, Flags::MARIADB] {
        assert_none(&not_refused(MYSQL_REFUSED, &schema_in("shop"), flags));
    }
}

#[test]
fn what_ought_to_pass_passes_without_a_word() {
    assert_none(&not_passed(PASSES, &schema(), Flags::POSTGRES));
}

#[test]
fn what_ought_to_pass_of_mysql_passes_without_a_word() {
    for flags in [Flags::MYSQL, Flags::MARIADB] {
        assert_none(&not_passed(MYSQL_PASSES, &schema_in("shop"), flags));
    }
}

#[test]
fn nothing_that_ordinary_clients_send_is_refused() {
    let (guard, schema) = (guard(""), schema());
    for sql in lines(ORDINARY) {
        for schema in [None, Some(&schema)] {
            let judgement = judged(&guard, schema, sql);
            assert!(judgement.allows(), "{sql}\n{judgement:?}");
        }
    }
}

#[test]
fn nothing_that_ordinary_clients_of_mysql_send_is_refused() {
    let (guard, schema) = (guard(""), schema_in("shop"));
    let mut wrong = Vec::new();
    for sql in lines(MYSQL_ORDINARY) {
        for (schema, flags) in [(None, Flags::MYSQL), (Some(&schema), Flags::MYSQL), (Some(&schema), Flags::MARIADB)] {
            let judgement = judged_as(&guard, schema, flags, sql);
            if !judgement.allows() {
                wrong.push(format!("{sql}\n    {judgement:?}"));
            }
        }
    }
    assert_none(&wrong);
}

#[test]
fn the_tables_of_cases_are_long_enough_to_mean_something() {
    let rows = [REFUSED, PASSES, ORDINARY].map(|corpus| lines(corpus).count());
    assert!(rows.iter().sum::<usize>() >= 900, "{rows:?}");
    let rows = [MYSQL_REFUSED, MYSQL_PASSES, MYSQL_ORDINARY].map(|corpus| lines(corpus).count());
    assert!(rows.iter().sum::<usize>() >= 600, "{rows:?}");
}

#[test]
fn without_a_schema_a_whole_table_is_only_doubtful() {
    let guard = guard("");
    let judgement = judged(&guard, None, "SELECT * FROM big");
    assert!(judgement.allows());
    assert_eq!(judgement.warned.len(), 1);
    assert_eq!(judgement.warned[0].measured, "unbounded");
    assert!(!judged(&guard, None, "SELECT * FROM big LIMIT 20000").allows(), "a limit needs no schema");
    assert!(judged(&guard, None, "SELECT * FROM pg_class").warned.is_empty());
    let temporary = judged(&guard, Some(&schema()), "SELECT b.* FROM big b JOIN picked p ON p.id = b.owner_id");
    assert!(temporary.allows() && temporary.warned.len() == 1, "{temporary:?}");
}

#[test]
fn unknown_tables_get_what_was_chosen_for_them() {
    let sql = "SELECT * FROM nowhere";
    let with =
        |choice: &str| judged(&guard(&format!("unbounded_select.unknown_table = \"{choice}\"")), Some(&schema()), sql);
    assert_eq!(with("allow"), judged(&guard("mode = \"off\""), None, ""));
    assert_eq!(with("warn").warned.len(), 1);
    assert_eq!(with("warn").doubts, [0]);
    let lenient = |choice: &str| {
        judged(
            &guard(&format!("mode = 'warn'\nunbounded_select.unknown_table = \"{choice}\"")),
            None,
            "SELECT * FROM t",
        )
    };
    assert_eq!(
        (lenient("warn").doubts, lenient("refuse").doubts),
        (vec![0], vec![]),
        "enforce would refuse the second"
    );
    assert!(!with("refuse").allows());
}

#[test]
fn small_tables_may_be_read_whole() {
    let named = |name: &str| format!("unbounded_select.small_tables = [\"{name}\"]");
    assert_eq!(refuser(&named("big"), "SELECT * FROM big"), None);
    assert_eq!(refuser(&named("big"), "SELECT * FROM public.big"), None);
    assert_eq!(refuser(&named("public.big"), "SELECT * FROM big"), None);
    assert_eq!(refuser(&named("public.big"), "SELECT * FROM public.big"), None);
    assert_eq!(refuser(&named("other.orders"), "SELECT * FROM public.orders"), Some("unbounded_select"));
    assert_eq!(refuser(&named("big"), "SELECT * FROM big, orders"), Some("unbounded_select"));
}

#[test]
fn a_name_in_several_schemas_is_as_small_as_the_smallest() {
    assert_eq!(refuser("", "SELECT * FROM events"), None);
    assert_eq!(refuser("", "SELECT * FROM public.events"), Some("unbounded_select"));
    assert_eq!(refuser("", "SELECT * FROM archive.events"), None);
}

#[test]
fn the_row_limit_counts_for_limits_and_for_tables() {
    assert_eq!(refuser("unbounded_select.max_rows = 50", "SELECT * FROM small"), Some("unbounded_select"));
    assert_eq!(refuser("unbounded_select.max_rows = 50", "SELECT * FROM big LIMIT 51"), Some("unbounded_select"));
    assert_eq!(refuser("unbounded_select.max_rows = 50", "SELECT * FROM big LIMIT 50"), None);
    assert_eq!(refuser("unbounded_select.max_rows = 1000000", "SELECT * FROM big"), None);
}

#[test]
fn truncate_is_judged_by_choice() {
    let chosen = "unfiltered_write.truncate = true";
    for sql in ["TRUNCATE small", "truncate table only \"public\".small cascade", "BEGIN; TRUNCATE small"] {
        assert_eq!(refuser(chosen, sql), Some("unfiltered_write"), "{sql}");
        assert_eq!(refuser("", sql), None, "{sql}");
    }
    let judgement = judged(&guard(chosen), None, "TRUNCATE public.small");
    let Verdict::Refuse(breach) = judgement.verdict else { panic!("{judgement:?}") };
    assert!(breach.message.contains("\"public.small\""), "{}", breach.message);
}

/// Shapes of thousands of terms need the stack that `facts::parse` asks for.
fn on_large_stack<T: Send + 'static>(run: impl FnOnce() -> T + Send + 'static) -> T {
    let thread = std::thread::Builder::new().stack_size(floodwall::sql::facts::STACK_BYTES);
    thread.spawn(run).unwrap().join().unwrap()
}

#[test]
fn no_text_of_a_breach_holds_a_literal() {
    let sql = "UPDATE small SET secret = 'hunter2'; DELETE FROM small WHERE 'hunter2' = 'hunter2'; \
               SELECT * FROM big WHERE 'hunter2' <> 'x' LIMIT 99999";
    let judgement = judged(&guard("mode = \"warn\""), Some(&schema()), sql);
    assert_eq!(judgement.warned.len(), 3);
    for breach in judgement.warned {
        assert!(!format!("{breach:?}").contains("hunter2"), "{breach:?}");
    }
}

#[test]
fn breaches_say_what_was_measured_and_what_to_write() {
    let breach = |sql: &str| match judged(&guard(""), Some(&schema()), sql).verdict {
        Verdict::Refuse(breach) => breach,
        Verdict::Allow => panic!("{sql} passes"),
    };
    let select = breach("SELECT * FROM big");
    assert_eq!((select.measured.as_str(), select.limit), ("400000", 10_000));
    assert_eq!(select.message, "the query sends all of \"big\", about 400000 rows; at most 10000 are allowed");
    assert!(select.hint.contains("FROM big WHERE id > $1 ORDER BY id LIMIT 1000"), "{}", select.hint);
    let limit = breach("SELECT * FROM big LIMIT 20000");
    assert_eq!((limit.measured.as_str(), limit.limit), ("20000", 10_000));
    let write = breach("DELETE FROM small");
    assert_eq!(write.message, "DELETE of every row of \"small\": it has no WHERE");
    let bulk = breach(&format!("INSERT INTO t VALUES {}", many("(1)", 5_001)));
    assert_eq!((bulk.measured.as_str(), bulk.limit), ("5001", 5_000));
    assert!(bulk.hint.contains("batch_size"), "{}", bulk.hint);
}

#[test]
fn names_reach_people_without_control_characters() {
    let judgement = judged(&guard(""), None, "DELETE FROM \"a\nb\u{1b}[31m\"");
    let Verdict::Refuse(breach) = judgement.verdict else { panic!("{judgement:?}") };
    assert!(breach.message.chars().all(|c| !c.is_control()), "{:?}", breach.message);
}

#[test]
fn what_a_backslash_means_is_the_sessions_choice() {
    let sql = r"SELECT '\'; DELETE FROM small; --'";
    let off = Flags::POSTGRES.with_strings(Strings::Escapes);
    let refused = |flags| !judged_as(&guard(""), None, flags, sql).allows();
    assert!(refused(Flags::POSTGRES), "on: the string ends at the second quote");
    assert!(!refused(off), "off: the string goes on to the end");
}

#[test]
fn deep_and_long_statements_are_read_without_harm() {
    let deep = |open: &str, close: &str, n: usize| format!("SELECT {}1{}", open.repeat(n), close.repeat(n));
    for sql in [
        deep("(", ")", 20_000),
        deep("(SELECT ", ")", 20_000),
        deep("ARRAY[", "]", 20_000),
        deep("CASE WHEN true THEN ", " END", 20_000),
        deep("f(", ")", 20_000),
        deep("- ", "", 20_000),
        deep("NOT ", "", 20_000),
        format!("SELECT {} FROM big", vec!["a"; 30_000].join(" + ")),
        format!("SELECT * FROM big WHERE {}", vec!["a = 1"; 3_000].join(" AND ")),
        vec!["SELECT 1"; 3_000].join(" UNION ALL "),
        format!("DELETE FROM small WHERE {}", vec!["a = 1"; 2_000].join(" OR ")),
        format!("{}SELECT 1", "/*".repeat(50_000)),
        "(".repeat(100_000),
        "'".repeat(99_999),
        "$a$".repeat(50_001),
    ] {
        on_large_stack(move || judged(&guard(""), None, &sql));
    }
    let long = format!("DELETE FROM small WHERE {} OR true", vec!["a = 1"; 1_500].join(" OR "));
    assert!(!on_large_stack(move || judged(&guard(""), None, &long).allows()));
}

#[test]
fn what_is_too_long_for_the_parser_is_still_judged_by_its_clauses() {
    let columns: String = (0..9_000).map(|n| format!("column_number_{n}, ")).collect();
    assert_eq!(refuser("", &format!("SELECT {columns} id FROM big")), Some("unbounded_select"));
    assert_eq!(refuser("", &format!("SELECT {columns} id FROM big LIMIT 5")), None);
    assert_eq!(refuser("", &format!("SELECT {columns} id FROM big WHERE id = 4")), None);
    let sets: String = (0..9_000).map(|n| format!("column_number_{n} = 1, ")).collect();
    assert_eq!(refuser("", &format!("UPDATE small SET {sets} x = 1")), Some("unfiltered_write"));
    assert_eq!(refuser("", &format!("UPDATE small SET {sets} x = 1 WHERE id = 4")), None);
}

#[test]
fn every_statement_is_measured_breach_or_not() {
    let schema = schema();
    let measured = |settings: &str, sql: &str| {
        let reading = Reading::of(Flags::POSTGRES, sql.as_bytes());
        let whole = Whole::Whole;
        let intake = Intake { whole, ..Intake::of_text(&reading, Some(&schema), sql.len() as u64) };
        guard(settings).measure(&intake).values
    };
    let rows = |rows: u64| vec![(Measure::SelectRows, rows)];
    for (sql, expected) in [
        ("SELECT * FROM big LIMIT 20", rows(20)),
        ("SELECT * FROM big LIMIT 70000", rows(70_000)),
        ("SELECT * FROM big", rows(400_000)),
        ("SELECT * FROM small", rows(100)),
        ("SELECT 1; SELECT * FROM small LIMIT 3", [rows(1), rows(3)].concat()),
        ("SELECT * FROM big WHERE a = 1", vec![]),
        ("SELECT * FROM nobody_knows", vec![]),
        ("INSERT INTO t VALUES (1), (2)", vec![(Measure::BulkRows, 2), (Measure::BulkBytes, 29)]),
        ("UPDATE t SET a = 1", vec![(Measure::BulkRows, 0), (Measure::BulkBytes, 18)]),
        ("BEGIN", vec![]),
        ("", vec![]),
    ] {
        assert_eq!(measured("", sql), expected, "{sql}");
        assert_eq!(measured("mode = 'warn'", sql), expected, "{sql}");
        assert_eq!(measured("mode = 'off'", sql), [], "{sql}");
    }
}

/// Judges random statements, put together from the parts of real ones, within the time that FLOODWALL_FUZZ_SECONDS gives.
#[test]
fn fuzz_judge() {
    let (guard, schema) = (guard("on_unreadable = \"refuse\"\nunfiltered_write.truncate = true"), schema());
    crate::sql::random::fuzz(Duration::from_secs(1), 0x5eed, move |text, flags| {
        let reading = Reading::of(flags, text);
        for whole in [Whole::Whole, Whole::PrefixOnly] {
            let intake = Intake { whole, ..Intake::of_text(&reading, Some(&schema), text.len() as u64) };
            let judgement = guard.judge(&intake);
            for statement in 0..reading.pieces().len() {
                assert!(guard.trace(&intake, statement).len() <= 3);
            }
            assert!(judgement.failed.is_empty() && guard.measure(&intake).failed.is_empty(), "a rule panicked");
            for breach in judgement.warned {
                assert!(breach.statement < reading.pieces().len());
            }
        }
    });
}

#[test]
fn a_plain_piece_carries_nothing() {
    let reading = Reading::of(Flags::POSTGRES, b"");
    let piece = &reading.pieces()[0];
    assert_eq!((piece.verb, piece.wrap, piece.counts), (Verb::Empty, Wrap::None, Counts::default()));
}

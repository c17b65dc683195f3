//! Verdicts, by tables of statements in `corpus/`.

use std::time::Duration;

use floodwall::guard::{Guard, Intake, Judgement, Measure, Mode, OnUnreadable, Verdict, Whole, rules};
use floodwall::sql::lexer::{Counts, Wrap};
use floodwall::sql::{Estimate, Flags, Reading, Schema, Strings, Verb};
use toml::Table;

pub(crate) const REFUSED: &str = include_str!("corpus/refused.txt");
pub(crate) const PASSES: &str = include_str!("corpus/passes.txt");
const ORDINARY: &str = include_str!("corpus/ordinary.txt");

pub(crate) const MYSQL_REFUSED: &str = include_str!("corpus/mysql_refused.txt");
pub(crate) const MYSQL_PASSES: &str = include_str!("corpus/mysql_passes.txt");
const MYSQL_ORDINARY: &str = include_str!("corpus/mysql_ordinary.txt");

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

#[test]
fn rows_are_counted_in_every_form_that_carries_them() {
    let tuple = |n| format!("INSERT INTO t (a, b) VALUES {}", many("(1, 'x')", n));
    let items = |n| format!("DELETE FROM t WHERE id IN ({})", many("7", n));
    let arms = |n| format!("UPDATE t SET a = CASE {} END WHERE id = 1", "WHEN id = 1 THEN 2 ".repeat(n));
    let array = |n| format!("UPDATE t SET a = 1 WHERE id = ANY(ARRAY[{}])", many("7", n));
    let text = |n| format!("UPDATE t SET a = 1 WHERE id = ANY('{{{}}}'::int[])", many("7", n));
    let unnest = |n| format!("INSERT INTO t SELECT * FROM unnest('{{{}}}'::int[])", many("7", n));
    let values = |n| format!("UPDATE t SET a = v.a FROM (VALUES {}) v(id, a) WHERE v.id = t.id", many("(1, 2)", n));
    let cte = |n| format!("WITH i AS (INSERT INTO t VALUES {} RETURNING id) SELECT * FROM i", many("(1)", n));
    let merge =
        |n| format!("MERGE INTO t USING (VALUES {}) v(id) ON t.id = v.id WHEN MATCHED THEN DELETE", many("(1)", n));
    let forms: [&dyn Fn(usize) -> String; 9] = [&tuple, &items, &arms, &array, &text, &unnest, &values, &cte, &merge];
    for form in forms {
        assert_eq!(refuser("", &form(5_000)), None, "{}", &form(2));
        assert_eq!(refuser("", &form(5_001)), Some("bulk_write"), "{}", &form(2));
        assert_eq!(refuser("bulk_write.max_rows = 6000", &form(5_001)), None);
    }
}

#[test]
fn the_writes_of_one_text_count_together() {
    // One of them commits what nobody can bound, which is for another rule to say.
    let rules = guard("write_budget.mode = \"off\"");
    let judgement = |sql: &str| judged(&rules, Some(&schema()), sql);
    let texts = |n: usize| {
        [
            vec!["INSERT INTO t VALUES (1)"; n].join(";"),
            vec!["UPDATE t SET a = 1 WHERE id = 5"; n].join(";"),
            format!("SELECT 1; {}; SELECT 2", vec!["DELETE FROM t WHERE id = 7"; n].join("; COMMIT; ")),
            format!("INSERT INTO t VALUES {}; DELETE FROM t WHERE id IN ({})", many("(1)", n - 10), many("7", 10)),
            format!(
                "WITH a AS (INSERT INTO t VALUES {}), b AS (INSERT INTO s VALUES {}) SELECT 1",
                many("(1)", n - 9),
                many("(1)", 9)
            ),
            format!("WITH a AS (INSERT INTO t VALUES {}) INSERT INTO s VALUES {}", many("(1)", n - 9), many("(1)", 9)),
        ]
    };
    for sql in texts(5_000) {
        assert!(judgement(&sql).is_clean(), "{}", &sql[..60]);
    }
    for sql in texts(5_001) {
        let Verdict::Refuse(breach) = judgement(&sql).verdict else { panic!("{}", &sql[..60]) };
        assert_eq!((breach.rule, breach.measured.as_str()), ("bulk_write", "5001"), "{}", &sql[..60]);
    }
    let warned = |sql: &str| {
        let warned = judged(&guard("mode = \"warn\""), None, sql).warned;
        warned.iter().map(|breach| breach.statement).collect::<Vec<_>>()
    };
    let ten = "INSERT INTO t VALUES (1), (2), (3), (4), (5), (6), (7), (8), (9), (10)";
    assert_eq!(warned(&vec![ten; 900].join(";")), [500], "told once, where it goes over");
    assert_eq!(warned(&vec!["INSERT INTO t VALUES (1)"; 9_000].join(";")).len(), 1, "so many are counted as one");
}

#[test]
fn what_is_long_but_no_bulk_write_passes() {
    for sql in [
        format!("SELECT * FROM big WHERE id IN ({})", many("7", 6_000)),
        format!("SELECT * FROM (VALUES {}) v", many("(1)", 6_000)),
        format!("INSERT INTO t (vector) VALUES (ARRAY[{}])", many("0.5", 6_000)),
        format!("INSERT INTO t (doc) VALUES ('{{{}}}')", many("\"a\": 1", 6_000)),
        format!("INSERT INTO t (doc) VALUES ('{}')", "x".repeat(1 << 20)),
        format!("UPDATE t SET a = CASE {0} END, b = CASE {0} END WHERE id = 1", "WHEN id = 1 THEN 2 ".repeat(3_000)),
        format!("EXPLAIN INSERT INTO t VALUES {}", many("(1)", 6_000)),
        format!("SELECT 1 WHERE {}", vec!["a = 1"; 2_000].join(" OR ")),
    ] {
        assert_eq!(on_large_stack(move || refuser("", &sql)), None);
    }
}

/// Shapes of thousands of terms need the stack that `facts::parse` asks for.
fn on_large_stack<T: Send + 'static>(run: impl FnOnce() -> T + Send + 'static) -> T {
    let thread = std::thread::Builder::new().stack_size(floodwall::sql::facts::STACK_BYTES);
    thread.spawn(run).unwrap().join().unwrap()
}

#[test]
fn one_kind_of_row_does_not_add_to_another() {
    let sql =
        format!("UPDATE t SET a = CASE {} END WHERE id IN ({})", "WHEN id = 1 THEN 2 ".repeat(3_000), many("7", 3_000));
    assert_eq!(refuser("", &sql), None);
}

#[test]
fn text_is_measured_for_writes_only() {
    let settings = "bulk_write.max_bytes = \"1KiB\"";
    let long = "x".repeat(2_000);
    assert_eq!(refuser(settings, &format!("INSERT INTO t VALUES ('{long}')")), Some("bulk_write"));
    assert_eq!(refuser(settings, &format!("SELECT '{long}'")), None);
    assert_eq!(refuser(settings, &format!("SELECT '{long}'; INSERT INTO t VALUES (1)")), None);
    assert_eq!(refuser(settings, &format!("/* {long} */ INSERT INTO t VALUES (1) -- {long}")), None);
}

#[test]
fn of_a_text_that_is_too_long_the_beginning_is_enough() {
    let head = b"INSERT INTO t VALUES ('xxxxxxxxxxxxxxxxx";
    let reading = Reading::of(Flags::POSTGRES, head);
    let intake = Intake { whole: Whole::PrefixOnly, ..Intake::of_text(&reading, None, 17 << 20) };
    let Verdict::Refuse(breach) = guard("").judge(&intake).verdict else { panic!("it is too long") };
    assert_eq!((breach.rule, breach.limit), ("bulk_write", 16 << 20));
    let reading = Reading::of(Flags::POSTGRES, b"DELETE FROM t");
    let intake = Intake { whole: Whole::PrefixOnly, ..Intake::of_text(&reading, None, 2 << 20) };
    assert!(guard("").judge(&intake).allows(), "its filter may still come");
    assert!(!guard("on_unreadable = \"refuse\"").judge(&intake).allows());
    let cut = Reading::of(Flags::POSTGRES, b"DELETE FROM t; SELECT 'x");
    let intake = Intake { whole: Whole::PrefixOnly, ..Intake::of_text(&cut, None, 2 << 20) };
    assert!(!guard("").judge(&intake).allows(), "what came before was read whole");
}

#[test]
fn the_guard_asks_to_see_as_much_as_its_rules_need() {
    assert_eq!(guard("").hold_bytes(), 16 << 20);
    assert_eq!(guard("bulk_write.mode = \"off\"").hold_bytes(), 1 << 20);
    assert_eq!(guard("mode = \"off\"").hold_bytes(), 0);
}

#[test]
fn modes_decide_what_becomes_of_a_breach() {
    let sql = "DELETE FROM small; SELECT * FROM big";
    let verdict = |settings: &str| {
        let judgement = judged(&guard(settings), Some(&schema()), sql);
        let warned: Vec<_> = judgement.warned.iter().map(|breach| (breach.statement, breach.rule)).collect();
        match judgement.verdict {
            Verdict::Allow => (None, warned),
            Verdict::Refuse(breach) => (Some((breach.statement, breach.rule)), warned),
        }
    };
    let (write, select) = ((0, "unfiltered_write"), (1, "unbounded_select"));
    assert_eq!(verdict(""), (Some(write), vec![]));
    assert_eq!(verdict("mode = \"warn\""), (None, vec![write, select]));
    assert_eq!(verdict("mode = \"off\""), (None, vec![]));
    assert_eq!(verdict("unfiltered_write.mode = \"warn\""), (Some(select), vec![write]));
    assert_eq!(verdict("unfiltered_write.mode = \"off\""), (Some(select), vec![]));
    assert_eq!(verdict("mode = \"off\"\nunbounded_select.mode = \"enforce\""), (Some(select), vec![]));
    assert_eq!(verdict("mode = \"warn\"\nunfiltered_write.mode = \"off\""), (None, vec![select]));
}

#[test]
fn overrides_change_what_they_name() {
    let base = guard("unbounded_select = { max_rows = 50, mode = \"enforce\" }");
    let with = |overrides: &str| base.with_overrides(&overrides.parse::<Table>().unwrap()).unwrap();
    let refuses = |guard: &Guard, sql: &str| !judged(guard, Some(&schema()), sql).allows();
    let warn = with("unbounded_select = { mode = \"warn\" }");
    assert_eq!(judged(&warn, Some(&schema()), "SELECT * FROM small").warned.len(), 1, "max_rows stays 50");
    assert!(refuses(&warn, "DELETE FROM small"));
    assert!(!refuses(&with("mode = \"off\""), "SELECT * FROM small; DELETE FROM small"));
    let one = with("mode = \"off\"\nunfiltered_write.mode = \"enforce\"");
    assert!(refuses(&one, "DELETE FROM small") && !refuses(&one, "SELECT * FROM big"));
    assert!(!refuses(&with("unbounded_select.max_rows = 500000"), "SELECT * FROM big"));
    assert!(refuses(&base, "SELECT * FROM small"), "the base is as it was");
}

#[test]
fn overrides_that_mean_nothing_are_errors() {
    let wrong = "unbounded_select = { max_row = 5 }".parse::<Table>().unwrap();
    let errors = guard("").with_overrides(&wrong).unwrap_err();
    assert_eq!(errors[0].path, ["unbounded_select", "max_row"]);
}

#[test]
fn every_wrong_setting_is_told_with_its_place_and_advice() {
    let cases = [
        ("mood = \"warn\"", &["mood"][..], "did you mean \"mode\""),
        ("mode = \"loud\"", &["mode"], "\"enforce\", \"warn\", \"off\""),
        ("mode = 3", &["mode"], "is 3"),
        ("notice = 1", &["notice"], "true or false"),
        ("on_unreadable = \"maybe\"", &["on_unreadable"], "\"allow\", \"refuse\""),
        ("unbounded_selects = {}", &["unbounded_selects"], "did you mean \"unbounded_select\""),
        ("unbounded_select = 5", &["unbounded_select"], "[rules.unbounded_select]"),
        ("unbounded_select.mode = \"on\"", &["unbounded_select", "mode"], "\"enforce\""),
        ("unbounded_select.max_rows = 0", &["unbounded_select", "max_rows"], "above 0"),
        ("unbounded_select.max_rows = -3", &["unbounded_select", "max_rows"], "above 0"),
        ("unbounded_select.max_rows = \"5\"", &["unbounded_select", "max_rows"], "whole number"),
        ("unbounded_select.small_tables = \"x\"", &["unbounded_select", "small_tables"], "list of names"),
        ("unbounded_select.small_tables = [1]", &["unbounded_select", "small_tables"], "list of names"),
        ("unbounded_select.unknown_table = \"warm\"", &["unbounded_select", "unknown_table"], "\"warn\""),
        ("unfiltered_write.truncat = true", &["unfiltered_write", "truncat"], "did you mean \"truncate\""),
        ("bulk_write.max_bytes = 5", &["bulk_write", "max_bytes"], "unit"),
        ("bulk_write.max_bytes = \"5 potatoes\"", &["bulk_write", "max_bytes"], "5 potatoes"),
        ("bulk_write.max_bytes = \"0B\"", &["bulk_write", "max_bytes"], "is 0"),
        ("bulk_write.zzz = 1", &["bulk_write", "zzz"], "known here are mode, max_rows, max_bytes"),
    ];
    for (settings, path, advice) in cases {
        let errors = Guard::build(&settings.parse::<Table>().unwrap()).unwrap_err();
        assert_eq!(errors.len(), 1, "{settings}: {errors:?}");
        assert_eq!(errors[0].path, path, "{settings}");
        assert!(errors[0].message.contains(advice), "{settings}: {}", errors[0].message);
    }
    let all = "mode = 1\nnotice = 1\nbulk_write.max_rows = 0\nzzz = 1".parse::<Table>().unwrap();
    assert_eq!(Guard::build(&all).unwrap_err().len(), 4);
}

#[test]
fn the_registry_names_every_setting_and_its_default() {
    for def in rules::ALL {
        let settings: String =
            def.settings.iter().map(|(key, default)| format!("{}.{key} = {default}\n", def.name)).collect();
        let guard = guard(&settings);
        assert!(guard.modes().any(|(known, mode)| known.name == def.name && mode == def.mode));
        assert!(!def.summary.is_empty());
    }
    let names: Vec<_> = rules::ALL.iter().map(|def| def.name).collect();
    let judged = ["unfiltered_write", "bulk_write", "unbounded_select"];
    let measured = ["result_budget", "write_budget", "pipeline_write", "stream_write"];
    let timed = ["statement_timeout", "transaction_timeout", "idle_transaction_timeout"];
    assert_eq!(names, [&judged[..], &measured, &timed].concat());
    let enforced = rules::ALL.iter().filter(|def| def.mode == Mode::Enforce).map(|def| def.name);
    assert!(enforced.eq(judged.into_iter().chain(["result_budget"])));
}

#[test]
fn unreadable_statements_pass_or_not_by_choice() {
    let strange = "SELECT * FROM small WHERE ((SELECT 2) UNION SELECT 2) = 2";
    assert_eq!(guard("").on_unreadable(), OnUnreadable::Allow);
    assert_eq!(refuser("", strange), None);
    assert_eq!(refuser("on_unreadable = \"refuse\"", strange), Some("unreadable"));
    assert_eq!(refuser("on_unreadable = \"refuse\"", "SELECT 1; VACUUM (FULL) small"), None);
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

#[test]
fn limits_are_told_in_the_unit_of_their_measure() {
    let own = guard("").with_overrides(&"bulk_write = { max_bytes = '2MiB' }".parse().unwrap()).unwrap();
    for (measure, limit) in [
        (Measure::SelectRows, 10_000),
        (Measure::BulkRows, 5_000),
        (Measure::BulkBytes, 2 << 20),
        (Measure::TransactionTime, 300_000_000),
    ] {
        assert_eq!(own.limit_of(measure), Some(limit), "{measure:?}");
    }
}

/// Judges random statements, put together from the parts of real ones, within the time that FLOODWALL_FUZZ_SECONDS gives.
#[test]
fn fuzz_judge() {
    let (guard, schema) = (guard("on_unreadable = \"refuse\"\nunfiltered_write.truncate = true"), schema());
    crate::sql::fuzz(Duration::from_secs(1), 0x5eed, move |text, flags| {
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

//! Settings of rules: modes, overrides, mistakes.

use super::*;

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

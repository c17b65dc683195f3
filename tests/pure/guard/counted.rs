//! Rows and bytes of a text, in every form that carries them.

use super::*;

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

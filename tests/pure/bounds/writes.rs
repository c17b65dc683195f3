//! How many rows a write changes, and what of it stands in a transaction of its own.

use super::*;

#[test]
fn what_a_write_changes_is_known_by_keys_and_tuples() {
    let schema = schema();
    let within = [
        "UPDATE accounts SET balance = 1 WHERE aid = $1",
        "UPDATE accounts SET balance = 1 WHERE aid IN (1, 2, 3)",
        "UPDATE accounts a SET balance = e.n FROM events e WHERE a.aid = 5 AND e.n = a.balance",
        "UPDATE accounts a SET balance = v.b FROM (VALUES (1, 2), (3, 4)) v (id, b) WHERE a.aid = v.id",
        "DELETE FROM items WHERE order_id = 1 AND line = 2",
        "DELETE FROM orders USING (SELECT id FROM users LIMIT 10) u WHERE orders.id = u.id",
        "DELETE FROM accounts WHERE aid = 5 RETURNING *",
        "INSERT INTO events VALUES (1), (2)",
        "INSERT INTO events DEFAULT VALUES",
        "INSERT INTO users (id) VALUES (1) ON CONFLICT (id) DO UPDATE SET name = 'x' RETURNING id",
        "INSERT INTO log SELECT * FROM users WHERE id = 5",
        "INSERT INTO log SELECT * FROM events LIMIT 100",
        "WITH d AS (DELETE FROM users WHERE id = 5 RETURNING *) INSERT INTO log SELECT * FROM d",
        "WITH d AS (DELETE FROM users WHERE id = 5 RETURNING *) SELECT * FROM d",
        "MERGE INTO users u USING (VALUES (1, 'a'), (2, 'b')) s (id, name) ON u.id = s.id \
         WHEN MATCHED THEN UPDATE SET name = s.name WHEN NOT MATCHED THEN INSERT VALUES (s.id, s.name)",
        "EXPLAIN ANALYZE DELETE FROM users WHERE id = 5",
    ];
    for sql in within {
        assert_eq!(plan(Some(&schema), sql).changes, Extent::Within, "{sql}");
    }
    let unknown = [
        "UPDATE users SET name = 'x'",
        "UPDATE users SET x = 1 WHERE name = 'x'",
        "UPDATE users SET x = 1 WHERE email IS NULL",
        "UPDATE log SET x = 1 WHERE id = 5",
        "UPDATE orders o SET x = 1 FROM users u WHERE o.user_id = u.id AND u.id = 5",
        "DELETE FROM items WHERE order_id = 1",
        "DELETE FROM orders USING users u WHERE orders.user_id = u.id",
        "DELETE FROM accounts WHERE aid = ANY ($1)",
        "INSERT INTO log SELECT * FROM countries",
        "INSERT INTO log SELECT * FROM users WHERE name = 'x'",
        "WITH d AS (DELETE FROM users WHERE name = 'x') INSERT INTO log VALUES (1)",
        "WITH d AS (DELETE FROM users WHERE name = 'x' RETURNING *) SELECT 1",
        "MERGE INTO log USING (VALUES (1)) s (id) ON log.id = s.id WHEN MATCHED THEN DELETE",
        "MERGE INTO users u USING events e ON u.id = e.n WHEN MATCHED THEN DELETE",
        "MERGE INTO users u USING (VALUES (1)) s (id) ON u.id = s.id WHEN NOT MATCHED BY SOURCE AND u.x THEN DELETE",
        "MERGE INTO users u USING (VALUES (1)) s (id) ON true WHEN MATCHED THEN DELETE",
    ];
    for sql in unknown {
        assert_eq!(plan(Some(&schema), sql).changes, Extent::Unknown, "{sql}");
    }
    for (sql, _) in within.iter().zip(0..10).filter(|(sql, _)| sql.starts_with("UPDATE") || sql.starts_with("DELETE")) {
        assert_eq!(plan(None, sql).changes, Extent::Unknown, "{sql}");
    }
}

#[test]
fn what_a_write_returns_is_what_it_changes() {
    let schema = schema();
    let rows = |sql: &str| plan(Some(&schema), sql).rows;
    assert_eq!(rows("DELETE FROM users WHERE id = 5"), Extent::None);
    assert_eq!(rows("DELETE FROM users WHERE name = 'x'"), Extent::None);
    assert_eq!(rows("DELETE FROM users WHERE id = 5 RETURNING *"), Extent::Within);
    assert_eq!(rows("DELETE FROM users WHERE name = 'x' RETURNING *"), Extent::Unknown);
    assert_eq!(rows("INSERT INTO log VALUES (1), (2) RETURNING id"), Extent::Within);
    assert_eq!(rows("WITH d AS (DELETE FROM users WHERE name = 'x' RETURNING *) SELECT * FROM d"), Extent::Unknown);
}

#[test]
fn a_merge_is_without_filter_where_its_arm_meets_every_row() {
    let schema = schema();
    let merge = |on: &str, arm: &str| {
        let sql = format!("MERGE INTO users u USING events e ON {on} WHEN {arm}");
        refused(&schema, &sql).map(|breach| breach.rule)
    };
    let lacks = "NOT MATCHED BY SOURCE THEN DELETE";
    assert_eq!(merge("false", lacks), Some("unfiltered_write"));
    assert_eq!(merge("1 = 0", "NOT MATCHED BY SOURCE AND true THEN UPDATE SET x = 1"), Some("unfiltered_write"));
    assert_eq!(merge("true", "MATCHED THEN DELETE"), Some("unfiltered_write"));
    // What the source lacks is a filter as NOT EXISTS is one.
    assert_eq!(merge("u.id = e.n", lacks), None);
    assert_eq!(merge("false", "NOT MATCHED BY SOURCE AND u.old THEN DELETE"), None);
    assert_eq!(merge("false", "NOT MATCHED BY SOURCE THEN DO NOTHING"), None);
}

/// Guarding costs a round trip more, so what no rule enforces must not pay for it.
#[test]
fn a_plain_write_waits_for_nothing_at_the_defaults() {
    let tuples = vec!["(1, 'a')"; 4_000].join(", ");
    let held = |sql: &str| watch(guard("").limits(), plan(None, sql)).hold;
    for sql in [
        "INSERT INTO t VALUES (1)",
        "INSERT INTO t SELECT * FROM s",
        "UPDATE t SET a = 1",
        "UPDATE t SET a = 1 WHERE id = 5",
        "DELETE FROM t USING s WHERE t.id = s.id",
        "MERGE INTO t USING s ON t.id = s.id WHEN MATCHED THEN DELETE",
        "INSERT INTO t VALUES (1) ON CONFLICT (id) DO UPDATE SET a = 1",
        "WITH s AS (SELECT 1) UPDATE t SET a = 1",
        &format!("INSERT INTO t VALUES {tuples}"),
        // Nobody can parse it, and it says RETURNING nowhere.
        &format!("INSERT INTO t VALUES {tuples} ON CONFLICT DO SOMETHING ELSE"),
        "BEGIN",
        "COMMIT",
        "SET x = 1",
    ] {
        assert_eq!(held(sql), Hold::Nothing, "{}", &sql[..sql.len().min(60)]);
    }
    for sql in ["DELETE FROM t RETURNING id", "SELECT * FROM t"] {
        assert_eq!(held(sql), Hold::Cut, "{sql}");
    }
    let enforced = guard("write_budget.mode = \"enforce\"");
    let held = |sql: &str| watch(enforced.limits(), with(None, sql, |intake| enforced.plan(intake))).hold;
    assert_eq!([held("UPDATE t SET a = 1"), held("INSERT INTO t VALUES (1)")], [Hold::Decide, Hold::Nothing]);
}

#[test]
fn a_text_that_leaves_its_own_transaction_open_is_told_from_one_that_ends_it() {
    let effect = |sql: &str| plan(None, sql).effect;
    for sql in [
        "BEGIN; UPDATE t SET a = 1",
        "START TRANSACTION; SELECT 1; DELETE FROM t; ",
        ";BEGIN; SELECT 1",
        "BEGIN; SAVEPOINT s; UPDATE t SET a = 1; RELEASE s",
        "BEGIN; BEGIN; UPDATE t SET a = 1",
        "UPDATE t SET a = 1; BEGIN",
        "DROP TABLE x; BEGIN; UPDATE t SET a = 1; COPY t FROM STDIN",
    ] {
        assert_eq!(effect(sql), Effect::Opens, "{sql}");
    }
    for sql in [
        "BEGIN",
        "BEGIN; COMMIT",
        "BEGIN; UPDATE t SET a = 1; COMMIT",
        "BEGIN; UPDATE t SET a = 1; COMMIT; BEGIN",
        "UPDATE t SET a = 1; ROLLBACK; BEGIN",
        "BEGIN; UPDATE t SET a = 1; ROLLBACK TO s",
        "BEGIN; CALL p()",
        "BEGIN; EXECUTE x",
    ] {
        assert_eq!(effect(sql), Effect::Other, "{sql}");
    }
    assert_eq!([effect("EXECUTE x"), effect("UPDATE t SET a = 1")], [Effect::Runs, Effect::Writes]);
    let opens = plan(None, "BEGIN; UPDATE t SET a = 1");
    let plain = plan(None, "UPDATE t SET a = 1");
    assert_eq!([opens.or(plain).effect, plain.or(opens).effect], [Effect::Other; 2], "where it is read in two ways");
    assert_eq!([opens.or(opens), Plan::default().or(opens)], [opens; 2]);
}

/// The server runs them as one transaction, so one of ours around them changes nothing.
#[test]
fn statements_of_one_text_may_run_in_a_block_of_ours_where_a_write_among_them_has_no_bound() {
    let effect = |sql: &str| plan(None, sql).effect;
    for sql in [
        "ALTER TABLE t ADD COLUMN b int; UPDATE t SET b = 1",
        "UPDATE t SET a = 1; ANALYZE t; SELECT 1",
        "SET LOCAL lock_timeout = '1s'; DELETE FROM t; CALL p()",
        "CREATE TEMP TABLE x AS SELECT 1; PREPARE p AS SELECT 1; DELETE FROM t; TRUNCATE x",
        "UPDATE t SET a = 1; COPY t FROM STDIN",
        "COPY t TO STDOUT; DELETE FROM t",
    ] {
        assert_eq!(effect(sql), Effect::Writes, "{sql}");
    }
    for sql in
        ["EXECUTE x (1); EXECUTE x (2)", "UPDATE t SET a = 1; EXECUTE x (1)", "SET a.b = 1; EXECUTE x; DROP TABLE y"]
    {
        assert_eq!(effect(sql), Effect::Runs, "{sql}");
    }
    for sql in [
        "ALTER TABLE t ADD COLUMN b int; INSERT INTO t VALUES (1)",
        "ALTER TABLE t ADD COLUMN b int; SELECT 1",
        "VACUUM t",
        "INSERT INTO t VALUES (1); COPY t FROM STDIN",
        "UPDATE t SET a = 1; SAVEPOINT s",
        "UPDATE t SET a = 1; PREPARE TRANSACTION 'x'",
        "UPDATE t SET a = 1; ROLLBACK; EXECUTE x",
        "DROP TABLE x; UPDATE t SET a = 1; END",
    ] {
        assert_eq!(effect(sql), Effect::Other, "{sql}");
    }
    assert_eq!(effect("BEGIN; ALTER TABLE t ADD COLUMN b int; UPDATE t SET b = 1"), Effect::Opens);
}

#[test]
fn a_text_that_commits_a_write_without_bound_is_found_beforehand() {
    let rules = guard("write_budget.mode = \"enforce\"\nunfiltered_write.mode = \"off\"");
    let judgement = |sql: &str| with(None, sql, |intake| rules.judge(intake));
    for (sql, statement) in [
        ("BEGIN; UPDATE t SET a = 1; COMMIT", 1),
        ("UPDATE t SET a = 1; END; SELECT 1", 0),
        ("BEGIN; INSERT INTO t VALUES (1); EXECUTE x; PREPARE TRANSACTION 'x'", 2),
        ("COMMIT; UPDATE t SET a = 1", 1),
        ("BEGIN; INSERT INTO t VALUES (1); COMMIT; SELECT 1; DELETE FROM t; SELECT 2", 4),
    ] {
        let Verdict::Refuse(breach) = judgement(sql).verdict else { panic!("{sql}") };
        assert_eq!((breach.rule, breach.statement), ("write_budget", statement), "{sql}");
    }
    for sql in [
        "UPDATE t SET a = 1",
        "BEGIN; UPDATE t SET a = 1",
        "COMMIT; BEGIN; UPDATE t SET a = 1",
        "COMMIT; UPDATE t SET a = 1; BEGIN",
        "COMMIT; UPDATE t SET a = 1; ROLLBACK",
        "ROLLBACK TO s; UPDATE t SET a = 1",
        "BEGIN; INSERT INTO t VALUES (1), (2); COMMIT",
        "UPDATE t SET a = 1; ROLLBACK",
        "UPDATE t SET a = 1; PREPARE x AS SELECT 1",
        "EXPLAIN UPDATE t SET a = 1; COMMIT",
    ] {
        assert!(judgement(sql).is_clean(), "{sql}");
    }
    let text = vec!["UPDATE t SET a = 1 WHERE b = 2"; 3_000].join(";");
    assert!(judgement(&format!("{text}; COMMIT")).verdict != Verdict::Allow);
}

//! What statements may leave behind in their session, told by their words.

use floodwall::sql::facts::{Left, Traces};
use floodwall::sql::{Flags, Reading, TableName};

fn left(sql: &str) -> Left {
    Reading::of(Flags::POSTGRES, sql.as_bytes()).facts().left.clone()
}

/// With tables that the catalogue knows as plain.
fn traces(sql: &str) -> Traces {
    let plain = ["t", "u", "a", "b", "c", "orders", "order_items", "s.t", "public.t"].map(TableName::parse);
    left(sql).given(|table| plain.contains(table)).without(Traces::OWN)
}

#[track_caller]
fn all(expected: Traces, statements: &[&str]) {
    let wrong: Vec<_> = statements.iter().filter(|sql| traces(sql) != expected).collect();
    let found: Vec<_> = wrong.iter().map(|sql| format!("{sql}: {:?}", left(sql))).collect();
    assert!(found.is_empty(), "not {expected:?}:\n{}", found.join("\n"));
}

const ORDINARY: &[&str] = &[
    "",
    ";",
    "-- a comment",
    "SELECT 1",
    "SELECT abalance FROM t WHERE aid = 5",
    "SELECT abalance FROM t WHERE aid = $1",
    "SELECT * FROM t, u WHERE t.id = u.id",
    "SELECT * FROM t AS x, u y ORDER BY x.a, y.b",
    "SELECT * FROM ONLY t",
    "SELECT * FROM public.t JOIN s.t AS q ON (true)",
    "SELECT * FROM t LEFT JOIN (SELECT id FROM u) v ON v.id = t.id",
    "SELECT * FROM (t CROSS JOIN u), a",
    "SELECT * FROM (a JOIN b ON a.id = b.id) JOIN c USING (id)",
    "SELECT count(*), max(x), lower(y) FROM t GROUP BY z HAVING count(*) > 1",
    "SELECT count(*) FILTER (WHERE x > 1) OVER (PARTITION BY (y) ORDER BY z, w) FROM t",
    "SELECT DISTINCT ON (x) lower(y), z FROM t",
    "SELECT extract(epoch FROM now()), substring(x FROM 2 FOR 3), trim(both FROM y) FROM t",
    "SELECT * FROM t WHERE x IS DISTINCT FROM y AND z IS NOT DISTINCT FROM 4",
    "SELECT * FROM t WHERE x IN (1, 2) AND y = ANY ($1) AND EXISTS (SELECT 1 FROM u WHERE u.id = t.id)",
    "SELECT CASE WHEN (x) THEN coalesce(y, 1) ELSE nullif(z, 2) END FROM t",
    "SELECT * FROM t FOR UPDATE OF t SKIP LOCKED",
    "SELECT * FROM t JOIN u ON true FOR NO KEY UPDATE",
    "SELECT * FROM generate_series(1, 10) AS g(n), t",
    "SELECT * FROM unnest($1::int[], $2::text[]) AS x(a, b)",
    "SELECT * FROM t, LATERAL (SELECT * FROM u WHERE u.id = t.id LIMIT (3)) x",
    "SELECT x::numeric(10, 2), cast(y AS varchar(10)), z::timestamp(3) FROM t",
    "SELECT pg_catalog.lower('X'), pg_catalog.current_setting('a.b', true)",
    "SELECT current_user, current_timestamp(3), now() AT TIME ZONE ('UTC')",
    "SELECT $$ set_config('a', 'b', false) $$, 'SELECT pg_advisory_lock(1)'",
    "SELECT 1 /* SET x = 1; LISTEN y */",
    "SELECT set_config('app.tenant', $1, true)",
    "SELECT pg_catalog.set_config($1, $2, true)",
    "SELECT pg_advisory_xact_lock(1), pg_try_advisory_xact_lock(1, 2)",
    "SELECT nextval('s'), currval('s'), lastval()",
    "SELECT a FROM t UNION ALL SELECT b FROM u ORDER BY 1, 2",
    "(SELECT 1) UNION (SELECT 2)",
    "VALUES (1, 2), (3, 4)",
    "TABLE t",
    "WITH x AS (SELECT * FROM t) SELECT * FROM x, u",
    "WITH x (a, b) AS MATERIALIZED (SELECT 1, 2), y (c) AS (SELECT a FROM x) SELECT * FROM y, x",
    "WITH RECURSIVE r (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r WHERE n < 9) SELECT * FROM r",
    "SELECT * FROM (WITH x AS (SELECT 1) SELECT * FROM x) y",
    "WITH gone AS (DELETE FROM t WHERE id = 1 RETURNING *) INSERT INTO u SELECT * FROM gone",
    "INSERT INTO t (a, b) VALUES (1, 2)",
    "INSERT INTO t VALUES (1, now()) RETURNING id, lower(x)",
    "INSERT INTO t (id, n) VALUES (1, 2) ON CONFLICT (id) DO UPDATE SET n = excluded.n, m = 2",
    "INSERT INTO t (id) SELECT id FROM u ON CONFLICT DO NOTHING",
    "INSERT INTO t SELECT a, b FROM u, c ON CONFLICT (a) DO UPDATE SET x = 1, y = 2",
    "UPDATE t SET a = 1, b = b + 1 WHERE id = $1",
    "UPDATE ONLY s.t SET a = u.a FROM u WHERE u.id = t.id",
    "DELETE FROM t WHERE id = 5",
    "DELETE FROM t USING u, a WHERE u.id = t.id",
    "MERGE INTO t USING u ON t.id = u.id WHEN MATCHED THEN UPDATE SET a = 1, b = 2 \
             WHEN NOT MATCHED THEN INSERT (a, b) VALUES (1, 2)",
    "COPY t FROM STDIN",
    "COPY t (a, b) FROM STDIN WITH (FORMAT csv)",
    "COPY (SELECT * FROM t) TO STDOUT",
    "COPY s.t TO STDOUT",
    "TRUNCATE t",
    "TRUNCATE TABLE ONLY t, u RESTART IDENTITY CASCADE",
    "BEGIN",
    "BEGIN ISOLATION LEVEL SERIALIZABLE",
    "START TRANSACTION READ ONLY",
    "COMMIT",
    "END",
    "COMMIT AND CHAIN",
    "ROLLBACK",
    "ABORT",
    "SAVEPOINT x",
    "RELEASE x",
    "ROLLBACK TO SAVEPOINT x",
    "PREPARE TRANSACTION 'x'",
    "COMMIT PREPARED 'x'",
    "ROLLBACK PREPARED 'x'",
    "SET LOCAL statement_timeout = '5s'",
    "SET LOCAL app.tenant = 'x'",
    "SET LOCAL ROLE bob",
    "set local timezone to 'UTC'",
    "SET TRANSACTION ISOLATION LEVEL SERIALIZABLE",
    "SET CONSTRAINTS ALL DEFERRED",
    "SHOW search_path",
    "SHOW ALL",
    "DISCARD PLANS",
    "DISCARD SEQUENCES",
    "FETCH 10 FROM c",
    "MOVE 5 FROM c",
    "LOCK TABLE t IN EXCLUSIVE MODE",
    "NOTIFY n, 'x'",
    "VACUUM t",
    "ANALYZE t",
    "CHECKPOINT",
    "EXPLAIN SELECT * FROM t",
    "EXPLAIN ANALYZE SELECT * FROM t",
    "EXPLAIN (ANALYZE, BUFFERS) UPDATE t SET a = 1",
    "BEGIN; UPDATE t SET a = 1; COMMIT",
];

#[test]
fn ordinary_statements_leave_nothing() {
    all(Traces::NONE, ORDINARY);
}

#[test]
fn settings_are_seen() {
    all(
        Traces::SETTING,
        &[
            "SET statement_timeout = 5",
            "set search_path to a, b",
            "SET SESSION work_mem = '1MB'",
            "SET app.tenant = 'x'",
            "SET TIME ZONE 'UTC'",
            "SET NAMES 'UTF8'",
            "SET SCHEMA 'x'",
            "SET XML OPTION DOCUMENT",
            "SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY",
            "SET SESSION TIME ZONE LOCAL",
            "RESET statement_timeout",
            "RESET ALL",
            "RESET app.tenant",
            "SET local.x = 1",
            "SET session.x = 1",
            "SET transaction.x TO 1",
            "/* x */ SET /* LOCAL */ a = 1",
            "SELECT 1; SET a = 1",
            "S\u{45}T a = 1",
        ],
    );
    let dynamic = Traces::SETTING.and(Traces::UNNAMED);
    all(
        dynamic,
        &[
            "SELECT set_config('a', 'b', false)",
            "SELECT set_config('a', 'b', $1)",
            "SELECT set_config('a', 'b', NOT true)",
            "SELECT pg_catalog.set_config('a', 'b', false)",
            "SELECT \"set_config\"('a', 'b', false)",
            "SELECT \"pg_catalog\".\"set_config\" ('a', 'b', 'f')",
            "SELECT SET_CONFIG('a', 'b', is_local => false)",
            "INSERT INTO t SELECT set_config('a', 'b', false)",
            "SELECT * FROM set_config('a', 'b', false)",
            "EXPLAIN SELECT set_config('a', 'b', false)",
            "SELECT set_config('a', set_config('b', 'c', false), true)",
        ],
    );
    assert_eq!(
        *left("SET app.tenant = 'x'; RESET \"My\".Deep.Name").settings,
        ["app.tenant".into(), "My.deep.name".into()]
    );
    assert_eq!(*left("SET work_mem = 1; SET LOCAL a.b = 1; SHOW a.b").settings, []);
}

#[test]
fn what_stays_is_told_by_kind() {
    all(
        Traces::ROLE,
        &[
            "SET ROLE bob",
            "SET SESSION ROLE bob",
            "RESET ROLE",
            "SET ROLE NONE",
            "SET SESSION AUTHORIZATION bob",
            "RESET SESSION AUTHORIZATION",
            "SET role = 'bob'",
            "SET \"role\" TO bob",
            "SET session_authorization = 'bob'",
        ],
    );
    all(Traces::LISTEN, &["LISTEN a", "listen \"x\""]);
    all(Traces::ENDS, &["UNLISTEN a", "UNLISTEN *", "DEALLOCATE p", "DEALLOCATE ALL", "CLOSE c", "CLOSE ALL"]);
    all(Traces::PREPARED, &["PREPARE p AS SELECT 1", "PREPARE p (int) AS SELECT $1"]);
    all(Traces::PREPARED.and(Traces::UNKNOWN), &["EXECUTE p", "EXECUTE p (1)", "EXPLAIN ANALYZE EXECUTE p"]);
    all(Traces::HOLD, &["DECLARE c CURSOR WITH HOLD FOR SELECT * FROM t", "DECLARE c CURSOR FOR SELECT 1"]);
    all(Traces::DISCARD, &["DISCARD ALL", "discard all"]);
    all(Traces::TEMP, &["DISCARD TEMP", "DISCARD TEMPORARY"]);
    all(Traces::LIBRARY, &["LOAD 'auto_explain'"]);
    all(
        Traces::ADVISORY,
        &[
            "SELECT pg_advisory_lock(1)",
            "SELECT pg_try_advisory_lock(1, 2)",
            "SELECT pg_advisory_unlock(1)",
            "SELECT pg_advisory_unlock_all()",
            "SELECT pg_catalog.pg_advisory_lock_shared($1)",
            "select PG_ADVISORY_LOCK /* x */ (1)",
            "SELECT \"pg_advisory_lock\"(1)",
            "SELECT * FROM t WHERE pg_try_advisory_lock(id)",
            "SELECT DISTINCT ON (a) pg_advisory_lock(1) FROM t",
            "SELECT * FROM t ORDER BY pg_advisory_lock(id)",
            "INSERT INTO t VALUES (pg_advisory_lock(1))",
            "WITH x AS (SELECT pg_advisory_lock(1)) SELECT * FROM x",
            "COPY (SELECT pg_advisory_lock(1)) TO STDOUT",
            "VALUES (pg_advisory_lock(1))",
            "SELECT 1 LIMIT (SELECT pg_advisory_lock(1))",
            "SELECT count(*) FILTER (WHERE pg_try_advisory_lock(1)) FROM t",
        ],
    );
    assert!(traces("CREATE TEMP TABLE x (id int)").has(Traces::TEMP));
    assert!(traces("CREATE TEMPORARY VIEW x AS SELECT 1").has(Traces::TEMP));
    assert!(traces("CREATE TABLE pg_temp.x (id int)").has(Traces::TEMP));
    assert!(traces("SELECT 1 AS a INTO TEMP x").has(Traces::TEMP));
    assert!(traces("SELECT 1 AS a INTO LOCAL TEMPORARY TABLE x").has(Traces::TEMP));
}

const UNREADABLE: &[&str] = &[
    "SELECT f(1)",
    "SELECT s.f(1)",
    "SELECT public.lower('X')",
    "SELECT \"Lower\"('X')",
    "SELECT \"in\"(1)",
    "SELECT a.pg_catalog.lower('X')",
    "SELECT * FROM f(1)",
    "SELECT * FROM t, f(1) x",
    "SELECT * FROM t JOIN f(1) x ON true",
    "SELECT * FROM ROWS FROM (f(1))",
    "SELECT * FROM v",
    "SELECT * FROM t, v",
    "SELECT * FROM t JOIN v USING (id)",
    "SELECT * FROM (t CROSS JOIN v)",
    "SELECT * FROM (SELECT * FROM v) x",
    "SELECT (SELECT max(id) FROM v) FROM t",
    "SELECT * FROM t WHERE id IN (SELECT id FROM v)",
    "SELECT * FROM s.u",
    "SELECT * FROM t JOIN a ON CASE WHEN true THEN true END, v",
    "TABLE v",
    "INSERT INTO v VALUES (1)",
    "INSERT INTO v (a) VALUES (1)",
    "INSERT INTO temp VALUES (1)",
    "UPDATE v SET a = 1",
    "UPDATE t SET a = 1 FROM u, v",
    "DELETE FROM v",
    "DELETE FROM t USING v",
    "MERGE INTO v USING t ON true WHEN MATCHED THEN DELETE",
    "MERGE INTO t USING v ON true WHEN MATCHED THEN DELETE",
    "COPY v FROM STDIN",
    "COPY v (a) FROM STDIN",
    "TRUNCATE v",
    "TRUNCATE t, v",
    "WITH v AS (SELECT * FROM v) SELECT * FROM v",
    "SELECT * FROM (WITH v AS (SELECT 1) SELECT * FROM v) x, v",
    "WITH x AS (INSERT INTO v VALUES (1) RETURNING *) SELECT * FROM x",
    "SELECT query_to_xml('SELECT pg_advisory_lock(1)', true, true, '')",
    "SELECT ts_stat('SELECT 1')",
    "SELECT 1 OPERATOR(s.+) 2",
    "SELECT U&\"f\"(1)",
    "SELECT U&\"d!0061tes\" UESCAPE '!' (1)",
    "SELECT dblink_connect('x')",
    "SELECT DISTINCT ON (a) over (1) FROM t",
    "DO $$ BEGIN PERFORM 1; END $$",
    "DO LANGUAGE plpgsql $$ BEGIN NULL; END $$",
    "CALL p()",
    "CREATE TABLE x (id int)",
    "CREATE INDEX ON t (lower(x))",
    "ALTER TABLE t ADD c int DEFAULT f()",
    "DROP TABLE t",
    "GRANT SELECT ON t TO bob",
    "REFRESH MATERIALIZED VIEW v",
    "REINDEX TABLE t",
    "EXPLAIN ANALYZE CREATE TABLE x AS SELECT 1",
    "EXPLAIN SELECT f(1)",
    "SELECT 1; SELECT f(1)",
    "IMPORT FOREIGN SCHEMA x FROM SERVER y INTO z",
    "FROBNICATE",
    "SELECT 'unterminated",
    "SELECT pg_xact_lock(1)",
];

#[test]
fn what_nobody_can_read_off_the_text_is_unknown() {
    all(Traces::UNKNOWN, UNREADABLE);
    let many = format!("SELECT * FROM {}", (0..99).map(|n| format!("t{n}")).collect::<Vec<_>>().join(", "));
    assert_eq!(left(&many).given(|_| true), Traces::UNKNOWN);
}

#[test]
fn a_text_without_a_catalogue_names_its_tables() {
    let left = left("SELECT * FROM b JOIN s.a ON (lower(a.x) = b.x) WHERE EXISTS (SELECT FROM b)");
    assert_eq!(*left.tables, [TableName::new("b"), TableName::qualified("s", "a")]);
    assert_eq!((left.given(|_| true), left.given(|_| false)), (Traces::NONE, Traces::UNKNOWN));
}

#[test]
fn who_reads_a_last_value_that_an_earlier_text_left_is_told() {
    let of_values = |sql: &str| {
        let left = left(sql).traces;
        [Traces::ADVANCES, Traces::RECALLS].map(|one| left.has(one))
    };
    for sql in [
        "SELECT lastval()",
        "SELECT currval('s')",
        "SELECT pg_catalog.currval(pg_get_serial_sequence('t', 'id'));",
        "SELECT max(id) FROM t WHERE id = currval($1)",
        "UPDATE t SET a = currval('s') WHERE id = 1",
    ] {
        assert_eq!(of_values(sql), [false, true], "{sql}");
    }
    for sql in [
        "SELECT nextval('s'), currval('s')",
        "SELECT setval('s', 3), lastval()",
        "INSERT INTO t (a) VALUES (1)",
        "INSERT INTO t (a) VALUES (1) RETURNING currval('s')",
        "INSERT INTO t (a) VALUES (1); SELECT lastval()",
        "WITH x AS (INSERT INTO t (a) VALUES (1)) SELECT currval('s')",
        "MERGE INTO t USING u ON t.id = u.id WHEN NOT MATCHED THEN INSERT (a) VALUES (1)",
        "COPY t FROM STDIN",
        "UPDATE t SET id = DEFAULT WHERE id = 1",
        "WITH x AS (UPDATE t SET (a, id) = (1, DEFAULT) RETURNING 1) SELECT currval('s')",
    ] {
        assert_eq!(of_values(sql), [true, false], "{sql}");
    }
    for sql in [
        "INSERT INTO t (a, b) VALUES (currval('s'), 1)",
        "INSERT INTO t SELECT lastval() RETURNING id",
        "SELECT currval('s'), nextval('s')",
        "SELECT lastval(); INSERT INTO t (a) VALUES (1)",
    ] {
        assert_eq!(of_values(sql), [true, true], "{sql}");
    }
    for sql in ["SELECT last_value FROM t", "SELECT 'currval(1)'", "UPDATE t SET a = 1", "SELECT s.currval('x')"] {
        assert_eq!(of_values(sql), [false, false], "{sql}");
    }
}

#[test]
fn a_database_that_must_be_left_is_told() {
    for (sql, database) in [
        ("DROP DATABASE app", Some("app")),
        ("drop database if exists \"My App\" with (force);", Some("My App")),
        ("SELECT 1; DROP DATABASE App", Some("app")),
        ("ALTER DATABASE a RENAME TO b", Some("a")),
        ("ALTER DATABASE a SET TABLESPACE fast", Some("a")),
        ("ALTER DATABASE a SET work_mem = '1MB'", None),
        ("CREATE DATABASE copy WITH OWNER me TEMPLATE original", Some("original")),
        ("CREATE DATABASE copy TEMPLATE = \"original\" ENCODING 'UTF8'", Some("original")),
        ("CREATE DATABASE plain", None),
        ("DROP TABLE database", None),
        ("DROP DATABASE", None),
        ("SELECT 1", None),
    ] {
        assert_eq!(left(sql).vacated.as_deref(), database, "{sql}");
    }
}

#[test]
fn what_may_end_all_prepared_statements_is_told() {
    for sql in ["DEALLOCATE ALL", "deallocate prepare all", "SELECT 1; DEALLOCATE ALL", "EXECUTE p"] {
        assert!(left(sql).traces.has(Traces::FORGETS), "{sql}");
    }
    for sql in
        ["DEALLOCATE p", "DEALLOCATE PREPARE p", "DEALLOCATE \"all\"", "CLOSE ALL", "UNLISTEN *", "DISCARD PLANS"]
    {
        assert!(!left(sql).traces.has(Traces::FORGETS), "{sql}");
    }
}

//! How many rows a statement sends or changes at most, by the unique keys of its tables: the lines of the decision table.

mod writes;

use floodwall::guard::plan::{Effect, Extent};
use floodwall::guard::{Breach, Fetch, Guard, Intake, Plan, Verdict};
use floodwall::session::judge::budget::watch;
use floodwall::session::watch::Hold;
use floodwall::sql::schema::{Columns, Key, Nulls, Rank, SearchPath, Table};
use floodwall::sql::values::{Part, Value, Values};
use floodwall::sql::{Estimate, Flags, Reading, Schema, TableName};
use toml::Table as Settings;

const LARGE: u64 = 400_000;

/// A table with its keys; the columns of the first are never null, nor are those of `never_null`.
fn table(rows: u64, keys: &[Key], never_null: &[&str]) -> Table {
    let of_keys = keys.iter().filter(|key| key.nulls == Nulls::Never).flat_map(|key| key.columns.to_vec());
    let never_null = of_keys.chain(never_null.iter().map(|&column| column.into())).collect();
    Table::sized(Estimate::Known(rows)).with_columns(Columns { keys: keys.into(), never_null })
}

fn schema() -> Schema {
    let mut schema = Schema::builder();
    let mut add = |name: &str, table: Table| schema.describe("public", name, table);
    add("accounts", table(LARGE, &[Key::primary(&["aid"])], &[]));
    let email = Key::unique(&["email"], Nulls::Distinct);
    let login = Key::unique(&["login"], Nulls::Same);
    add("users", table(LARGE, &[Key::primary(&["id"]), email, login], &["name"]));
    add("orders", table(LARGE, &[Key::primary(&["id"])], &["user_id"]));
    add("items", table(LARGE, &[Key::primary(&["order_id", "line"])], &[]));
    add("events", table(LARGE, &[], &["at"]));
    // Its columns have the names of keys, and none is one.
    add("log", table(LARGE, &[], &[]));
    add("countries", table(250, &[Key::unique(&["code"], Nulls::Never)], &[]));
    schema.add("public", "unread", Estimate::Known(LARGE));
    schema.add("public", "seen", Estimate::NotATable);
    schema.build()
}

fn guard(settings: &str) -> Guard {
    Guard::build(&settings.parse::<Settings>().unwrap()).unwrap()
}

fn with<T>(schema: Option<&Schema>, sql: &str, run: impl FnOnce(&Intake<'_>) -> T) -> T {
    let reading = Reading::of(Flags::POSTGRES, sql.as_bytes());
    run(&Intake::of_text(&reading, schema, sql.len() as u64))
}

fn plan(schema: Option<&Schema>, sql: &str) -> Plan {
    with(schema, sql, |intake| guard("").plan(intake))
}

/// What `unbounded_select` sees, before the colon.
fn saw(schema: Option<&Schema>, sql: &str) -> String {
    let trace = with(schema, sql, |intake| guard("").trace(intake, 0));
    let saw = trace.into_iter().find(|trace| trace.rule == "unbounded_select");
    saw.map_or_else(|| "nothing".to_owned(), |trace| trace.saw)
}

fn refused(schema: &Schema, sql: &str) -> Option<Breach> {
    match with(Some(schema), sql, |intake| guard("").judge(intake)).verdict {
        Verdict::Allow => None,
        Verdict::Refuse(breach) => Some(breach),
    }
}

/// The row numbers of a bound, each found by keys and limits alone.
const BOUNDED: &[(u64, &str)] = &[
    // --- every table pinned by a whole unique key
    (1, "SELECT * FROM accounts WHERE aid = 5"),
    (1, "SELECT * FROM accounts WHERE aid = $1"),
    (1, "SELECT * FROM accounts WHERE $1 = aid"),
    (1, "SELECT * FROM accounts WHERE (aid) = ('5'::int)"),
    (1, "SELECT * FROM accounts WHERE aid = -5"),
    (1, "SELECT * FROM public.accounts a WHERE a.aid = 5 AND a.balance > 7"),
    (1, "SELECT * FROM accounts WHERE balance > 7 AND (aid = 5 AND note IS NULL)"),
    (1, "SELECT * FROM accounts WHERE aid = 5 FOR UPDATE"),
    (1, "SELECT * FROM ONLY accounts WHERE aid = 5"),
    (1, "SELECT * FROM users WHERE email = 'a@b.c'"),
    (1, "SELECT * FROM users WHERE login IS NULL"),
    (1, "SELECT * FROM items WHERE order_id = 5 AND line = 2"),
    (1, "SELECT * FROM items WHERE (order_id, line) = (5, 2)"),
    (1, "SELECT DISTINCT name FROM users WHERE id = 5"),
    (1, "SELECT name, count(*) FROM users WHERE id = 5 GROUP BY name"),
    (1, "WITH u AS (SELECT * FROM users WHERE id = 5) SELECT * FROM u"),
    (1, "SELECT * FROM (SELECT * FROM users WHERE id = 5) u WHERE u.name = 'x'"),
    // --- a list of keys
    (3, "SELECT * FROM accounts WHERE aid IN (1, 2, 3)"),
    (2, "SELECT * FROM accounts WHERE aid IN ($1, $2)"),
    (3, "SELECT * FROM accounts WHERE aid = ANY ('{1,2,3}')"),
    (2, "SELECT * FROM accounts WHERE aid = ANY (ARRAY[7, 9])"),
    (4, "SELECT * FROM accounts WHERE aid = ANY (ARRAY[[1, 2], [3, 4]])"),
    (2, "SELECT a.* FROM unnest('{1,2}'::int[]) AS k(aid) JOIN accounts a ON a.aid = k.aid"),
    (2, "SELECT * FROM accounts JOIN unnest(ARRAY[1, 2]) AS k(aid) USING (aid)"),
    (4, "SELECT * FROM items WHERE order_id IN (1, 2, 3, 4) AND line = 1"),
    (4, "SELECT * FROM items WHERE order_id IN (1, 2) AND line IN (1, 2)"),
    (1, "SELECT * FROM accounts WHERE aid IN (1, 2, 3) AND aid = 5"),
    // --- joins to a unique key keep the driver's bound
    (1, "SELECT * FROM orders o JOIN users u ON u.id = o.user_id WHERE o.id = 5"),
    (1, "SELECT * FROM orders o, users u WHERE u.id = o.user_id AND o.id = 5"),
    (1, "SELECT * FROM users u JOIN orders o ON o.user_id = u.id WHERE o.id = $1"),
    (1, "SELECT * FROM orders JOIN users USING (id) WHERE orders.id = 5"),
    (1, "SELECT * FROM orders JOIN users USING (id) WHERE id = 5"),
    (1, "SELECT * FROM users u JOIN accounts a ON aid = u.account WHERE u.id = 5"),
    (2, "SELECT * FROM orders o LEFT JOIN users u ON u.id = o.user_id WHERE o.id IN (1, 2)"),
    (1, "SELECT * FROM users u RIGHT JOIN orders o ON u.id = o.user_id WHERE o.id = 5"),
    (1, "SELECT * FROM orders o LEFT JOIN users u ON u.id = o.user_id AND u.name = 'x' WHERE o.id = 5"),
    (
        1,
        "SELECT * FROM items i JOIN orders o ON o.id = i.order_id JOIN users u ON u.id = o.user_id \
         WHERE i.order_id = 5 AND i.line = 1",
    ),
    (10, "SELECT * FROM (SELECT * FROM orders LIMIT 10) o LEFT JOIN users u ON u.id = o.user_id"),
    (10, "SELECT * FROM (SELECT * FROM orders LIMIT 10) o JOIN users u ON u.id = o.user_id"),
    (10, "SELECT * FROM (SELECT id FROM orders LIMIT 5) a CROSS JOIN (SELECT id FROM orders LIMIT 2) b"),
    // --- LATERAL multiplies
    (3, "SELECT * FROM users u, LATERAL (SELECT * FROM orders o WHERE o.user_id = u.id LIMIT 3) o WHERE u.id = 1"),
    (1, "SELECT * FROM orders o, LATERAL (SELECT * FROM users u WHERE u.id = o.user_id) u WHERE o.id = 1"),
    (2, "SELECT * FROM users u LEFT JOIN LATERAL (SELECT * FROM orders LIMIT 2) o ON true WHERE u.id = 1"),
    // --- limits, sets, aggregates
    (10, "SELECT * FROM events LIMIT 10"),
    (10, "SELECT * FROM events FETCH FIRST 10 ROWS ONLY"),
    (1, "SELECT * FROM events FETCH FIRST ROW ONLY"),
    (5, "SELECT * FROM accounts WHERE aid IN (1, 2, 3, 4, 5) LIMIT 10"),
    (15, "(SELECT id FROM orders LIMIT 5) UNION ALL (SELECT id FROM users LIMIT 10)"),
    (7, "SELECT id FROM orders UNION SELECT id FROM users LIMIT 7"),
    (10, "SELECT * FROM (SELECT * FROM events LIMIT 10) e"),
    (10, "WITH e AS (SELECT * FROM events LIMIT 10) SELECT * FROM e"),
    (9, "WITH RECURSIVE r AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM r) SELECT * FROM r LIMIT 9"),
    (1, "SELECT count(*), max(at) FROM events"),
    (1, "SELECT EXISTS (SELECT * FROM events), (SELECT max(at) FROM events)"),
    (1, "SELECT * FROM accounts WHERE aid = 5 AND EXISTS (SELECT * FROM events)"),
    (3, "VALUES (1), (2), (3)"),
    (1, "SELECT 1"),
];

/// Statements of which nobody can be sure.
const UNSURE: &[&str] = &[
    // --- no whole key is pinned
    "SELECT * FROM items WHERE order_id = 5",
    "SELECT * FROM users WHERE name = 'x'",
    "SELECT * FROM users WHERE email IS NULL",
    "SELECT * FROM accounts WHERE aid > 5",
    "SELECT * FROM accounts WHERE aid = 5 OR balance = 7",
    "SELECT * FROM accounts WHERE NOT aid = 5",
    "SELECT * FROM accounts WHERE aid NOT IN (1, 2)",
    "SELECT * FROM accounts WHERE aid <> ALL ('{1,2}')",
    "SELECT * FROM log WHERE id = 5",
    "SELECT * FROM unread WHERE id = 5",
    "SELECT * FROM seen WHERE id = 5",
    "SELECT * FROM elsewhere WHERE id = 5",
    // --- the column is not the key's, or the value is not one
    "SELECT * FROM accounts WHERE abs(aid) = 5",
    "SELECT * FROM accounts WHERE aid::text = '5'",
    "SELECT * FROM users WHERE email COLLATE \"de\" = 'x'",
    "SELECT * FROM users WHERE email = 'x' COLLATE \"de\"",
    "SELECT * FROM users WHERE email = 'x'::char(5)",
    "SELECT * FROM accounts WHERE aid = 5::float8",
    "SELECT * FROM accounts WHERE aid = balance",
    "SELECT * FROM accounts WHERE aid = (random() * 10)::int",
    "SELECT * FROM accounts WHERE aid = ANY ($1)",
    // --- what stands behind the first item of a list
    "SELECT * FROM accounts WHERE aid IN (1, parent)",
    "SELECT * FROM accounts WHERE aid IN (1, 2, \"parent\", 3)",
    "SELECT * FROM accounts WHERE aid IN (1, accounts.parent)",
    "SELECT * FROM accounts WHERE aid IN (1, (SELECT max(aid) FROM accounts))",
    "SELECT * FROM accounts WHERE aid IN (1, next(2))",
    "SELECT * FROM accounts WHERE aid IN (1, (parent + 1))",
    "SELECT * FROM accounts WHERE aid IN (1, 2::double precision)",
    "SELECT * FROM accounts WHERE aid IN (a, b, c, d, e, f, g, h, i, j, k)",
    "SELECT * FROM accounts WHERE aid IN (1, a, b, c, d, e, f, g, h, i, j, k)",
    "SELECT * FROM accounts WHERE aid = ANY (ARRAY[1, parent])",
    "SELECT * FROM accounts WHERE aid = ANY (ARRAY[[1, 2], [3, parent]])",
    "SELECT * FROM accounts WHERE aid = ANY (ARRAY['{1,2,3}'::int[]])",
    "SELECT * FROM accounts WHERE aid = ANY (ARRAY[1, $1])",
    "SELECT * FROM unnest(tags(1)) t",
    "SELECT * FROM users WHERE email = 'A@B.C'::citext",
    "SELECT * FROM accounts WHERE aid = ANY (SELECT id FROM orders)",
    "SELECT * FROM accounts WHERE aid IN (SELECT id FROM orders)",
    "SELECT * FROM users AS u (email, id) WHERE id = 'x'",
    "WITH users AS (SELECT name AS id FROM events) SELECT * FROM users WHERE id = 5",
    "SELECT * FROM (SELECT name AS id FROM users) users WHERE users.id = 'x'",
    "SELECT * FROM (accounts a JOIN events e ON e.n = a.aid) AS j WHERE j.aid = 5",
    // --- joins that add rows
    "SELECT * FROM users u JOIN orders o ON o.user_id = u.id WHERE u.id = 5",
    "SELECT * FROM users u LEFT JOIN orders o ON o.user_id = u.id WHERE u.id = 5",
    "SELECT * FROM orders o LEFT JOIN users u ON u.id = o.user_id AND o.id = 5",
    "SELECT * FROM users u RIGHT JOIN orders o ON o.user_id = u.id WHERE u.name = 'x'",
    "SELECT * FROM users u LEFT JOIN orders o ON u.id = o.user_id AND o.id = 5",
    "SELECT * FROM users u FULL JOIN orders o ON u.id = o.id WHERE o.id = 5",
    "SELECT * FROM orders o JOIN log ON log.id = o.user_id WHERE o.id = 5",
    "SELECT * FROM orders o JOIN users u ON o.user_id = parent WHERE o.id = 5",
    "SELECT * FROM orders o JOIN users u ON u.id = parent WHERE o.id = 5",
    "SELECT * FROM (SELECT * FROM orders LIMIT 10) o LEFT JOIN log ON log.id = o.user_id",
    "SELECT * FROM accounts a, events WHERE a.aid = 5",
    "SELECT * FROM users u LEFT JOIN LATERAL (SELECT * FROM orders o WHERE o.id > u.id) o ON true WHERE u.id = 1",
    // --- rows from elsewhere
    "SELECT * FROM generate_series(1, 3)",
    "SELECT generate_series(1, 3) FROM users WHERE id = 5",
    "SELECT id, my_function(id) FROM users WHERE id = 5",
    "SELECT name FROM users WHERE id IN (1, 2) GROUP BY ROLLUP (name)",
    "SELECT * FROM events FETCH FIRST 10 ROWS WITH TIES",
    "SELECT * FROM events LIMIT $1",
    "SELECT * FROM events LIMIT NULL",
    "WITH RECURSIVE r AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM r) SELECT * FROM r",
    "WITH bait AS (SELECT * FROM events LIMIT 1) SELECT * FROM events WHERE at > now()",
    "SELECT * FROM countries",
    "EXECUTE p",
];

#[test]
fn keys_and_limits_bound_a_query_for_sure() {
    let schema = schema();
    for (rows, sql) in BOUNDED {
        assert_eq!(saw(Some(&schema), sql), format!("bounded: at most {rows} rows"), "{sql}");
        assert_eq!(plan(Some(&schema), sql).rows, Extent::Within, "{sql}");
    }
}

#[test]
fn the_values_of_an_array_bound_what_is_read_and_written_by_it() {
    let schema = schema();
    let plan = |sql: &str, sent: &[Value<'_>]| {
        let reading = Reading::of(Flags::POSTGRES, sql.as_bytes());
        let (values, _) = Values::read(reading.wanted(), sent.iter().map(|&value| (value, Part::Whole)));
        let intake = Intake::of_text(&reading, Some(&schema), sql.len() as u64);
        let intake = Intake { values: Some(&values), fetch: Fetch::All, ..intake };
        let guard = guard("[result_budget]\nmax_rows = 3\n[write_budget]\nmax_rows = 3\nmode = \"enforce\"");
        let plan = guard.plan(&intake);
        plan.rows.max(plan.changes)
    };
    let binary = |elements: u32| {
        let words = [1, 0, 23, elements, 1].into_iter().flat_map(u32::to_be_bytes);
        words.collect::<Vec<u8>>()
    };
    for sql in [
        "SELECT * FROM accounts WHERE aid = ANY ($1)",
        "SELECT * FROM accounts WHERE aid = ANY ($1::int[]) ORDER BY balance",
        "SELECT a.* FROM unnest($1::int[]) AS k(aid) JOIN accounts a ON a.aid = k.aid",
        "SELECT * FROM unnest($1::int[]) AS k(aid)",
        "SELECT a.* FROM accounts a JOIN unnest($1::int[]) AS k(aid) USING (aid)",
        "UPDATE accounts SET balance = 1 WHERE aid = ANY ($1)",
        "DELETE FROM accounts WHERE aid = ANY ($1)",
        "INSERT INTO accounts SELECT * FROM unnest($1::int[])",
    ] {
        assert_eq!(plan(sql, &[Value::Text(b"{1,2,3}")]), Extent::Within, "{sql}");
        assert_eq!(plan(sql, &[Value::Binary(&binary(3))]), Extent::Within, "{sql}");
        assert_eq!(plan(sql, &[Value::Text(b"{1,2,3,4}")]), Extent::Unknown, "{sql}");
        assert_eq!(plan(sql, &[Value::Binary(&binary(4))]), Extent::Unknown, "{sql}");
    }
    for sql in [
        // What is bound to the second decides as well.
        "SELECT * FROM accounts WHERE aid = ANY ($1) AND balance = ANY ($2)",
        "SELECT * FROM accounts WHERE aid = ANY (ARRAY[$1])",
        "SELECT * FROM accounts WHERE balance = ANY ($1)",
        "SELECT * FROM accounts WHERE aid <> ALL ($1)",
    ] {
        assert_eq!(plan(sql, &[Value::Text(b"{1}")]), Extent::Unknown, "{sql}");
    }
}

#[test]
fn nobody_is_sure_of_what_no_key_bounds() {
    let schema = schema();
    for sql in UNSURE {
        assert_eq!(plan(Some(&schema), sql).rows, Extent::Unknown, "{sql}");
    }
}

#[test]
fn what_a_key_bounds_is_never_refused() {
    let schema = schema();
    for (_, sql) in BOUNDED {
        assert_eq!(refused(&schema, sql), None, "{sql}");
    }
}

#[test]
fn without_a_schema_only_limits_are_sure() {
    let by_key = BOUNDED.iter().map(|(_, sql)| *sql).filter(|sql| sql.contains("WHERE") && !sql.contains("LIMIT"));
    assert!(by_key.clone().count() > 20);
    for sql in by_key {
        assert_eq!(plan(None, sql).rows, Extent::Unknown, "{sql}");
    }
    for sql in ["SELECT * FROM events LIMIT 10", "SELECT count(*) FROM events", "VALUES (1), (2)"] {
        assert_eq!(plan(None, sql).rows, Extent::Within, "{sql}");
    }
    assert_eq!(plan(None, "SELECT * FROM users WHERE id = 5").rows, Extent::Unknown, "a name is no key");
}

#[test]
fn a_bound_over_the_limit_is_not_within_it() {
    let schema = schema();
    let budget = guard("result_budget.max_rows = 2");
    let rows = |sql: &str| with(Some(&schema), sql, |intake| budget.plan(intake)).rows;
    assert_eq!(rows("SELECT * FROM accounts WHERE aid IN (1, 2)"), Extent::Within);
    assert_eq!(rows("SELECT * FROM accounts WHERE aid IN (1, 2, 3)"), Extent::Unknown);
    assert_eq!(rows("SELECT * FROM events LIMIT 3"), Extent::Unknown);
    assert_eq!(rows("SELECT * FROM events LIMIT 0"), Extent::None);
}

#[test]
fn keys_not_names_decide_what_a_join_keeps() {
    let schema = schema();
    let refuses = |sql: &str| refused(&schema, sql).is_some();
    assert!(refuses("SELECT * FROM orders o JOIN countries c ON c.code = o.country"), "code is a key of countries");
    assert!(!refuses("SELECT * FROM orders o JOIN countries c ON c.id = o.country"), "and id is none");
    assert!(refuses("SELECT * FROM orders o LEFT JOIN countries c ON c.id = o.country"), "every order stays");
    assert!(refuses("SELECT * FROM items i JOIN orders o ON o.id = i.order_id"));
    assert!(!refuses("SELECT * FROM countries c JOIN items i ON i.order_id = c.order_id"), "half a key is none");
}

#[test]
fn a_filter_that_is_always_true_by_the_schema_is_none() {
    let schema = schema();
    let refuses = |sql: &str| refused(&schema, sql).map(|breach| breach.rule);
    for filter in ["name IS NOT NULL", "id IS NOT NULL", "id > 0", "id >= 1 OR email = 'x'", "users.name IS NOT NULL"] {
        let (select, delete) =
            (format!("SELECT * FROM users WHERE {filter}"), format!("DELETE FROM users WHERE {filter}"));
        assert_eq!(refuses(&select), Some("unbounded_select"), "{filter}");
        assert_eq!(refuses(&delete), Some("unfiltered_write"), "{filter}");
    }
    for filter in ["email IS NOT NULL", "id IS NULL", "name IS NOT NULL AND email IS NOT NULL"] {
        assert_eq!(refuses(&format!("SELECT * FROM users WHERE {filter}")), None, "{filter}");
        assert_eq!(refuses(&format!("UPDATE users SET x = 1 WHERE {filter}")), None, "{filter}");
    }
    for sql in
        ["DELETE FROM log WHERE id IS NOT NULL", "DELETE FROM log WHERE id > 0", "SELECT * FROM log WHERE id > 0"]
    {
        assert_eq!(refuses(sql), None, "{sql}: its id is no key");
    }
    assert_eq!(refuses("DELETE FROM log WHERE ctid IS NOT NULL"), Some("unfiltered_write"));
    assert_eq!(refuses("DELETE FROM elsewhere WHERE id > 0"), Some("unfiltered_write"), "by its name");
}

#[test]
fn hints_name_the_tables_own_key() {
    let mut builder = Schema::builder();
    let first = Key { rank: Rank::Primary, ..Key::unique(&["created_at", "id"], Nulls::Never) };
    builder.describe("public", "events", table(LARGE, &[Key::unique(&["ref"], Nulls::Distinct), first], &[]));
    builder.describe("public", "Odd", table(LARGE, &[Key::primary(&["user"])], &[]));
    builder.describe("public", "keyless", table(LARGE, &[], &[]));
    builder.add("public", "unread", Estimate::Known(LARGE));
    let schema = builder.build();
    let hint = |sql: &str| refused(&schema, sql).unwrap().hint;
    let parts = [
        ("SELECT * FROM events", "FROM events WHERE (created_at, id) > ($1, $2) ORDER BY created_at, id LIMIT 1000"),
        ("SELECT * FROM \"Odd\"", "FROM \"Odd\" WHERE \"user\" > $1 ORDER BY \"user\" LIMIT 1000"),
        ("SELECT * FROM public.events", "FROM public.events WHERE (created_at"),
        ("SELECT * FROM keyless", "keyless has no unique key"),
        ("SELECT * FROM unread", "FROM unread WHERE id > $1 ORDER BY id"),
        ("UPDATE \"Odd\" SET x = 1", "WHERE \"user\" BETWEEN $1 AND $2"),
        ("DELETE FROM events", "WHERE (created_at, id) IN (SELECT created_at, id FROM events WHERE … LIMIT 1000)"),
        ("DELETE FROM keyless", "WHERE ctid IN (SELECT ctid FROM keyless"),
    ];
    for (sql, part) in parts {
        assert!(hint(sql).contains(part), "{sql}: {}", hint(sql));
    }
}

#[test]
fn names_are_looked_up_along_the_path() {
    let mut builder = Schema::builder();
    builder.describe("big", "t", table(LARGE, &[Key::primary(&["id"])], &[]));
    builder.describe("small", "t", table(5, &[], &[]));
    let known = |names: &[&str]| SearchPath::Known(names.iter().map(|&name| name.into()).collect());
    let schema = builder.build();
    let (big, small) = (schema.with_path(known(&["big", "small"])), schema.with_path(known(&["small", "big"])));
    let refuses = |schema: &Schema, sql: &str| refused(schema, sql).is_some();
    assert!(refuses(&big, "SELECT * FROM t") && !refuses(&small, "SELECT * FROM t"));
    assert!(refuses(&small, "SELECT * FROM big.t") && !refuses(&big, "SELECT * FROM small.t"));
    assert!(!refuses(&schema, "SELECT * FROM t"), "without a path the smallest counts");
    let by_key = |schema: &Schema| plan(Some(schema), "SELECT * FROM t WHERE id = 5").rows;
    assert_eq!([&big, &small, &schema].map(by_key), [Extent::Within, Extent::Unknown, Extent::Unknown]);
    let elsewhere = schema.with_path(known(&["other"]));
    assert_eq!(elsewhere.rows(&TableName::new("t")), Estimate::Unknown);
    let hidden = big.hiding(&["t".into()]);
    assert!(!refuses(&hidden, "SELECT * FROM t") && refuses(&hidden, "SELECT * FROM big.t"));
    assert_eq!(by_key(&hidden), Extent::Unknown, "a temporary table has no known key");
}

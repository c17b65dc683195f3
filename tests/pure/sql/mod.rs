//! The lexer, the caches and the schema.

mod kept;
pub(crate) mod random;
mod time;

use std::time::{Duration, Instant};

use floodwall::sql::cache::ByteCache;
use floodwall::sql::facts::{self, Filter, Reach, Source};
use floodwall::sql::lexer::{self, Counts, Lexed, Limit, Marks, Piece, Wrap, lex};
use floodwall::sql::{Dialect, Estimate, Flags, Quotes, Schema, Strings, TableName, Verb};

fn shape(sql: &str) -> String {
    String::from_utf8(lex(Flags::POSTGRES, sql.as_bytes()).shape).unwrap()
}

fn counts(sql: &str) -> Counts {
    lex(Flags::POSTGRES, sql.as_bytes()).pieces[0].counts
}

fn limits(sql: &str) -> Vec<Limit> {
    lex(Flags::POSTGRES, sql.as_bytes()).limits.iter().map(|at| at.limit).collect()
}

#[test]
fn shapes_are_what_stays_the_same_from_call_to_call() {
    let cases = [
        (
            "SELECT  abalance\tFROM pgbench_accounts\nWHERE aid = 52345;",
            "select abalance from pgbench_accounts where aid = $1",
        ),
        ("select * from T where a='x' -- c\n and b=$3", "select * from t where a = $1 and b = $1"),
        ("SELECT * FROM \"T\".\"a b\"", "select * from \"T\".\"a b\""),
        ("SELECT/**/1/* /* */ */+2", "select $1 + $1"),
        ("INSERT INTO t VALUES (1,'a'),(2,NULL),(3,DEFAULT)", "insert into t values ($1, $1)"),
        ("INSERT INTO t VALUES (-1, +2.5e-3)", "insert into t values ($1, $1)"),
        ("SELECT * FROM t WHERE a IN (1,2,3) AND b IN ('x')", "select * from t where a in ($1) and b in ($1)"),
        ("SELECT * FROM t WHERE a IN (1, b, 2)", "select * from t where a in ($1, b)"),
        ("SELECT * FROM t WHERE a IN (1, \"b\", $2)", "select * from t where a in ($1, \"b\")"),
        ("SELECT * FROM t WHERE a IN (1, f(2), 3, f(4))", "select * from t where a in ($1, f($1))"),
        ("SELECT * FROM t WHERE a IN (f(1), f(2), f(3))", "select * from t where a in (f($1))"),
        ("SELECT * FROM t WHERE a IN (1, '2'::int, NULL, -3)", "select * from t where a in ($1)"),
        ("SELECT * FROM t WHERE a IN (1, '2'::real)", "select * from t where a in ($1, $1::real)"),
        ("SELECT * FROM t WHERE a IN (1, b IN (2, c))", "select * from t where a in ($1, b in ($1))"),
        ("SELECT ARRAY[1, b, 2], ARRAY[[1, b], [2, 3]]", "select array[$1, b], array[[$1, b]]"),
        ("SELECT * FROM t WHERE (a,b) IN ((1,2),(3,4))", "select * from t where (a, b) in (($1, $1))"),
        ("SELECT * FROM t WHERE a IN (SELECT b, c FROM u)", "select * from t where a in (select b, c from u)"),
        ("SELECT ARRAY[1,2,3], ARRAY[[1,2],[3,4]]", "select array[$1], array[[$1]]"),
        ("SELECT a[1], a[1:2]", "select a[$1], a[$1: $1]"),
        (
            "SELECT CASE WHEN a=1 THEN 'x' WHEN a=2 THEN NULL ELSE 'z' END",
            "select case when a = $1 then $1 else $1 end",
        ),
        ("SELECT CASE a WHEN 1 THEN b WHEN 2 THEN c END", "select case a when $1 then b when $1 then c end"),
        ("SELECT * FROM t LIMIT 10 OFFSET 5", "select * from t limit $2 offset $1"),
        ("SELECT * FROM t LIMIT $1", "select * from t limit $2"),
        ("SELECT * FROM t FETCH FIRST 5 ROWS ONLY", "select * from t fetch first $2 rows only"),
        ("SELECT 'a'\n'b' 'c'", "select $1"),
        ("SELECT E'a\\'b', B'01', X'1f', N'x', U&'\\0061', $$x$$, $a$ $$ $a$", "select $1, $1, $1, $1, $1, $1, $1"),
        ("SELECT date '2020-01-01', interval '1 day'", "select date '', interval ''"),
        ("SELECT '5'::int, 5::varchar(20), x::numeric(10,2)", "select $1::int, $1::varchar(9), x::numeric(9, 9)"),
        ("SELECT a->>'b', a@>'{}', a||b, a<=-1, a<-1", "select a ->> $1, a @> $1, a || b, a <= $1, a < $1"),
        ("SELECT count(*), f(1), t.*", "select count(*), f($1), t.*"),
        ("SELECT a - 1, a -1, -1", "select a - $1, a - $1, $1"),
        ("SELECT 1e5, .5, 5., 0x1F, 1_000", "select $1, $1, $1, $1, $1"),
        ("SELECT 1; SELECT 2;", "select $1; select $1"),
        ("SELECT * FROM t WHERE 1=1", "select * from t where  1 =  1"),
        ("SELECT * FROM t WHERE 7=8", "select * from t where  1 =  2"),
        ("SELECT * FROM t WHERE 'b'='a'", "select * from t where  2 =  1"),
        ("SELECT * FROM t WHERE $1=$2", "select * from t where $1 = $1"),
        ("SELECT * FROM t WHERE id > 0", "select * from t where id >  0"),
        ("SELECT * FROM t WHERE id > 17", "select * from t where id > $1"),
        ("SELECT * FROM t WHERE x > 0", "select * from t where x > $1"),
        ("", ""),
        ("  -- nothing", ""),
    ];
    for (sql, expected) in cases {
        assert_eq!(shape(sql), expected, "{sql}");
    }
}

#[test]
fn literals_that_leave_everything_in_leave_a_trace() {
    let cases = [
        (
            "SELECT * FROM t WHERE x = 'a' OR x <> 'a' OR x IS NULL",
            "select * from t where x =  3 or x <>  3 or x is null",
        ),
        ("SELECT * FROM t WHERE x < 7 OR t.x >= 7 OR x >= 7", "select * from t where x < $1 or t.x >= $1 or x >= $1"),
        ("SELECT * FROM t WHERE x = 'a' OR x <> 'b'", "select * from t where x = $1 or x <> $1"),
        ("SELECT * FROM t WHERE x ~ '.*' OR x SIMILAR TO '%'", "select * from t where x ~ '%' or x similar to '%'"),
        ("SELECT * FROM t WHERE x ~ 'a' OR x SIMILAR TO 'a%'", "select * from t where x ~ $1 or x similar to $1"),
        ("SELECT * FROM t TABLESAMPLE SYSTEM (100.0)", "select * from t tablesample system(100)"),
        ("SELECT * FROM t TABLESAMPLE SYSTEM (99)", "select * from t tablesample system($1)"),
    ];
    for (sql, expected) in cases {
        assert_eq!(shape(sql), expected, "{sql}");
    }
}

#[test]
fn texts_that_differ_in_values_only_share_a_shape() {
    let same = [
        ("SELECT * FROM t WHERE a = 1", "select * from T where a='it''s' -- x"),
        ("SELECT * FROM t WHERE a = $1", "SELECT * FROM t WHERE a = -5"),
        ("INSERT INTO t VALUES (1, NULL)", "INSERT INTO t VALUES (NULL, 'x'), (2, $9), (DEFAULT, true)"),
        ("DELETE FROM t WHERE id IN (1)", "DELETE FROM t WHERE id IN (1, $2, -3, '4'::int, NULL)"),
        ("SELECT * FROM t LIMIT 5", "SELECT * FROM t LIMIT 5000000"),
    ];
    for (left, right) in same {
        assert_eq!(shape(left), shape(right));
    }
}

#[test]
fn texts_that_differ_in_meaning_do_not() {
    let different = [
        ("SELECT * FROM big", "SELECT * FROM small"),
        ("SELECT * FROM a.t", "SELECT * FROM b.t"),
        ("SELECT * FROM \"T\"", "SELECT * FROM t"),
        ("SELECT * FROM t2024_01", "SELECT * FROM t2024_02"),
        ("SELECT * FROM t LIMIT 5", "SELECT * FROM t LIMIT ALL"),
        ("SELECT * FROM t LIMIT 5", "SELECT * FROM t LIMIT NULL"),
        ("DELETE FROM t WHERE 1=1", "DELETE FROM t WHERE a=1"),
        ("DELETE FROM t WHERE 1=1", "DELETE FROM t WHERE 1=2"),
        ("DELETE FROM t WHERE true", "DELETE FROM t WHERE false"),
        ("DELETE FROM t WHERE 't'", "DELETE FROM t WHERE 'f'"),
    ];
    for (left, right) in different {
        assert_ne!(shape(left), shape(right));
    }
}

#[test]
fn verbs_are_known_behind_what_stands_around_them() {
    let cases = [
        ("SELECT 1", Verb::Select, Verb::Select, Wrap::None),
        ("(((SELECT 1)))", Verb::Select, Verb::Select, Wrap::None),
        ("VALUES (1)", Verb::Values, Verb::Values, Wrap::None),
        ("TABLE t", Verb::Table, Verb::Table, Wrap::None),
        ("WITH a AS (SELECT 1) UPDATE t SET x = 1", Verb::Update, Verb::Update, Wrap::None),
        ("WITH a AS (DELETE FROM t) SELECT 1", Verb::Select, Verb::Select, Wrap::None),
        ("WITH a AS (SELECT 1) (SELECT 2)", Verb::Select, Verb::Select, Wrap::None),
        ("(WITH a AS (SELECT 1) SELECT 2)", Verb::Select, Verb::Select, Wrap::None),
        ("WITH a (x, y) AS MATERIALIZED (SELECT 1) INSERT INTO t SELECT 2", Verb::Insert, Verb::Insert, Wrap::None),
        ("EXPLAIN DELETE FROM t", Verb::Explain, Verb::Delete, Wrap::Explain),
        ("EXPLAIN ANALYZE DELETE FROM t", Verb::Explain, Verb::Delete, Wrap::ExplainAnalyze),
        ("EXPLAIN (ANALYZE, TIMING off) DELETE FROM t", Verb::Explain, Verb::Delete, Wrap::ExplainAnalyze),
        ("EXPLAIN (TIMING off) WITH a AS (SELECT 1) DELETE FROM t", Verb::Explain, Verb::Delete, Wrap::Explain),
        ("PREPARE x AS DELETE FROM t", Verb::Prepare, Verb::Delete, Wrap::Prepare),
        ("PREPARE x (int, text) AS SELECT 1", Verb::Prepare, Verb::Select, Wrap::Prepare),
        ("PREPARE TRANSACTION 'x'", Verb::Prepare, Verb::Prepare, Wrap::None),
        ("DECLARE c CURSOR FOR SELECT 1", Verb::Declare, Verb::Select, Wrap::Cursor),
        ("COPY (SELECT 1) TO STDOUT", Verb::Copy, Verb::Select, Wrap::CopyOut),
        ("COPY t FROM STDIN", Verb::Copy, Verb::Copy, Wrap::None),
        ("START TRANSACTION", Verb::Begin, Verb::Begin, Wrap::None),
        ("END", Verb::Commit, Verb::Commit, Wrap::None),
        ("ABORT", Verb::Rollback, Verb::Rollback, Wrap::None),
        ("RELEASE a", Verb::Savepoint, Verb::Savepoint, Wrap::None),
        ("SHOW x", Verb::Set, Verb::Set, Wrap::None),
        ("CREATE TABLE a AS SELECT 1", Verb::Schema, Verb::Schema, Wrap::None),
        ("TRUNCATE t", Verb::Truncate, Verb::Truncate, Wrap::None),
        ("DO $$x$$", Verb::Call, Verb::Call, Wrap::None),
        ("MOVE 1 IN c", Verb::Fetch, Verb::Fetch, Wrap::None),
        ("ANALYZE t", Verb::Maintain, Verb::Maintain, Wrap::None),
        ("UNLISTEN *", Verb::Notify, Verb::Notify, Wrap::None),
        ("EXECUTE x", Verb::Execute, Verb::Execute, Wrap::None),
        ("frobnicate", Verb::Other, Verb::Other, Wrap::None),
        ("", Verb::Empty, Verb::Empty, Wrap::None),
        (";;", Verb::Empty, Verb::Empty, Wrap::None),
    ];
    for (sql, verb, inner, wrap) in cases {
        let lexed = lex(Flags::POSTGRES, sql.as_bytes());
        let piece = &lexed.pieces[0];
        assert_eq!((piece.verb, piece.inner, piece.wrap), (verb, inner, wrap), "{sql}");
    }
}

#[test]
fn texts_are_split_where_the_server_splits_them() {
    let cases = [
        ("SELECT 1; SELECT 2", vec!["SELECT 1", "SELECT 2"]),
        (" ;; SELECT 1 ;; -- x\n ; SELECT 2 /* ; */ ;", vec!["SELECT 1", "SELECT 2"]),
        ("SELECT ';', \";\", $$;$$, E'\\';' ; SELECT 2", vec!["SELECT ';', \";\", $$;$$, E'\\';'", "SELECT 2"]),
        (
            "CREATE RULE r AS ON INSERT TO t DO (SELECT 1; SELECT 2); X",
            vec!["CREATE RULE r AS ON INSERT TO t DO (SELECT 1; SELECT 2)", "X"],
        ),
        (
            "CREATE FUNCTION f() RETURNS int BEGIN ATOMIC SELECT CASE WHEN a THEN 1 END; SELECT 2; END; X",
            vec!["CREATE FUNCTION f() RETURNS int BEGIN ATOMIC SELECT CASE WHEN a THEN 1 END; SELECT 2; END", "X"],
        ),
        ("BEGIN; COMMIT", vec!["BEGIN", "COMMIT"]),
        ("END; SELECT 1", vec!["END", "SELECT 1"]),
    ];
    for (sql, expected) in cases {
        let lexed = lex(Flags::POSTGRES, sql.as_bytes());
        let pieces: Vec<_> = lexed.pieces.iter().map(|piece| &sql[piece.text.clone()]).collect();
        assert_eq!(pieces, expected);
        for piece in &lexed.pieces {
            assert!(lexed.shape.get(piece.shape.clone()).is_some_and(|shape| !shape.is_empty()));
        }
    }
}

#[test]
fn what_a_statement_carries_is_counted() {
    let zero = Counts::default();
    let cases = [
        ("INSERT INTO t VALUES (1), (2), (f(3, 4))", Counts { tuples: 3, ..zero }),
        ("INSERT INTO t VALUES ((1)), ((2, 3))", Counts { tuples: 2, ..zero }),
        ("INSERT INTO t VALUES (1) RETURNING (a), (b)", Counts { tuples: 1, ..zero }),
        ("INSERT INTO t DEFAULT VALUES", zero),
        ("SELECT * FROM (VALUES (1), (2)) a, (VALUES (1), (2), (3)) b", Counts { tuples: 3, ..zero }),
        ("SELECT 1 WHERE a IN (1, 2) OR b NOT IN (1, 2, 3)", Counts { in_items: 3, ..zero }),
        ("SELECT 1 WHERE a IN ((1, 2), (3, 4))", Counts { in_items: 2, ..zero }),
        ("SELECT 1 WHERE a IN (SELECT x, y FROM t)", zero),
        ("SELECT 1 WHERE a IN (VALUES (1), (2))", Counts { tuples: 2, ..zero }),
        ("SELECT 1 WHERE a = ANY (ARRAY[1, 2, 3])", Counts { array_elements: 3, ..zero }),
        ("SELECT 1 WHERE a = ANY ((ARRAY[1, 2, 3])::int[])", Counts { array_elements: 3, ..zero }),
        ("SELECT 1 WHERE a = ANY ('{1,2,3,4}')", Counts { array_elements: 4, ..zero }),
        ("SELECT 1 WHERE a = ANY ('{\"x,y\",2}')", Counts { array_elements: 2, ..zero }),
        ("SELECT * FROM unnest('{1,2}'::int[], ARRAY[1, 2, 3])", Counts { array_elements: 3, ..zero }),
        (r#"SELECT 1 WHERE a = ANY ('{"x\",y",2}')"#, Counts { array_elements: 2, ..zero }),
        (r#"SELECT 1 WHERE a = ANY (E'{"x\\\\",y,2}')"#, Counts { array_elements: 3, ..zero }),
        ("SELECT 1 WHERE a = ANY (CAST ('{1,2,3}' AS int[]))", Counts { array_elements: 3, ..zero }),
        ("SELECT 1 WHERE a = ANY ('{}')", zero),
        ("SELECT 1 UNION ALL (SELECT '{1,2,3}')", zero),
        ("WITH a AS (INSERT INTO t VALUES (1), (2)) INSERT INTO t VALUES (1)", Counts { tuples: 3, ..zero }),
        ("SELECT ARRAY[1, 2, 3], '{1,2,3}'", zero),
        ("SELECT CASE WHEN a THEN 1 WHEN b THEN 2 END, CASE WHEN c THEN 1 END", Counts { case_arms: 2, ..zero }),
        (
            "SELECT CASE WHEN a THEN CASE WHEN b THEN 1 WHEN c THEN 2 WHEN d THEN 3 END END",
            Counts { case_arms: 3, ..zero },
        ),
        ("SELECT t.case, t.when, 1 AS case, 2 AS end", zero),
    ];
    for (sql, expected) in cases {
        assert_eq!(counts(sql), expected, "{sql}");
    }
}

#[test]
fn limits_are_read_as_values() {
    let cases = [
        ("SELECT * FROM t LIMIT 10", vec![Limit::Rows(10)]),
        ("SELECT * FROM t LIMIT $1 OFFSET 5", vec![Limit::Parameter(1)]),
        ("SELECT * FROM t LIMIT ALL", vec![]),
        ("SELECT * FROM t LIMIT NULL", vec![]),
        ("SELECT * FROM t LIMIT (10)", vec![Limit::Rows(10)]),
        ("SELECT * FROM t LIMIT 1e3", vec![Limit::Rows(1000)]),
        ("SELECT * FROM t LIMIT '25'", vec![Limit::Rows(25)]),
        ("SELECT * FROM t LIMIT 'x'", vec![Limit::Other]),
        ("SELECT * FROM t LIMIT -1", vec![Limit::Other]),
        ("SELECT * FROM t LIMIT 99999999999999999999999", vec![Limit::Rows(u64::MAX)]),
        ("SELECT * FROM t FETCH FIRST 7 ROWS ONLY", vec![Limit::Rows(7)]),
        ("SELECT * FROM t FETCH NEXT $2 ROWS ONLY", vec![Limit::Parameter(2)]),
        ("SELECT * FROM (SELECT * FROM u LIMIT 1) x LIMIT 2", vec![Limit::Rows(1), Limit::Rows(2)]),
        ("SELECT 1 AS limit, t.limit, \"limit\" FROM t", vec![]),
        ("SELECT a IN (1, (SELECT b FROM t LIMIT 3)) FROM t LIMIT 4", vec![Limit::Rows(3), Limit::Rows(4)]),
        ("SELECT a IN (1, 2, b, 3) FROM t LIMIT 4", vec![Limit::Rows(4)]),
        ("INSERT INTO t VALUES (1), ((SELECT a FROM b LIMIT 3))", vec![]),
    ];
    for (sql, expected) in cases {
        assert_eq!(limits(sql), expected, "{sql}");
    }
}

#[test]
fn a_sign_that_begins_a_statement_adds_to_no_limit_before_it() {
    for flags in [Flags::POSTGRES, Flags::MYSQL] {
        for next in ["+ 5", "+ 5, 6", "* 5", "- 5"] {
            let lexed = lex(flags, format!("SELECT 1 LIMIT 10; {next}; SELECT 1 LIMIT 7").as_bytes());
            let limits: Vec<_> = lexed.limits.iter().map(|at| at.limit).collect();
            assert_eq!(limits, [Limit::Rows(10), Limit::Rows(7)], "{next}");
            let own: Vec<_> = lexed.pieces.iter().map(|piece| piece.limits.clone()).collect();
            assert_eq!(own, [0..1, 1..1, 1..2], "{next}");
        }
    }
}

#[test]
fn a_statement_that_is_counted_with_others_leaves_no_array() {
    let alike = "DELETE FROM t WHERE id = ANY ($1);".repeat(1_500);
    let other: String = (0..3_000).map(|n| format!("DELETE FROM t{n} WHERE id = ANY ($1);")).collect();
    for text in [alike, other] {
        let lexed = lex(Flags::POSTGRES, format!("{text} DELETE FROM last WHERE id = ANY ($2)").as_bytes());
        let arrays = |piece: &Piece| lexed.arrays.get(piece.arrays.clone()).map(<[_]>::len);
        assert!(lexed.pieces.iter().all(|piece| arrays(piece) == Some(usize::from(!piece.shape.is_empty()))));
        let told: usize = lexed.pieces.iter().filter_map(arrays).sum();
        assert_eq!((told, lexed.arrays.last().map(|at| at.parameter)), (lexed.arrays.len(), Some(2)));
    }
}

#[test]
fn marks_tell_what_was_noticed() {
    let marked = |sql: &str, mark| lex(Flags::POSTGRES, sql.as_bytes()).pieces[0].marks.has(mark);
    assert!(marked("SELECT $1", Marks::PARAMETERS) && !marked("SELECT 1", Marks::PARAMETERS));
    for sql in ["SELECT 'x", "SELECT \"x", "SELECT $$x", "SELECT (1", "SELECT 1 /* x"] {
        assert!(marked(sql, Marks::UNTERMINATED), "{sql}");
    }
    assert!(marked("WITH a AS (INSERT INTO t VALUES (1)) SELECT 1", Marks::CTE_WRITES));
    assert!(!marked("WITH a AS (SELECT 1) INSERT INTO t VALUES (1)", Marks::CTE_WRITES));
    assert!(!marked("SELECT * FROM t FOR UPDATE", Marks::CTE_WRITES));
    assert!(marked("COPY t (a) FROM STDIN WITH (FORMAT csv)", Marks::COPY_IN));
    assert!(!marked("COPY t TO STDOUT", Marks::COPY_IN));
}

#[test]
fn a_backslash_is_read_as_the_session_says() {
    let text = br"SELECT '\', 1, '";
    assert!(lex(Flags::POSTGRES, text).pieces[0].marks.has(Marks::UNTERMINATED));
    let off = Flags::POSTGRES.with_strings(Strings::Escapes);
    assert_eq!(lex(off, text).shape, b"select $1");
    assert_eq!(lex(off, br"SELECT U&'\'").shape, b"select $1");
}

#[test]
fn bytes_that_are_no_text_are_read_all_the_same() {
    for text in
        [&b"\xff\xfe"[..], b"SELECT \xe9t\xe9 FROM t\x80", b"SELECT '\xff' \0 \x01", b"$\xff$ $\xff$", b"\\ { } ~"]
    {
        let lexed = lex(Flags::POSTGRES, text);
        assert_eq!(facts::parse(&lexed).statements.len(), lexed.pieces.len());
    }
}

#[test]
fn a_file_is_read_one_statement_at_a_time() {
    let text = b"SELECT 1; COPY t FROM STDIN;\n1\tx\n\\.\nSELECT 2";
    let mut lexed = Lexed::default();
    let first = lexer::first_statement(Flags::POSTGRES, text, &mut lexed).unwrap();
    assert_eq!((&text[lexed.pieces[0].text.clone()], first), (&b"SELECT 1"[..], 9));
    lexer::first_statement(Flags::POSTGRES, &text[first..], &mut lexed).unwrap();
    assert!(lexed.pieces[0].marks.has(Marks::COPY_IN));
    assert_eq!(lexer::first_statement(Flags::POSTGRES, b" -- nothing", &mut lexed), None);
}

#[test]
fn a_table_statement_that_is_only_scanned_reads_its_whole_table() {
    for sql in ["TABLE a", "TABLE \"a\" ORDER BY 1"] {
        let facts = facts::parse_while(&lex(Flags::POSTGRES, sql.as_bytes()), &mut || false);
        assert_eq!(facts.statements[0].reach, Reach::Table(0), "{sql}");
        assert_eq!(facts.statements[0].tables, [TableName::new("a")], "{sql}");
    }
}

#[test]
fn facts_say_how_they_were_read() {
    let source = |sql: &str| facts::parse(&lex(Flags::POSTGRES, sql.as_bytes())).statements[0].source;
    assert_eq!(source("SELECT 1"), Source::Parsed);
    assert_eq!(source("VACUUM t"), Source::Verb);
    assert!(matches!(source("SELECT ((SELECT 2) UNION SELECT 2)"), Source::Scanned(_)));
    let weight = facts::parse(&lex(Flags::POSTGRES, b"SELECT * FROM a, b LIMIT 5")).weight_bytes();
    assert!((100..2_000).contains(&weight), "{weight}");
}

#[test]
fn the_parser_reads_what_clients_write() {
    let ordinary = include_str!("../corpus/ordinary.txt").lines().filter(|line| !line.starts_with('#'));
    let unread: Vec<_> =
        ordinary.filter(|sql| facts::parse(&lex(Flags::POSTGRES, sql.as_bytes())).unreadable().is_some()).collect();
    assert!(unread.is_empty(), "{unread:#?}");
}

#[test]
fn filters_are_told_from_none() {
    let filter = |sql: &str| facts::parse(&lex(Flags::POSTGRES, sql.as_bytes())).statements[0].writes[0].filter.clone();
    assert_eq!(filter("DELETE FROM t"), Filter::None);
    assert_eq!(filter("DELETE FROM t WHERE true"), Filter::ConstantTrue);
    assert_eq!(filter("DELETE FROM t WHERE a"), Filter::Real);
}

/// Found with PostgreSQL's own parser: what each of these hid.
#[test]
fn what_the_oracle_found_stays_found() {
    let read = |sql: &str| facts::parse(&lex(Flags::POSTGRES, sql.as_bytes())).statements[0].clone();
    let inner = |sql: &str| lex(Flags::POSTGRES, sql.as_bytes()).pieces[0].inner;
    assert_eq!(inner("EXPLAIN (SELECT 1)"), Verb::Select, "parentheses of the query are no options");
    assert_eq!(limits("SELECT 1 LIMIT 1_000"), [Limit::Rows(1000)], "digits may be grouped");
    assert_eq!(limits("SELECT 1 LIMIT 0x10"), [Limit::Rows(16)]);
    assert_eq!(limits("SELECT 1 LIMIT 5 + 6"), [Limit::Rows(11)], "a sum is one value");
    assert_eq!(limits("SELECT 1 LIMIT 5 * 6"), [Limit::Other], "a product is none");
    assert_eq!(shape("SELECT U&\"d!0061ta\" UESCAPE '!'"), "select \"data\"", "an escape may be any character");
    let copied = lex(Flags::POSTGRES, b"COPY t FROM STDOUT");
    assert!(copied.pieces[0].marks.has(Marks::COPY_IN), "the server takes either for the client");
    let rule = "CREATE RULE r AS ON INSERT TO t DO ALSO WITH d AS (DELETE FROM t RETURNING *) SELECT * FROM d";
    assert!(read(rule).writes.is_empty(), "what a rule holds runs later");
    let join = "MERGE INTO t USING a JOIN b ON a.x = b.x ON t.x = a.x WHEN MATCHED THEN DELETE";
    assert_eq!(read(join).writes.len(), 1, "a source may be a join");
    assert_eq!(read("TABLE t UNION ALL SELECT * FROM u").tables.len(), 2, "TABLE may be one side of a UNION");
}

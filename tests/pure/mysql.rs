//! The lexer and the facts of MySQL's SQL.

use floodwall::guard::{Guard, Intake, Measure, Verdict, Whole};
use floodwall::sql::facts::{self, Filter, Reach};
use floodwall::sql::lexer::{Counts, Limit, Marks, Wrap, lex};
use floodwall::sql::{Flags, Quotes, Reading, Server, Strings, Verb};

fn shape_in(flags: Flags, sql: &str) -> String {
    String::from_utf8(lex(flags, sql.as_bytes()).shape).unwrap()
}

fn shape(sql: &str) -> String {
    shape_in(Flags::MYSQL, sql)
}

#[test]
fn shapes_keep_the_case_of_names_and_no_literal() {
    let cases = [
        ("SELECT  Name\tFROM Orders\nWHERE ID = 52345;", "select Name from Orders where id = ?1"),
        ("select * from Shop.Orders o where o.x=?", "select * from Shop.Orders o where o.x = ?1"),
        ("SELECT * FROM `Shop`.`a b`", "select * from `Shop`.`a b`"),
        ("SELECT COUNT(*), Max(x) FROM t", "select count(*), max(x) from t"),
        ("INSERT INTO Orders(a) VALUES(1),(NULL)", "insert into Orders(a) values (?1)"),
        ("INSERT INTO t VALUE (1), (2)", "insert into t values (?1)"),
        ("INSERT INTO t VALUES ROW(1,2), ROW(3,4)", "insert into t values (?1, ?1)"),
        ("SELECT * FROM t LIMIT 5, 10", "select * from t limit ?1, ?2"),
        ("SELECT * FROM t LIMIT 10 OFFSET 5", "select * from t limit ?2 offset ?1"),
        ("SELECT 'a' 'b', \"c\", N'd', _utf8mb4'e', x'1f', 0x1F, b'1', 0b1, 1e5, .5, -5", {
            "select ?1, ?1, ?1, ?1, ?1, ?1, ?1, ?1, ?1, ?1, ?1"
        }),
        ("SELECT a 'secret', b AS 'secret', c \"secret\"", "select a `label`, b as `label`, c `label`"),
        ("SELECT @a := 1, @`b c`, @'d', @@global.x, @@`y`", "select @a := ?1, @b_c, @d, @@global.x, @@y"),
        ("SELECT a || b, !a && b, a <=> b, a->'$.x', a->>'$.x'", {
            "select a or b, not a and b, a <=> b, a -> ?1, a ->> ?1"
        }),
        ("SELECT 5--1, 5 - -1 -- x\n, 2 # y", "select ?1 - ?1, ?1 - ?1, ?1"),
        ("SELECT 1a, q.2b, q.1e5 FROM q", "select 1a, q.2b, q.1e5 from q"),
        ("SELECT {d '2024-01-01'}, {fn now()} FROM { OJ a JOIN b }", "select ?1, now() from a join b"),
        ("SELECT \\N, größe, $x", "select null, größe, $x"),
        ("DELETE FROM t WHERE 1 = 1", "delete from t where  1 =  1"),
        ("DELETE FROM t WHERE '1x'", "delete from t where  1"),
    ];
    for (sql, expected) in cases {
        assert_eq!(shape(sql), expected, "{sql}");
    }
}

#[test]
fn strings_are_read_as_the_session_says() {
    let plain = Flags::MYSQL.with_strings(Strings::Standard);
    let names = Flags::MYSQL.with_quotes(Quotes::Name);
    assert_eq!(shape_in(Flags::MYSQL, r"SELECT '\', 2 -- '"), "select ?1");
    assert_eq!(shape_in(plain, r"SELECT '\', 2 -- '"), "select ?1, ?1");
    assert_eq!(shape_in(Flags::MYSQL, "SELECT \"a\"\"b\" FROM t"), "select ?1 from t");
    assert_eq!(shape_in(names, "SELECT \"a\"\"b`c\" FROM t"), "select `a\"b``c` from t");
    assert_eq!(shape_in(names, r#"SELECT "a\" FROM t"#), r"select `a\` from t");
}

#[test]
fn verbs_of_mysql_are_known() {
    let cases = [
        ("REPLACE INTO t VALUES (1)", Verb::Insert, Verb::Insert, Wrap::None),
        ("TABLE t", Verb::Table, Verb::Table, Wrap::None),
        ("VALUES ROW(1)", Verb::Values, Verb::Values, Wrap::None),
        ("HANDLER t OPEN", Verb::Handler, Verb::Handler, Wrap::None),
        ("HANDLER t READ FIRST", Verb::Handler, Verb::Select, Wrap::None),
        ("LOAD DATA INFILE 'x' INTO TABLE t", Verb::Load, Verb::Load, Wrap::None),
        ("DO SLEEP(1)", Verb::Call, Verb::Call, Wrap::None),
        ("CALL p()", Verb::Call, Verb::Call, Wrap::None),
        ("USE shop", Verb::Set, Verb::Set, Wrap::None),
        ("XA START 'x'", Verb::Xa, Verb::Xa, Wrap::None),
        ("LOCK TABLES t READ", Verb::Lock, Verb::Lock, Wrap::None),
        ("UNLOCK TABLES", Verb::Lock, Verb::Lock, Wrap::None),
        ("KILL QUERY 5", Verb::Kill, Verb::Kill, Wrap::None),
        ("RENAME TABLE a TO b", Verb::Schema, Verb::Schema, Wrap::None),
        ("OPTIMIZE TABLE t", Verb::Maintain, Verb::Maintain, Wrap::None),
        ("ANALYZE # a comment\n TABLE t", Verb::Maintain, Verb::Maintain, Wrap::None),
        ("ANALYZE LOCAL TABLE t", Verb::Maintain, Verb::Maintain, Wrap::None),
        ("ANALYZE FORMAT=JSON SELECT 1", Verb::Explain, Verb::Select, Wrap::ExplainAnalyze),
        ("EXPLAIN FORMAT=JSON DELETE FROM t", Verb::Explain, Verb::Delete, Wrap::Explain),
        ("EXPLAIN ANALYZE SELECT 1", Verb::Explain, Verb::Select, Wrap::ExplainAnalyze),
        ("DESC t", Verb::Explain, Verb::Explain, Wrap::Explain),
        ("SET STATEMENT x = 1 FOR DELETE FROM t", Verb::Set, Verb::Delete, Wrap::None),
        ("BEGIN", Verb::Begin, Verb::Begin, Wrap::None),
        ("BEGIN NOT ATOMIC SELECT 1; END", Verb::Call, Verb::Call, Wrap::None),
        ("IF 1 THEN SELECT 1; END IF", Verb::Call, Verb::Call, Wrap::None),
        ("PREPARE p FROM @x", Verb::Prepare, Verb::Prepare, Wrap::None),
        ("SELECT REPLACE(a, 'x', 'y') FROM t", Verb::Select, Verb::Select, Wrap::None),
    ];
    for (sql, verb, inner, wrap) in cases {
        let lexed = lex(Flags::MARIADB, sql.as_bytes());
        let piece = &lexed.pieces[0];
        assert_eq!((piece.verb, piece.inner, piece.wrap, lexed.pieces.len()), (verb, inner, wrap, 1), "{sql}");
    }
}

#[test]
fn rows_and_limits_are_counted() {
    let zero = Counts::default();
    let cases = [
        ("INSERT INTO t VALUES ROW(1), ROW(2), ROW(3)", Counts { tuples: 3, ..zero }),
        ("INSERT INTO t VALUE (1), (2)", Counts { tuples: 2, ..zero }),
        ("INSERT INTO t VALUES (1), (2) ON DUPLICATE KEY UPDATE a = VALUES(a)", Counts { tuples: 2, ..zero }),
        ("REPLACE INTO t VALUES (1), (2), (3)", Counts { tuples: 3, ..zero }),
        ("INSERT INTO t SET a = 1, b = 2", zero),
        ("DELETE FROM t WHERE a IN (?, ?, 3)", Counts { in_items: 3, ..zero }),
        ("UPDATE t SET a = CASE id WHEN 1 THEN 'x' WHEN 2 THEN 'y' END", Counts { case_arms: 2, ..zero }),
        ("SELECT REPLACE(a, 'x', 'y'), IF(a, 1, 2), REPEAT('x', 3)", zero),
    ];
    for (sql, expected) in cases {
        assert_eq!(lex(Flags::MYSQL, sql.as_bytes()).pieces[0].counts, expected, "{sql}");
    }
    for (sql, expected) in [
        ("SELECT * FROM t LIMIT 5, 10", vec![Limit::Rows(10)]),
        ("SELECT * FROM t LIMIT ?, 10", vec![Limit::Rows(10)]),
        ("SELECT * FROM t LIMIT 10, ?", vec![Limit::Parameter(1)]),
        ("SELECT * FROM t WHERE a = ? AND b = ? LIMIT ?, ?", vec![Limit::Parameter(4)]),
        ("SELECT ? FROM t LIMIT ? OFFSET ?; SELECT 1 LIMIT ?", vec![Limit::Parameter(2), Limit::Parameter(1)]),
        ("SELECT '?', `?` /* ? */ FROM t LIMIT ? + 1", vec![Limit::Parameter(0)]),
        ("SELECT * FROM (SELECT * FROM u LIMIT 1, 2) x LIMIT 3", vec![Limit::Rows(2), Limit::Rows(3)]),
        ("SELECT (SELECT a FROM t LIMIT 1), b FROM t", vec![Limit::Rows(1)]),
        ("DELETE FROM t LIMIT 7", vec![Limit::Rows(7)]),
    ] {
        let lexed = lex(Flags::MYSQL, sql.as_bytes());
        assert_eq!(lexed.limits.iter().map(|at| at.limit).collect::<Vec<_>>(), expected, "{sql}");
    }
}

#[test]
fn executable_comments_are_read_in_every_way_that_differs() {
    let readings = |flags: Flags, sql: &str| {
        let lexed = lex(flags, sql.as_bytes());
        let shape = |piece: &floodwall::sql::Piece| {
            let shape = String::from_utf8(lexed.shape[piece.shape.clone()].to_vec()).unwrap();
            (shape, piece.marks.has(Marks::ASIDE))
        };
        lexed.pieces.iter().map(shape).collect::<Vec<_>>()
    };
    let pair = |own: &str, aside: &str| vec![(own.to_owned(), false), (aside.to_owned(), true)];
    assert_eq!(readings(Flags::MYSQL, "SELECT 1 /*! + 1 */"), pair("select ?1 + ?1", "select ?1"));
    assert_eq!(readings(Flags::MYSQL, "SELECT 1 /*M! + 1 */"), pair("select ?1", "select ?1 + ?1"));
    assert_eq!(readings(Flags::MARIADB, "SELECT 1 /*!50700 + 1 */"), pair("select ?1", "select ?1 + ?1"));
    assert_eq!(readings(Flags::MYSQL, "/*!99999 SELECT 1 */"), pair("", "select ?1"));
    assert_eq!(readings(Flags::MYSQL, "/*!40101 SET NAMES utf8 */").len(), 1, "the other reading is nothing");
    assert_eq!(readings(Flags::MYSQL, "SELECT 1 /*! */ + 1").len(), 1, "all readings are one");
    assert_eq!(
        readings(Flags::MYSQL, "SELECT '/*! */', 1 /* /*! */, 2 # /*! \n, 3").len(),
        1,
        "no comment of this kind"
    );
    let both = "SELECT 1 /*!50000 + 2 */ /*!99999 + 3 */";
    assert_eq!(readings(Flags::MYSQL, both).len(), 3, "own, all and none");
    let old = Flags::MYSQL.on(Server::MySql(50_600));
    assert_eq!(readings(old, "SELECT 1 /*!50700 + 1 */"), pair("select ?1", "select ?1 + ?1"));
}

#[test]
fn what_a_comment_holds_counts_wherever_it_stands_in_the_text() {
    for sql in
        ["SELECT 1 /*!99999 ; DELETE FROM t */", "/*! DELETE FROM t */; SELECT 1", "/*!99999 DELETE FROM t */ SELECT 1"]
    {
        let facts = facts::parse(&lex(Flags::MYSQL, sql.as_bytes()));
        let writes: Vec<_> = facts.statements.iter().flat_map(|statement| &statement.writes).collect();
        assert!(!writes.is_empty() && writes.iter().all(|write| write.filter == Filter::None), "{sql}");
    }
}

#[test]
fn a_reading_that_tells_nothing_new_leaves_nothing() {
    let lexed = lex(Flags::MYSQL, b"DELETE FROM t WHERE a = ANY (?) LIMIT 5 /*! */");
    assert_eq!((lexed.pieces.len(), lexed.limits.len(), lexed.arrays.len()), (1, 1, 1));
}

#[test]
fn analyze_table_gathers_statistics_whatever_stands_between_the_words() {
    let read = |sql: &str| {
        let piece = lex(Flags::MYSQL, sql.as_bytes()).pieces.remove(0);
        (piece.verb, piece.inner, piece.wrap)
    };
    for word in ["TABLE", "Tables", "LOCAL TABLE", "NO_WRITE_TO_BINLOG TABLE"] {
        for between in ["", "/* */ ", "/*!50000 */ ", "/*!50000 ", "}"] {
            let sql = format!("ANALYZE {between}{word} big");
            assert_eq!(read(&sql), (Verb::Maintain, Verb::Maintain, Wrap::None), "{sql}");
        }
    }
    for sql in ["ANALYZE SELECT * FROM big", "EXPLAIN ANALYZE SELECT * FROM big"] {
        assert_eq!(read(sql), (Verb::Explain, Verb::Select, Wrap::ExplainAnalyze), "{sql}");
    }
    assert_eq!(read("EXPLAIN ANALYZE TABLE big"), (Verb::Explain, Verb::Table, Wrap::ExplainAnalyze));
    assert_eq!(read("EXPLAIN TABLE big"), (Verb::Explain, Verb::Table, Wrap::Explain));
}

#[test]
fn a_text_that_is_cut_off_is_cut_off_in_every_reading() {
    let guard = Guard::build(&toml::Table::new()).unwrap();
    let reading = Reading::of(Flags::MYSQL, b"DELETE FROM t /*!99999 x */");
    let intake = |whole| Intake { whole, ..Intake::of_text(&reading, None, 2 << 20) };
    assert!(guard.judge(&intake(Whole::PrefixOnly)).allows(), "its filter may still come");
    assert!(matches!(guard.judge(&intake(Whole::Whole)).verdict, Verdict::Refuse(_)));
}

#[test]
fn two_readings_of_one_text_warn_once() {
    let guard = Guard::build(&toml::Table::new()).unwrap();
    let reading = Reading::of(Flags::MYSQL, b"SELECT /*!40001 SQL_NO_CACHE */ * FROM t");
    let intake = Intake::of_text(&reading, None, 40);
    assert_eq!((reading.pieces().len(), guard.judge(&intake).warned.len()), (2, 1));
}

fn allows(settings: &str, sql: &str) -> bool {
    let guard = Guard::build(&settings.parse().unwrap()).unwrap();
    let reading = Reading::of(Flags::MYSQL, sql.as_bytes());
    let intake = Intake::of_text(&reading, None, sql.len() as u64);
    guard.judge(&intake).allows()
}

#[test]
fn a_limit_of_a_write_is_measured() {
    assert!(allows("", "DELETE FROM t LIMIT 10000") && !allows("", "DELETE FROM t LIMIT 10001"));
    assert!(!allows("unfiltered_write.max_rows = 500", "UPDATE t SET x = 1 LIMIT 501"));
    assert!(allows("unfiltered_write.max_rows = 500", "UPDATE t SET x = 1 WHERE id = 5 LIMIT 501"));
    assert!(allows("", "UPDATE a, b SET a.x = (SELECT 1 LIMIT 99999) LIMIT 5"), "the limit of the write counts");
    assert!(!allows("", "DELETE FROM t WHERE id IS NOT NULL LIMIT 10001"), "its WHERE is true for every row");
    assert!(allows("", "DELETE FROM t WHERE id IS NOT NULL LIMIT 10000"));
    assert!(allows("", "DELETE FROM t WHERE gone_at IS NOT NULL LIMIT 10001"), "nobody says that it is never null");
    let guard = Guard::build(&toml::Table::new()).unwrap();
    let measured = |sql: &str| {
        let reading = Reading::of(Flags::MYSQL, sql.as_bytes());
        let intake = Intake::of_text(&reading, None, sql.len() as u64);
        let values = guard.measure(&intake).values;
        values.into_iter().find(|(measure, _)| *measure == Measure::UnfilteredRows).map(|(_, rows)| rows)
    };
    assert_eq!(measured("DELETE FROM t LIMIT 70"), Some(70));
    assert_eq!(measured("DELETE FROM t WHERE a = 5 LIMIT 70"), None);
}

#[test]
fn the_readings_of_a_long_text_are_counted_apart() {
    // Statements beyond the first thousand are kept with others of their shape, and their rows are added up.
    let inserts = |count: usize| format!("/*!40101 SET NAMES utf8 */; {}", "INSERT INTO t VALUES (1); ".repeat(count));
    assert!(allows("", &inserts(5_000)));
    assert!(!allows("", &inserts(7_000)));
}

#[test]
fn a_statement_that_is_only_scanned_keeps_its_limit_behind_an_offset() {
    let scanned = |sql: &str| {
        let facts = facts::parse_while(&lex(Flags::MYSQL, sql.as_bytes()), &mut || false);
        facts.statements[0].reach.clone()
    };
    assert_eq!(scanned("SELECT * FROM t LIMIT 20, 10"), Reach::Limited(Box::new(Reach::Table(0)), 0));
    assert_eq!(scanned("TABLE `a b` LIMIT 20, 10"), Reach::Limited(Box::new(Reach::Table(0)), 0));
}

#[test]
fn parentheses_around_tables_go_wherever_they_stand() {
    for sql in ["SELECT * FROM (a) JOIN (b) ON a.x = b.x", "SELECT * FROM (a, b) JOIN (c)"] {
        let facts = facts::parse(&lex(Flags::MYSQL, sql.as_bytes()));
        assert_eq!(facts.unreadable(), None, "{sql}");
    }
}

#[test]
fn a_name_that_no_server_takes_is_not_kept_whole() {
    let long = "n".repeat(2_000);
    for name in [long.clone(), format!("`{long}`"), format!("`{}`", "``".repeat(1_000)), format!("@{long}")] {
        let shape = shape(&format!("SELECT {name} FROM t"));
        assert!(shape.len() < 300 && shape.ends_with(" from t"), "{shape}");
        assert_eq!(self::shape(&shape), shape);
    }
}

#[test]
fn a_sign_means_what_its_word_means_where_it_stands() {
    let verbs = |sql: &str| {
        let lexed = lex(Flags::MYSQL, sql.as_bytes());
        (lexed.pieces[0].verb, lexed.pieces[0].inner, lexed.shape)
    };
    for (sign, word) in [("||", "or"), ("&&", "and"), ("!", "not"), ("\\N", "null")] {
        for around in ["EXPLAIN <=> @ ANALYZE SELECT 1", "SELECT a. @ FROM t", "SELECT @ b", "@ SELECT 1"] {
            let written = |with: &str| verbs(&around.replace('@', with));
            assert_eq!(written(sign), written(word), "{around}, {sign}");
        }
    }
}

#[test]
fn a_dot_behind_a_variable_is_no_part_of_its_name() {
    for sql in ["SELECT @a . b FROM t", "SELECT @ . 1e5 FROM t", "SELECT @a.b . c", "SELECT @@global . x"] {
        let first = lex(Flags::MYSQL, sql.as_bytes()).shape;
        assert_eq!(lex(Flags::MYSQL, &first).shape, first, "{sql}");
    }
    assert_eq!(shape("SELECT @a.b, @a . b, @@global . x"), "select @a.b, @a .b, @@global.x");
}

#[test]
fn a_brace_without_a_word_leaves_no_trace_in_a_shape() {
    for sql in ["SELECT {", "SELECT { 1 }", "SELECT {'a' FROM t", "{{ SELECT a }", "SELECT a } FROM t", "SELECT { { d"]
    {
        let shape = shape(sql);
        assert!(!shape.contains(['{', '}']), "{shape}");
        assert_eq!(self::shape(&shape), shape, "{sql}");
    }
}

#[test]
fn names_of_tables_have_mysqls_rules() {
    let table = |sql: &str| {
        let facts = facts::parse(&lex(Flags::MYSQL, sql.as_bytes()));
        facts.statements[0].tables.first().map(ToString::to_string)
    };
    for (sql, expected) in [
        ("SELECT * FROM Orders", "Orders"),
        ("SELECT * FROM ORDERS", "ORDERS"),
        ("SELECT * FROM `Orders`", "Orders"),
        ("SELECT * FROM Shop.Comment", "Shop.Comment"),
        ("SELECT * FROM `Shop`.`a``b`", "Shop.a`b"),
        ("SELECT * FROM 2024_Orders", "2024_Orders"),
        ("SELECT * FROM Status LOCK IN SHARE MODE", "Status"),
    ] {
        assert_eq!(table(sql).as_deref(), Some(expected), "{sql}");
    }
    assert_eq!(table("SELECT * FROM INFORMATION_SCHEMA.TABLES"), None, "the server's own are small");
}

#[test]
fn a_join_with_very_many_rows_is_a_filter_though_nobody_parses_them() {
    let rows = vec!["SELECT 1 AS id, 'x' AS a"; 1_200].join(" UNION ALL ");
    let judged = |sql: &str| {
        let reading = Reading::of(Flags::MYSQL, sql.as_bytes());
        let verdict = Guard::build(&toml::Table::new()).unwrap().judge(&Intake::of_text(&reading, None, 1)).verdict;
        matches!(verdict, Verdict::Refuse(breach) if breach.rule == "unfiltered_write")
    };
    assert!(!judged(&format!("UPDATE t JOIN ({rows}) v ON v.id = t.id SET t.a = v.a")));
    assert!(judged(&format!("UPDATE t LEFT JOIN ({rows}) v ON v.id = t.id SET t.a = v.a")));
    assert!(judged(&format!("UPDATE t JOIN ({rows}) v ON 1 = 1 SET t.a = v.a")));
}

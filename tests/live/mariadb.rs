//! What MariaDB itself makes of the texts that the lexer reads.

use floodwall::sql::lexer::{Marks, lex};
use floodwall::sql::{Encoding, Flags, Quotes, Server, Strings, Verb};

use crate::support::mariadb::{MariaDb, Said};

const CORPUS: [&str; 3] = [
    include_str!("../pure/corpus/mysql_refused.txt"),
    include_str!("../pure/corpus/mysql_passes.txt"),
    include_str!("../pure/corpus/mysql_ordinary.txt"),
];

/// Lines of the corpus that are no SQL to MariaDB.
const UNKNOWN: &str = include_str!("../pure/corpus/mysql_unknown_to_mariadb.txt");

const SYNTAX_ERROR: u16 = 1064;

/// The server with the version that it says it has.
fn server() -> Option<(MariaDb, Flags)> {
    let server = MariaDb::start()?;
    server.sql("CREATE DATABASE shop");
    let version = server.sql("SELECT VERSION()");
    let parts: Vec<u32> = version.split(['.', '-']).take(3).map(|part| part.parse().unwrap()).collect();
    let flags = Flags::MARIADB.on(Server::MariaDb(parts[0] * 10_000 + parts[1] * 100 + parts[2]));
    Some((server, flags))
}

fn corpus() -> Vec<&'static str> {
    let lines = |text: &'static str| text.lines().filter(|line| !line.starts_with("# ") && !line.is_empty());
    let refused = lines(CORPUS[0]).map(|line| line.split_once(' ').unwrap().1);
    refused.chain(lines(CORPUS[1])).chain(lines(CORPUS[2])).collect()
}

/// Statements as the session's server reads the text.
fn statements(flags: Flags, text: &[u8]) -> usize {
    let lexed = lex(flags, text);
    let own = lexed.pieces.iter().filter(|piece| !piece.marks.has(Marks::ASIDE));
    own.filter(|piece| piece.verb != Verb::Empty).count()
}

/// The shape of the statement that the session's server reads.
fn shape(flags: Flags, text: &[u8]) -> String {
    let lexed = lex(flags, text);
    String::from_utf8(lexed.shape[lexed.pieces[0].shape.clone()].to_vec()).unwrap()
}

fn is_syntax_error(said: &Said) -> bool {
    matches!(said, Said::Error(SYNTAX_ERROR, _))
}

#[test]
fn a_text_of_several_statements_is_one_to_no_server() {
    let Some((server, flags)) = server() else { return };
    let texts = corpus();
    let bytes: Vec<&[u8]> = texts.iter().map(|text| text.as_bytes()).collect();
    let said = server.prepare("USE shop", &bytes, "");
    let mut several = 0;
    for (text, said) in texts.iter().zip(&said) {
        if statements(flags, text.as_bytes()) > 1 {
            several += 1;
            assert!(is_syntax_error(said), "{text}: {said:?}");
        }
    }
    assert!(several >= 20, "{several}");
}

/// The other way round: what is one statement here is no syntax error there, unless it is SQL of MySQL 8 or none at all.
#[test]
fn a_text_of_one_statement_is_one_to_the_server() {
    let Some((server, flags)) = server() else { return };
    let texts: Vec<&str> = corpus().into_iter().filter(|text| statements(flags, text.as_bytes()) == 1).collect();
    let bytes: Vec<&[u8]> = texts.iter().map(|text| text.as_bytes()).collect();
    let said = server.prepare("USE shop", &bytes, "");
    let wrong: Vec<_> = texts.iter().zip(&said).filter(|(_, said)| is_syntax_error(said)).collect();
    let unexpected: Vec<_> = wrong.iter().filter(|(text, _)| !UNKNOWN.lines().any(|line| line == **text)).collect();
    assert!(unexpected.is_empty(), "{unexpected:#?}");
    assert!(wrong.len() < texts.len() / 10, "{} of {}", wrong.len(), texts.len());
}

#[test]
fn executable_comments_run_where_the_lexer_says_so() {
    let Some((server, flags)) = server() else { return };
    let openings = [
        "/*!",
        "/*!40101",
        "/*!50000",
        "/*!50699",
        "/*!50700",
        "/*!80000",
        "/*!99999",
        "/*!100000",
        "/*!101100",
        "/*!101199",
        "/*!110000",
        "/*!999999",
        "/*M!",
        "/*M!50700",
        "/*M!99999",
        "/*M!100100",
        "/*M!101100",
        "/*M!110000",
        "/*m!",
        "/*",
        "/*+",
        "/* !",
        "/*!99999 /* x */",
        "/*!50000 /* x */",
    ];
    let texts: Vec<String> = openings.iter().map(|opening| format!("SELECT 1 {opening} + 1 */")).collect();
    let bytes: Vec<&[u8]> = texts.iter().map(|text| text.as_bytes()).collect();
    for (text, said) in texts.iter().zip(server.prepare("", &bytes, "EXECUTE s;")) {
        let runs = said == Said::Rows(vec![vec!["2".to_owned()]]);
        assert!(runs || said == Said::Rows(vec![vec!["1".to_owned()]]), "{text}: {said:?}");
        assert_eq!(shape(flags, text.as_bytes()).contains('+'), runs, "{text}");
    }
}

/// Each mode with texts that have another number of columns in another mode.
#[test]
fn strings_and_names_end_where_the_server_ends_them() {
    let Some((server, flags)) = server() else { return };
    let texts: [&[u8]; 20] = [
        br"SELECT '', 2 -- '",
        br"SELECT '\', 2",
        br"SELECT 'a'b', 2",
        b"SELECT 'a''b', 2",
        b"SELECT 'a' 'b', 2",
        b"SELECT \"a', 2, 'b\" AS x FROM (SELECT 1 AS `a', 2, 'b`) q",
        b"SELECT 1 AS \"a,b\", 2",
        br#"SELECT 1 AS "a", 2, "b""#,
        b"SELECT `a,``b`, 2 FROM (SELECT 1 AS `a,``b`) q",
        b"SELECT 5--1, 2",
        b"SELECT 5 -- 1, 2",
        b"SELECT 5 --1, 2 -- 3, 4",
        b"SELECT 5 # 1, 2",
        b"SELECT 5 # 1, 2\n, 3",
        b"SELECT N'a,b', _utf8mb4'c,d', x'2c', 0x2c, b'101100', 1e5, .5, 5.",
        b"SELECT @`a,b`, @'c,d', @\"e,f\", @@sql_mode",
        b"SELECT 1a, q.2b, q.1e5 FROM (SELECT 1 AS 1a, 2 AS `2b`, 3 AS `1e5`) q",
        b"SELECT {d '2024-01-01'}, {fn now()}",
        b"SELECT 1 /* , 2 /* , 3 */",
        b"SELECT 1 /*! , 2 /* , 3 */ , 4 */",
    ];
    let modes = [
        ("", flags),
        ("NO_BACKSLASH_ESCAPES", flags.with_strings(Strings::Standard)),
        ("ANSI_QUOTES", flags.with_quotes(Quotes::Name)),
        ("ANSI_QUOTES,NO_BACKSLASH_ESCAPES", flags.with_strings(Strings::Standard).with_quotes(Quotes::Name)),
    ];
    let mut compared = 0;
    for (mode, flags) in modes {
        for (text, said) in texts.iter().zip(server.prepare(&format!("SET sql_mode = '{mode}'"), &texts, "EXECUTE s;"))
        {
            let Said::Rows(rows) = said else { continue };
            let shape = shape(flags, text);
            // What is quoted names a column.
            let outside: String = shape.split('`').step_by(2).collect();
            let columns = outside.split(" from ").next().unwrap().matches(", ").count() + 1;
            assert_eq!(columns, rows[0].len(), "{mode}: {}: {shape}", text.escape_ascii());
            compared += 1;
        }
    }
    assert!(compared >= 60, "{compared}");
}

#[test]
fn characters_end_where_the_server_ends_them() {
    let Some((server, flags)) = server() else { return };
    let texts: [&[u8]; 6] = [
        b"SELECT '\xbf\\', 2",
        b"SELECT '\x81\\', 2",
        b"SELECT '\xa1\\', 2",
        b"SELECT\xa01, 2",
        b"SELECT 1,\xa02",
        b"SELECT '\x95\\', 2 -- '",
    ];
    let charsets = [
        "utf8mb4", "latin1", "latin2", "latin5", "latin7", "cp1250", "cp1251", "cp1256", "cp1257", "hebrew", "greek",
        "koi8r", "cp850", "cp852", "cp866", "dec8", "armscii8", "geostd8", "macroman", "gbk", "big5", "sjis", "cp932",
        "ujis", "euckr", "gb2312",
    ];
    for charset in charsets {
        let encoding = Encoding::of_mysql(charset);
        for (text, said) in texts.iter().zip(server.prepare(&format!("SET NAMES {charset}"), &texts, "EXECUTE s;")) {
            let lexed = lex(flags, &encoding.disarm(text));
            let columns = lexed.shape.windows(2).filter(|pair| pair == b", ").count() + 1;
            let read = !lexed.pieces[0].marks.has(Marks::UNTERMINATED) && lexed.pieces[0].verb == Verb::Select;
            match said {
                Said::Rows(rows) => {
                    assert_eq!((read, columns), (true, rows[0].len()), "{charset}: {}", text.escape_ascii())
                }
                Said::Error(..) => {}
            }
        }
    }
}

/// A filter that is refused as always true takes every row.
#[test]
fn what_is_called_always_true_takes_every_row() {
    let Some((server, flags)) = server() else { return };
    server.sql(
        "USE shop; CREATE TABLE small (id INT PRIMARY KEY, pk INT, x INT, y INT, name VARCHAR(9)); \
         INSERT INTO small VALUES (1, 1, 7, 7, 'a'), (2, 2, 8, 8, 'b'), (3, 3, 9, 9, 'c')",
    );
    let section =
        CORPUS[0].split("# --- ").find(|section| section.starts_with("unfiltered_write: a filter that is always"));
    let deletes = section.unwrap().lines().filter_map(|line| line.strip_prefix("unfiltered_write "));
    let deletes: Vec<&str> =
        deletes.filter(|sql| sql.starts_with("DELETE") && statements(flags, sql.as_bytes()) == 1).collect();
    let bytes: Vec<&[u8]> = deletes.iter().map(|sql| sql.as_bytes()).collect();
    let mut wrong = Vec::new();
    let run = "BEGIN; EXECUTE s; SELECT COUNT(*) FROM small; ROLLBACK;";
    for (sql, said) in deletes.iter().zip(server.prepare("USE shop", &bytes, run)) {
        let Said::Rows(rows) = &said else { panic!("{sql}: {said:?}") };
        // To MySQL `x'01'` is a number as well.
        let agrees = rows.last() == Some(&vec!["0".to_owned()]) || sql.contains("x'01'");
        if !agrees {
            wrong.push(format!("{sql}: {rows:?}"));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert!(deletes.len() >= 80, "{}", deletes.len());
}

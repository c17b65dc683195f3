//! The time that a text takes.

use super::*;

#[test]
fn time_grows_with_the_text_and_no_faster() {
    let patterns = [
        "(",
        "'",
        "\"",
        "$",
        "$a",
        "$a$",
        "/*",
        "/",
        "-",
        "CASE ",
        "CASE WHEN ",
        "IN (1,",
        "VALUES (1),",
        "[",
        "a.",
        "'a' ",
        "1=1 OR ",
        ",",
    ];
    for pattern in patterns {
        let text = pattern.repeat((1 << 20) / pattern.len());
        let start = now();
        lex(Flags::POSTGRES, text.as_bytes());
        assert!(start.elapsed() < LINEAR, "{pattern}");
    }
}

/// What grows with the square of a text takes hours for it.
const LINEAR: Duration = Duration::from_secs(60);

#[test]
fn time_grows_with_a_text_of_mysql_and_no_faster() {
    let patterns = [
        "/*!",
        "/*!99999 ",
        "/*! */",
        "/*M!",
        "/*!50000 /* ",
        "*/",
        "`",
        "`a`.",
        "\"",
        "'",
        "\\",
        "@",
        "@`",
        "?",
        "{",
        "{x ",
        "}",
        "||",
        "!",
        "--",
        "-- \n",
        "#\n",
        "VALUES ROW(1),",
        "LIMIT 1,",
        "_utf8 ",
        "_utf8'a'",
        "0x",
        "1a",
        ";",
        "PREPARE p FROM '",
        "PREPARE p FROM '';",
        "BEGIN NOT ATOMIC ",
        "CREATE PROCEDURE p() BEGIN IF ",
        "CASE ",
        "END ",
        "CASE WHEN ",
        "IN (1,",
        "a.",
        "EXECUTE IMMEDIATE '/*!';",
    ];
    for pattern in patterns {
        let text = pattern.repeat((1 << 19) / pattern.len());
        for flags in [Flags::MYSQL, Flags::MARIADB.with_quotes(Quotes::Name).with_strings(Strings::Standard)] {
            let start = now();
            lex(flags, text.as_bytes());
            assert!(start.elapsed() < LINEAR, "{pattern}");
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "a budget of real time")]
pub(super) fn now() -> Instant {
    Instant::now()
}

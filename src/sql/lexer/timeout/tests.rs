use super::*;
use crate::sql::dialect::Strings;
use crate::sql::lexer::lex;
use Scope::{Local, Session, Stored};
use Timeout::{IdleInTransaction, Lock, Statement, Transaction};
use Value::{Default, Milliseconds, Unreadable};

fn all(flags: Flags, sql: &str) -> Vec<Change> {
    lex(flags, sql.as_bytes()).pieces.iter().flat_map(|piece| changes(flags, sql.as_bytes(), piece)).collect()
}

fn read(sql: &str) -> Vec<(Timeout, Value, Scope)> {
    all(Flags::POSTGRES, sql).into_iter().map(|change| (change.timeout, change.value, change.scope)).collect()
}

#[test]
fn every_form_of_set_is_read() {
    for (sql, expected) in [
        ("SET statement_timeout = 5000", (Statement, Milliseconds(5000), Session)),
        ("set STATEMENT_TIMEOUT to '5s'", (Statement, Milliseconds(5000), Session)),
        ("SET SESSION \"statement_timeout\" = 0;", (Statement, Milliseconds(0), Session)),
        ("SET LOCAL lock_timeout TO '100ms'", (Lock, Milliseconds(100), Local)),
        ("SET/* x */transaction_timeout -- y\n =\t'1min'", (Transaction, Milliseconds(60_000), Session)),
        ("SET idle_in_transaction_session_timeout = DEFAULT", (IdleInTransaction, Default, Session)),
        ("SET statement_timeout TO E'5\\x73'", (Statement, Unreadable, Session)),
        ("SET statement_timeout TO '1'\n'0'", (Statement, Unreadable, Session)),
        ("SET statement_timeout TO E'7'", (Statement, Milliseconds(7), Session)),
        ("SET statement_timeout TO $a$2h$a$", (Statement, Milliseconds(7_200_000), Session)),
        ("SET statement_timeout = -1", (Statement, Unreadable, Session)),
        ("SET statement_timeout = +7", (Statement, Milliseconds(7), Session)),
        ("SET statement_timeout = 1, 2", (Statement, Unreadable, Session)),
        ("SET statement_timeout = $1", (Statement, Unreadable, Session)),
        ("RESET statement_timeout", (Statement, Default, Session)),
        ("ALTER ROLE app SET statement_timeout = '1h'", (Statement, Milliseconds(3_600_000), Stored)),
        ("ALTER ROLE app IN DATABASE shop RESET lock_timeout", (Lock, Default, Stored)),
        ("ALTER DATABASE shop SET statement_timeout TO 0", (Statement, Milliseconds(0), Stored)),
        ("ALTER SYSTEM SET statement_timeout TO 0", (Statement, Milliseconds(0), Stored)),
        (
            "CREATE FUNCTION f() RETURNS int LANGUAGE sql SET statement_timeout = 1 AS 'SELECT 1'",
            (Statement, Milliseconds(1), Stored),
        ),
        ("ALTER FUNCTION f() SET statement_timeout FROM CURRENT", (Statement, Unreadable, Stored)),
        ("SELECT set_config('statement_timeout', '0', false)", (Statement, Milliseconds(0), Session)),
        ("SELECT pg_catalog.set_config('Lock_Timeout', '5s', true)", (Lock, Milliseconds(5000), Local)),
        ("SELECT 1 FROM \"set_config\" ('statement_timeout', NULL, false)", (Statement, Default, Session)),
        ("SELECT set_config('statement_timeout', $1, false)", (Statement, Unreadable, Session)),
        ("SELECT set_config('statement_timeout', '1' || '0', true)", (Statement, Unreadable, Session)),
        ("INSERT INTO t VALUES (set_config('statement_timeout', '9', false))", (Statement, Milliseconds(9), Session)),
        ("PREPARE p AS SELECT set_config('statement_timeout', '9', false)", (Statement, Milliseconds(9), Session)),
    ] {
        assert_eq!(read(sql), [expected], "{sql}");
    }
}

#[test]
fn what_sets_or_may_set_any_of_them_names_all() {
    for (sql, value, scope) in [
        ("RESET ALL", Default, Session),
        ("DISCARD ALL", Default, Session),
        ("ALTER ROLE app RESET ALL", Default, Stored),
        ("SELECT set_config($1, '0', false)", Unreadable, Session),
        ("SELECT set_config('statement' || '_timeout', '0', false)", Unreadable, Session),
        (
            "SELECT set_config(setting_name => 'statement_timeout', new_value => '0', is_local => false)",
            Unreadable,
            Session,
        ),
        ("SELECT set_config(E'statement\\x5ftimeout', '0', false)", Unreadable, Session),
        ("SELECT set_config('statement'\n'_timeout', '0', false)", Unreadable, Session),
        ("SELECT set_config(U&'statement_timeout', '0', false)", Unreadable, Session),
        ("SELECT U&\"set\\005fconfig\"('statement_timeout', '0', false)", Unreadable, Session),
        ("SET U&\"statement\\005ftimeout\" = 0", Unreadable, Session),
        ("UPDATE pg_settings SET setting = '0' WHERE name = 'statement_timeout'", Unreadable, Session),
    ] {
        assert_eq!(read(sql), Timeout::ALL.map(|timeout| (timeout, value, scope)), "{sql}");
    }
}

#[test]
fn everything_else_sets_none() {
    for sql in [
        "SHOW statement_timeout",
        "SET search_path = 'statement_timeout'",
        "SET my.statement_timeout = 0",
        "SET TIME ZONE 'UTC'",
        "SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY",
        "SET statement_timeout",
        "RESET search_path",
        "DISCARD PLANS",
        "SELECT 'SET statement_timeout = 0'",
        "SELECT pg_catalog.set_config('search_path', '', false)",
        "SELECT set_config FROM statement_timeout",
        "SELECT setting FROM pg_settings WHERE name = 'statement_timeout'",
        "ALTER TABLE statement_timeout SET (fillfactor = 50)",
        "COMMENT ON TABLE t IS 'SET statement_timeout = 0'",
        "UPDATE t SET statement_timeout = 0 WHERE id = 1",
        "",
    ] {
        assert_eq!(read(sql), [], "{sql}");
    }
}

#[test]
fn values_are_read_as_the_server_reads_them() {
    for (text, value) in [
        ("0", Milliseconds(0)),
        (" 15 ", Milliseconds(15)),
        ("15 s", Milliseconds(15_000)),
        ("1.5s", Milliseconds(1500)),
        ("0.4", Milliseconds(0)),
        ("900us", Milliseconds(1)),
        ("2d", Milliseconds(172_800_000)),
        ("24d", Milliseconds(2_073_600_000)),
        ("2147483647", Milliseconds(2_147_483_647)),
        ("2147483648", Unreadable),
        ("25d", Unreadable),
        ("1S", Unreadable),
        ("1m", Unreadable),
        ("010", Unreadable),
        ("0x10", Unreadable),
        ("1e3", Unreadable),
        ("-1", Unreadable),
        (".", Unreadable),
        ("", Unreadable),
        ("forever", Unreadable),
    ] {
        assert_eq!(milliseconds(text.as_bytes()), value, "{text}");
    }
}

#[test]
fn each_statement_of_a_text_is_read_by_itself() {
    let found = read("BEGIN; SET LOCAL statement_timeout = 1; SELECT 1; SET lock_timeout = 2; COMMIT");
    assert_eq!(found, [(Statement, Milliseconds(1), Local), (Lock, Milliseconds(2), Session)]);
    // Where a string ends depends on the session.
    let escapes = Flags::POSTGRES.with_strings(Strings::Escapes);
    let sql = "SELECT 'it\\'s', set_config('statement_timeout', '1', false)";
    assert_eq!(all(escapes, sql).len(), 1);
    assert!(all(Flags::POSTGRES, "SET statement_timeout = '1\\'").iter().all(|change| change.value == Unreadable));
}

#[test]
fn any_bytes_are_survived() {
    let pieces = [
        "SET statement_timeout",
        "=",
        "'",
        "\"",
        "$",
        "$a$",
        "/*",
        "*/",
        "--",
        "\n",
        "U&\"",
        "E'\\",
        "set_config(",
        ",",
        "\u{fe}",
        "1",
    ];
    for first in pieces {
        for second in pieces {
            for third in pieces {
                let sql = format!("SELECT {first}{second}{third}");
                all(Flags::POSTGRES, &sql);
                all(Flags::POSTGRES, &sql["SELECT ".len()..]);
            }
        }
    }
}

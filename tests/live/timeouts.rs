//! Values of time limits, as Floodwall reads them and as the server does.

use floodwall::sql::Flags;
use floodwall::sql::lexer::lex;
use floodwall::sql::lexer::timeout::{Scope, Timeout, Value, changes};

use crate::support::cluster::Cluster;
use crate::support::raw::{Raw, sqlstates};

/// Between BEGIN and ROLLBACK: what the server made of it is seen before it is undone.
const STATEMENTS: [&str; 24] = [
    "SET statement_timeout = 5000",
    "SET statement_timeout = +7",
    "SET statement_timeout TO '5s'",
    "SET SESSION \"statement_timeout\" = 0",
    "SET LOCAL lock_timeout TO ' 100 ms '",
    "SET LOCAL STATEMENT_TIMEOUT TO '1min'",
    "SET idle_in_transaction_session_timeout = '1.5s'",
    "SET statement_timeout = 0.4",
    "SET statement_timeout = 2.5",
    "SET statement_timeout = '900us'",
    "SET statement_timeout = '24d'",
    "SET statement_timeout = 2147483647",
    "SET statement_timeout = $a$2h$a$",
    "SET statement_timeout = E'7'",
    "SELECT set_config('Lock_Timeout', '5s', true)",
    "SELECT pg_catalog.set_config('statement_timeout', '77', false)",
    // What the server refuses must not be read as a time.
    "SET statement_timeout = -1",
    "SET statement_timeout = 1, 2",
    "SET statement_timeout = 2147483648",
    "SET statement_timeout = '25d'",
    "SET statement_timeout = '1S'",
    "SET statement_timeout = '1m'",
    "SET statement_timeout = ''",
    "SET statement_timeout = 'forever'",
];

#[test]
fn the_server_reads_every_value_as_we_do() {
    let cluster = Cluster::shared();
    let mut session = Raw::login(cluster.port, "postgres", &cluster.create_database("timeouts")).unwrap();
    for sql in STATEMENTS {
        session.query("BEGIN");
        let refused = !sqlstates(&session.query(sql)).is_empty();
        let lexed = lex(Flags::POSTGRES, sql.as_bytes());
        let found = changes(Flags::POSTGRES, sql.as_bytes(), &lexed.pieces[0]);
        assert_eq!(found.len(), 1, "{sql}");
        match found[0].value {
            Value::Milliseconds(read) => {
                assert!(!refused, "{sql}: the server refuses it");
                assert_eq!(made_of(&mut session, sql, found[0].timeout), read.to_string(), "{sql}");
            }
            value => assert!(refused, "{sql}: the server takes what is {value:?}"),
        }
        undo(&mut session);
    }
}

/// A limit of the transaction ends with it; one of the session stays.
#[test]
fn the_server_keeps_each_limit_for_as_long_as_we_say() {
    let cluster = Cluster::shared();
    let mut session = Raw::login(cluster.port, "postgres", &cluster.create_database("timeout_scope")).unwrap();
    for sql in [
        "SET lock_timeout = 7",
        "SET LOCAL lock_timeout = 7",
        "SELECT set_config('lock_timeout', '7', true)",
        "SELECT set_config('lock_timeout', '7', false)",
    ] {
        let lexed = lex(Flags::POSTGRES, sql.as_bytes());
        let scope = changes(Flags::POSTGRES, sql.as_bytes(), &lexed.pieces[0])[0].scope;
        for step in ["RESET lock_timeout", "BEGIN", sql, "COMMIT"] {
            session.query(step);
        }
        let stays = session.rows(&in_force(Timeout::Lock)) == [["7"]];
        assert_eq!(stays, scope == Scope::Session, "{sql}");
    }
}

/// A limit of a few milliseconds hits the ROLLBACK as well, on a busy machine. The transaction has failed by then and its limit is undone: another one ends it.
fn undo(session: &mut Raw) {
    if !sqlstates(&session.query("ROLLBACK")).is_empty() {
        assert_eq!(sqlstates(&session.query("ROLLBACK")), [""; 0]);
    }
}

/// What the server made of a statement. A limit of a few milliseconds hits the question as well, on a busy machine: it is asked again then.
fn made_of(session: &mut Raw, sql: &str, timeout: Timeout) -> String {
    for _ in 0..200 {
        let reply = session.query(&in_force(timeout));
        if sqlstates(&reply).is_empty() {
            return reply.iter().find(|message| message.code == b'D').unwrap().columns().remove(0);
        }
        assert_eq!(sqlstates(&reply), ["57014"], "{sql}");
        for again in ["ROLLBACK", "BEGIN", sql] {
            session.query(again);
        }
    }
    panic!("{sql}: the server was never quick enough");
}

fn in_force(timeout: Timeout) -> String {
    format!("SELECT setting FROM pg_settings WHERE name = '{}'", timeout.name())
}

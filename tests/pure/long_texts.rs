//! Texts beyond every bound of the lexer: what is not kept is judged as the worst that it may be.

use floodwall::guard::{Guard, Intake, Verdict, Whole};
use floodwall::sql::facts::{self, Source};
use floodwall::sql::lexer::{PIECES_MAX, SHAPE_BYTES_MAX, lex};
use floodwall::sql::{Flags, Reading};

/// The rule that refuses a text at the defaults.
fn refused(text: &str) -> Option<&'static str> {
    // The parser wants a large stack.
    std::thread::scope(|scope| {
        let judge = || {
            let reading = Reading::of(Flags::POSTGRES, text.as_bytes());
            let guard = Guard::build(&toml::Table::new()).unwrap();
            let intake = Intake { reading: &reading, schema: None, text_bytes: text.len() as u64, whole: Whole::Whole };
            match guard.judge(&intake).verdict {
                Verdict::Refuse(breach) => Some(breach.rule),
                Verdict::Allow => None,
            }
        };
        let thread = std::thread::Builder::new().stack_size(facts::STACK_BYTES).spawn_scoped(scope, judge);
        thread.unwrap().join().unwrap()
    })
}

/// So many statements of which no two have one shape.
fn different(count: usize) -> String {
    (0..count).map(|n| format!("SELECT c{n};")).collect()
}

#[test]
fn a_bulk_of_single_writes_is_seen_as_one() {
    assert_eq!(refused(&"INSERT INTO t VALUES (1);".repeat(5000)), None);
    assert_eq!(refused(&"INSERT INTO t VALUES (1);".repeat(7000)), Some("bulk_write"));
    assert_eq!(refused(&"UPDATE t SET a = 1 WHERE id = 7; SELECT 1;".repeat(7000)), Some("bulk_write"));
    assert_eq!(refused(&"SELECT 1;".repeat(100_000)), None);
}

#[test]
fn nothing_hides_behind_many_statements() {
    let many = different(3 * PIECES_MAX);
    assert_eq!(refused(&many), None);
    assert_eq!(refused(&format!("{many}DELETE FROM t;SELECT 1")), Some("unfiltered_write"));
    assert_eq!(refused(&format!("{many}DELETE FROM t")), Some("unfiltered_write"));
    assert_eq!(refused(&format!("{many}INSERT INTO t VALUES {}(1);", "(1),".repeat(6000))), Some("bulk_write"));
    assert_eq!(refused(&format!("{many}WITH a AS (DELETE FROM t) SELECT 1;")), Some("unfiltered_write"));
}

#[test]
fn a_text_of_which_not_all_was_kept_does_not_share_the_facts_of_its_shape() {
    let many = different(PIECES_MAX);
    let (kept, more) = (lex(Flags::POSTGRES, many.as_bytes()), format!("{many}DELETE FROM t;"));
    let more = lex(Flags::POSTGRES, more.as_bytes());
    assert_eq!(kept.shape, more.shape);
    assert!(kept.is_whole() && !more.is_whole());
}

#[test]
fn nothing_hides_behind_a_long_shape() {
    let long = "1+".repeat(SHAPE_BYTES_MAX);
    assert_eq!(refused(&format!("SELECT {long}1; DELETE FROM t")), Some("unfiltered_write"));
    assert_eq!(
        refused(&format!("WITH a AS (SELECT {long}1), b AS (DELETE FROM t) SELECT 1")),
        Some("unfiltered_write")
    );
    assert_eq!(refused(&format!("UPDATE t SET a = {long}1")), Some("unfiltered_write"));
    let facts = facts::parse(&lex(Flags::POSTGRES, format!("SELECT {long}1 FROM t").as_bytes()));
    assert!(matches!(facts.statements[0].source, Source::Scanned(_)));
}

#[test]
fn nothing_hides_behind_deep_nesting() {
    let (open, close) = ("(".repeat(5000), ")".repeat(5000));
    let items = "1,".repeat(6000);
    assert_eq!(refused(&format!("DELETE FROM t WHERE {open}id IN ({items}1){close}")), Some("bulk_write"));
    assert_eq!(refused(&format!("SELECT {open}1{close}; DELETE FROM t")), Some("unfiltered_write"));
}

#[test]
fn what_is_left_when_the_time_is_over_is_read_by_its_clauses() {
    let lexed = lex(Flags::POSTGRES, b"DELETE FROM t; DELETE FROM u WHERE a = 1");
    let facts = facts::parse_while(&lexed, &mut || false);
    assert_eq!(facts.statements.len(), 2);
    assert!(facts.statements.iter().all(|statement| matches!(statement.source, Source::Scanned(_))));
    assert_eq!(facts.statements[0].writes[0].filter, facts::Filter::None);
    assert_eq!(facts.statements[1].writes[0].filter, facts::Filter::Real);
}

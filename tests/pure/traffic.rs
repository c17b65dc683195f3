//! The recorded traffic of Django, SQLAlchemy and pgbench, judged at the default settings.

#[path = "../traffic/mod.rs"]
mod format;

use std::collections::BTreeSet;

use floodwall::guard::{Guard, Intake, Verdict, Whole};
use floodwall::sql::lexer::lex;
use floodwall::sql::{Estimate, Flags, Reading, Schema};
use format::Traffic;

/// Larger than any limit of rows.
const LARGE: u64 = 10_000_000;

/// The shapes of a program that are refused, with the rule, where its tables are as large as `rows` says.
fn refused(traffic: &Traffic, rows: impl Fn(u64) -> u64) -> Vec<String> {
    let mut schema = Schema::builder();
    for (table, recorded) in &traffic.tables {
        schema.add("public", table, Estimate::Known(rows(*recorded)));
    }
    let (guard, schema) = (Guard::build(&toml::Table::new()).unwrap(), schema.build());
    let judge = |sql: &str| {
        let reading = Reading::of(Flags::POSTGRES, sql.as_bytes());
        let intake =
            Intake { reading: &reading, schema: Some(&schema), text_bytes: sql.len() as u64, whole: Whole::Whole };
        match guard.judge(&intake).verdict {
            Verdict::Allow => None,
            Verdict::Refuse(breach) => {
                let shape = lex(Flags::POSTGRES, sql.as_bytes()).shape;
                Some(format!("{} {}", breach.rule, String::from_utf8(shape).unwrap()))
            }
        }
    };
    traffic.statements.iter().filter_map(|statement| judge(&statement.sql)).collect()
}

#[test]
fn nothing_is_refused_where_tables_are_as_large_as_they_were() {
    for (name, text) in format::ALL {
        let traffic = Traffic::read(text);
        assert_eq!(refused(&traffic, |rows| rows), [""; 0], "{name}");
    }
}

#[test]
fn where_every_table_is_large_only_whole_readings_of_one_are_refused() {
    for (name, text) in format::ALL {
        let refused: BTreeSet<String> = refused(&Traffic::read(text), |_| LARGE).into_iter().collect();
        let known = WHOLE.lines().filter_map(|line| line.split_once(": ")).filter(|(program, _)| *program == name);
        let known: BTreeSet<String> = known.map(|(_, text)| text.to_owned()).collect();
        assert_eq!(refused, known, "{name}");
    }
}

#[test]
fn the_recording_is_wide_and_holds_nothing_of_the_machine() {
    let mut tables = 0;
    for (name, text) in format::ALL {
        let traffic = Traffic::read(text);
        assert_eq!(traffic.write(), text, "{name}: not as it was written");
        assert!(traffic.statements.iter().any(|statement| statement.values.is_some()), "{name}: no values");
        assert!(
            traffic.statements.iter().any(|statement| statement.values.is_none()),
            "{name}: only the extended protocol"
        );
        for secret in ["app-secret", "monitor-secret", "pbkdf2_", "/home/", "/tmp/", "127.0.0.1"] {
            assert!(!text.contains(secret), "{name}: {secret}");
        }
        tables += traffic.tables.len();
    }
    let statements = format::ALL.map(|(_, text)| Traffic::read(text).statements.len());
    assert!(statements.iter().sum::<usize>() >= 500 && tables >= 15, "{statements:?}, {tables} tables");
}

/// What reads a whole table, as its author meant it: harmless with the tables of that program, and rightly refused once they
/// hold millions of rows.
const WHOLE: &str = include_str!("../traffic/whole.txt");

//! What ordinary programs send, as `make record-traffic` recorded it: one file for each program, one statement a line.

#![allow(unreachable_pub, dead_code, reason = "each test crate that reads the files exports nothing and uses a part")]

use serde_json::{Value, json};

/// The recorded programs with their files.
pub const ALL: [(&str, &str); 3] = [
    ("django", include_str!("django.jsonl")),
    ("sqlalchemy", include_str!("sqlalchemy.jsonl")),
    ("pgbench", include_str!("pgbench.jsonl")),
];

/// One statement as the server got it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Statement {
    /// Its text.
    pub sql: String,
    /// Its values in the text form of their types, where it came by the extended protocol.
    pub values: Option<Vec<Option<String>>>,
}

/// What one program sent.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Traffic {
    /// Its tables with their rows when they held the most.
    pub tables: Vec<(String, u64)>,
    /// In the order of the first time that each shape was sent.
    pub statements: Vec<Statement>,
}

impl Traffic {
    /// Reads a file.
    pub fn read(text: &str) -> Self {
        let mut traffic = Self::default();
        for line in text.lines() {
            let line: Value = serde_json::from_str(line).unwrap();
            match line["table"].as_str() {
                Some(table) => traffic.tables.push((table.to_owned(), line["rows"].as_u64().unwrap())),
                None => traffic.statements.push(Statement::read(&line)),
            }
        }
        traffic
    }

    /// The file's text.
    pub fn write(&self) -> String {
        let tables = self.tables.iter().map(|(table, rows)| json!({ "table": table, "rows": rows }));
        let statements = self.statements.iter().map(|statement| match &statement.values {
            None => json!({ "sql": statement.sql }),
            Some(values) => json!({ "sql": statement.sql, "values": values }),
        });
        tables.chain(statements).map(|line| format!("{line}\n")).collect()
    }
}

impl Statement {
    fn read(line: &Value) -> Self {
        let value = |value: &Value| value.as_str().map(str::to_owned);
        let values = line.get("values").map(|values| values.as_array().unwrap().iter().map(value).collect());
        Self { sql: line["sql"].as_str().unwrap().to_owned(), values }
    }
}

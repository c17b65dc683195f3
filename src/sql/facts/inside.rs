//! Writes inside of PostgreSQL's statements that are neither a query nor a write themselves.

use super::scan::{main_write, nested_writes, parsed_write, truncate};
use super::tokens::tokens;
use super::{Filter, Write, WriteKind};
use crate::sql::dialect::Dialect;
use crate::sql::lexer::Piece;
use crate::sql::verb::Verb;

const POSTGRES: Dialect = Dialect::Postgres;

/// `CREATE TABLE … AS` runs its query; what a rule, a view or a function holds runs later.
fn creates_table(text: &str) -> bool {
    tokens(POSTGRES, text).take(4).any(|token| token.text == "table")
}

/// What a statement runs that is neither a query nor a write itself.
pub(super) fn writes(piece: &Piece, text: &str) -> Vec<Write> {
    let mut writes = Vec::new();
    if piece.inner == Verb::Call {
        body_writes(text, &mut writes);
    }
    if piece.writes() && creates_table(text) {
        nested_writes(POSTGRES, text, &mut writes);
    }
    writes
}

/// Most writes of one body that are looked at.
const BODY_WRITES_MAX: usize = 1_000;

/// UPDATE, DELETE and TRUNCATE in the body of a DO.
fn body_writes(text: &str, writes: &mut Vec<Write>) {
    nested_writes(POSTGRES, text, writes);
    let mut before = "";
    let mut words = tokens(POSTGRES, text).peekable();
    while let Some(token) = words.next() {
        let begins = matches!(before, ";" | "(" | "begin" | "then" | "else" | "loop" | ">");
        before = token.text;
        if !begins || writes.len() >= BODY_WRITES_MAX {
            continue;
        }
        let kind = match (token.text, words.peek().map_or("", |next| next.text)) {
            // An arm of a MERGE has no table.
            ("update", "set") => continue,
            ("update", _) => WriteKind::Update,
            ("delete", "from") => WriteKind::Delete,
            ("truncate", _) => WriteKind::Truncate,
            _ => continue,
        };
        let statement = first_statement(&text[token.at..]);
        writes.push(match kind {
            WriteKind::Truncate => truncate(POSTGRES, statement),
            WriteKind::Update | WriteKind::Delete => {
                let write = parsed_write(POSTGRES, statement).unwrap_or_else(|| main_write(POSTGRES, statement, kind));
                beside_variables(write, statement)
            }
        });
    }
}

/// In a body `id = r.id` may compare a column with a variable.
fn beside_variables(write: Write, statement: &str) -> Write {
    let mut condition = tokens(POSTGRES, statement).skip_while(|token| token.text != "where");
    match write.filter {
        Filter::ConstantTrue if condition.any(|token| token.text == ".") => Write { filter: Filter::Real, ..write },
        _ => write,
    }
}

/// What stands before the first semicolon outside of parentheses, or the end of the parentheses around it.
fn first_statement(text: &str) -> &str {
    let mut depth = 0_usize;
    for token in tokens(POSTGRES, text) {
        match token.text {
            "(" => depth += 1,
            ")" | ";" if depth == 0 => return text[..token.at].trim_end(),
            ")" => depth -= 1,
            _ => {}
        }
    }
    text
}

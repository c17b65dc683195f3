//! What the parser cannot read, written as a twin that it can: the same rows, tables and filters in other words.
//!
//! Each form that PostgreSQL knows and the parser does not is one small function in the file of its kind; MySQL's are in [`mysql`]. What
//! is dropped says nothing about the rows of a statement. A form that is missing here leaves the statement to `scan`.

mod clauses;
pub(super) mod mysql;
mod operators;
mod types;

use std::borrow::Cow;

use self::clauses::{
    OWN_SYNTAX, argument, column_types, conflict_target, empty_select, exclude, expanded_row, fetch_expression, lock,
    locked_tables, named_join, only, own_syntax, recursion_order, star, table,
};
use self::operators::{is_operator, named_operator, operator};
use self::types::{collation, typed};
use super::cap::LIMIT_BASE;
use super::tokens::Words;

/// Some tokens and what takes their place.
#[derive(Debug)]
struct Edit<'a> {
    /// How many tokens.
    take: usize,
    put: Cow<'a, str>,
}

impl<'a> Edit<'a> {
    const fn cut(take: usize) -> Option<Self> {
        Some(Self { take, put: Cow::Borrowed("") })
    }

    const fn put(take: usize, put: &'a str) -> Option<Self> {
        Some(Self { take, put: Cow::Borrowed(put) })
    }
}

/// The shape for the parser, with its limits numbered.
pub(super) fn adapted(text: &str) -> String {
    let words = Words::of(text);
    let mut out = String::with_capacity(text.len() + 16);
    let mut copied = 0;
    let mut limits = 0_u16;
    let mut index = 0;
    while let Some(token) = words.token(index) {
        let edit = edit(&words, index).or_else(|| (token.text == "$2").then(|| Edit { take: 1, put: "$2".into() }));
        let Some(edit) = edit else {
            index += 1;
            continue;
        };
        out.push_str(&text[copied..token.at]);
        push_numbered(&edit.put, limits, &mut out);
        let taken = index..index + edit.take;
        let passed = taken.clone().filter(|&taken| words.word(taken) == "$2").count();
        limits = limits.saturating_add(u16::try_from(passed).unwrap_or(u16::MAX));
        copied = words.token(taken.end - 1).map_or(text.len(), |last| last.end());
        index = taken.end;
    }
    out.push_str(&text[copied..]);
    out
}

/// Appends a text in which each `$2` is the next limit.
fn push_numbered(text: &str, mut next: u16, out: &mut String) {
    let mut parts = text.split("$2");
    out.push_str(parts.next().unwrap_or_default());
    for part in parts {
        out.push_str(&format!("${}{part}", LIMIT_BASE.saturating_add(next)));
        next = next.saturating_add(1);
    }
}

fn edit<'a>(words: &Words<'a>, at: usize) -> Option<Edit<'a>> {
    if words.before(at, 1) == "." {
        return None;
    }
    match words.word(at) {
        "only" => only(words, at),
        "*" => star(words, at),
        "." if words.word(at + 1) == "*" => expanded_row(words, at),
        "table" => table(words, at),
        "rows" if words.word(at + 1) == "from" && words.word(at + 2) == "(" => Edit::put(2, "rows_from"),
        "as" => column_types(words, at),
        "using" => named_join(words, at),
        "for" => lock(words, at),
        "of" if matches!(words.before(at, 1), "update" | "share") => locked_tables(words, at),
        "current" if words.word(at + 1) == "of" => Edit::put(3, "ctid = $1"),
        "select" => empty_select(words, at),
        "exclude" => exclude(words, at),
        "distinct" | "all" if words.before(at, 1) == "by" && words.before(at, 2) == "group" => Edit::cut(1),
        "symmetric" | "asymmetric" if words.before(at, 1) == "between" => Edit::cut(1),
        "search" | "cycle" => recursion_order(words, at),
        "at" if words.word(at + 1) == "local" => Edit::put(2, "at time zone $1"),
        "operator" if words.word(at + 1) == "(" => named_operator(words, at),
        "conflict" if words.before(at, 1) == "on" && words.word(at + 1) == "(" => conflict_target(words, at),
        "overriding" if matches!(words.word(at + 1), "system" | "user") => Edit::cut(3),
        "default" if words.before(at, 1) == "insert" => Edit::put(2, "values ($1)"),
        "with" if words.before(at, 1) == "returning" => Edit::cut(words.close(at + 1) - at + 1),
        "variadic" => Edit::cut(1),
        "isnull" if words.before(at, 1) != "as" => Edit::put(1, "is null"),
        "document" if matches!(words.before(at, 1), "is" | "not") => Edit::put(1, "null"),
        "fetch" if words.word(at + 2) == "(" => fetch_expression(words, at),
        "extract" if words.word(at + 2) == "$1" => Edit::put(3, "extract(year"),
        "collate" => collation(words, at),
        "repeatable" | "second" if words.word(at + 1) == "(" => argument(words, at),
        "from" if matches!(words.before(at, 1), "both" | "leading" | "trailing") => Edit::put(1, "$1 from"),
        "from" if words.before(at, 1) == "(" && words.before(at, 2) == "trim" => Edit::cut(1),
        "similar" if words.around(at) == "substring" => Edit::put(1, "from"),
        "escape" if words.around(at) == "substring" => Edit::put(1, "for"),
        "sets" if words.before(at, 1) == "grouping" => Edit::put(words.close(at + 1) - at + 1, "sets ((a))"),
        "xmltable" | "json_table" if words.word(at + 1) == "(" => {
            Edit::put(words.close(at + 1) - at + 1, "rows_from(a)")
        }
        "collation" if words.word(at + 1) == "for" => Edit::put(words.close(at + 2) - at + 1, "lower(a)"),
        ":" if words.word(at + 1) == "=" => Edit::put(2, "=>"),
        word if OWN_SYNTAX.contains(&word) && words.word(at + 1) == "(" => own_syntax(words, at),
        word if word.starts_with(is_operator) => operator(words, at),
        word => typed(words, at, word),
    }
}

//! Reading with as little of a parser as a statement lets: one clause alone, or no more than its words.

use std::borrow::Cow;

use sqlparser::ast::Statement as Ast;
use sqlparser::dialect::{self, MySqlDialect, PostgreSqlDialect};
use sqlparser::parser::{Parser, ParserError};
use sqlparser::tokenizer::Tokenizer;

use super::cap::NO_VALUE;
use super::functions::AGGREGATES;
use super::tokens::{Token, name, parenthesised, tokens};
use super::truth::{self, Truth};
use super::{Filter, PARSED_BYTES_MAX, Reach, Source, Statement, TOKENS_MAX, TableName, Unreadable, Write, WriteKind};
use super::{adapt, mysql};
use crate::sql::dialect::Dialect;
use crate::sql::verb::Verb;

/// How deep the parser may recurse.
const RECURSION_MAX: usize = 50;

/// How many writes in the WITH of one statement are read on their own. Each is read to its end, and they may stand in each other.
const NESTED_MAX: usize = 32;

/// Parses a shape, in words that the parser knows.
pub(super) fn parse_statement(dialect: Dialect, text: &str) -> Result<Ast, Unreadable> {
    let mut parser = parser_for(dialect, text)?;
    let statement = parser.parse_statement().map_err(unreadable)?;
    match parser.peek_token().token {
        sqlparser::tokenizer::Token::EOF => Ok(statement),
        _ => Err(Unreadable::Syntax),
    }
}

fn parser_for(dialect: Dialect, text: &str) -> Result<Parser<'static>, Unreadable> {
    if text.len() > PARSED_BYTES_MAX {
        return Err(Unreadable::TooLong);
    }
    let (dialect, text): (&'static dyn dialect::Dialect, String) = match dialect {
        Dialect::Postgres => (&PostgreSqlDialect {}, adapt::adapted(text)),
        Dialect::MySql => (&MySqlDialect {}, adapt::mysql::adapted(text)),
    };
    let tokens = Tokenizer::new(dialect, &text).tokenize_with_location().map_err(|_| Unreadable::Syntax)?;
    let words = tokens.iter().filter(|token| !matches!(token.token, sqlparser::tokenizer::Token::Whitespace(_)));
    if words.count() > TOKENS_MAX {
        return Err(Unreadable::TooManyTokens);
    }
    Ok(Parser::new(dialect).with_recursion_limit(RECURSION_MAX).with_tokens_with_locations(tokens))
}

#[expect(clippy::needless_pass_by_value, reason = "used as a function in map_err")]
fn unreadable(error: ParserError) -> Unreadable {
    match error {
        ParserError::RecursionLimitExceeded => Unreadable::TooDeep,
        ParserError::TokenizerError(_) | ParserError::ParserError(_) => Unreadable::Syntax,
    }
}

/// Reads a statement by its clauses.
pub(super) fn statement(dialect: Dialect, text: &str, verb: Verb, reason: Unreadable) -> Statement {
    let mut statement = Statement { source: Source::Scanned(reason), ..Statement::SILENT };
    match verb {
        Verb::Update => statement.writes.push(main_write(dialect, text, WriteKind::Update)),
        Verb::Delete => statement.writes.push(main_write(dialect, text, WriteKind::Delete)),
        Verb::Merge => merge(text, &mut statement.writes),
        Verb::Select | Verb::Values => query(dialect, text, &mut statement),
        Verb::Table => query(dialect, &spelled_out(text), &mut statement),
        _ => {}
    }
    if verb.writes() && tokens(dialect, text).any(|token| token.text == "returning") {
        statement.reach = Reach::Unknown;
    }
    nested_writes(dialect, text, &mut statement.writes);
    statement
}

/// `TABLE name` as the query that it stands for.
fn spelled_out(text: &str) -> Cow<'_, str> {
    match text.strip_prefix("table ") {
        Some(name) => format!("select * from {name}").into(),
        None => text.into(),
    }
}

/// The arms of a MERGE. What it joins by is not looked at, and taken for a filter.
fn merge(text: &str, writes: &mut Vec<Write>) {
    let table = table_after(Dialect::Postgres, text, &["merge", "into", "only"]);
    let mut before = "";
    for token in tokens(Dialect::Postgres, text).filter(|token| token.depth == 0) {
        let kind = match token.text {
            "update" if before == "then" => Some(WriteKind::Update),
            "delete" if before == "then" => Some(WriteKind::Delete),
            _ => None,
        };
        writes.extend(kind.map(|kind| Write { kind, table: table.clone(), filter: Filter::Real }));
        before = token.text;
    }
}

pub(super) fn main_write(dialect: Dialect, text: &str, kind: WriteKind) -> Write {
    let verb = match kind {
        WriteKind::Update => "update",
        WriteKind::Delete => "delete",
        WriteKind::Truncate => "truncate",
    };
    let tail = tokens(dialect, text)
        .find(|token| token.depth == 0 && token.text == verb)
        .map_or("", |token| &text[token.at..]);
    let (table, filter) = match dialect {
        Dialect::Postgres => {
            (table_after(dialect, tail, &["update", "delete", "from", "only"]), tail_filter(dialect, tail))
        }
        Dialect::MySql => (mysql::written_table(tail), mysql::limited_filter(text, tail, tail_filter(dialect, tail))),
    };
    Write { kind, table, filter }
}

/// The filter of an UPDATE or DELETE whose text this is.
fn tail_filter(dialect: Dialect, text: &str) -> Filter {
    let mut top = tokens(dialect, text).filter(|token| token.depth == 0);
    let Some(condition) = top.find(|token| token.text == "where") else { return Filter::None };
    let from = condition.at + condition.text.len();
    let to =
        top.find(|token| matches!(token.text, "returning" | "order" | "limit")).map_or(text.len(), |token| token.at);
    if fold(dialect, &text[from..to]) == Truth::Always { Filter::ConstantTrue } else { Filter::Real }
}

/// Folds a condition that stands alone; what cannot be parsed is taken for a filter, though not what stands beside it in an OR.
pub(super) fn fold(dialect: Dialect, condition: &str) -> Truth {
    if let Some(truth) = folded(dialect, condition) {
        return truth;
    }
    let always = |arm: &str| folded(dialect, arm) == Some(Truth::Always);
    if alternatives(dialect, condition).into_iter().any(always) { Truth::Always } else { Truth::Depends }
}

/// `None` where it cannot be parsed.
fn folded(dialect: Dialect, condition: &str) -> Option<Truth> {
    let mut parser = parser_for(dialect, condition).ok()?;
    let expr = parser.parse_expr().ok()?;
    let whole = parser.peek_token().token == sqlparser::tokenizer::Token::EOF;
    whole.then(|| truth::fold(&expr, truth::Keys::Positive))
}

/// Most alternatives that are read, from the first on.
const ALTERNATIVES_MAX: usize = 16;

/// What stands between the ORs of a condition; none where there is no OR.
fn alternatives(dialect: Dialect, condition: &str) -> Vec<&str> {
    let (mut cases, mut start) = (0_usize, 0);
    let mut found = Vec::new();
    for token in tokens(dialect, condition).filter(|token| token.depth == 0) {
        match token.text {
            "case" => cases += 1,
            "end" => cases = cases.saturating_sub(1),
            "or" if cases == 0 && found.len() < ALTERNATIVES_MAX => {
                found.push(&condition[start..token.at]);
                start = token.end();
            }
            _ => {}
        }
    }
    if !found.is_empty() {
        found.push(&condition[start..]);
    }
    found
}

/// `TRUNCATE`: the first table that it names.
pub(super) fn truncate(dialect: Dialect, text: &str) -> Write {
    let table = table_after(dialect, text, &["truncate", "table", "only"]);
    Write { kind: WriteKind::Truncate, table, filter: Filter::None }
}

/// The name after some words at the beginning.
pub(super) fn table_after(dialect: Dialect, text: &str, words: &[&str]) -> Option<TableName> {
    let mut rest =
        tokens(dialect, text).map(|token| token.text).skip_while(|token| words.contains(token) || *token == "(");
    let first = name(rest.next()?)?;
    if rest.next() != Some(".") {
        return Some(TableName::new(&first));
    }
    Some(TableName::qualified(&first, &name(rest.next()?)?))
}

/// UPDATE and DELETE in the WITH of a statement that the parser refused: each is read on its own.
pub(super) fn nested_writes(dialect: Dialect, text: &str, writes: &mut Vec<Write>) {
    let mut before = ["", ""];
    for token in tokens(dialect, text) {
        let opens = before[1] == "(" && matches!(before[0], "as" | "materialized");
        if opens && matches!(token.text, "update" | "delete") {
            if writes.len() >= NESTED_MAX {
                writes.push(Write { kind: WriteKind::Update, table: None, filter: Filter::Unread });
                return;
            }
            let inner = parenthesised(dialect, &text[token.at..]);
            let kind = if token.text == "update" { WriteKind::Update } else { WriteKind::Delete };
            writes.push(parsed_write(dialect, inner).unwrap_or_else(|| main_write(dialect, inner, kind)));
        }
        before = [before[1], token.text];
    }
}

pub(super) fn parsed_write(dialect: Dialect, text: &str) -> Option<Write> {
    let ast = parse_statement(dialect, text).ok()?;
    let mut reader = super::select::Reader::of(dialect);
    reader.statement(&ast);
    reader.writes.pop()
}

/// A query by its clauses: one table, a filter or none, a limit or none. Anything more is unknown.
fn query(dialect: Dialect, text: &str, statement: &mut Statement) {
    let top: Vec<Token<'_>> = tokens(dialect, text).filter(|token| token.depth == 0).collect();
    let find = |word: &str| top.iter().position(|token| token.text == word);
    let complex = ["with", "union", "intersect", "except", "group", "having", "distinct", "join", "into", "("];
    let from = find("from");
    let Some(from) = from else {
        statement.reach = if complex.iter().any(|word| find(word).is_some()) { Reach::Unknown } else { Reach::Rows(1) };
        return;
    };
    let called = top[..from].windows(2).any(|pair| pair[1].text == "(" && AGGREGATES.contains(&pair[0].text));
    if called && !top.iter().any(|token| matches!(token.text, "union" | "group" | "over")) {
        statement.reach = Reach::Rows(1);
        return;
    }
    let called = top[..from].iter().any(|token| token.text == "(");
    let after = top.get(from + 1..).unwrap_or_default();
    if called || top.iter().any(|token| complex[..9].contains(&token.text)) || !single_table(after) {
        statement.reach = Reach::Unknown;
        return;
    }
    let first = after.first().map_or(text.len(), |token| token.at);
    let Some(table) = table_after(dialect, &text[first..], &["only"]) else {
        statement.reach = Reach::Unknown;
        return;
    };
    statement.tables.push(table);
    let filtered = find("where").is_some_and(|at| fold(dialect, condition(text, &top[at..])) != Truth::Always);
    let reach = if filtered { Reach::Table(0).filtered() } else { Reach::Table(0) };
    statement.reach = limited(dialect, text, reach);
}

/// Words that end a WHERE.
const AFTER_WHERE: &[&str] = &["order", "limit", "offset", "fetch", "for", "window", "returning", "lock", "into"];

/// True where nothing but names stands between FROM and the next clause.
fn single_table(after_from: &[Token<'_>]) -> bool {
    let names = after_from.iter().take_while(|token| token.text != "where" && !AFTER_WHERE.contains(&token.text));
    names.clone().count() > 0
        && names.clone().all(|token| token.text == "." || token.text == "*" || name(token.text).is_some())
}

fn condition<'a>(text: &'a str, from_where: &[Token<'a>]) -> &'a str {
    let start = from_where.first().map_or(text.len(), |token| token.at + token.text.len());
    let end = from_where.iter().find(|token| AFTER_WHERE.contains(&token.text)).map_or(text.len(), |token| token.at);
    text.get(start..end).unwrap_or_default()
}

/// Puts the limit of the outermost query on a reach.
fn limited(dialect: Dialect, text: &str, reach: Reach) -> Reach {
    let mut limits = 0_u16;
    let mut before = "";
    let mut fetched = false;
    for token in tokens(dialect, text) {
        if token.depth == 0 {
            // The parser does not know `FETCH FIRST (10) ROWS ONLY`.
            fetched = token.text == "(" && matches!(before, "first" | "next");
        }
        if matches!(token.text, "$2" | "?2") {
            if token.depth == 0 || fetched {
                return reach.limited(limits);
            }
            limits = limits.saturating_add(1);
        }
        // `LIMIT ALL` and `LIMIT NULL` are none. In MySQL an offset may come first.
        if token.depth == 0 && before == "limit" && !matches!(token.text, "all" | "null" | "?1") {
            return reach.limited(NO_VALUE);
        }
        before = token.text;
    }
    reach
}

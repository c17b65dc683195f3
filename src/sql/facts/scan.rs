//! Reading with as little of a parser as a statement lets: one clause alone, or no more than its words.

use sqlparser::ast::Statement as Ast;
use sqlparser::dialect::PostgreSqlDialect;
use sqlparser::parser::{Parser, ParserError};
use sqlparser::tokenizer::Tokenizer;

use super::adapt::adapted;
use super::calls::AGGREGATES;
use super::select::NO_VALUE;
use super::tokens::{Token, name, parenthesised, tokens};
use super::truth::{self, Truth};
use super::{Filter, PARSED_BYTES_MAX, Reach, Source, Statement, TOKENS_MAX, TableName, Unreadable, Write, WriteKind};
use crate::sql::lexer::Piece;
use crate::sql::verb::Verb;

/// How deep the parser may recurse.
const RECURSION_MAX: usize = 50;

/// How many writes in the WITH of one statement are read on their own. Each is read to its end, and they may stand in each other.
const NESTED_MAX: usize = 32;

/// Parses a shape, in words that the parser knows.
pub(super) fn parse_statement(text: &str) -> Result<Ast, Unreadable> {
    let mut parser = parser_for(&adapted(text))?;
    let statement = parser.parse_statement().map_err(unreadable)?;
    match parser.peek_token().token {
        sqlparser::tokenizer::Token::EOF => Ok(statement),
        _ => Err(Unreadable::Syntax),
    }
}

fn parser_for(text: &str) -> Result<Parser<'static>, Unreadable> {
    const DIALECT: &PostgreSqlDialect = &PostgreSqlDialect {};
    if text.len() > PARSED_BYTES_MAX {
        return Err(Unreadable::TooLong);
    }
    let tokens = Tokenizer::new(DIALECT, text).tokenize_with_location().map_err(|_| Unreadable::Syntax)?;
    let words = tokens.iter().filter(|token| !matches!(token.token, sqlparser::tokenizer::Token::Whitespace(_)));
    if words.count() > TOKENS_MAX {
        return Err(Unreadable::TooManyTokens);
    }
    Ok(Parser::new(DIALECT).with_recursion_limit(RECURSION_MAX).with_tokens_with_locations(tokens))
}

#[expect(clippy::needless_pass_by_value, reason = "used as a function in map_err")]
fn unreadable(error: ParserError) -> Unreadable {
    match error {
        ParserError::RecursionLimitExceeded => Unreadable::TooDeep,
        ParserError::TokenizerError(_) | ParserError::ParserError(_) => Unreadable::Syntax,
    }
}

/// Reads a statement by its clauses.
pub(super) fn statement(text: &str, verb: Verb, reason: Unreadable) -> Statement {
    let mut statement = Statement { source: Source::Scanned(reason), ..Statement::SILENT };
    match verb {
        Verb::Update => statement.writes.push(main_write(text, WriteKind::Update)),
        Verb::Delete => statement.writes.push(main_write(text, WriteKind::Delete)),
        Verb::Merge => merge(text, &mut statement.writes),
        Verb::Select | Verb::Values | Verb::Table => query(text, &mut statement),
        _ => {}
    }
    if verb.writes() && tokens(text).any(|token| token.text == "returning") {
        statement.reach = Reach::Unknown;
    }
    nested_writes(text, &mut statement.writes);
    statement
}

/// The arms of a MERGE. What it joins by is not looked at, and taken for a filter.
fn merge(text: &str, writes: &mut Vec<Write>) {
    let table = table_after(text, &["merge", "into", "only"]);
    let mut before = "";
    for token in tokens(text).filter(|token| token.depth == 0) {
        let kind = match token.text {
            "update" if before == "then" => Some(WriteKind::Update),
            "delete" if before == "then" => Some(WriteKind::Delete),
            _ => None,
        };
        writes.extend(kind.map(|kind| Write { kind, table: table.clone(), filter: Filter::Real }));
        before = token.text;
    }
}

fn main_write(text: &str, kind: WriteKind) -> Write {
    let verb = match kind {
        WriteKind::Update => "update",
        WriteKind::Delete => "delete",
        WriteKind::Truncate => "truncate",
    };
    let tail = tokens(text).find(|token| token.depth == 0 && token.text == verb).map_or("", |token| &text[token.at..]);
    Write { kind, table: table_after(tail, &["update", "delete", "from", "only"]), filter: tail_filter(tail) }
}

/// The filter of an UPDATE or DELETE whose text this is.
fn tail_filter(text: &str) -> Filter {
    let mut top = tokens(text).filter(|token| token.depth == 0);
    let Some(condition) = top.find(|token| token.text == "where") else { return Filter::None };
    let from = condition.at + condition.text.len();
    let to = top.find(|token| token.text == "returning").map_or(text.len(), |token| token.at);
    if fold(&text[from..to]) == Truth::Always { Filter::ConstantTrue } else { Filter::Real }
}

/// Folds a condition that stands alone; what cannot be parsed is taken for a filter.
fn fold(condition: &str) -> Truth {
    let Ok(mut parser) = parser_for(&adapted(condition)) else { return Truth::Depends };
    match parser.parse_expr() {
        Ok(expr) if parser.peek_token().token == sqlparser::tokenizer::Token::EOF => {
            truth::fold(&expr, truth::Keys::Positive)
        }
        _ => Truth::Depends,
    }
}

/// `TRUNCATE`: the first table that it names.
pub(super) fn truncate(text: &str) -> Write {
    let table = table_after(text, &["truncate", "table", "only"]);
    Write { kind: WriteKind::Truncate, table, filter: Filter::None }
}

/// The name after some words at the beginning.
fn table_after(text: &str, words: &[&str]) -> Option<TableName> {
    let mut rest = tokens(text).map(|token| token.text).skip_while(|token| words.contains(token) || *token == "(");
    let first = name(rest.next()?)?;
    if rest.next() != Some(".") {
        return Some(TableName::new(&first));
    }
    Some(TableName::qualified(&first, &name(rest.next()?)?))
}

/// UPDATE and DELETE in the WITH of a statement that the parser refused: each is read on its own.
fn nested_writes(text: &str, writes: &mut Vec<Write>) {
    let mut before = ["", ""];
    for token in tokens(text) {
        let opens = before[1] == "(" && matches!(before[0], "as" | "materialized");
        if opens && matches!(token.text, "update" | "delete") {
            if writes.len() >= NESTED_MAX {
                writes.push(Write { kind: WriteKind::Update, table: None, filter: Filter::Unread });
                return;
            }
            let inner = parenthesised(&text[token.at..]);
            let kind = if token.text == "update" { WriteKind::Update } else { WriteKind::Delete };
            writes.push(parsed_write(inner).unwrap_or_else(|| main_write(inner, kind)));
        }
        before = [before[1], token.text];
    }
}

/// `CREATE TABLE … AS` runs its query; what a rule, a view or a function holds runs later.
fn creates_table(text: &str) -> bool {
    tokens(text).take(4).any(|token| token.text == "table")
}

/// What a statement runs that is neither a query nor a write itself.
pub(super) fn writes_inside(piece: &Piece, text: &str) -> Vec<Write> {
    let mut writes = Vec::new();
    if piece.inner == Verb::Call {
        body_writes(text, &mut writes);
    }
    if piece.writes() && creates_table(text) {
        nested_writes(text, &mut writes);
    }
    writes
}

/// Most writes of one body that are looked at.
const BODY_WRITES_MAX: usize = 1_000;

/// UPDATE, DELETE and TRUNCATE in the body of a DO.
fn body_writes(text: &str, writes: &mut Vec<Write>) {
    nested_writes(text, writes);
    let mut before = "";
    let mut words = tokens(text).peekable();
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
            WriteKind::Truncate => truncate(statement),
            WriteKind::Update | WriteKind::Delete => {
                let write = parsed_write(statement).unwrap_or_else(|| main_write(statement, kind));
                beside_variables(write, statement)
            }
        });
    }
}

/// In a body `id = r.id` may compare a column with a variable.
fn beside_variables(write: Write, statement: &str) -> Write {
    let mut condition = tokens(statement).skip_while(|token| token.text != "where");
    match write.filter {
        Filter::ConstantTrue if condition.any(|token| token.text == ".") => Write { filter: Filter::Real, ..write },
        _ => write,
    }
}

/// What stands before the first semicolon outside of parentheses, or the end of the parentheses around it.
fn first_statement(text: &str) -> &str {
    let mut depth = 0_usize;
    for token in tokens(text) {
        match token.text {
            "(" => depth += 1,
            ")" | ";" if depth == 0 => return text[..token.at].trim_end(),
            ")" => depth -= 1,
            _ => {}
        }
    }
    text
}

fn parsed_write(text: &str) -> Option<Write> {
    let ast = parse_statement(text).ok()?;
    let mut reader = super::select::Reader::default();
    reader.statement(&ast);
    reader.writes.pop()
}

/// A query by its clauses: one table, a filter or none, a limit or none. Anything more is unknown.
fn query(text: &str, statement: &mut Statement) {
    let top: Vec<Token<'_>> = tokens(text).filter(|token| token.depth == 0).collect();
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
    let Some(table) = table_after(&text[first..], &["only"]) else {
        statement.reach = Reach::Unknown;
        return;
    };
    statement.tables.push(table);
    let filtered = find("where").is_some_and(|at| fold(condition(text, &top[at..])) != Truth::Always);
    let reach = if filtered { Reach::Table(0).filtered() } else { Reach::Table(0) };
    statement.reach = limited(text, reach);
}

/// Words that end a WHERE.
const AFTER_WHERE: &[&str] = &["order", "limit", "offset", "fetch", "for", "window", "returning"];

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
fn limited(text: &str, reach: Reach) -> Reach {
    let mut limits = 0_u16;
    let mut before = "";
    let mut fetched = false;
    for token in tokens(text) {
        if token.depth == 0 {
            // The parser does not know `FETCH FIRST (10) ROWS ONLY`.
            fetched = token.text == "(" && matches!(before, "first" | "next");
        }
        if token.text == "$2" {
            if token.depth == 0 || fetched {
                return reach.limited(limits);
            }
            limits = limits.saturating_add(1);
        }
        // `LIMIT ALL` and `LIMIT NULL` are none.
        if token.depth == 0 && before == "limit" && !matches!(token.text, "all" | "null") {
            return reach.limited(NO_VALUE);
        }
        before = token.text;
    }
    reach
}

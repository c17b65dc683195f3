//! Reading without a parser: the words of a shape, and which of them stand outside of parentheses.

use std::borrow::Cow;

use sqlparser::ast::Statement as Ast;
use sqlparser::dialect::{self, MySqlDialect, PostgreSqlDialect};
use sqlparser::parser::{Parser, ParserError};
use sqlparser::tokenizer::Tokenizer;

use super::calls::AGGREGATES;
use super::mysql;
use super::select::LIMIT_BASE;
use super::truth::{self, Truth};
use super::{Filter, Reach, Source, Statement, TOKENS_MAX, TableName, Unreadable, Write, WriteKind};
use crate::sql::dialect::Dialect;
use crate::sql::verb::Verb;

/// How deep the parser may recurse.
const RECURSION_MAX: usize = 50;

/// A token of a shape.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Token<'a> {
    pub(super) text: &'a str,
    pub(super) at: usize,
    /// Parentheses around it.
    pub(super) depth: usize,
}

/// The tokens of a shape. Shapes have no comments and no literals but `''` and `'%'`, so this takes no more than
/// knowing quotes, words and single characters.
pub(super) fn tokens(text: &str) -> impl Iterator<Item = Token<'_>> {
    let mut at = 0;
    let mut depth = 0_usize;
    std::iter::from_fn(move || {
        at += text[at..].len() - text[at..].trim_start().len();
        let rest = &text[at..];
        let first = rest.chars().next()?;
        let len = match first {
            '"' | '\'' | '`' => quoted_len(rest, first),
            c if is_word(c) => rest.find(|c| !is_word(c)).unwrap_or(rest.len()),
            c => c.len_utf8(),
        };
        depth = if first == ')' { depth.saturating_sub(1) } else { depth };
        let token = Token { text: &rest[..len], at, depth };
        depth += usize::from(first == '(');
        at += len;
        Some(token)
    })
}

fn is_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '_' | '$' | '?' | '@') || !c.is_ascii()
}

fn quoted_len(text: &str, quote: char) -> usize {
    let mut from = 1;
    while let Some(stop) = text[from..].find(quote) {
        from += stop + 1;
        if !text[from..].starts_with(quote) {
            return from;
        }
        from += 1;
    }
    text.len()
}

/// Parses a shape. What the parser is known to refuse and means nothing here is replaced beforehand.
pub(super) fn parse_statement(dialect: Dialect, text: &str) -> Result<Ast, Unreadable> {
    let mut parser = parser_for(dialect, text)?;
    let statement = parser.parse_statement().map_err(unreadable)?;
    match parser.peek_token().token {
        sqlparser::tokenizer::Token::EOF => Ok(statement),
        _ => Err(Unreadable::Syntax),
    }
}

fn parser_for(dialect: Dialect, text: &str) -> Result<Parser<'static>, Unreadable> {
    let (dialect, text): (&'static dyn dialect::Dialect, String) = match dialect {
        Dialect::Postgres => (&PostgreSqlDialect {}, adapted(text)),
        Dialect::MySql => (&MySqlDialect {}, mysql::adapted(text)),
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

/// Numbers the limits, and drops the strength of row locks and ONLY, which changes nothing here.
fn adapted(text: &str) -> String {
    let mut out = Copy::of(text);
    let mut limits = 0_u16;
    let mut before = "";
    let mut only = None;
    for token in tokens(text) {
        let lock = [("for no key update", "for update"), ("for key share", "for share")];
        let lock = lock.into_iter().find(|(long, _)| token.text == "for" && text[token.at..].starts_with(long));
        if token.text == "$2" {
            out.replace(token.at, 2, &format!("${}", LIMIT_BASE.saturating_add(limits)));
            limits = limits.saturating_add(1);
        } else if token.text == "only" && matches!(before, "from" | "update" | "join" | "using") {
            out.replace(token.at, token.text.len(), "");
        } else if let Some((long, short)) = lock {
            out.replace(token.at, long.len(), short);
        } else if before == "only" && token.text == "(" {
            only = Some(token.depth);
            out.replace(token.at, 1, "");
        } else if token.text == ")" && only == Some(token.depth) {
            only = None;
            out.replace(token.at, 1, "");
        }
        before = token.text;
    }
    out.finish()
}

/// The text with each `TABLE name` written as the query that it stands for.
pub(super) fn spelled_out(text: &str) -> Cow<'_, str> {
    if !text.contains("table") {
        return text.into();
    }
    let mut out = Copy::of(text);
    let mut before = "";
    for token in tokens(text) {
        let begins = matches!(before, "" | "(" | "union" | "all" | "distinct" | "except" | "intersect");
        if begins && token.text == "table" {
            out.replace(token.at, token.text.len(), "select * from");
        }
        before = token.text;
    }
    out.finish().into()
}

/// A text that is copied with changes.
pub(super) struct Copy<'a> {
    text: &'a str,
    out: String,
    copied: usize,
}

impl<'a> Copy<'a> {
    pub(super) fn of(text: &'a str) -> Self {
        Self { text, out: String::with_capacity(text.len() + 16), copied: 0 }
    }

    /// The copy up to the end of the text.
    pub(super) fn finish(mut self) -> String {
        self.replace(self.text.len(), 0, "");
        self.out
    }

    pub(super) fn replace(&mut self, at: usize, len: usize, by: &str) {
        // What is inside of a longer replacement is gone.
        if at >= self.copied {
            self.out.push_str(&self.text[self.copied..at]);
            self.out.push_str(by);
            self.copied = at + len;
        }
    }
}

/// What stands before the parenthesis that `text` closes without having opened it.
pub(super) fn parenthesised(text: &str) -> &str {
    let mut depth = 0_usize;
    for token in tokens(text) {
        match token.text {
            "(" => depth += 1,
            ")" if depth == 0 => return text[..token.at].trim_end(),
            ")" => depth -= 1,
            _ => {}
        }
    }
    text
}

/// Reads a statement by its clauses.
pub(super) fn statement(dialect: Dialect, text: &str, verb: Verb, reason: Unreadable) -> Statement {
    let mut statement = Statement { source: Source::Scanned(reason), ..Statement::SILENT };
    match verb {
        Verb::Update => statement.writes.push(main_write(dialect, text, WriteKind::Update)),
        Verb::Delete => statement.writes.push(main_write(dialect, text, WriteKind::Delete)),
        Verb::Select | Verb::Values => query(dialect, text, &mut statement),
        _ => {}
    }
    nested_writes(dialect, text, &mut statement.writes);
    statement
}

pub(super) fn main_write(dialect: Dialect, text: &str, kind: WriteKind) -> Write {
    let verb = match kind {
        WriteKind::Update => "update",
        WriteKind::Delete => "delete",
        WriteKind::Truncate => "truncate",
    };
    let tail = tokens(text).find(|token| token.depth == 0 && token.text == verb).map_or("", |token| &text[token.at..]);
    let (table, filter) = match dialect {
        Dialect::Postgres => (table_after(tail, &["update", "delete", "from", "only"]), tail_filter(dialect, tail)),
        Dialect::MySql => (mysql::written_table(tail), mysql::limited_filter(text, tail, tail_filter(dialect, tail))),
    };
    Write { kind, table, filter }
}

/// The filter of an UPDATE or DELETE whose text this is.
fn tail_filter(dialect: Dialect, text: &str) -> Filter {
    let mut top = tokens(text).filter(|token| token.depth == 0);
    let Some(condition) = top.find(|token| token.text == "where") else { return Filter::None };
    let from = condition.at + condition.text.len();
    let to =
        top.find(|token| matches!(token.text, "returning" | "order" | "limit")).map_or(text.len(), |token| token.at);
    if fold(dialect, &text[from..to]) == Truth::Always { Filter::ConstantTrue } else { Filter::Real }
}

/// Folds a condition that stands alone; what cannot be parsed is taken for a filter.
fn fold(dialect: Dialect, condition: &str) -> Truth {
    let Ok(mut parser) = parser_for(dialect, condition) else { return Truth::Depends };
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

/// `TABLE name`, with what may follow a query.
pub(super) fn table_statement(text: &str) -> Statement {
    let mut statement = Statement { source: Source::Parsed, ..Statement::SILENT };
    statement.reach = match table_after(text, &["select", "*", "from", "only"]) {
        Some(table) => {
            statement.tables.push(table);
            limited(text, Reach::Table(0))
        }
        None => Reach::Unknown,
    };
    statement
}

/// The name after some words at the beginning.
pub(super) fn table_after(text: &str, words: &[&str]) -> Option<TableName> {
    let mut rest = tokens(text).map(|token| token.text).skip_while(|token| words.contains(token) || *token == "(");
    let first = name(rest.next()?)?;
    if rest.next() != Some(".") {
        return Some(TableName::new(&first));
    }
    Some(TableName::qualified(&first, &name(rest.next()?)?))
}

fn name(token: &str) -> Option<Cow<'_, str>> {
    let quote = token.chars().next().filter(|first| matches!(first, '"' | '`'));
    match quote {
        Some(quote) => {
            let quoted = token.strip_prefix(quote)?.strip_suffix(quote)?;
            Some(quoted.replace(&format!("{quote}{quote}"), &quote.to_string()).into())
        }
        None => token.starts_with(|c: char| c.is_alphabetic() || c == '_').then_some(token.into()),
    }
}

/// UPDATE and DELETE in the WITH of a statement that the parser refused: each is read on its own.
pub(super) fn nested_writes(dialect: Dialect, text: &str, writes: &mut Vec<Write>) {
    let mut before = ["", ""];
    for token in tokens(text) {
        let opens = before[1] == "(" && matches!(before[0], "as" | "materialized");
        if opens && matches!(token.text, "update" | "delete") {
            let inner = parenthesised(&text[token.at..]);
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
    let filtered = find("where").is_some_and(|at| fold(dialect, condition(text, &top[at..])) != Truth::Always);
    let reach = if filtered { Reach::Table(0).filtered() } else { Reach::Table(0) };
    statement.reach = limited(text, reach);
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
fn limited(text: &str, reach: Reach) -> Reach {
    let mut limits = 0_u16;
    let mut before = "";
    for token in tokens(text) {
        if matches!(token.text, "$2" | "?2") {
            if token.depth == 0 {
                return Reach::Limited(Box::new(reach), limits);
            }
            limits = limits.saturating_add(1);
        }
        // `LIMIT ALL` and `LIMIT NULL` are none; any other expression may be anything.
        if token.depth == 0 && before == "limit" && !matches!(token.text, "all" | "null") {
            return reach.filtered();
        }
        before = token.text;
    }
    reach
}

//! What MySQL's SQL means where it is not PostgreSQL's.

use sqlparser::ast::{Expr, GroupByExpr, JoinConstraint, JoinOperator, Select, TableWithJoins};

use super::cap::Cap;
use super::scan;
use super::select;
use super::tokens::{Token, tokens};
use super::truth::{self, Keys, Truth};
use super::{Filter, Reach, Source, Statement, TableName, Write, WriteKind};
use crate::sql::dialect::Dialect;
use crate::sql::lexer::Piece;

fn words(text: &str) -> impl Iterator<Item = Token<'_>> {
    tokens(Dialect::MySql, text)
}

/// True where the rows of a query go into a file or into variables.
pub(super) fn has_into(text: &str) -> bool {
    words(text).any(|token| token.depth == 0 && token.text == "into")
}

/// The server's own tables, which are small by nature.
pub(super) fn is_catalogue(name: &TableName) -> bool {
    const SCHEMAS: [&str; 4] = ["information_schema", "performance_schema", "mysql", "sys"];
    name.schema().is_some_and(|schema| SCHEMAS.iter().any(|own| schema.eq_ignore_ascii_case(own)))
}

/// What select list, GROUP BY, HAVING and DISTINCT make of the rows. A HAVING without groups is a second WHERE.
pub(super) fn shaped(select: &Select, reach: Reach) -> Reach {
    let grouped = !matches!(&select.group_by, GroupByExpr::Expressions(by, sets) if by.is_empty() && sets.is_empty());
    let Some(condition) = select.having.as_ref().filter(|_| !grouped) else {
        return select::shaped(select, reach, select::Having::AsGiven);
    };
    let reach = match truth::fold(condition, Keys::Positive) {
        Truth::Always => reach,
        Truth::Never => Reach::Rows(0),
        Truth::Depends => reach.filtered(),
    };
    select::shaped(select, reach, select::Having::Applied)
}

/// What narrows a write beside its WHERE: a join that leaves rows out, or a LIMIT.
pub(super) fn narrowed(filter: Filter, tables: &[&TableWithJoins], limit: Option<&Expr>) -> Filter {
    if filter == Filter::Real || tables.iter().any(|table| is_narrowed_by_join(table)) {
        return Filter::Real;
    }
    match limit.map(Cap::of_limit) {
        Some(Cap::Literal(index)) => Filter::Limited(Box::new(filter), index),
        Some(Cap::Rows(_) | Cap::Ties(_) | Cap::FirstAndTies | Cap::Unknown) => Filter::Real,
        Some(Cap::None) | None => filter,
    }
}

fn is_narrowed_by_join(table: &TableWithJoins) -> bool {
    table.joins.iter().any(|join| match &join.join_operator {
        JoinOperator::Join(on) | JoinOperator::Inner(on) | JoinOperator::StraightJoin(on) => match on {
            JoinConstraint::On(condition) => truth::fold(condition, Keys::Nullable) == Truth::Depends,
            JoinConstraint::Using(_) | JoinConstraint::Natural => true,
            JoinConstraint::None => false,
        },
        _ => false,
    })
}

/// The table of an UPDATE or DELETE that was not parsed.
pub(super) fn written_table(tail: &str) -> Option<TableName> {
    scan::table_after(Dialect::MySql, tail, &["update", "delete", "from", "low_priority", "quick", "ignore"])
}

/// Words that end the condition of a join, or stand before another.
const AFTER_JOIN: &[&str] =
    &[",", "cross", "inner", "join", "left", "limit", "natural", "order", "right", "set", "straight_join", "where"];

/// True where a write that was not parsed has an inner join that leaves rows out.
fn is_joined(tail: &str, tokens: &[Token<'_>]) -> bool {
    let top: Vec<&Token<'_>> = tokens.iter().filter(|token| token.depth == 0).collect();
    let mut inner = false;
    top.iter().enumerate().any(|(at, token)| {
        match token.text {
            "straight_join" => inner = true,
            "join" => inner = !top[..at].iter().rev().take(2).any(|side| matches!(side.text, "left" | "right")),
            "using" => return inner,
            "on" if inner => {
                let end = top[at..].iter().find(|token| AFTER_JOIN.contains(&token.text));
                let condition = tail.get(token.end()..end.map_or(tail.len(), |end| end.at)).unwrap_or_default();
                return scan::fold(Dialect::MySql, condition) != Truth::Always;
            }
            _ => {}
        }
        false
    })
}

/// The filter of a write that was not parsed: without a WHERE, a join that leaves rows out, or its LIMIT.
pub(super) fn limited_filter(text: &str, tail: &str, filter: Filter) -> Filter {
    if filter == Filter::Real {
        return filter;
    }
    let tokens: Vec<Token<'_>> = words(tail).collect();
    if is_joined(tail, &tokens) {
        return Filter::Real;
    }
    let limit = tokens.windows(2).position(|pair| pair[0].depth == 0 && pair[0].text == "limit");
    let Some(limit) = limit else { return filter };
    if tokens[limit + 1].text != "?2" {
        return filter;
    }
    let before = text.get(..text.len() - tail.len()).unwrap_or_default();
    let earlier = words(before).chain(tokens.into_iter().take(limit)).filter(|token| token.text == "?2").count();
    match u16::try_from(earlier) {
        Ok(index) => Filter::Limited(Box::new(filter), index),
        Err(_) => filter,
    }
}

/// `HANDLER … READ`: one row, or as many as its LIMIT says.
pub(super) fn handler(text: &str) -> Statement {
    let tokens: Vec<Token<'_>> = words(text).collect();
    if !tokens.iter().any(|token| token.text == "read") {
        return Statement::SILENT;
    }
    let tables: Vec<TableName> = scan::table_after(Dialect::MySql, text, &["handler"]).into_iter().collect();
    let limited = tokens.iter().any(|token| token.depth == 0 && token.text == "?2");
    let reach = if limited { Reach::Unknown.limited(0) } else { Reach::Rows(1) };
    Statement { reach, tables, source: Source::Verb, ..Statement::SILENT }
}

/// What a block of statements writes.
pub(super) fn writes_inside(piece: &Piece, text: &str) -> Vec<Write> {
    let mut writes = Vec::new();
    if piece.writes() {
        block_writes(text, &mut writes);
    }
    writes
}

/// Most writes of one block that are looked at.
const BLOCK_WRITES_MAX: usize = 1_000;

/// The UPDATEs and DELETEs of a block of statements, such as MariaDB's `BEGIN NOT ATOMIC`.
fn block_writes(text: &str, writes: &mut Vec<Write>) {
    let mut before = "";
    for token in words(text) {
        let begins =
            matches!(before, ";" | ":" | "begin" | "atomic" | "then" | "else" | "do" | "loop" | "repeat" | ")");
        if begins && writes.len() < BLOCK_WRITES_MAX && matches!(token.text, "update" | "delete") {
            let kind = if token.text == "update" { WriteKind::Update } else { WriteKind::Delete };
            let tail = &text[token.at..];
            let statement = words(tail).find(|token| token.text == ";").map_or(tail, |end| &tail[..end.at]);
            let read = scan::parsed_write(Dialect::MySql, statement);
            writes.push(read.unwrap_or_else(|| scan::main_write(Dialect::MySql, statement, kind)));
        }
        before = token.text;
    }
}

//! Operators that the parser does not know, or not where they stand.

use super::Edit;
use crate::sql::facts::tokens::Words;

/// An operator where it stands before its operand, which most may; or one that the parser does not know.
pub(super) fn operator<'a>(words: &Words<'a>, at: usize) -> Option<Edit<'a>> {
    let length =
        1 + (at..).take_while(|&index| words.touch(index) && words.word(index + 1).starts_with(is_operator)).count();
    let operator = words.slice(at, at + length - 1);
    if stands_before_operand(words, at) {
        // A sign is no matter, and a star is all columns.
        return if matches!(operator, "+" | "-" | "*") { None } else { Edit::cut(length) };
    }
    if matches!(words.word(at + length), "any" | "some" | "all") && !COMPARISONS.contains(&operator) {
        return Edit::put(length, "=");
    }
    if OPERATORS.contains(&operator) {
        Some(Edit { take: length, put: operator.into() })
    } else {
        Edit::put(length, "||")
    }
}

/// `OPERATOR(schema.op)`, which is that operator.
pub(super) fn named_operator<'a>(words: &Words<'a>, at: usize) -> Option<Edit<'a>> {
    let close = words.close(at + 1);
    let sign = (at + 2..close).find(|&index| words.word(index).starts_with(is_operator))?;
    let operator = words.slice(sign, close - 1);
    let put = match operator {
        _ if stands_before_operand(words, at) => "",
        _ if matches!(words.word(close + 1), "any" | "some" | "all") && !COMPARISONS.contains(&operator) => "=",
        known if OPERATORS.contains(&known) => known,
        _ => "||",
    };
    Edit::put(close - at + 1, put)
}

/// True where no operand stands before a token.
fn stands_before_operand(words: &Words<'_>, at: usize) -> bool {
    let before = words.before(at, 1);
    matches!(before, "" | "(" | ",") || before.starts_with(is_operator) || BEFORE_OPERAND.contains(&before)
}

pub(super) fn is_operator(c: char) -> bool {
    matches!(c, '+' | '-' | '*' | '/' | '<' | '>' | '=' | '~' | '!' | '@' | '#' | '%' | '^' | '&' | '|' | '`' | '?')
}

/// Words that an expression follows.
pub(super) const BEFORE_OPERAND: &[&str] = &[
    "all",
    "and",
    "between",
    "by",
    "case",
    "distinct",
    "else",
    "having",
    "in",
    "limit",
    "not",
    "offset",
    "on",
    "or",
    "returning",
    "select",
    "then",
    "when",
    "where",
];

/// Operators that may stand before `ANY (…)` to the parser.
const COMPARISONS: &[&str] = &["=", "<>", "!=", "<", ">", "<=", ">="];

/// Operators that the parser knows.
const OPERATORS: &[&str] = &[
    "+", "-", "*", "/", "%", "^", "=", "<>", "!=", "<", ">", "<=", ">=", "||", "&", "|", "#", "<<", ">>", "~", "~*",
    "!~", "!~*", "~~", "~~*", "!~~", "!~~*", "->", "->>", "#>", "#>>", "@>", "<@", "&&", "?", "?|", "?&", "@@", "@?",
    "#-", "=>", "<->",
];

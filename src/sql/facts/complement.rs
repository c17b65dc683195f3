//! Conditions that leave every row in by what their sides have to do with each other.

use sqlparser::ast::{BinaryOperator, Expr, UnaryOperator, Value};

use super::compare::{number, opposite, peel, same_column};
use super::constant;

/// What a condition says of a column.
#[derive(Debug)]
enum Said<'a> {
    /// That it is null, or that it is not.
    Null(&'a Expr, bool),
    /// That it is true, or that it is false.
    True(&'a Expr, bool),
    Compared(&'a Expr, BinaryOperator, &'a Expr),
}

/// True where one of two conditions holds for every row: `a IS NULL` and `a IS NOT NULL`, `a = 5` and `a <> 5`, `a` and `NOT a`.
/// Where a column is null, neither need be, as with `a = a`. The lexer leaves a digit for literals that are the same.
pub(super) fn are(left: &Expr, right: &Expr) -> bool {
    match (said(left), said(right)) {
        (Some(Said::Null(a, first)), Some(Said::Null(b, second)))
        | (Some(Said::True(a, first)), Some(Said::True(b, second))) => first != second && same_column(a, b),
        (Some(Said::Compared(a, op, value)), Some(Said::Compared(b, other, other_value))) => {
            let same = number(peel(value)).is_some_and(|value| Some(value) == number(peel(other_value)));
            same && opposite(&op).as_ref() == Some(&other) && same_column(a, b)
        }
        _ => false,
    }
}

/// No deeper than the operator below each NOT: conditions stand in each other, and each would be read once for every alternative.
fn said(condition: &Expr) -> Option<Said<'_>> {
    let (mut expr, mut given) = (peel(condition), true);
    while let Expr::UnaryOp { op: UnaryOperator::Not, expr: inner } = expr {
        (expr, given) = (peel(inner), !given);
    }
    Some(match expr {
        Expr::IsNull(of) | Expr::IsUnknown(of) => Said::Null(of, given),
        Expr::IsNotNull(of) | Expr::IsNotUnknown(of) => Said::Null(of, !given),
        Expr::IsTrue(of) | Expr::IsNotFalse(of) => Said::True(of, given),
        Expr::IsFalse(of) | Expr::IsNotTrue(of) => Said::True(of, !given),
        Expr::Identifier(_) | Expr::CompoundIdentifier(_) => Said::True(expr, given),
        Expr::Function(function) => Said::Null(constant::asked_for_null(function)?, given),
        Expr::BinaryOp { left, op, right } => {
            let op = if given { op.clone() } else { opposite(op)? };
            match (&op, truth(right)) {
                (BinaryOperator::Eq, Some(value)) => Said::True(left, value),
                (BinaryOperator::NotEq, Some(value)) => Said::True(left, !value),
                _ => Said::Compared(left, op, right),
            }
        }
        _ => return None,
    })
}

fn truth(expr: &Expr) -> Option<bool> {
    match peel(expr) {
        Expr::Value(value) => match value.value {
            Value::Boolean(truth) => Some(truth),
            _ => None,
        },
        _ => None,
    }
}

/// `a + 0 = a` and `a - a = 0`. What the literal is nobody knows here, and nobody filters by `a + 1 = a`.
pub(super) fn cancels(left: &Expr, op: &BinaryOperator, right: &Expr) -> bool {
    let shifted = |sum: &Expr, column: &Expr| match sum {
        Expr::BinaryOp { left, op: by, right } => {
            let (left, right) = (peel(left), peel(right));
            let same =
                (is_literal(right) && same_column(left, column)) || (is_literal(left) && same_column(right, column));
            same && keeps(by, op)
        }
        _ => false,
    };
    let nothing = |sum: &Expr, value: &Expr| match sum {
        Expr::BinaryOp { left, op: BinaryOperator::Minus | BinaryOperator::Divide, right } => {
            is_literal(value) && same_column(left, right)
        }
        _ => false,
    };
    let ordered = opposite(op).is_some();
    ordered && (shifted(left, right) || shifted(right, left) || nothing(left, right) || nothing(right, left))
}

/// True where a column and what an operator makes of it by a literal compare alike for every row.
fn keeps(by: &BinaryOperator, op: &BinaryOperator) -> bool {
    match by {
        BinaryOperator::Plus | BinaryOperator::Minus => *op != BinaryOperator::NotEq,
        BinaryOperator::Multiply | BinaryOperator::Divide | BinaryOperator::StringConcat => *op == BinaryOperator::Eq,
        _ => false,
    }
}

fn is_literal(expr: &Expr) -> bool {
    matches!(expr, Expr::Value(value) if value.value != Value::Null)
}

//! What a comparison comes to, as far as columns have names and literals left a trace in the shape.

use std::cmp::Ordering;

use sqlparser::ast::{BinaryOperator, Expr, Value};

use super::claims::{Always, Claims};
use super::complement;
use super::constant;
use super::truth::{self, Folded};

pub(super) fn compared(left: &Expr, op: &BinaryOperator, right: &Expr) -> Folded {
    let (left, right) = (constant::first_given(peel(left)), constant::first_given(peel(right)));
    if let (Some(a), Some(b)) = (number(left), number(right)) {
        return ordered(a.cmp(&b), op);
    }
    if let (Some(left), Some(right), BinaryOperator::Eq) = (constant::row(left), constant::row(right), op)
        && left.len() == right.len()
    {
        let pairs = left.iter().zip(right).map(|(left, right)| compared(left, op, right));
        return pairs.fold(Folded::Always, Folded::and);
    }
    if *op == BinaryOperator::Spaceship && is_null(left) && is_null(right) {
        return Folded::Always;
    }
    if same_column(left, right) {
        return ordered(Ordering::Equal, op);
    }
    if let (Some(a), Some(b)) = (boolean(left), boolean(right)) {
        return ordered(a.cmp(&b), op);
    }
    if complement::cancels(left, op, right) {
        return Folded::Given(Claims::one("", Always::Literal));
    }
    match (column(left), number(right), number(left), column(right)) {
        (Some(key), Some(value), _, _) => key_at_least(key, op, value),
        (_, _, Some(value), Some(key)) => key_at_least(key, &mirrored(op), value),
        _ => Folded::Depends,
    }
}

fn ordered(order: Ordering, op: &BinaryOperator) -> Folded {
    match op {
        BinaryOperator::Eq | BinaryOperator::Spaceship => Folded::from(order.is_eq()),
        BinaryOperator::NotEq => Folded::from(order.is_ne()),
        BinaryOperator::Lt => Folded::from(order.is_lt()),
        BinaryOperator::LtEq => Folded::from(order.is_le()),
        BinaryOperator::Gt => Folded::from(order.is_gt()),
        BinaryOperator::GtEq => Folded::from(order.is_ge()),
        _ => Folded::Depends,
    }
}

/// What NOT makes of a comparison.
pub(super) fn opposite(op: &BinaryOperator) -> Option<BinaryOperator> {
    Some(match op {
        BinaryOperator::Eq => BinaryOperator::NotEq,
        BinaryOperator::NotEq => BinaryOperator::Eq,
        BinaryOperator::Lt => BinaryOperator::GtEq,
        BinaryOperator::GtEq => BinaryOperator::Lt,
        BinaryOperator::Gt => BinaryOperator::LtEq,
        BinaryOperator::LtEq => BinaryOperator::Gt,
        _ => return None,
    })
}

fn mirrored(op: &BinaryOperator) -> BinaryOperator {
    match op {
        BinaryOperator::Lt => BinaryOperator::Gt,
        BinaryOperator::LtEq => BinaryOperator::GtEq,
        BinaryOperator::Gt => BinaryOperator::Lt,
        BinaryOperator::GtEq => BinaryOperator::LtEq,
        BinaryOperator::NotEq => BinaryOperator::NotEq,
        _ => BinaryOperator::Eq,
    }
}

/// A key is positive. The lexer leaves a 0 for every value up to 0, and a 1 for 1.
fn key_at_least(key: &str, op: &BinaryOperator, value: u8) -> Folded {
    match (op, value) {
        (BinaryOperator::Gt | BinaryOperator::GtEq | BinaryOperator::NotEq, 0) | (BinaryOperator::GtEq, 1) => {
            Folded::Given(Claims::one(key, Always::Positive))
        }
        _ => Folded::Depends,
    }
}

/// A value that cannot be null: a literal, or a column that is said never to be.
pub(super) fn not_null(expr: &Expr) -> Folded {
    let expr = peel(expr);
    if number(expr).is_some() || boolean(expr).is_some() {
        return Folded::Always;
    }
    column(expr).map_or(Folded::Depends, |column| Folded::Given(Claims::one(column, Always::Present)))
}

pub(super) fn is_null(expr: &Expr) -> bool {
    matches!(peel(expr), Expr::Value(value) if value.value == Value::Null)
}

pub(super) fn any_text(pattern: &Expr) -> Folded {
    match pattern {
        Expr::Value(value) if matches!(&value.value, Value::SingleQuotedString(text) if text == "%") => Folded::Always,
        _ => Folded::Depends,
    }
}

pub(super) fn equal_numbers(left: &Expr, right: &Expr) -> bool {
    matches!((number(peel(left)), number(peel(right))), (Some(a), Some(b)) if a == b)
}

/// Only the digits that the lexer leaves are numbers here.
pub(super) fn number(expr: &Expr) -> Option<u8> {
    match expr {
        Expr::Value(value) => match &value.value {
            Value::Number(digits, _) => digits.parse().ok(),
            _ => None,
        },
        _ => None,
    }
}

fn boolean(expr: &Expr) -> Option<bool> {
    match expr {
        Expr::Value(value) => match value.value {
            Value::Boolean(value) => Some(value),
            _ => None,
        },
        // Only comparisons: a long sum is no truth value, and would be walked for nothing.
        Expr::BinaryOp { op, .. } if ordered(Ordering::Equal, op) != Folded::Depends => match truth::read(expr) {
            Folded::Always => Some(true),
            Folded::Never => Some(false),
            Folded::Depends | Folded::Given(_) => None,
        },
        _ => None,
    }
}

/// What is inside parentheses and casts.
pub(super) fn peel(mut expr: &Expr) -> &Expr {
    while let Expr::Nested(inner) | Expr::Cast { expr: inner, .. } = expr {
        expr = inner;
    }
    expr
}

pub(super) fn column(expr: &Expr) -> Option<&str> {
    match expr {
        Expr::Identifier(ident) => Some(&ident.value),
        Expr::CompoundIdentifier(parts) => parts.last().map(|ident| ident.value.as_str()),
        _ => None,
    }
}

pub(super) fn same_column(left: &Expr, right: &Expr) -> bool {
    match (peel(left), peel(right)) {
        (Expr::Identifier(a), Expr::Identifier(b)) => a.value == b.value,
        (Expr::CompoundIdentifier(a), Expr::CompoundIdentifier(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| a.value == b.value)
        }
        // `t.a = a` names one column twice where there is one table; with several it is no filter on either.
        (Expr::CompoundIdentifier(long), Expr::Identifier(short))
        | (Expr::Identifier(short), Expr::CompoundIdentifier(long)) => {
            long.last().is_some_and(|last| last.value == short.value)
        }
        _ => false,
    }
}

//! Conditions that are true for every row.

use sqlparser::ast::{BinaryOperator, Expr, SelectItem, UnaryOperator, Value};

use super::claims::{Always, Claims};
use super::constant::{is_constant, no_rows, one_row};

/// What a condition comes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Truth {
    /// True for every row.
    Always,
    /// True for no row.
    Never,
    /// It depends on the row, or on what nobody knows here.
    Depends,
}

/// What a condition comes to, as far as its text alone can say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Folded {
    /// True for every row.
    Always,
    /// True for no row.
    Never,
    /// It depends on the row, or on what nobody knows here.
    Depends,
    /// True for every row where this holds.
    Given(Claims),
}

impl Folded {
    fn not(self) -> Self {
        match self {
            Self::Always => Self::Never,
            Self::Never => Self::Always,
            Self::Depends | Self::Given(_) => Self::Depends,
        }
    }

    fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::Never, _) | (_, Self::Never) => Self::Never,
            (Self::Always, other) | (other, Self::Always) => other,
            (Self::Given(a), Self::Given(b)) => a.both(&b).map_or(Self::Depends, Self::Given),
            (Self::Depends, _) | (_, Self::Depends) => Self::Depends,
        }
    }

    fn or(self, other: Self) -> Self {
        match (self, other) {
            (Self::Always, _) | (_, Self::Always) => Self::Always,
            (Self::Never, other) | (other, Self::Never) => other,
            (Self::Given(a), Self::Given(b)) => Self::Given(a.either(b)),
            (Self::Given(claims), Self::Depends) | (Self::Depends, Self::Given(claims)) => Self::Given(claims),
            (Self::Depends, Self::Depends) => Self::Depends,
        }
    }
}

impl From<bool> for Folded {
    fn from(value: bool) -> Self {
        if value { Self::Always } else { Self::Never }
    }
}

/// What a column named `id` or `pk` may be taken for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Keys {
    /// A positive number.
    Positive,
    /// Also null: an outer join may have left its table empty.
    Nullable,
}

/// Folds a condition by names alone: where something has to be so, columns named `id` and `pk` are taken for keys.
pub(super) fn fold(condition: &Expr, keys: Keys) -> Truth {
    match read(condition) {
        Folded::Always => Truth::Always,
        Folded::Never => Truth::Never,
        Folded::Given(claims) if keys == Keys::Positive && claims.hold_by_name() => Truth::Always,
        Folded::Depends | Folded::Given(_) => Truth::Depends,
    }
}

/// Folds a condition about one table. Chains of AND and OR may be thousands long: they are walked, not recursed into.
pub(super) fn read(condition: &Expr) -> Folded {
    let mut chain = Vec::new();
    let mut leftmost = condition;
    while let Expr::BinaryOp { left, op: op @ (BinaryOperator::And | BinaryOperator::Or), right } = leftmost {
        chain.push((op, right));
        leftmost = left;
    }
    let mut truth = simple(leftmost);
    let mut before = leftmost;
    for (op, right) in chain.into_iter().rev() {
        let other = simple(right);
        truth = match op {
            BinaryOperator::And => truth.and(other),
            _ if complements(before, right) => Folded::Always,
            _ => truth.or(other),
        };
        before = right;
    }
    truth
}

/// `a IS NULL OR a IS NOT NULL`, and the like.
fn complements(left: &Expr, right: &Expr) -> bool {
    match (peel(left), peel(right)) {
        (Expr::IsNull(a), Expr::IsNotNull(b)) | (Expr::IsNotNull(a), Expr::IsNull(b)) => same_column(a, b),
        _ => false,
    }
}

fn simple(condition: &Expr) -> Folded {
    match known(condition) {
        // No row has a say in it. What it comes to is not worked out: nobody filters by a falsehood.
        Folded::Depends if is_constant(condition) => Folded::Given(Claims::one("", Always::Literal)),
        folded => folded,
    }
}

fn known(condition: &Expr) -> Folded {
    match condition {
        Expr::Nested(inner) => read(inner),
        Expr::Value(value) => literal(&value.value),
        // A number is a truth value to MySQL; PostgreSQL refuses it.
        Expr::Identifier(_) | Expr::CompoundIdentifier(_) => match column(condition) {
            Some(key @ ("id" | "pk")) => Folded::Given(Claims::one(key, Always::Positive)),
            _ => Folded::Depends,
        },
        Expr::Cast { expr, .. } => simple(expr),
        Expr::UnaryOp { op: UnaryOperator::Not, expr } => match peel(expr) {
            Expr::IsNull(inner) => not_null(inner),
            _ => read(expr).not(),
        },
        Expr::BinaryOp { op: BinaryOperator::And | BinaryOperator::Or, .. } => read(condition),
        Expr::BinaryOp { left, op, right } => compared(left, op, right),
        Expr::IsNotDistinctFrom(left, right) if same_column(left, right) || (is_null(left) && is_null(right)) => {
            Folded::Always
        }
        Expr::IsTrue(inner) | Expr::IsNotFalse(inner) => read(inner),
        Expr::IsFalse(inner) | Expr::IsNotTrue(inner) => read(inner).not(),
        Expr::IsNotNull(inner) => not_null(inner),
        Expr::IsNull(inner) if is_null(inner) => Folded::Always,
        Expr::Like { negated: false, pattern, .. } | Expr::ILike { negated: false, pattern, .. } => any_text(pattern),
        Expr::InList { expr, list, negated: false } => {
            let found = list.iter().any(|item| same_column(expr, item) || equal_numbers(expr, item));
            if found { Folded::Always } else { Folded::Depends }
        }
        Expr::AnyOp { left, compare_op: BinaryOperator::Eq, right, .. } => match peel(right) {
            Expr::Array(array) if array.elem.iter().any(|item| same_column(left, item)) => Folded::Always,
            _ => Folded::Depends,
        },
        Expr::Between { expr, negated, low, high } => {
            let least = compared(expr, &BinaryOperator::GtEq, low);
            let between = least.and(compared(expr, &BinaryOperator::LtEq, high));
            if *negated { between.not() } else { between }
        }
        Expr::Exists { subquery, negated } if one_row(subquery).is_some() => Folded::from(!negated),
        Expr::Exists { subquery, negated } if no_rows(subquery) => Folded::from(*negated),
        Expr::Subquery(query) => match one_row(query).map(|select| select.projection.as_slice()) {
            Some([SelectItem::UnnamedExpr(value)]) if one_row(query).is_some_and(|select| select.from.is_empty()) => {
                read(value)
            }
            _ => Folded::Depends,
        },
        _ => Folded::Depends,
    }
}

/// The lexer leaves a `1` or `0` where a truth value is written as a string.
fn literal(value: &Value) -> Folded {
    match value {
        Value::Boolean(value) => Folded::from(*value),
        Value::Number(digits, _) => Folded::from(digits != "0"),
        _ => Folded::Depends,
    }
}

fn compared(left: &Expr, op: &BinaryOperator, right: &Expr) -> Folded {
    let (left, right) = (peel(left), peel(right));
    if let (Some(a), Some(b)) = (number(left), number(right)) {
        return ordered(a.cmp(&b), op);
    }
    if let (Expr::Tuple(left), Expr::Tuple(right), BinaryOperator::Eq) = (left, right, op)
        && left.len() == right.len()
    {
        let pairs = left.iter().zip(right).map(|(left, right)| compared(left, op, right));
        return pairs.fold(Folded::Always, Folded::and);
    }
    if *op == BinaryOperator::Spaceship && is_null(left) && is_null(right) {
        return Folded::Always;
    }
    if same_column(left, right) {
        return ordered(std::cmp::Ordering::Equal, op);
    }
    if let (Some(a), Some(b)) = (boolean(left), boolean(right)) {
        return ordered(a.cmp(&b), op);
    }
    match (column(left), number(right), number(left), column(right)) {
        (Some(key), Some(value), _, _) => key_at_least(key, op, value),
        (_, _, Some(value), Some(key)) => key_at_least(key, &mirrored(op), value),
        _ => Folded::Depends,
    }
}

fn ordered(order: std::cmp::Ordering, op: &BinaryOperator) -> Folded {
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
fn not_null(expr: &Expr) -> Folded {
    let expr = peel(expr);
    if number(expr).is_some() || boolean(expr).is_some() {
        return Folded::Always;
    }
    column(expr).map_or(Folded::Depends, |column| Folded::Given(Claims::one(column, Always::Present)))
}

fn is_null(expr: &Expr) -> bool {
    matches!(peel(expr), Expr::Value(value) if value.value == Value::Null)
}

fn any_text(pattern: &Expr) -> Folded {
    match pattern {
        Expr::Value(value) if matches!(&value.value, Value::SingleQuotedString(text) if text == "%") => Folded::Always,
        _ => Folded::Depends,
    }
}

fn equal_numbers(left: &Expr, right: &Expr) -> bool {
    matches!((number(peel(left)), number(peel(right))), (Some(a), Some(b)) if a == b)
}

/// Only the digits that the lexer leaves are numbers here.
fn number(expr: &Expr) -> Option<u8> {
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
        Expr::BinaryOp { op, .. } if ordered(std::cmp::Ordering::Equal, op) != Folded::Depends => match simple(expr) {
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

fn same_column(left: &Expr, right: &Expr) -> bool {
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

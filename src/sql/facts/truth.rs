//! Conditions that are true for every row.

use sqlparser::ast::{BinaryOperator, Expr, SelectItem, UnaryOperator, Value};

use super::claims::{Always, Claims};
use super::compare::{any_text, column, compared, equal_numbers, is_null, not_null, opposite, peel, same_column};
use super::complement;
use super::constant::{self, is_constant, one_row};

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

    pub(super) fn and(self, other: Self) -> Self {
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
    read_as(condition, Sense::Given)
}

/// Whether a condition is read as it stands, or as what NOT makes of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sense {
    Given,
    Negated,
}

impl Sense {
    /// True where an operator of the text leaves rows of both sides: of `NOT (a AND b)` those of either.
    const fn joins_either(self, op: &BinaryOperator) -> bool {
        match self {
            Self::Given => matches!(op, BinaryOperator::Or),
            Self::Negated => matches!(op, BinaryOperator::And),
        }
    }
}

/// Alternatives of one OR that are compared with each other.
const ALTERNATIVES_MAX: usize = 8;

fn read_as(condition: &Expr, sense: Sense) -> Folded {
    let mut chain = Vec::new();
    let mut leftmost = condition;
    while let Expr::BinaryOp { left, op: op @ (BinaryOperator::And | BinaryOperator::Or), right } = leftmost {
        chain.push((op, right));
        leftmost = left;
    }
    let mut truth = simple(leftmost, sense);
    // What stands here leaves a row in where any of it does.
    let mut alternatives = vec![leftmost];
    for (op, right) in chain.into_iter().rev() {
        let other = simple(right, sense);
        if !sense.joins_either(op) {
            match (&truth, &other) {
                // What is always so leaves the rest as it is.
                (_, Folded::Always) => {}
                (Folded::Always, _) => alternatives = vec![right],
                _ => alternatives.clear(),
            }
            truth = truth.and(other);
            continue;
        }
        truth = match alternatives.iter().any(|left| complement::are(left, right)) {
            true => Folded::Always,
            false => truth.or(other),
        };
        if alternatives.len() < ALTERNATIVES_MAX {
            alternatives.push(right);
        }
    }
    truth
}

fn simple(condition: &Expr, sense: Sense) -> Folded {
    let folded = match sense {
        Sense::Given => known(condition),
        Sense::Negated => negated(condition),
    };
    match folded {
        // No row has a say in it. What it comes to is not worked out: nobody filters by a falsehood.
        Folded::Depends if is_constant(condition) => Folded::Given(Claims::one("", Always::Literal)),
        folded => folded,
    }
}

/// What NOT makes of a condition. A null is no more true than before, as with `a = a`.
fn negated(condition: &Expr) -> Folded {
    match condition {
        Expr::Nested(inner) | Expr::IsTrue(inner) | Expr::IsNotFalse(inner) => read_as(inner, Sense::Negated),
        Expr::UnaryOp { op: UnaryOperator::Not, expr: inner } | Expr::IsFalse(inner) | Expr::IsNotTrue(inner) => {
            read_as(inner, Sense::Given)
        }
        Expr::BinaryOp { op: BinaryOperator::And | BinaryOperator::Or, .. } => read_as(condition, Sense::Negated),
        Expr::BinaryOp { left, op: BinaryOperator::Spaceship, right } | Expr::IsNotDistinctFrom(left, right)
            if is_null(right) =>
        {
            not_null(left)
        }
        Expr::BinaryOp { left, op, right } => match opposite(op) {
            Some(op) => compared(left, &op, right),
            None => Folded::Depends,
        },
        Expr::IsNull(inner) => not_null(inner),
        Expr::Function(function) => constant::asked_for_null(function).map_or(Folded::Depends, not_null),
        _ => known(condition).not(),
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
        Expr::Cast { expr, .. } => simple(expr, Sense::Given),
        Expr::UnaryOp { op: UnaryOperator::Not, expr } => read_as(expr, Sense::Negated),
        Expr::BinaryOp { op: BinaryOperator::And | BinaryOperator::Or, .. } => read(condition),
        Expr::BinaryOp { op: BinaryOperator::PGRegexMatch | BinaryOperator::PGRegexIMatch, right, .. } => {
            any_text(right)
        }
        Expr::SimilarTo { negated: false, pattern, .. } | Expr::RLike { negated: false, pattern, .. } => {
            any_text(pattern)
        }
        Expr::BinaryOp { left, op, right } => compared(left, op, right),
        Expr::Function(function) if constant::asked_for_null(function).is_some_and(is_null) => Folded::Always,
        Expr::Function(function) => constant::chosen(function).map_or(Folded::Depends, read),
        Expr::IsNotDistinctFrom(left, right) if same_column(left, right) || (is_null(left) && is_null(right)) => {
            Folded::Always
        }
        Expr::IsDistinctFrom(left, right) if is_null(right) => not_null(left),
        Expr::IsTrue(inner) | Expr::IsNotFalse(inner) => read(inner),
        Expr::IsFalse(inner) | Expr::IsNotTrue(inner) => read_as(inner, Sense::Negated),
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
        Expr::Exists { subquery, negated } => {
            constant::finds(subquery).map_or(Folded::Depends, |found| Folded::from(found != *negated))
        }
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

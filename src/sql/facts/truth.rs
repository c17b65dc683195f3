//! Conditions that are true for every row.

use sqlparser::ast::{BinaryOperator, Expr, SetExpr, UnaryOperator, Value};

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

impl Truth {
    const fn not(self) -> Self {
        match self {
            Self::Always => Self::Never,
            Self::Never => Self::Always,
            Self::Depends => Self::Depends,
        }
    }
}

impl From<bool> for Truth {
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

/// Folds a condition. Chains of AND and OR may be thousands long: they are walked, not recursed into.
pub(super) fn fold(condition: &Expr, keys: Keys) -> Truth {
    let mut chain = Vec::new();
    let mut leftmost = condition;
    while let Expr::BinaryOp { left, op: op @ (BinaryOperator::And | BinaryOperator::Or), right } = leftmost {
        chain.push((op, right));
        leftmost = left;
    }
    let mut truth = simple(leftmost, keys);
    let mut before = leftmost;
    for (op, right) in chain.into_iter().rev() {
        let other = simple(right, keys);
        truth = match op {
            BinaryOperator::And => both(truth, other),
            _ if complements(before, right) => Truth::Always,
            _ => both(truth.not(), other.not()).not(),
        };
        before = right;
    }
    truth
}

fn both(left: Truth, right: Truth) -> Truth {
    match (left, right) {
        (Truth::Never, _) | (_, Truth::Never) => Truth::Never,
        (Truth::Always, Truth::Always) => Truth::Always,
        _ => Truth::Depends,
    }
}

/// `a IS NULL OR a IS NOT NULL`, and the like.
fn complements(left: &Expr, right: &Expr) -> bool {
    match (peel(left), peel(right)) {
        (Expr::IsNull(a), Expr::IsNotNull(b)) | (Expr::IsNotNull(a), Expr::IsNull(b)) => same_column(a, b),
        _ => false,
    }
}

fn simple(condition: &Expr, keys: Keys) -> Truth {
    match condition {
        Expr::Nested(inner) => fold(inner, keys),
        Expr::Value(value) => literal(&value.value),
        // A number is a truth value to MySQL; PostgreSQL refuses it.
        Expr::Identifier(_) | Expr::CompoundIdentifier(_) if keys == Keys::Positive && is_key(condition) => {
            Truth::Always
        }
        Expr::Cast { expr, .. } => simple(expr, keys),
        Expr::UnaryOp { op: UnaryOperator::Not, expr } => fold(expr, keys).not(),
        Expr::BinaryOp { op: BinaryOperator::And | BinaryOperator::Or, .. } => fold(condition, keys),
        Expr::BinaryOp { left, op, right } => compared(left, op, right, keys),
        Expr::IsNotDistinctFrom(left, right) if same_column(left, right) => Truth::Always,
        Expr::IsTrue(inner) | Expr::IsNotFalse(inner) => fold(inner, keys),
        Expr::IsFalse(inner) | Expr::IsNotTrue(inner) => fold(inner, keys).not(),
        Expr::IsNotNull(inner) => not_null(inner, keys),
        Expr::IsNull(inner) if is_null(inner) => Truth::Always,
        Expr::Like { negated: false, pattern, .. } | Expr::ILike { negated: false, pattern, .. } => any_text(pattern),
        Expr::InList { expr, list, negated: false } => {
            let found = list.iter().any(|item| same_column(expr, item) || equal_numbers(expr, item));
            if found { Truth::Always } else { Truth::Depends }
        }
        Expr::Exists { subquery, negated } => match &*subquery.body {
            SetExpr::Select(select) if select.from.is_empty() && select.selection.is_none() => Truth::from(!negated),
            _ => Truth::Depends,
        },
        _ => Truth::Depends,
    }
}

/// The lexer leaves a `1` or `0` where a truth value is written as a string.
fn literal(value: &Value) -> Truth {
    match value {
        Value::Boolean(value) => Truth::from(*value),
        Value::Number(digits, _) => Truth::from(digits != "0"),
        _ => Truth::Depends,
    }
}

fn compared(left: &Expr, op: &BinaryOperator, right: &Expr, keys: Keys) -> Truth {
    let (left, right) = (peel(left), peel(right));
    if let (Some(a), Some(b)) = (number(left), number(right)) {
        return ordered(a.cmp(&b), op);
    }
    if same_column(left, right) {
        return ordered(std::cmp::Ordering::Equal, op);
    }
    if let (Some(a), Some(b)) = (boolean(left, keys), boolean(right, keys)) {
        return ordered(a.cmp(&b), op);
    }
    if keys == Keys::Nullable {
        return Truth::Depends;
    }
    match (is_key(left), number(right), number(left), is_key(right)) {
        (true, Some(value), _, _) => key_at_least(op, value),
        (_, _, Some(value), true) => key_at_least(&mirrored(op), value),
        _ => Truth::Depends,
    }
}

fn ordered(order: std::cmp::Ordering, op: &BinaryOperator) -> Truth {
    match op {
        BinaryOperator::Eq | BinaryOperator::Spaceship => Truth::from(order.is_eq()),
        BinaryOperator::NotEq => Truth::from(order.is_ne()),
        BinaryOperator::Lt => Truth::from(order.is_lt()),
        BinaryOperator::LtEq => Truth::from(order.is_le()),
        BinaryOperator::Gt => Truth::from(order.is_gt()),
        BinaryOperator::GtEq => Truth::from(order.is_ge()),
        _ => Truth::Depends,
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
fn key_at_least(op: &BinaryOperator, value: u8) -> Truth {
    match (op, value) {
        (BinaryOperator::Gt | BinaryOperator::GtEq | BinaryOperator::NotEq, 0) => Truth::Always,
        (BinaryOperator::GtEq, 1) => Truth::Always,
        _ => Truth::Depends,
    }
}

/// A value that cannot be null: a key, the place of a row, a literal.
fn not_null(expr: &Expr, keys: Keys) -> Truth {
    let expr = peel(expr);
    let key = keys == Keys::Positive && (is_key(expr) || column(expr) == Some("ctid"));
    let never_null = key || number(expr).is_some() || boolean(expr, keys).is_some();
    if never_null { Truth::Always } else { Truth::Depends }
}

fn is_null(expr: &Expr) -> bool {
    matches!(peel(expr), Expr::Value(value) if value.value == Value::Null)
}

fn any_text(pattern: &Expr) -> Truth {
    match pattern {
        Expr::Value(value) if matches!(&value.value, Value::SingleQuotedString(text) if text == "%") => Truth::Always,
        _ => Truth::Depends,
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

fn boolean(expr: &Expr, keys: Keys) -> Option<bool> {
    match expr {
        Expr::Value(value) => match value.value {
            Value::Boolean(value) => Some(value),
            _ => None,
        },
        // Only comparisons: a long sum is no truth value, and would be walked for nothing.
        Expr::BinaryOp { op, .. } if ordered(std::cmp::Ordering::Equal, op) != Truth::Depends => {
            match simple(expr, keys) {
                Truth::Always => Some(true),
                Truth::Never => Some(false),
                Truth::Depends => None,
            }
        }
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

fn column(expr: &Expr) -> Option<&str> {
    match expr {
        Expr::Identifier(ident) => Some(&ident.value),
        Expr::CompoundIdentifier(parts) => parts.last().map(|ident| ident.value.as_str()),
        _ => None,
    }
}

pub(super) fn is_key(expr: &Expr) -> bool {
    matches!(column(expr), Some("id" | "pk"))
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

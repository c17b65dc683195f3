//! Conditions that leave every row in by what their sides have to do with each other.

use sqlparser::ast::{BinaryOperator, Expr, UnaryOperator, Value};

use super::compare::{number, opposite, peel, same_column};

/// True where one of two conditions holds for every row: `a IS NULL` and `a IS NOT NULL`, `a = 5` and `a <> 5`. Where
/// a column is null, neither need be, as with `a = a`.
pub(super) fn are(left: &Expr, right: &Expr) -> bool {
    match (peel(left), peel(right)) {
        (Expr::IsNull(a), Expr::IsNotNull(b))
        | (Expr::IsNotNull(a), Expr::IsNull(b))
        | (Expr::IsTrue(a), Expr::IsNotTrue(b))
        | (Expr::IsNotTrue(a), Expr::IsTrue(b))
        | (Expr::IsFalse(a), Expr::IsNotFalse(b))
        | (Expr::IsNotFalse(a), Expr::IsFalse(b))
        | (Expr::IsTrue(a), Expr::IsFalse(b))
        | (Expr::IsFalse(a), Expr::IsTrue(b)) => same_column(a, b),
        (Expr::UnaryOp { op: UnaryOperator::Not, expr: a }, b)
        | (b, Expr::UnaryOp { op: UnaryOperator::Not, expr: a }) => same_column(a, b),
        (
            Expr::BinaryOp { left: a, op, right: value },
            Expr::BinaryOp { left: b, op: other_op, right: other_value },
        ) => same_column(a, b) && are_opposite((op, value), (other_op, other_value)),
        _ => false,
    }
}

/// Two comparisons of one column. The lexer leaves a digit for literals that are the same.
fn are_opposite(left: (&BinaryOperator, &Expr), right: (&BinaryOperator, &Expr)) -> bool {
    let (a, b) = (peel(left.1), peel(right.1));
    let equal = |op: &BinaryOperator| matches!(op, BinaryOperator::Eq | BinaryOperator::NotEq);
    // No more than literals: conditions stand in each other, and each would be read once for every alternative.
    let truth = |expr: &Expr| match expr {
        Expr::Value(value) => match value.value {
            Value::Boolean(truth) => Some(truth),
            _ => None,
        },
        _ => None,
    };
    match (truth(a), truth(b)) {
        (Some(a), Some(b)) if equal(left.0) && equal(right.0) => (left.0 == right.0) == (a != b),
        _ => opposite(left.0).as_ref() == Some(right.0) && number(a).is_some_and(|value| Some(value) == number(b)),
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

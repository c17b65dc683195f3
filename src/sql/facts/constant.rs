//! Expressions that no row has a say in.

use sqlparser::ast::{
    Expr, Function, FunctionArg, FunctionArgExpr, FunctionArguments, GroupByExpr, Query, Select, SelectItem, SetExpr,
    Value,
};

use super::calls::{self, Calls};
use super::functions::{PURE, STATEMENT};
use super::truth::{self, Keys, Truth};

/// How deep an expression is looked into.
const DEPTH_MAX: usize = 16;

/// True where only values and operators stand in an expression, and functions that make nothing else of them; of a list only
/// the first item is here, and what is not like it. A parameter looks like a value here:
/// [`Always::Literal`](super::claims::Always).
pub(super) fn is_constant(expr: &Expr) -> bool {
    within(expr, DEPTH_MAX)
}

fn within(expr: &Expr, depth: usize) -> bool {
    let Some(depth) = depth.checked_sub(1) else { return false };
    let all = |exprs: &[&Expr]| exprs.iter().all(|expr| within(expr, depth));
    match expr {
        Expr::Value(value) => value.value != Value::Null,
        Expr::TypedString(_) => true,
        Expr::Nested(inner)
        | Expr::Cast { expr: inner, .. }
        | Expr::UnaryOp { expr: inner, .. }
        | Expr::IsNull(inner)
        | Expr::IsNotNull(inner) => within(inner, depth),
        Expr::BinaryOp { left, right, .. }
        | Expr::IsNotDistinctFrom(left, right)
        | Expr::IsDistinctFrom(left, right)
        | Expr::AnyOp { left, right, .. }
        | Expr::AllOp { left, right, .. }
        | Expr::RLike { expr: left, pattern: right, .. } => all(&[left, right]),
        Expr::Like { expr, pattern, .. }
        | Expr::ILike { expr, pattern, .. }
        | Expr::SimilarTo { expr, pattern, .. } => all(&[expr, pattern]),
        Expr::Tuple(items) => items.iter().all(|item| within(item, depth)),
        Expr::Between { expr, low, high, .. } => all(&[expr, low, high]),
        Expr::Array(array) => !array.elem.is_empty() && array.elem.iter().all(|item| within(item, depth)),
        Expr::Case { operand, conditions, else_result, .. } => {
            let mut rest = operand.iter().chain(else_result);
            rest.all(|part| within(part, depth)) && conditions.iter().all(|arm| all(&[&arm.condition, &arm.result]))
        }
        Expr::Function(function) if is_of_the_statement(function) => true,
        Expr::Function(function) => is_pure(function) && arguments(function).is_some_and(|args| all(&args)),
        Expr::Subquery(query) => one_row(query).is_some_and(|select| match select.projection.as_slice() {
            [SelectItem::UnnamedExpr(value)] => select.from.is_empty() && within(value, depth),
            _ => false,
        }),
        _ => false,
    }
}

/// The arguments of a call; `None` where it has none.
fn arguments(function: &Function) -> Option<Vec<&Expr>> {
    let FunctionArguments::List(list) = &function.args else { return None };
    let args: Option<Vec<&Expr>> = list
        .args
        .iter()
        .map(|arg| match arg {
            FunctionArg::Unnamed(FunctionArgExpr::Expr(expr)) => Some(expr),
            _ => None,
        })
        .collect();
    args.filter(|args| !args.is_empty())
}

/// True for what has one value for all rows of a statement.
fn is_of_the_statement(function: &Function) -> bool {
    calls::last_name(&function.name).is_some_and(|name| STATEMENT.contains(&name)) && function.over.is_none()
}

fn is_pure(function: &Function) -> bool {
    calls::last_name(&function.name).is_some_and(|name| PURE.contains(&name)) && function.over.is_none()
}

/// A query that gives one row whatever the tables hold.
pub(super) fn one_row(query: &Query) -> Option<&Select> {
    let SetExpr::Select(select) = &*query.body else { return None };
    let plain = query.limit_clause.is_none() && query.fetch.is_none() && select.having.is_none();
    let ungrouped = matches!(&select.group_by, GroupByExpr::Expressions(by, sets) if by.is_empty() && sets.is_empty());
    let calls = Calls::of(&select.projection);
    let counted = calls.has(Calls::AGGREGATE) && !calls.has(Calls::ROWS);
    let alone = select.from.is_empty() && select.selection.is_none();
    (plain && ungrouped && (counted || alone)).then_some(select)
}

/// Whether a query gives a row whatever the tables hold, or none; `None` where that depends. Its WHERE is read once: queries
/// stand in each other.
pub(super) fn finds(query: &Query) -> Option<bool> {
    if one_row(query).is_some() {
        return Some(true);
    }
    let unlimited = query.limit_clause.is_none() && query.fetch.is_none();
    let select = match &*query.body {
        SetExpr::Values(_) if unlimited => return Some(true),
        SetExpr::Select(select) => select,
        _ => return None,
    };
    let condition = select.selection.as_ref().map_or(Truth::Always, |condition| truth::fold(condition, Keys::Nullable));
    let calls = Calls::of(&select.projection);
    match condition {
        Truth::Always if unlimited && select.from.is_empty() && select.having.is_none() => Some(true),
        Truth::Never if !calls.has(Calls::AGGREGATE) && !calls.has(Calls::UNKNOWN) => Some(false),
        Truth::Always | Truth::Never | Truth::Depends => None,
    }
}

/// What `coalesce` gives where that is a literal: the first that is not null.
pub(super) fn chosen(function: &Function) -> Option<&Expr> {
    let coalesce = calls::last_name(&function.name).is_some_and(|name| matches!(name, "coalesce" | "ifnull"));
    let null = |expr: &&Expr| matches!(expr, Expr::Value(value) if value.value == Value::Null);
    let first = arguments(function).filter(|_| coalesce)?.into_iter().find(|expr| !null(expr))?;
    is_constant(first).then_some(first)
}

/// What MySQL's `ISNULL(a)` asks about.
pub(super) fn asked_for_null(function: &Function) -> Option<&Expr> {
    let asks = calls::last_name(&function.name) == Some("isnull");
    match arguments(function).filter(|_| asks)?.as_slice() {
        [asked] => Some(asked),
        _ => None,
    }
}

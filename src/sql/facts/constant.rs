//! Expressions that no row has a say in.

use sqlparser::ast::{
    Expr, Function, FunctionArg, FunctionArgExpr, FunctionArguments, GroupByExpr, Query, Select, SelectItem, SetExpr,
    Value,
};

use super::calls::{self, Calls};
use super::functions::PURE;
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
        Expr::Between { expr, low, high, .. } => all(&[expr, low, high]),
        Expr::Array(array) => !array.elem.is_empty() && array.elem.iter().all(|item| within(item, depth)),
        Expr::Case { operand, conditions, else_result, .. } => {
            let mut rest = operand.iter().chain(else_result);
            rest.all(|part| within(part, depth)) && conditions.iter().all(|arm| all(&[&arm.condition, &arm.result]))
        }
        Expr::Function(function) => is_pure(function) && arguments(function).is_some_and(|args| all(&args)),
        Expr::Subquery(query) => one_row(query).is_some_and(|select| match select.projection.as_slice() {
            [SelectItem::UnnamedExpr(value)] => select.from.is_empty() && within(value, depth),
            _ => false,
        }),
        _ => false,
    }
}

/// The arguments of a call; `None` where it has none, since what it gives is then no matter of its text.
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

/// True for a query that gives no row whatever the tables hold.
pub(super) fn no_rows(query: &Query) -> bool {
    let SetExpr::Select(select) = &*query.body else { return false };
    let calls = Calls::of(&select.projection);
    let never = |condition| truth::fold(condition, Keys::Nullable) == Truth::Never;
    select.selection.as_ref().is_some_and(never) && !calls.has(Calls::AGGREGATE) && !calls.has(Calls::UNKNOWN)
}

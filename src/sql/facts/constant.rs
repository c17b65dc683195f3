//! Expressions that no row has a say in.

use sqlparser::ast::{
    Expr, Function, FunctionArg, FunctionArgExpr, FunctionArguments, GroupByExpr, Query, Select, SelectItem, SetExpr,
    SetOperator, TableFactor, TableWithJoins, Value,
};

use super::calls::{self, Calls};
use super::compare;
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
        | Expr::Convert { expr: inner, .. }
        | Expr::Collate { expr: inner, .. }
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
        Expr::InList { expr, list, .. } => within(expr, depth) && list.iter().all(|item| within(item, depth)),
        Expr::Between { expr, low, high, .. } => all(&[expr, low, high]),
        Expr::Array(array) => !array.elem.is_empty() && array.elem.iter().all(|item| within(item, depth)),
        Expr::Case { operand, conditions, else_result, .. } => {
            let mut rest = operand.iter().chain(else_result);
            rest.all(|part| within(part, depth)) && conditions.iter().all(|arm| all(&[&arm.condition, &arm.result]))
        }
        Expr::Function(function) if is_of_the_statement(function) => true,
        Expr::Function(function) => is_pure(function) && arguments(function).is_some_and(|args| all(&args)),
        Expr::Subquery(query) => selected(query, depth),
        Expr::InSubquery { expr, subquery, .. } => within(expr, depth) && selected(subquery, depth),
        _ => false,
    }
}

/// `SELECT 1`, and no more.
fn selected(query: &Query, depth: usize) -> bool {
    one_row(query).is_some_and(|select| match select.projection.as_slice() {
        [SelectItem::UnnamedExpr(value)] => select.from.is_empty() && within(value, depth),
        _ => false,
    })
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
    STATEMENT.contains(&&*calls::called(function)) && function.over.is_none()
}

fn is_pure(function: &Function) -> bool {
    PURE.contains(&&*calls::called(function)) && function.over.is_none()
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
        SetExpr::Query(inner) if unlimited => return finds(inner),
        SetExpr::SetOperation { op: SetOperator::Union, right, .. } if unlimited && gives(right) => return Some(true),
        SetExpr::Select(select) => select,
        _ => return None,
    };
    let condition = select.selection.as_ref().map_or(Truth::Always, |condition| truth::fold(condition, Keys::Nullable));
    let calls = Calls::of(&select.projection);
    match condition {
        Truth::Always if unlimited && select.having.is_none() && select.from.iter().all(gives_a_row) => Some(true),
        Truth::Never if !calls.has(Calls::AGGREGATE) && !calls.has(Calls::UNKNOWN) => Some(false),
        Truth::Always | Truth::Never | Truth::Depends => None,
    }
}

/// True for the last query of a UNION where it gives a row whatever the tables hold.
fn gives(last: &SetExpr) -> bool {
    match last {
        SetExpr::Select(select) => {
            let calls = Calls::of(&select.projection);
            let alone = select.from.is_empty() && select.selection.is_none() && select.having.is_none();
            alone && !calls.has(Calls::ROWS) && !calls.has(Calls::UNKNOWN)
        }
        SetExpr::Values(_) => true,
        SetExpr::Query(query) => finds(query) == Some(true),
        _ => false,
    }
}

/// True for a query in FROM that gives a row whatever the tables hold.
fn gives_a_row(from: &TableWithJoins) -> bool {
    let TableFactor::Derived { subquery, .. } = &from.relation else { return false };
    from.joins.is_empty() && finds(subquery) == Some(true)
}

/// What `coalesce` gives where that is a literal: the first that is not null.
pub(super) fn chosen(function: &Function) -> Option<&Expr> {
    given(function).filter(|first| is_constant(first))
}

/// What `coalesce(NULL, a, …)` gives where `a` is not null, through all that stand in each other: else the expression itself.
pub(super) fn first_given(mut expr: &Expr) -> &Expr {
    while let Expr::Function(function) = expr
        && let Some(first) = given(function)
    {
        expr = compare::peel(first);
    }
    expr
}

/// The first argument of `coalesce` that is not a null.
fn given(function: &Function) -> Option<&Expr> {
    let coalesce = matches!(&*calls::called(function), "coalesce" | "ifnull");
    arguments(function).filter(|_| coalesce)?.into_iter().find(|expr| !compare::is_null(expr))
}

/// The items of a row: `(a, b)` and `ROW(a, b)`.
pub(super) fn row(expr: &Expr) -> Option<Vec<&Expr>> {
    match expr {
        Expr::Tuple(items) => Some(items.iter().collect()),
        Expr::Function(function) if calls::called(function) == "row" => arguments(function),
        _ => None,
    }
}

/// What MySQL's `ISNULL(a)` asks about.
pub(super) fn asked_for_null(function: &Function) -> Option<&Expr> {
    let asks = calls::called(function) == "isnull";
    match arguments(function).filter(|_| asks)?.as_slice() {
        [asked] => Some(asked),
        _ => None,
    }
}

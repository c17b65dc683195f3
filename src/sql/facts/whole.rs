//! Conditions of a write that leave no row of its table out, though they look like a filter.

use sqlparser::ast::{
    BinaryOperator, Expr, GroupByExpr, Query, Select, SelectItem, SetExpr, TableFactor, TableWithJoins,
};

use super::compare;
use super::join;
use super::truth::{self, Keys, Truth};

/// True where every part of a condition is about other tables, or looks its own table up in itself.
pub(super) fn is_every_row(condition: &Expr, tables: &[&TableWithJoins]) -> bool {
    let Some((target, beside)) = tables.split_first() else { return false };
    let others: Vec<&str> = beside.iter().flat_map(|table| aliases(table)).collect();
    target.joins.is_empty()
        && join::conjuncts(condition).all(|part| {
            truth::fold(part, Keys::Nullable) == Truth::Always
                || looks_up_itself(part, &target.relation)
                || (!others.is_empty() && names_only(part, &others, DEPTH_MAX))
        })
}

fn aliases(table: &TableWithJoins) -> impl Iterator<Item = &str> {
    std::iter::once(&table.relation).chain(table.joins.iter().map(|join| &join.relation)).filter_map(join::alias)
}

/// `id IN (SELECT id FROM t)` of `t`, with nothing that narrows it. A null is in no list; a key has none.
fn looks_up_itself(part: &Expr, target: &TableFactor) -> bool {
    let (expr, subquery) = match compare::peel(part) {
        Expr::InSubquery { expr, subquery, negated: false } => (expr, subquery),
        Expr::AnyOp { left, compare_op: BinaryOperator::Eq, right, .. } => match &**right {
            Expr::Subquery(subquery) => (left, subquery),
            _ => return false,
        },
        _ => return false,
    };
    let (Some(column), Some(Select { projection, from, .. })) = (compare::column(expr), whole(subquery)) else {
        return false;
    };
    let selected = match projection.as_slice() {
        [SelectItem::UnnamedExpr(selected)] => compare::column(selected),
        _ => None,
    };
    let own = |of: &TableFactor| match (of, target) {
        (TableFactor::Table { name, args: None, sample: None, .. }, TableFactor::Table { name: target, .. }) => {
            name == target
        }
        _ => false,
    };
    selected == Some(column) && matches!(from.as_slice(), [one] if one.joins.is_empty() && own(&one.relation))
}

/// A query that gives every row of what it reads.
fn whole(query: &Query) -> Option<&Select> {
    let SetExpr::Select(select) = &*query.body else { return None };
    let plain = query.with.is_none() && query.limit_clause.is_none() && query.fetch.is_none();
    let ungrouped = matches!(&select.group_by, GroupByExpr::Expressions(by, sets) if by.is_empty() && sets.is_empty());
    let all = |condition| truth::fold(condition, Keys::Positive) == Truth::Always;
    (plain && ungrouped && select.having.is_none() && select.selection.as_ref().is_none_or(all)).then_some(&**select)
}

/// How deep a condition is looked into.
const DEPTH_MAX: usize = 16;

/// True where an expression is made of values and of columns that these names qualify, and nothing else.
fn names_only(expr: &Expr, names: &[&str], depth: usize) -> bool {
    let Some(depth) = depth.checked_sub(1) else { return false };
    let all = |exprs: &[&Expr]| exprs.iter().all(|expr| names_only(expr, names, depth));
    match expr {
        Expr::Value(_) | Expr::TypedString(_) => true,
        Expr::CompoundIdentifier(parts) => names.contains(&join::qualifier(parts)),
        Expr::Nested(inner)
        | Expr::Cast { expr: inner, .. }
        | Expr::UnaryOp { expr: inner, .. }
        | Expr::IsNull(inner)
        | Expr::IsNotNull(inner)
        | Expr::IsTrue(inner)
        | Expr::IsFalse(inner) => all(&[inner]),
        Expr::BinaryOp { left, right, .. } => all(&[left, right]),
        Expr::Between { expr, low, high, .. } => all(&[expr, low, high]),
        Expr::Like { expr, pattern, .. } | Expr::ILike { expr, pattern, .. } => all(&[expr, pattern]),
        Expr::InList { expr, list, .. } => all(&[expr]) && list.iter().all(|item| names_only(item, names, depth)),
        _ => false,
    }
}

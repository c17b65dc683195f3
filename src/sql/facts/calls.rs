//! Which kinds of function a select list calls.

use std::borrow::Cow;

use sqlparser::ast::{
    Expr, Function, FunctionArg, FunctionArgExpr, FunctionArguments, ObjectName, ObjectNamePart, SelectItem,
};

use super::functions::{AGGREGATES, ROW_FUNCTIONS, SCALARS};

/// What was found in a select list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Calls(u8);

impl Calls {
    /// An aggregate: without GROUP BY there is one row.
    pub(super) const AGGREGATE: u8 = 1;
    /// A function that returns rows.
    pub(super) const ROWS: u8 = 2;
    /// A function nobody knows here: it may be an aggregate.
    pub(super) const UNKNOWN: u8 = 4;
    /// A column outside of such functions.
    pub(super) const COLUMN: u8 = 8;

    pub(super) const fn has(self, what: u8) -> bool {
        self.0 & what != 0
    }

    /// Looks through a select list. Expressions may be thousands of terms long, so they wait on a list of their own.
    pub(super) fn of(items: &[SelectItem]) -> Self {
        let mut found = Self::of_exprs(items.iter().filter_map(|item| match item {
            SelectItem::UnnamedExpr(expr)
            | SelectItem::ExprWithAlias { expr, .. }
            | SelectItem::ExprWithAliases { expr, .. } => Some(expr),
            SelectItem::QualifiedWildcard(..) | SelectItem::Wildcard(_) => None,
        }));
        let all = |item: &SelectItem| matches!(item, SelectItem::QualifiedWildcard(..) | SelectItem::Wildcard(_));
        if items.iter().any(all) {
            found.0 |= Self::COLUMN;
        }
        found
    }

    /// Looks through expressions, as [`Self::of`].
    pub(super) fn of_exprs<'a>(exprs: impl Iterator<Item = &'a Expr>) -> Self {
        let mut found = Self::default();
        let mut waiting: Vec<_> = exprs.map(|expr| (expr, Inside::Nothing)).collect();
        while let Some((expr, inside)) = waiting.pop() {
            found.look(expr, inside, &mut waiting);
        }
        found
    }

    fn look<'a>(&mut self, expr: &'a Expr, inside: Inside, waiting: &mut Vec<(&'a Expr, Inside)>) {
        match expr {
            Expr::Identifier(_) | Expr::CompoundIdentifier(_) | Expr::QualifiedWildcard(..) => {
                if inside == Inside::Nothing {
                    self.0 |= Self::COLUMN;
                }
            }
            Expr::Function(function) => self.call(function, inside, waiting),
            other => children(other, |child| waiting.push((child, inside))),
        }
    }

    fn call<'a>(&mut self, function: &'a Function, inside: Inside, waiting: &mut Vec<(&'a Expr, Inside)>) {
        let name = called(function);
        let name = &*name;
        let mut within = inside;
        if function.over.is_some() || SCALARS.binary_search(&name).is_ok() {
            // Neither changes the number of rows; an aggregate may stand in its arguments.
        } else if AGGREGATES.contains(&name) {
            self.0 |= Self::AGGREGATE;
        } else if ROW_FUNCTIONS.contains(&name) {
            self.0 |= Self::ROWS;
        } else {
            self.0 |= Self::UNKNOWN;
            within = Inside::Unknown;
        }
        if let FunctionArguments::List(list) = &function.args {
            for arg in &list.args {
                let (FunctionArg::Named { arg, .. } | FunctionArg::ExprNamed { arg, .. } | FunctionArg::Unnamed(arg)) =
                    arg;
                if let FunctionArgExpr::Expr(expr) = arg {
                    waiting.push((expr, within));
                }
            }
        }
    }
}

/// Where an expression stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Inside {
    Nothing,
    Unknown,
}

/// Hands on the expressions directly below one, as far as a select list has them. Subqueries are left alone.
fn children<'a>(expr: &'a Expr, mut push: impl FnMut(&'a Expr)) {
    match expr {
        Expr::BinaryOp { left, right, .. }
        | Expr::AnyOp { left, right, .. }
        | Expr::AllOp { left, right, .. }
        | Expr::IsDistinctFrom(left, right)
        | Expr::IsNotDistinctFrom(left, right) => {
            push(left);
            push(right);
        }
        Expr::Nested(inner)
        | Expr::UnaryOp { expr: inner, .. }
        | Expr::Cast { expr: inner, .. }
        | Expr::IsTrue(inner)
        | Expr::IsNotTrue(inner)
        | Expr::IsFalse(inner)
        | Expr::IsNotFalse(inner)
        | Expr::IsNull(inner)
        | Expr::IsNotNull(inner)
        | Expr::Extract { expr: inner, .. }
        | Expr::Ceil { expr: inner, .. }
        | Expr::Floor { expr: inner, .. }
        | Expr::Substring { expr: inner, .. }
        | Expr::Trim { expr: inner, .. }
        | Expr::Collate { expr: inner, .. }
        | Expr::AtTimeZone { timestamp: inner, .. }
        | Expr::CompoundFieldAccess { root: inner, .. }
        | Expr::JsonAccess { value: inner, .. }
        | Expr::Named { expr: inner, .. }
        | Expr::InSubquery { expr: inner, .. } => push(inner),
        Expr::Between { expr, low, high, .. } => [expr, low, high].into_iter().for_each(|child| push(child)),
        Expr::Like { expr, pattern, .. } | Expr::ILike { expr, pattern, .. } => {
            push(expr);
            push(pattern);
        }
        Expr::InList { expr, list, .. } => {
            push(expr);
            list.iter().for_each(push);
        }
        Expr::Tuple(list) => list.iter().for_each(push),
        Expr::Array(array) => array.elem.iter().for_each(push),
        Expr::Interval(interval) => push(&interval.value),
        Expr::Case { operand, conditions, else_result, .. } => {
            conditions.iter().for_each(|arm| {
                push(&arm.condition);
                push(&arm.result);
            });
            operand.iter().chain(else_result).for_each(|child| push(child));
        }
        _ => {}
    }
}

/// What a call names. Unquoted words of MySQL's SQL keep their case in a shape.
pub(super) fn called(function: &Function) -> Cow<'_, str> {
    match function.name.0.last() {
        Some(ObjectNamePart::Identifier(ident)) => {
            let folds = ident.quote_style.is_none() && ident.value.bytes().any(|byte| byte.is_ascii_uppercase());
            if folds { ident.value.to_ascii_lowercase().into() } else { ident.value.as_str().into() }
        }
        _ => Cow::Borrowed(""),
    }
}

/// The last part of a name.
pub(super) fn last_name(name: &ObjectName) -> Option<&str> {
    match name.0.last() {
        Some(ObjectNamePart::Identifier(ident)) => Some(&ident.value),
        _ => None,
    }
}

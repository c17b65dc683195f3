//! What joins make of their sides.
//!
//! Without the server's unique keys only a column named `id` or `pk` is taken for one: what is joined to it keeps the
//! rows of the other side.

use sqlparser::ast::{BinaryOperator, Expr, Ident, Join, JoinConstraint, JoinOperator, TableFactor, TableWithJoins};

use super::Reach;
use super::calls;
use super::truth::{self, Keys, Truth};

/// What the condition of a join does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Condition {
    /// Nothing: every combination stays.
    None,
    /// It is never true.
    Never,
    /// It also narrows one side.
    Narrows,
    /// It links the sides, by a key on some of them.
    Links(Side),
}

/// The sides whose key a condition names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Side(u8);

impl Side {
    const LEFT: u8 = 1;
    const RIGHT: u8 = 2;

    const fn has(self, side: u8) -> bool {
        self.0 & side != 0
    }
}

/// The rows of a join.
pub(super) fn combined(left: Reach, join: &Join, right: Reach) -> Reach {
    let condition = |on| Condition::of(on, alias(&join.relation).unwrap_or_default());
    match &join.join_operator {
        JoinOperator::Join(on) | JoinOperator::Inner(on) | JoinOperator::StraightJoin(on) => {
            inner(left, right, condition(on))
        }
        JoinOperator::Left(on) | JoinOperator::LeftOuter(on) => outer(left, right, condition(on), Side::RIGHT),
        JoinOperator::Right(on) | JoinOperator::RightOuter(on) => outer(right, left, condition(on), Side::LEFT),
        JoinOperator::FullOuter(_) | JoinOperator::CrossJoin(_) => Reach::product(vec![left, right]),
        _ => Reach::product(vec![left, right]).filtered(),
    }
}

fn inner(left: Reach, right: Reach, condition: Condition) -> Reach {
    match condition {
        Condition::None => Reach::product(vec![left, right]),
        Condition::Never => Reach::Rows(0),
        Condition::Narrows => Reach::product(vec![left, right]).filtered(),
        Condition::Links(_) if left.is_narrow() || right.is_narrow() => Reach::product(vec![left, right]).filtered(),
        Condition::Links(side) => match (side.has(Side::LEFT), side.has(Side::RIGHT)) {
            (false, true) => Reach::matched(left, right),
            (true, false) => Reach::matched(right, left),
            (true, true) | (false, false) => Reach::joined(vec![left, right]),
        },
    }
}

/// Every row of `kept` stays, so only what narrows that side narrows the join.
fn outer(kept: Reach, other: Reach, condition: Condition, other_side: u8) -> Reach {
    match condition {
        Condition::None => Reach::product(vec![kept, other]),
        Condition::Never => kept,
        Condition::Links(side) if side.has(other_side) => kept,
        Condition::Narrows | Condition::Links(_) if kept.is_narrow() => Reach::product(vec![kept, other]).filtered(),
        Condition::Narrows | Condition::Links(_) => Reach::Driven(Box::new(kept), Box::new(other)).bounded(),
    }
}

impl Condition {
    fn of(constraint: &JoinConstraint, right: &str) -> Self {
        match constraint {
            JoinConstraint::On(on) => match truth::fold(on, Keys::Nullable) {
                Truth::Always => Self::None,
                Truth::Never => Self::Never,
                Truth::Depends => Self::on(on, right),
            },
            JoinConstraint::Using(columns) => {
                let key = columns.iter().any(|column| matches!(calls::last_name(column), Some("id" | "pk")));
                Self::Links(Side(if key { Side::LEFT | Side::RIGHT } else { 0 }))
            }
            JoinConstraint::Natural => Self::Links(Side::default()),
            JoinConstraint::None => Self::None,
        }
    }

    fn on(on: &Expr, right: &str) -> Self {
        let mut side = Side::default();
        let links = conjuncts(on).all(|part| link(part, &[], |column| side.0 |= keyed(column, right)));
        if links { Self::Links(side) } else { Self::Narrows }
    }
}

/// The side whose key a column is.
fn keyed(column: &Expr, right: &str) -> u8 {
    match column {
        Expr::CompoundIdentifier(parts) if truth::is_key(column) => {
            if qualifier(parts) == right {
                Side::RIGHT
            } else {
                Side::LEFT
            }
        }
        _ => 0,
    }
}

/// True where a FROM has more than one table.
pub(super) fn several(from: &[TableWithJoins]) -> bool {
    from.len() > 1 || from.iter().any(|part| !part.joins.is_empty())
}

/// True where a WHERE does no more than a join condition: it links tables of this FROM with each other. A column of
/// an outer query is a value here, so both tables must be among these.
pub(super) fn only_links(condition: &Expr, from: &[TableWithJoins]) -> bool {
    let factors = from
        .iter()
        .flat_map(|part| std::iter::once(&part.relation).chain(part.joins.iter().map(|join| &join.relation)));
    let local: Vec<&str> = factors.filter_map(alias).collect();
    conjuncts(condition).all(|part| link(part, &local, |_| ()))
}

/// The name by which the columns of a table can be qualified.
fn alias(factor: &TableFactor) -> Option<&str> {
    match factor {
        TableFactor::Table { alias: Some(alias), .. } | TableFactor::Derived { alias: Some(alias), .. } => {
            Some(&alias.name.value)
        }
        TableFactor::Table { name, alias: None, .. } => calls::last_name(name),
        _ => None,
    }
}

/// The parts of a chain of ANDs, last first. Chains may be long: they are walked, not recursed into.
fn conjuncts(condition: &Expr) -> impl Iterator<Item = &Expr> {
    let mut rest = Some(condition);
    std::iter::from_fn(move || {
        let mut whole = rest?;
        while let Expr::Nested(inner) = whole {
            whole = inner;
        }
        match whole {
            Expr::BinaryOp { left, op: BinaryOperator::And, right } => {
                rest = Some(left);
                Some(&**right)
            }
            last => {
                rest = None;
                Some(last)
            }
        }
    })
}

/// True where a condition compares columns of two tables, each of which is told; with `local` given, of these tables.
fn link<'a>(condition: &'a Expr, local: &[&str], mut told: impl FnMut(&'a Expr)) -> bool {
    let Expr::BinaryOp { left, op: BinaryOperator::Eq, right } = truth::peel(condition) else {
        return truth::fold(condition, Keys::Nullable) == Truth::Always;
    };
    let (left, right) = (truth::peel(left), truth::peel(right));
    let links = match (left, right) {
        (Expr::CompoundIdentifier(a), Expr::CompoundIdentifier(b)) => {
            let (a, b) = (qualifier(a), qualifier(b));
            let known = |name: &str| local.is_empty() || local.contains(&name);
            a != b && known(a) && known(b)
        }
        // Without a qualifier only a join condition surely names two tables.
        (Expr::Identifier(_) | Expr::CompoundIdentifier(_), Expr::Identifier(_) | Expr::CompoundIdentifier(_)) => {
            local.is_empty()
        }
        _ => false,
    };
    if links {
        told(left);
        told(right);
    }
    links || truth::fold(condition, Keys::Nullable) == Truth::Always
}

fn qualifier(parts: &[Ident]) -> &str {
    parts.len().checked_sub(2).and_then(|index| parts.get(index)).map_or("", |ident| ident.value.as_str())
}

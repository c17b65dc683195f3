//! What joins make of their sides.

use sqlparser::ast::{BinaryOperator, Expr, Ident, Join, JoinConstraint, JoinOperator, TableFactor, TableWithJoins};

use super::compare;
use super::conditions::Scope;
use super::constant;
use super::keyed::{Link, Sources};
use super::truth::{self, Keys, Truth};
use super::{Linked, Reach, calls};

/// What the condition of a join does.
#[derive(Debug)]
enum Condition {
    /// Nothing: every combination stays.
    None,
    /// It is never true.
    Never,
    /// It also narrows one side.
    Narrows(Sides),
    /// It links the sides.
    Links(Sides),
}

/// What a condition compares, on the left and on the right.
type Sides = [Vec<Link>; 2];

/// Where the sources of the two sides begin: the right ones go on to the end.
type Starts = [usize; 2];

/// The rows of a join; its condition goes into `scope` as well.
pub(super) fn combined(sides: [Reach; 2], join: &Join, scope: &mut Scope, at: Starts) -> Reach {
    let [start, middle] = at;
    let end = scope.len();
    let [left, right] = sides;
    match &join.join_operator {
        JoinOperator::Join(on) | JoinOperator::Inner(on) | JoinOperator::StraightJoin(on) => {
            note(on, scope, at, Sources::range(start, end));
            inner(left, right, Condition::of(on, scope, at))
        }
        JoinOperator::Left(on) | JoinOperator::LeftOuter(on) => {
            scope.optional(middle, end);
            note(on, scope, at, Sources::range(middle, end));
            outer(left, right, Condition::of(on, scope, at))
        }
        JoinOperator::Right(on) | JoinOperator::RightOuter(on) => {
            scope.optional(start, middle);
            note(on, scope, at, Sources::range(start, middle));
            outer(right, left, Condition::of(on, scope, at).mirrored())
        }
        JoinOperator::CrossJoin(_) => Reach::product(vec![left, right]),
        JoinOperator::FullOuter(_) => {
            let both = Reach::product(vec![left.clone(), right.clone()]);
            let reach = both.sum(left).sum(right).bounded();
            scope.merge(start, None, &reach);
            reach
        }
        _ => {
            let reach = Reach::product(vec![left, right]).filtered();
            scope.merge(start, None, &reach);
            reach
        }
    }
}

/// Takes a join's condition into the scope.
fn note(on: &JoinConstraint, scope: &mut Scope, at: Starts, narrows: Sources) {
    let [start, middle] = at;
    let end = scope.len();
    match on {
        JoinConstraint::On(on) => scope.condition(on, Sources::range(start, end), narrows),
        JoinConstraint::Using(columns) => {
            let sides = [Sources::range(start, middle), Sources::range(middle, end)];
            columns.iter().filter_map(calls::last_name).for_each(|name| scope.using(name, sides, narrows));
        }
        JoinConstraint::Natural | JoinConstraint::None => {}
    }
}

fn inner(left: Reach, right: Reach, condition: Condition) -> Reach {
    match condition {
        Condition::None => Reach::product(vec![left, right]),
        Condition::Never => Reach::Rows(0),
        Condition::Narrows(_) => Reach::product(vec![left, right]).filtered(),
        Condition::Links(sides) => Reach::Linked(linked(left, right, sides)).bounded(),
    }
}

/// Every row of `kept` stays, so only what narrows that side narrows the join.
fn outer(kept: Reach, other: Reach, condition: Condition) -> Reach {
    match condition {
        Condition::None => Reach::product(vec![kept, Reach::Optional(Box::new(other))]),
        Condition::Never => kept,
        Condition::Narrows(sides) | Condition::Links(sides) => Reach::Outer(linked(kept, other, sides)).bounded(),
    }
}

fn linked(first: Reach, second: Reach, [first_columns, second_columns]: Sides) -> Box<Linked> {
    Box::new(Linked { first, second, first_columns, second_columns })
}

impl Condition {
    fn of(constraint: &JoinConstraint, scope: &Scope, at: Starts) -> Self {
        match constraint {
            JoinConstraint::On(on) => match truth::fold(on, Keys::Nullable) {
                Truth::Always => Self::None,
                Truth::Never => Self::Never,
                Truth::Depends => Self::on(on, scope, at),
            },
            JoinConstraint::Using(columns) => {
                let names: Vec<&str> = columns.iter().filter_map(calls::last_name).collect();
                Self::Links([scope.columns(&names, at[0]..at[1]), scope.columns(&names, at[1]..scope.len())])
            }
            JoinConstraint::Natural => Self::Links(Sides::default()),
            JoinConstraint::None => Self::None,
        }
    }

    fn on(on: &Expr, scope: &Scope, at: Starts) -> Self {
        let mut sides = Sides::default();
        let mut links = true;
        for part in conjuncts(on) {
            links &= link(part, &[], |column| {
                let Some(place) = scope.link(column) else { return };
                let [left, right] = &mut sides;
                if usize::from(place.source) < at[1] { left.push(place) } else { right.push(place) }
            });
        }
        if links { Self::Links(sides) } else { Self::Narrows(sides) }
    }

    fn mirrored(self) -> Self {
        match self {
            Self::Narrows([left, right]) => Self::Narrows([right, left]),
            Self::Links([left, right]) => Self::Links([right, left]),
            Self::None | Self::Never => self,
        }
    }
}

/// True where a FROM has more than one table.
pub(super) fn several(from: &[TableWithJoins]) -> bool {
    from.len() > 1 || from.iter().any(|part| !part.joins.is_empty())
}

/// True where a WHERE does no more than a join condition: it links tables of this FROM with each other. A column of
/// an outer query is a value here, so both tables must be among these.
pub(super) fn only_links<'a>(condition: &'a Expr, from: &[TableWithJoins]) -> Option<Vec<&'a Expr>> {
    let factors = from
        .iter()
        .flat_map(|part| std::iter::once(&part.relation).chain(part.joins.iter().map(|join| &join.relation)));
    let local: Vec<&str> = factors.filter_map(alias).collect();
    let mut columns = Vec::new();
    conjuncts(condition).all(|part| link(part, &local, |column| columns.push(column))).then_some(columns)
}

/// An item of FROM.
#[derive(Debug)]
pub(super) struct Part {
    pub(super) reach: Reach,
    /// Its first source.
    pub(super) start: usize,
}

/// Every combination of the items of a FROM.
pub(super) fn product(parts: Vec<Part>) -> Reach {
    Reach::product(parts.into_iter().map(|part| part.reach).collect())
}

/// Items of a FROM that a WHERE links, as joins would: of `columns` each two are equal to each other.
pub(super) fn listed(parts: Vec<Part>, columns: &[&Expr], scope: &Scope) -> Reach {
    let pairs: Vec<[Link; 2]> = columns
        .chunks_exact(2)
        .filter_map(|pair| match pair {
            [left, right] => Some([scope.link(left)?, scope.link(right)?]),
            _ => None,
        })
        .collect();
    let starts: Vec<usize> = parts.iter().map(|part| part.start).chain([scope.len()]).collect();
    let mut parts = parts.into_iter().zip(starts.windows(2).map(|ends| [ends[0], ends[1]]));
    let first = parts.next().map_or(Reach::Rows(1), |(first, _)| first.reach);
    parts.fold(first, |before, (part, [start, end])| {
        let sides = between(&pairs, start, end);
        if sides.iter().any(Vec::is_empty) {
            return Reach::product(vec![before, part.reach]);
        }
        Reach::Linked(linked(before, part.reach, sides)).bounded()
    })
}

/// What pairs compare of the sources before `start` with those from there up to `end`.
fn between(pairs: &[[Link; 2]], start: usize, end: usize) -> Sides {
    let mut sides = Sides::default();
    let earlier = |link: &Link| usize::from(link.source) < start;
    let here = |link: &Link| (start..end).contains(&usize::from(link.source));
    for [left, right] in pairs {
        let [before, within] = match () {
            () if earlier(left) && here(right) => [left, right],
            () if earlier(right) && here(left) => [right, left],
            () => continue,
        };
        sides[0].push(before.clone());
        sides[1].push(within.clone());
    }
    sides
}

/// The name by which the columns of a table can be qualified.
pub(super) fn alias(factor: &TableFactor) -> Option<&str> {
    match factor {
        TableFactor::Table { alias: Some(alias), .. }
        | TableFactor::Derived { alias: Some(alias), .. }
        | TableFactor::UNNEST { alias: Some(alias), .. } => Some(&alias.name.value),
        TableFactor::Table { name, alias: None, .. } => calls::last_name(name),
        _ => None,
    }
}

/// The parts of a chain of ANDs, last first. Chains may be long: they are walked, not recursed into.
pub(super) fn conjuncts(condition: &Expr) -> impl Iterator<Item = &Expr> {
    let mut rest = Some(condition);
    std::iter::from_fn(move || match possible(rest?) {
        Expr::BinaryOp { left, op: BinaryOperator::And, right } => {
            rest = Some(left);
            Some(&**right)
        }
        last => {
            rest = None;
            Some(last)
        }
    })
}

/// A condition without parentheses around it and without alternatives that are never true: `FALSE OR a` is `a`.
fn possible(mut condition: &Expr) -> &Expr {
    let never = |arm: &Expr| truth::fold(arm, Keys::Nullable) == Truth::Never;
    loop {
        condition = match condition {
            Expr::Nested(inner) => inner,
            Expr::BinaryOp { left, op: BinaryOperator::Or, right } if never(right) => left,
            Expr::BinaryOp { left, op: BinaryOperator::Or, right } if never(left) => return right,
            _ => return condition,
        }
    }
}

/// True where a condition compares columns of two tables, each of which is told; with `local` given, of these tables.
fn link<'a>(condition: &'a Expr, local: &[&str], mut told: impl FnMut(&'a Expr)) -> bool {
    let always = || truth::fold(condition, Keys::Nullable) == Truth::Always;
    match compare::peel(condition) {
        Expr::BinaryOp { left, op: BinaryOperator::Eq, right } => match (constant::row(left), constant::row(right)) {
            (Some(lefts), Some(rights)) if lefts.len() == rights.len() => {
                lefts.into_iter().zip(rights).all(|(left, right)| equals(left, right, local, &mut told))
            }
            _ => equals(left, right, local, &mut told) || always(),
        },
        // Of a unique key many may be null, and all those are alike here.
        Expr::BinaryOp { left, op: BinaryOperator::Spaceship, right } | Expr::IsNotDistinctFrom(left, right) => {
            equals(left, right, local, &mut |_| ()) || always()
        }
        _ => always(),
    }
}

/// True where two columns that are equal link tables.
fn equals<'a>(left: &'a Expr, right: &'a Expr, local: &[&str], told: &mut impl FnMut(&'a Expr)) -> bool {
    let (left, right) = (compare::peel(left), compare::peel(right));
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
    links
}

pub(super) fn qualifier(parts: &[Ident]) -> &str {
    parts.len().checked_sub(2).and_then(|index| parts.get(index)).map_or("", |ident| ident.value.as_str())
}

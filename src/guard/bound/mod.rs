//! How many rows a query sends at most, as far as anybody can tell.

mod inputs;
mod upper;

pub(super) use self::inputs::{Inputs, Trust, holds};
pub(super) use self::upper::upper;

use self::inputs::Size;
use crate::sql::facts::{Linked, Reach};
use crate::sql::lexer::Limit;

/// The rows of a query.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Bound {
    /// At most so many.
    AtMost(u64),
    /// Nobody can tell.
    Unknown,
    /// All of a table of unknown size.
    Whole(u16),
    /// All of a table that is over the limit.
    Table(u16, u64),
    /// Its own limit is over the limit.
    Limit(u64),
}

/// Works a formula out. It is as deep as the query was nested, which the parser bounds.
pub(super) fn bound(reach: &Reach, inputs: &Inputs<'_>) -> Bound {
    match reach {
        Reach::Silent => Bound::AtMost(0),
        Reach::Rows(rows) => Bound::AtMost(*rows),
        Reach::Tuples => Bound::AtMost(inputs.tuples()),
        Reach::Elements => inputs.elements().map_or(Bound::Unknown, |rows| small(rows, inputs)),
        Reach::Unknown => Bound::Unknown,
        Reach::Table(table) => match inputs.size(*table) {
            Size::Rows(rows) if rows > inputs.max_rows => Bound::Table(*table, rows),
            Size::Rows(rows) => Bound::AtMost(rows),
            Size::Unknowable => Bound::Unknown,
            Size::Unknown => Bound::Whole(*table),
        },
        Reach::Unsure(inner) => bound(inner, inputs),
        Reach::Presumed(inner, table, claims) if inputs.hold(*table, claims) => bound(inner, inputs),
        Reach::Filtered(inner) | Reach::Presumed(inner, ..) => filtered(bound(inner, inputs)),
        Reach::Optional(inner) => match bound(inner, inputs) {
            Bound::AtMost(rows) => Bound::AtMost(rows.max(1)),
            other => other,
        },
        Reach::Limited(inner, index) => limited(bound(inner, inputs), inputs.limit(*index), inputs.max_rows),
        Reach::Product(parts) => merged(parts.iter(), inputs, u64::saturating_mul),
        Reach::Linked(sides) => linked(sides, inputs),
        Reach::Outer(sides) => outer(sides, inputs),
        Reach::Sum(parts) => merged(parts.iter(), inputs, u64::saturating_add),
        Reach::Keyed(keyed) => match upper::by_keys(keyed, inputs) {
            Some(rows) if rows <= inputs.max_rows => Bound::AtMost(rows),
            _ => bound(&keyed.otherwise, inputs),
        },
    }
}

fn filtered(inner: Bound) -> Bound {
    match inner {
        Bound::AtMost(rows) => Bound::AtMost(rows),
        _ => Bound::Unknown,
    }
}

/// Two sides that a condition links. What one side is narrowed to narrows the other as well; else a side whose unique
/// key is named adds at most one row to each row of the other.
fn linked(sides: &Linked, inputs: &Inputs<'_>) -> Bound {
    let Linked { first, second, .. } = sides;
    if is_narrow(first, inputs) || is_narrow(second, inputs) {
        return filtered(merged([first, second].into_iter(), inputs, u64::saturating_mul));
    }
    match (inputs.have_key(&sides.first_columns), inputs.have_key(&sides.second_columns)) {
        (false, true) => matched(bound(first, inputs), bound(second, inputs)),
        (true, false) => matched(bound(second, inputs), bound(first, inputs)),
        (true, true) | (false, false) => joined([first, second].into_iter(), inputs),
    }
}

/// Each row of the first, where the second has at most one row for it.
fn matched(first: Bound, second: Bound) -> Bound {
    match (first, second) {
        // A table of unknown size may be a temporary one that holds three keys.
        (Bound::Table(..) | Bound::Limit(_), Bound::Whole(table)) => Bound::Whole(table),
        (first, _) => first,
    }
}

/// Every row of the first side stays, with what the condition finds in the second.
fn outer(sides: &Linked, inputs: &Inputs<'_>) -> Bound {
    let kept = bound(&sides.first, inputs);
    if inputs.have_key(&sides.second_columns) {
        return kept;
    }
    let other = bound(&sides.second, inputs);
    match (kept, other) {
        (Bound::AtMost(a), Bound::AtMost(b)) => small(a.saturating_mul(b.max(1)), inputs),
        (Bound::AtMost(_), _) => Bound::Unknown,
        _ if is_narrow(&sides.first, inputs) => Bound::Unknown,
        (kept, _) => kept,
    }
}

/// True where something narrows it, be it known how far or not: what is joined to it by a condition is narrowed as well.
fn is_narrow(reach: &Reach, inputs: &Inputs<'_>) -> bool {
    match reach {
        Reach::Silent | Reach::Rows(_) | Reach::Tuples | Reach::Elements | Reach::Unknown => true,
        Reach::Filtered(_) | Reach::Limited(..) => true,
        Reach::Table(_) => false,
        Reach::Presumed(inner, table, claims) => !inputs.hold(*table, claims) || is_narrow(inner, inputs),
        Reach::Unsure(inner) | Reach::Optional(inner) => is_narrow(inner, inputs),
        Reach::Linked(sides) => is_narrow(&sides.first, inputs) || is_narrow(&sides.second, inputs),
        Reach::Outer(sides) => is_narrow(&sides.first, inputs),
        Reach::Product(parts) | Reach::Sum(parts) => parts.iter().all(|part| is_narrow(part, inputs)),
        Reach::Keyed(keyed) => is_narrow(&keyed.otherwise, inputs),
    }
}

fn limited(inner: Bound, limit: Limit, max_rows: u64) -> Bound {
    match (inner, limit) {
        (Bound::AtMost(rows), Limit::Rows(limit)) => Bound::AtMost(rows.min(limit)),
        (Bound::AtMost(rows), Limit::Parameter(_) | Limit::All | Limit::Other) => Bound::AtMost(rows),
        (_, Limit::Rows(limit)) if limit <= max_rows => Bound::AtMost(limit),
        // What is inside says the more useful thing: which table it is.
        (Bound::Table(table, rows), Limit::Rows(limit)) if limit >= rows => Bound::Table(table, rows),
        (_, Limit::Rows(limit)) => Bound::Limit(limit),
        (_, Limit::Parameter(_)) => Bound::Unknown,
        // No number of rows: it bounds nothing.
        (inner, Limit::All | Limit::Other) => inner,
    }
}

/// The worst of several parts; where all are bounded, what they make together.
fn merged<'a>(parts: impl Iterator<Item = &'a Reach>, inputs: &Inputs<'_>, together: fn(u64, u64) -> u64) -> Bound {
    let mut all = parts.map(|part| bound(part, inputs));
    let mut worst = all.next().unwrap_or(Bound::AtMost(1));
    for part in all {
        worst = match (worst, part) {
            (Bound::AtMost(a), Bound::AtMost(b)) => Bound::AtMost(together(a, b)),
            (a, b) if severity(b) > severity(a) => b,
            (a, _) => a,
        };
    }
    match worst {
        Bound::AtMost(rows) => small(rows, inputs),
        other => other,
    }
}

/// Each part is small, and together they may be much: then nobody can tell.
fn small(rows: u64, inputs: &Inputs<'_>) -> Bound {
    if rows > inputs.max_rows { Bound::Unknown } else { Bound::AtMost(rows) }
}

/// Tables that a condition links. Only where all of them are large is the result: what is linked to something small
/// may be small, and a table of unknown size may be a temporary one.
fn joined<'a>(parts: impl Iterator<Item = &'a Reach>, inputs: &Inputs<'_>) -> Bound {
    let mut all = parts.map(|part| bound(part, inputs));
    let mut worst = all.next().unwrap_or(Bound::AtMost(1));
    for part in all {
        worst = match (worst, part) {
            (Bound::AtMost(a), Bound::AtMost(b)) => Bound::AtMost(a.saturating_mul(b)),
            (Bound::AtMost(_) | Bound::Unknown, _) | (_, Bound::AtMost(_) | Bound::Unknown) => Bound::Unknown,
            (whole @ Bound::Whole(_), _) | (_, whole @ Bound::Whole(_)) => whole,
            (first, _) => first,
        };
    }
    match worst {
        Bound::AtMost(rows) => small(rows, inputs),
        other => other,
    }
}

const fn severity(bound: Bound) -> u8 {
    match bound {
        Bound::AtMost(_) => 0,
        Bound::Unknown => 1,
        Bound::Whole(_) => 2,
        Bound::Limit(_) => 3,
        Bound::Table(..) => 4,
    }
}

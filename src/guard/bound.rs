//! How many rows a query sends at most, as far as anybody can tell.

use super::intake::Entry;
use crate::sql::facts::Reach;
use crate::sql::lexer::Limit;
use crate::sql::{Estimate, TableName};

/// What is known of a table's size.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Size {
    /// About so many rows.
    Rows(u64),
    /// Nobody can tell, and nobody ought to: a view.
    Unknowable,
    /// It should be known, and is not.
    Unknown,
}

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

/// Inputs of a formula.
pub(super) trait Inputs {
    /// Rows that are allowed.
    fn max_rows(&self) -> u64;
    /// Size of a table of the statement.
    fn size(&self, table: u16) -> Size;
    /// A limit of the text.
    fn limit(&self, index: u16) -> Limit;
}

/// What a formula of one statement is worked out with.
#[derive(Debug, Clone, Copy)]
pub(super) struct Known<'a> {
    /// Rows that are allowed.
    pub(super) max_rows: u64,
    /// Tables that count as small.
    pub(super) small_tables: &'a [TableName],
    /// The statement.
    pub(super) entry: &'a Entry<'a>,
}

impl Inputs for Known<'_> {
    fn max_rows(&self) -> u64 {
        self.max_rows
    }

    fn size(&self, table: u16) -> Size {
        let Some(name) = self.entry.facts.tables.get(usize::from(table)) else { return Size::Unknowable };
        if name.is_catalogue() || self.small_tables.iter().any(|small| name.matches(small)) {
            return Size::Rows(0);
        }
        match self.entry.intake.schema.map_or(Estimate::Unknown, |schema| schema.rows(name)) {
            Estimate::Known(rows) => Size::Rows(rows),
            Estimate::NotATable => Size::Unknowable,
            Estimate::Unknown => Size::Unknown,
        }
    }

    fn limit(&self, index: u16) -> Limit {
        self.entry.intake.reading.limit(self.entry.piece, index)
    }
}

/// Works a formula out. It is as deep as the query was nested, which the parser bounds.
pub(super) fn bound(reach: &Reach, inputs: &impl Inputs) -> Bound {
    match reach {
        Reach::Silent => Bound::AtMost(0),
        Reach::Rows(rows) => Bound::AtMost(*rows),
        Reach::Unknown => Bound::Unknown,
        Reach::Table(table) => match inputs.size(*table) {
            Size::Rows(rows) if rows > inputs.max_rows() => Bound::Table(*table, rows),
            Size::Rows(rows) => Bound::AtMost(rows),
            Size::Unknowable => Bound::Unknown,
            Size::Unknown => Bound::Whole(*table),
        },
        Reach::Filtered(inner) => match bound(inner, inputs) {
            Bound::AtMost(rows) => Bound::AtMost(rows),
            _ => Bound::Unknown,
        },
        Reach::Limited(inner, index) => limited(bound(inner, inputs), inputs.limit(*index), inputs.max_rows()),
        Reach::Product(parts) => merged(parts, inputs, u64::saturating_mul),
        Reach::Joined(parts) => joined(parts, inputs),
        Reach::Matched(first, second) => match (bound(first, inputs), bound(second, inputs)) {
            // A table of unknown size may be a temporary one that holds three keys.
            (Bound::Table(..) | Bound::Limit(_), Bound::Whole(table)) => Bound::Whole(table),
            (first, _) => first,
        },
        Reach::Driven(first, second) => match (bound(first, inputs), bound(second, inputs)) {
            (Bound::AtMost(a), Bound::AtMost(b)) => small(a.saturating_mul(b.max(1)), inputs),
            (Bound::AtMost(_), _) => Bound::Unknown,
            (first, _) => first,
        },
        Reach::Sum(parts) => merged(parts, inputs, u64::saturating_add),
    }
}

fn limited(inner: Bound, limit: Limit, max_rows: u64) -> Bound {
    match (inner, limit) {
        (Bound::AtMost(rows), Limit::Rows(limit)) => Bound::AtMost(rows.min(limit)),
        (Bound::AtMost(rows), Limit::Parameter | Limit::Other) => Bound::AtMost(rows),
        (_, Limit::Rows(limit)) if limit <= max_rows => Bound::AtMost(limit),
        // What is inside says the more useful thing: which table it is.
        (Bound::Table(table, rows), Limit::Rows(limit)) if limit >= rows => Bound::Table(table, rows),
        (_, Limit::Rows(limit)) => Bound::Limit(limit),
        (_, Limit::Parameter) => Bound::Unknown,
        // No number of rows: it bounds nothing.
        (inner, Limit::Other) => inner,
    }
}

/// The worst of several parts; where all are bounded, what they make together.
fn merged(parts: &[Reach], inputs: &impl Inputs, together: fn(u64, u64) -> u64) -> Bound {
    let mut all = parts.iter().map(|part| bound(part, inputs));
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
fn small(rows: u64, inputs: &impl Inputs) -> Bound {
    if rows > inputs.max_rows() { Bound::Unknown } else { Bound::AtMost(rows) }
}

/// Tables that a condition links. Only where all of them are large is the result: what is linked to something small
/// may be small, and a table of unknown size may be a temporary one.
fn joined(parts: &[Reach], inputs: &impl Inputs) -> Bound {
    let mut all = parts.iter().map(|part| bound(part, inputs));
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

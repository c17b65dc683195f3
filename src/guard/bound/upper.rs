//! The most rows that a formula can come to, where that is known.

use super::inputs::{Inputs, Size, Trust};
use crate::sql::facts::Reach;
use crate::sql::facts::keyed::{Column, Goal, Keyed, Match, Sources};
use crate::sql::lexer::Limit;
use crate::sql::schema::Key;

/// The most rows; `None` where nobody can tell. As deep as the query was nested, which the parser bounds.
pub(in crate::guard) fn upper(reach: &Reach, inputs: &Inputs<'_>) -> Option<u64> {
    match reach {
        Reach::Silent => Some(0),
        Reach::Rows(rows) => Some(*rows),
        Reach::Tuples => Some(inputs.tuples()),
        Reach::Elements => inputs.elements(),
        Reach::Unknown => None,
        Reach::Table(table) => match inputs.size(*table) {
            Size::Rows(rows) => Some(rows),
            Size::Unknowable | Size::Unknown => None,
        },
        Reach::Unsure(inner) => (inputs.trust == Trust::Estimates).then(|| upper(inner, inputs)).flatten(),
        Reach::Filtered(inner) | Reach::Presumed(inner, ..) => upper(inner, inputs),
        Reach::Optional(inner) => upper(inner, inputs).map(|rows| rows.max(1)),
        Reach::Limited(inner, index) => match (upper(inner, inputs), inputs.limit(*index)) {
            (inner, Limit::Rows(limit)) => Some(inner.map_or(limit, |rows| rows.min(limit))),
            (inner, Limit::Parameter(_) | Limit::All | Limit::Other) => inner,
        },
        Reach::Product(parts) => together(parts, inputs, u64::saturating_mul),
        Reach::Sum(parts) => together(parts, inputs, u64::saturating_add),
        Reach::Linked(linked) => Some(upper(&linked.first, inputs)?.saturating_mul(upper(&linked.second, inputs)?)),
        Reach::Outer(linked) => {
            Some(upper(&linked.first, inputs)?.saturating_mul(upper(&linked.second, inputs)?.max(1)))
        }
        Reach::Keyed(keyed) => by_keys(keyed, inputs),
    }
}

fn together(parts: &[Reach], inputs: &Inputs<'_>, add: fn(u64, u64) -> u64) -> Option<u64> {
    let mut all = parts.iter().map(|part| upper(part, inputs));
    all.next()?.and_then(|first| all.try_fold(first, |rows, part| Some(add(rows, part?))))
}

/// Puts the sources together one by one: first those of which each combination so far finds one row, by a unique key
/// whose columns are all pinned or linked, else the smallest that is left.
pub(super) fn by_keys(keyed: &Keyed, inputs: &Inputs<'_>) -> Option<u64> {
    let all = Sources::range(0, keyed.sources.len());
    let mut placed = Sources::default();
    let mut rows: u64 = 1;
    loop {
        let enough = match keyed.goal {
            Goal::All => all.within(placed),
            Goal::First => placed.has(0),
        };
        if enough {
            return Some(rows);
        }
        let (source, more) = next(keyed, placed, inputs)?;
        rows = rows.saturating_mul(more);
        placed = placed.with(source);
    }
}

fn next(keyed: &Keyed, placed: Sources, inputs: &Inputs<'_>) -> Option<(usize, u64)> {
    let left = || (0..keyed.sources.len()).filter(|source| !placed.has(*source));
    let found = |source: usize| Some((source, found_by_key(keyed, source, placed, inputs)?));
    let whole = |source: usize| {
        let from = keyed.sources.get(source)?;
        let rows = upper(&from.rows, inputs)?;
        Some((source, if from.match_ == Match::Optional { rows.max(1) } else { rows }))
    };
    left().find_map(found).or_else(|| left().filter_map(whole).min_by_key(|(_, rows)| *rows))
}

/// Rows of a source that one combination of the placed ones finds; `None` where no key says so.
fn found_by_key(keyed: &Keyed, source: usize, placed: Sources, inputs: &Inputs<'_>) -> Option<u64> {
    let columns = inputs.columns(keyed.sources.get(source)?.table)?;
    columns.keys.iter().filter_map(|key| found_by(key, keyed, source, placed, inputs)).min()
}

fn found_by(key: &Key, keyed: &Keyed, source: usize, placed: Sources, inputs: &Inputs<'_>) -> Option<u64> {
    let mut rows: u64 = 1;
    for column in &key.columns {
        let is = |of: &Column| of.of.has(source) && *of.name == **column;
        let elsewhere = |of: &Column| !of.of.has(source) && of.of.within(placed);
        let mut links = keyed.links.iter().filter(|link| link.narrows.has(source));
        let linked = links
            .any(|link| (is(&link.first) && elsewhere(&link.second)) || (is(&link.second) && elsewhere(&link.first)));
        if linked {
            continue;
        }
        let pins = keyed.pins.iter().filter(|pin| is(&pin.column));
        rows = rows.saturating_mul(pins.filter_map(|pin| inputs.values(pin.values, key)).min()?);
    }
    Some(rows)
}

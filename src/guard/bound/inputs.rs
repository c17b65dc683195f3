//! What the formulas of a statement are worked out with.

use crate::guard::intake::Entry;
use crate::sql::facts::claims::{Always, Claims};
use crate::sql::facts::keyed::{Link, Values};
use crate::sql::lexer::{Limit, Marks};
use crate::sql::schema::{Columns, Key, Nulls, Table};
use crate::sql::{Estimate, TableName};

/// What is known of a table's size.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::guard) enum Size {
    /// About so many rows.
    Rows(u64),
    /// Nobody can tell, and nobody ought to: a view.
    Unknowable,
    /// It should be known, and is not.
    Unknown,
}

/// What counts as known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::guard) enum Trust {
    /// Also the estimated sizes of tables.
    Estimates,
    /// Only what is so for sure: keys, and limits of the text.
    Certainty,
}

/// Values for the formulas of one statement.
#[derive(Debug, Clone, Copy)]
pub(in crate::guard) struct Inputs<'a> {
    /// Rows that are allowed.
    pub(in crate::guard) max_rows: u64,
    /// Tables that count as small.
    pub(in crate::guard) small_tables: &'a [TableName],
    /// What counts as known.
    pub(in crate::guard) trust: Trust,
    /// The statement.
    pub(in crate::guard) entry: &'a Entry<'a>,
}

impl<'a> Inputs<'a> {
    /// Of what is so for sure.
    pub(in crate::guard) fn certain(max_rows: u64, entry: &'a Entry<'a>) -> Self {
        Self { max_rows, small_tables: &[], trust: Trust::Certainty, entry }
    }

    /// Size of a table of the statement.
    pub(in crate::guard) fn size(&self, table: u16) -> Size {
        let Some(name) = self.entry.facts.tables.get(usize::from(table)) else { return Size::Unknowable };
        if self.trust == Trust::Certainty {
            return Size::Unknowable;
        }
        if name.is_catalogue() || self.small_tables.iter().any(|small| name.matches(small)) {
            return Size::Rows(0);
        }
        match self.entry.intake.schema.map_or(Estimate::Unknown, |schema| schema.rows(name)) {
            Estimate::Known(rows) => Size::Rows(rows),
            Estimate::NotATable => Size::Unknowable,
            Estimate::Unknown => Size::Unknown,
        }
    }

    /// What is known of a table of the statement.
    fn table(&self, table: Option<u16>) -> Option<&'a Table> {
        let name = self.entry.facts.tables.get(usize::from(table?))?;
        self.entry.intake.schema?.table(name)
    }

    /// What is known of its columns.
    pub(in crate::guard) fn columns(&self, table: Option<u16>) -> Option<&'a Columns> {
        self.table(table)?.columns.as_deref()
    }

    /// A limit of the text.
    pub(in crate::guard) fn limit(&self, index: u16) -> Limit {
        self.entry.limit(index)
    }

    /// Tuples of a VALUES, at most.
    pub(in crate::guard) fn tuples(&self) -> u64 {
        u64::from(self.entry.piece.counts.tuples.max(1))
    }

    /// How many values a column is compared with, at most; `None` where nobody can tell.
    pub(in crate::guard) fn values(&self, values: Values, key: &Key) -> Option<u64> {
        let piece = self.entry.piece;
        match values {
            Values::One => Some(1),
            Values::Null => (key.nulls != Nulls::Distinct).then_some(1),
            // What stands behind the first item may be the column of another row.
            Values::List if piece.marks.has(Marks::LISTED) => None,
            Values::List => Some(u64::from(piece.counts.in_items.max(1))),
            Values::Array => self.elements(),
        }
    }

    /// How many elements the arrays of a statement have, at most; `None` where nobody can tell.
    pub(in crate::guard) fn elements(&self) -> Option<u64> {
        let piece = self.entry.piece;
        if piece.marks.has(Marks::LISTED) {
            return None;
        }
        let written = u64::from(piece.counts.array_elements);
        match piece.marks.has(Marks::PARAMETERS) {
            false => (written > 0).then_some(written),
            // A parameter in the brackets of an array may be an array itself.
            true if written > 0 => None,
            true => self.entry.intake.reading.elements_at_most(piece, self.entry.intake.values?).map(u64::from),
        }
    }

    /// True where a condition about a table is true for all of it.
    pub(in crate::guard) fn hold(&self, table: Option<u16>, claims: &Claims) -> bool {
        holds(claims, self.columns(table), self.entry.piece.marks)
    }

    /// True where some columns hold a unique key of one table: by its keys, or by their names where these are not known.
    pub(in crate::guard) fn have_key(&self, links: &[Link]) -> bool {
        links.iter().enumerate().any(|(index, link)| {
            let first = links.iter().take(index).all(|before| before.source != link.source);
            first && self.source_has_key(link, links)
        })
    }

    fn source_has_key(&self, of: &Link, links: &[Link]) -> bool {
        let mut own = links.iter().filter(|link| link.source == of.source);
        match self.columns(of.table) {
            Some(columns) => columns
                .keys
                .iter()
                .any(|key| key.columns.iter().all(|column| own.clone().any(|link| *link.column == **column))),
            None => own.any(|link| matches!(&*link.column, "id" | "pk")),
        }
    }
}

/// True where claims about a table hold: by its columns, or by their names where these are not known; by the marks of the
/// statement where no column is named.
pub(in crate::guard) fn holds(claims: &Claims, columns: Option<&Columns>, marks: Marks) -> bool {
    claims.hold(|claim| match (claim.is, columns) {
        (Always::Literal, _) => !marks.has(Marks::PARAMETERS),
        (Always::Present, Some(columns)) => claim.is_of_every_row() || columns.is_never_null(&claim.column),
        (Always::Positive, Some(columns)) => columns.is_in_key(&claim.column),
        (Always::Present | Always::Positive, None) => claim.holds_by_name(),
    })
}

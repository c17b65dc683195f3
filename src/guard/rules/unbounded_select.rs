//! Refuses a query that sends more rows than a client can mean to read.
//!
//! A query is bounded, unbounded, or nobody can tell. Only the second is refused: nothing in it limits the rows and a
//! table it reads is known to be large, or its own LIMIT says more than is allowed.

use super::hint;
use crate::guard::bound::{self, Bound, Inputs, Trust};
use crate::guard::breach::{Breach, Mode};
use crate::guard::intake::{Entry, Fetch, Whole};
use crate::guard::measure::Measure;
use crate::guard::names::UNBOUNDED_SELECT;
use crate::guard::rule::{Finding, OnPanic, Rule, RuleDef};
use crate::guard::settings::Section;
use crate::sql::TableName;
use crate::sql::lexer::Wrap;
use crate::units::Unit;

pub(super) const DEF: RuleDef = RuleDef {
    name: UNBOUNDED_SELECT,
    summary: "a SELECT that sends all of a large table, or whose LIMIT is too large",
    mode: Mode::Enforce,
    settings: &[("max_rows", "10000"), ("small_tables", "[]"), ("unknown_table", "\"warn\"")],
    // result_budget still cuts what is too large.
    on_panic: OnPanic::Allow,
    build: |section| Box::new(UnboundedSelect::new(section)),
};

/// What becomes of a query that sends all of a table whose size is not known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum UnknownTable {
    Allow,
    Warn,
    Refuse,
}

#[derive(Debug)]
struct UnboundedSelect {
    max_rows: u64,
    small_tables: Vec<TableName>,
    unknown_table: UnknownTable,
}

impl UnboundedSelect {
    fn new(section: &mut Section<'_>) -> Self {
        let choices =
            [("allow", UnknownTable::Allow), ("warn", UnknownTable::Warn), ("refuse", UnknownTable::Refuse)];
        Self {
            max_rows: section.count("max_rows", 10_000),
            small_tables: section.names("small_tables").iter().map(|name| TableName::parse(name)).collect(),
            unknown_table: section.choice("unknown_table", &choices, UnknownTable::Warn),
        }
    }

    fn bound(&self, entry: &Entry<'_>) -> Bound {
        // A cursor and a COPY are read in portions; what EXPLAIN ANALYZE runs keeps its rows.
        let sends = matches!(entry.piece.wrap, Wrap::None | Wrap::Prepare) && entry.piece.inner.queries();
        match entry.cut {
            Whole::Whole if sends => self.fetched(entry),
            Whole::Whole => Bound::AtMost(0),
            Whole::PrefixOnly => Bound::Unknown,
        }
    }

    /// A portal that is read in portions is bounded by each of them, like a cursor.
    fn fetched(&self, entry: &Entry<'_>) -> Bound {
        match entry.intake.fetch {
            Fetch::Later => Bound::Unknown,
            Fetch::AtMost(rows) if u64::from(rows) <= self.max_rows => Bound::AtMost(rows.into()),
            Fetch::AtMost(_) | Fetch::All => bound::bound(&entry.facts.reach, &self.inputs(entry)),
        }
    }

    fn inputs<'a>(&'a self, entry: &'a Entry<'a>) -> Inputs<'a> {
        Inputs { max_rows: self.max_rows, small_tables: &self.small_tables, trust: Trust::Estimates, entry }
    }

    fn breach(&self, entry: &Entry<'_>, measured: String, message: String, table: Option<&TableName>) -> Breach {
        Breach {
            rule: DEF.name,
            statement: entry.index,
            measured,
            limit: self.max_rows,
            unit: Unit::Count,
            message,
            hint: hint::in_pages(entry, table, self.max_rows.min(1000)),
        }
    }
}

impl Rule for UnboundedSelect {
    fn check(&self, entry: &Entry<'_>) -> Option<Finding> {
        let max = self.max_rows;
        match self.bound(entry) {
            Bound::AtMost(_) | Bound::Unknown => None,
            Bound::Table(table, rows) => {
                let table = entry.facts.tables.get(usize::from(table))?;
                let message = format!("the query sends all of \"{table}\", about {rows} rows; at most {max} are allowed");
                Some(Finding::Breach(self.breach(entry, rows.to_string(), message, Some(table))))
            }
            Bound::Limit(limit) => {
                let message = format!("the query's LIMIT is {limit} rows; at most {max} are allowed");
                Some(Finding::Breach(self.breach(entry, limit.to_string(), message, entry.facts.tables.first())))
            }
            Bound::Whole(table) => {
                let table = entry.facts.tables.get(usize::from(table))?;
                let message = format!("the query sends all of \"{table}\", a table of unknown size");
                let breach = || self.breach(entry, "unbounded".to_owned(), message, Some(table));
                match self.unknown_table {
                    UnknownTable::Allow => None,
                    UnknownTable::Warn => Some(Finding::Doubt(breach())),
                    UnknownTable::Refuse => Some(Finding::Breach(breach())),
                }
            }
        }
    }

    fn measure(&self, entry: &Entry<'_>, tell: &mut dyn FnMut(Measure, u64)) {
        match self.bound(entry) {
            // It sends no rows, or nobody can tell how many.
            Bound::AtMost(0) | Bound::Unknown | Bound::Whole(_) => {}
            Bound::AtMost(rows) | Bound::Table(_, rows) | Bound::Limit(rows) => tell(Measure::SelectRows, rows),
        }
    }

    fn trace(&self, entry: &Entry<'_>) -> Option<String> {
        let name = |table: u16| {
            entry.facts.tables.get(usize::from(table)).map_or_else(|| "a table".to_owned(), ToString::to_string)
        };
        let saw = match self.bound(entry) {
            Bound::AtMost(0) => return None,
            Bound::AtMost(rows) => format!("bounded: at most {rows} rows"),
            Bound::Unknown => "unknown: a filter, a parameter or a function decides".to_owned(),
            Bound::Whole(table) => format!("unbounded: all of {}, of unknown size", name(table)),
            Bound::Table(table, rows) => format!("unbounded: all of {}, about {rows} rows", name(table)),
            Bound::Limit(limit) => format!("its LIMIT is {limit}"),
        };
        Some(saw)
    }
}

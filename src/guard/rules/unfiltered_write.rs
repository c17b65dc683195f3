//! Refuses an UPDATE or DELETE that names every row of its table.

use super::hint;
use crate::guard::bound;
use crate::guard::breach::{Breach, Mode};
use crate::guard::intake::{Entry, Whole};
use crate::guard::measure::Measure;
use crate::guard::names::UNFILTERED_WRITE;
use crate::guard::rule::{Finding, OnPanic, Rule, RuleDef};
use crate::guard::settings::Section;
use crate::sql::facts::{Filter, Write, WriteKind};
use crate::sql::lexer::{Limit, Wrap};
use crate::units::Unit;

pub(super) const DEF: RuleDef = RuleDef {
    name: UNFILTERED_WRITE,
    summary: "an UPDATE or DELETE without a filter, also with one that is always true",
    mode: Mode::Enforce,
    settings: &[("max_rows", "10000"), ("truncate", "false")],
    // A fault of ours must not stop every write; what slips through meanwhile is told by the log and the gauge.
    on_panic: OnPanic::Allow,
    build: |section| Box::new(UnfilteredWrite::new(section)),
};

/// What TRUNCATE is to this rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Truncate {
    Allowed,
    Judged,
}

#[derive(Debug)]
struct UnfilteredWrite {
    /// A LIMIT of so many rows is as good as a filter.
    max_rows: u64,
    truncate: Truncate,
}

impl UnfilteredWrite {
    fn new(section: &mut Section<'_>) -> Self {
        let truncate = if section.boolean("truncate") { Truncate::Judged } else { Truncate::Allowed };
        Self { max_rows: section.count("max_rows", 10_000), truncate }
    }

    fn harmful<'a>(&self, entry: &Entry<'a>) -> Option<&'a Write> {
        // The filter of a statement that was cut off may stand in what was not read.
        if entry.cut == Whole::PrefixOnly || entry.piece.wrap == Wrap::Explain {
            return None;
        }
        entry.facts.writes.iter().find(|write| match write.kind {
            WriteKind::Update | WriteKind::Delete => self.names_all(entry, write, &write.filter),
            WriteKind::Truncate => self.truncate == Truncate::Judged,
        })
    }

    /// True where the filter of a write is none.
    fn names_all(&self, entry: &Entry<'_>, write: &Write, filter: &Filter) -> bool {
        match filter {
            Filter::None | Filter::ConstantTrue | Filter::Unread => true,
            Filter::TrueIf(claims) => bound::holds(claims, hint::columns(entry, write.table.as_ref()), entry.piece.marks),
            Filter::Limited(rest, index) => self.lets_many_pass(entry, *index) && self.names_all(entry, write, rest),
            Filter::Real => false,
        }
    }

    fn lets_many_pass(&self, entry: &Entry<'_>, limit: u16) -> bool {
        match entry.limit(limit) {
            Limit::Rows(rows) => rows > self.max_rows,
            // Known only when it is bound.
            Limit::Parameter(_) | Limit::All | Limit::Other => false,
        }
    }
}

impl Rule for UnfilteredWrite {
    fn check(&self, entry: &Entry<'_>) -> Option<Finding> {
        let write = self.harmful(entry)?;
        let verb = write.kind.label();
        let table = write.table.as_ref().map_or_else(|| "its table".to_owned(), |table| format!("\"{table}\""));
        let message = match write.filter {
            Filter::ConstantTrue | Filter::TrueIf(_) => {
                format!("{verb} of every row of {table}: its WHERE is true for all of them")
            }
            Filter::Limited(..) => {
                let max = self.max_rows;
                format!("{verb} of {table} without a filter: its LIMIT is over {max} rows")
            }
            Filter::Unread => {
                "an UPDATE or DELETE stands so far behind in its text that its filter was not read".to_owned()
            }
            Filter::None | Filter::Real => format!("{verb} of every row of {table}: it has no WHERE"),
        };
        let hint = match write.kind {
            _ if matches!(write.filter, Filter::Limited(..)) => {
                format!("Write {verb} … LIMIT {} at most, again until none is left", self.max_rows)
            }
            _ if write.filter == Filter::Unread => "Send fewer statements at once, or shorter ones".to_owned(),
            WriteKind::Update => hint::in_slices(entry, write.table.as_ref()),
            WriteKind::Delete => hint::in_batches(entry, write.table.as_ref()),
            WriteKind::Truncate => format!("DELETE FROM {table} WHERE … takes only the rows that you name"),
        };
        Some(Finding::Breach(Breach {
            rule: DEF.name,
            statement: entry.index,
            measured: "every row".to_owned(),
            limit: 0,
            unit: Unit::Count,
            message,
            hint,
        }))
    }

    fn measure(&self, entry: &Entry<'_>, tell: &mut dyn FnMut(Measure, u64)) {
        for write in &entry.facts.writes {
            if let Filter::Limited(rest, index) = &write.filter
                && let Limit::Rows(rows) = entry.limit(*index)
                && self.names_all(entry, write, rest)
            {
                tell(Measure::UnfilteredRows, rows);
            }
        }
    }

    fn trace(&self, entry: &Entry<'_>) -> Option<String> {
        if entry.facts.writes.is_empty() {
            return None;
        }
        let one = |write: &Write| {
            let filter = match &write.filter {
                Filter::None => "no filter",
                Filter::Unread => "a filter that was not read",
                Filter::Limited(rest, _) if self.names_all(entry, write, rest) => "a limit and no filter",
                filter if self.names_all(entry, write, filter) => "a filter that is always true",
                Filter::ConstantTrue | Filter::TrueIf(_) | Filter::Limited(..) | Filter::Real => "a filter",
            };
            format!("{} with {filter}", write.kind.label())
        };
        Some(entry.facts.writes.iter().map(one).collect::<Vec<_>>().join(", "))
    }
}

//! Refuses an UPDATE or DELETE that names every row of its table.

use crate::guard::intake::{Entry, Whole};
use crate::guard::rule::{Finding, Rule, RuleDef};
use crate::guard::settings::Section;
use crate::guard::verdict::{Breach, Mode};
use crate::sql::facts::{Filter, Write, WriteKind};
use crate::sql::lexer::{Limit, Wrap};

pub(super) const DEF: RuleDef = RuleDef {
    name: "unfiltered_write",
    summary: "an UPDATE or DELETE without a filter, also with one that is always true",
    mode: Mode::Enforce,
    settings: &[("max_rows", "10000"), ("truncate", "false")],
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
            WriteKind::Update | WriteKind::Delete => !self.is_narrow(entry, write.filter),
            WriteKind::Truncate => self.truncate == Truncate::Judged,
        })
    }
}

impl UnfilteredWrite {
    fn is_narrow(&self, entry: &Entry<'_>, filter: Filter) -> bool {
        match filter {
            Filter::None | Filter::ConstantTrue => false,
            Filter::Real => true,
            Filter::Limited(index) => match entry.intake.reading.limit(entry.piece, index) {
                Limit::Rows(rows) => rows <= self.max_rows,
                // Known only when it is bound.
                Limit::Parameter | Limit::Other => true,
            },
        }
    }
}

impl Rule for UnfilteredWrite {
    fn check(&self, entry: &Entry<'_>) -> Option<Finding> {
        let write = self.harmful(entry)?;
        let verb = write.kind.label();
        let table = write.table.as_ref().map_or_else(|| "its table".to_owned(), |table| format!("\"{table}\""));
        let message = match write.filter {
            Filter::ConstantTrue => format!("{verb} of every row of {table}: its WHERE is true for all of them"),
            Filter::Limited(_) => {
                let max = self.max_rows;
                format!("{verb} of {table} without a filter: its LIMIT is over {max} rows")
            }
            Filter::None | Filter::Real => format!("{verb} of every row of {table}: it has no WHERE"),
        };
        let hint = match write.kind {
            WriteKind::Update => {
                "Name the rows: UPDATE … WHERE id BETWEEN $from AND $to, slice by slice, each committed on its own"
                    .to_owned()
            }
            WriteKind::Delete => format!(
                "Name the rows: DELETE … WHERE id IN (SELECT id FROM {table} WHERE … LIMIT 1000), again until none is \
                 left; TRUNCATE {table} empties it at once"
            ),
            WriteKind::Truncate => format!("DELETE FROM {table} WHERE … takes only the rows that you name"),
        };
        Some(Finding::Breach(Breach {
            rule: DEF.name,
            statement: entry.index,
            measured: "every row".to_owned(),
            limit: 0,
            message,
            hint,
        }))
    }

    fn trace(&self, entry: &Entry<'_>) -> Option<String> {
        if entry.facts.writes.is_empty() {
            return None;
        }
        let one = |write: &Write| {
            let filter = match write.filter {
                Filter::None => "no filter",
                Filter::ConstantTrue => "a filter that is always true",
                Filter::Limited(_) => "a limit and no filter",
                Filter::Real => "a filter",
            };
            format!("{} with {filter}", write.kind.label())
        };
        Some(entry.facts.writes.iter().map(one).collect::<Vec<_>>().join(", "))
    }
}

//! Refuses a write that carries too many rows, or too much text.
//!
//! Rows are counted in every form that carries them: tuples, items of a list, arms of a CASE, elements of an array, be it in the
//! text or bound to a parameter. The writes of one text count together, since the server runs them as one transaction.

use crate::guard::breach::{Breach, Mode};
use crate::guard::intake::Entry;
use crate::guard::measure::Measure;
use crate::guard::names::BULK_WRITE;
use crate::guard::rule::{Finding, OnPanic, Rule, RuleDef};
use crate::guard::settings::Section;
use crate::sql::lexer::{Counts, Marks};
use crate::units::{ByteSize, Unit};

pub(super) const DEF: RuleDef = RuleDef {
    name: BULK_WRITE,
    summary: "a write whose own text carries too many rows or bytes",
    mode: Mode::Enforce,
    settings: &[("max_rows", "5000"), ("max_bytes", "\"16MiB\"")],
    // A fault of ours must not stop every write; write_budget still counts what is changed.
    on_panic: OnPanic::Allow,
    build: |section| Box::new(BulkWrite::new(section)),
};

#[derive(Debug)]
struct BulkWrite {
    max_rows: u64,
    max_bytes: ByteSize,
}

impl BulkWrite {
    fn new(section: &mut Section<'_>) -> Self {
        Self {
            max_rows: section.count("max_rows", 5000),
            max_bytes: section.size("max_bytes", ByteSize(16 << 20)),
        }
    }

    fn too_many_rows(&self, entry: &Entry<'_>) -> Option<Breach> {
        let counts = entry.counts();
        let rows = u64::from(counts.largest());
        if rows <= self.max_rows {
            return self.too_many_together(entry);
        }
        let (what, hint) = carried(counts);
        let max = self.max_rows;
        Some(Breach {
            rule: DEF.name,
            statement: entry.index,
            measured: rows.to_string(),
            limit: max,
            unit: Unit::Count,
            message: format!("one statement carries {rows} rows as {what}; at most {max} are allowed"),
            hint: format!("Write at most {max} rows with one statement{hint}"),
        })
    }

    /// Told once, at the statement that goes over the limit.
    fn too_many_together(&self, entry: &Entry<'_>) -> Option<Breach> {
        let (before, max) = (entry.written_before, self.max_rows);
        if before > max || before.saturating_add(entry.written()) <= max {
            return None;
        }
        let aside = |entry: &Entry<'_>| entry.piece.marks.has(Marks::ASIDE);
        let same = entry.intake.entries().filter(|other| aside(other) == aside(entry));
        let rows = same.map(|entry| entry.written()).fold(0, u64::saturating_add);
        Some(Breach {
            rule: DEF.name,
            statement: entry.index,
            measured: rows.to_string(),
            limit: max,
            unit: Unit::Count,
            message: format!("the statements of one text carry {rows} rows together; at most {max} are allowed"),
            hint: format!("Send at most {max} rows at once, each slice committed on its own, or load with COPY … FROM STDIN"),
        })
    }

    fn too_many_bytes(&self, entry: &Entry<'_>) -> Option<Breach> {
        let bytes = entry.bytes();
        if bytes <= self.max_bytes.0 {
            return None;
        }
        let max = self.max_bytes;
        Some(Breach {
            rule: DEF.name,
            statement: entry.index,
            measured: bytes.to_string(),
            limit: max.0,
            unit: Unit::Bytes,
            message: format!("one write is {bytes} bytes of SQL text; at most {max} are allowed"),
            hint: "Send values as parameters, in smaller statements, or with COPY … FROM STDIN".to_owned(),
        })
    }
}

/// What makes up the largest count, and what helps against it.
fn carried(counts: Counts) -> (&'static str, &'static str) {
    let largest = counts.largest();
    if counts.folded == largest {
        ("writes of one text", ": send them in smaller texts, each committed on its own; COPY … FROM STDIN is for loads")
    } else if counts.case_arms == largest {
        let hint = ": Django's bulk_update takes batch_size; UPDATE … FROM unnest($1::bigint[], $2::text[]) AS v(id, x) \
                    takes whole arrays at a fraction of the server's memory";
        ("arms of a CASE", hint)
    } else if counts.tuples == largest {
        (
            "tuples of VALUES",
            ": bulk_create takes batch_size, insert_all and executemany a smaller slice; COPY … FROM STDIN is for loads",
        )
    } else if counts.in_items == largest {
        ("items of an IN list", ": work through the list in slices, each committed on its own")
    } else {
        ("elements of an array", ": work through the array in slices, each committed on its own")
    }
}

impl Rule for BulkWrite {
    fn check(&self, entry: &Entry<'_>) -> Option<Finding> {
        if !entry.piece.writes() {
            return None;
        }
        self.too_many_rows(entry).or_else(|| self.too_many_bytes(entry)).map(Finding::Breach)
    }

    fn measure(&self, entry: &Entry<'_>, tell: &mut dyn FnMut(Measure, u64)) {
        if entry.piece.writes() {
            tell(Measure::BulkRows, u64::from(entry.piece.counts.largest()));
            tell(Measure::BulkBytes, entry.bytes());
        }
    }

    fn hold_bytes(&self) -> usize {
        usize::try_from(self.max_bytes.0).unwrap_or(usize::MAX)
    }

    fn trace(&self, entry: &Entry<'_>) -> Option<String> {
        if !entry.piece.writes() {
            return None;
        }
        let Counts { tuples, in_items, case_arms, array_elements, folded } = entry.counts();
        let counts = [
            (tuples, "tuples"),
            (in_items, "IN items"),
            (case_arms, "CASE arms"),
            (array_elements, "array elements"),
            (folded, "rows of many writes"),
        ];
        let counts = counts.iter().filter(|(count, _)| *count > 0).map(|(count, what)| format!("{count} {what}, "));
        Some(format!("{}{} bytes", counts.collect::<String>(), entry.bytes()))
    }
}

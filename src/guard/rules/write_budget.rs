//! Takes back a write that changed too many rows.

use crate::guard::failure::OnPanic;
use crate::guard::intake::Entry;
use crate::guard::limits::{Limits, Undo, WRITE_BUDGET, WriteLimit};
use crate::guard::plan::{self, Extent};
use crate::guard::rule::{Finding, Rule, RuleDef};
use crate::guard::settings::Section;
use crate::guard::verdict::{Breach, Mode};
use crate::sql::lexer::Marks;
use crate::sql::{Piece, Verb};

pub(super) const DEF: RuleDef = RuleDef {
    name: WRITE_BUDGET,
    summary: "a write that changes too many rows, as the server counts them",
    mode: Mode::Warn,
    settings: &[("max_rows", "10000"), ("savepoint", "false")],
    // It only says what to count.
    on_panic: OnPanic::Allow,
    build: |section| Box::new(WriteBudget::new(section)),
};

#[derive(Debug)]
struct WriteBudget {
    max_rows: u64,
    undo: Undo,
}

impl WriteBudget {
    fn new(section: &mut Section<'_>) -> Self {
        Self {
            max_rows: section.count("max_rows", 10_000),
            undo: if section.boolean("savepoint") { Undo::ToSavepoint } else { Undo::Abort },
        }
    }
}

impl Rule for WriteBudget {
    /// Nothing can be taken back of a text that commits what it writes: when its count is here, its COMMIT has been carried out.
    fn check(&self, entry: &Entry<'_>) -> Option<Finding> {
        let piece = entry.piece;
        // Of what was not read nobody knows whether it writes.
        if piece.marks.has(Marks::CUT) || !(piece.writes() || piece.verb == Verb::Execute) {
            return None;
        }
        let behind = entry.intake.reading.pieces().get(entry.index.saturating_add(1)..).unwrap_or_default();
        let commits = behind.iter().any(commits) && plan::changes(entry, self.max_rows) == Extent::Unknown;
        commits.then(|| Finding::Breach(commits_itself(entry, self.max_rows)))
    }

    fn limit(&self, mode: Mode, limits: &mut Limits) {
        let Self { max_rows, undo } = *self;
        limits.write = Some(WriteLimit { mode, max_rows, undo });
    }
}

fn commits(piece: &Piece) -> bool {
    match piece.verb {
        Verb::Commit => true,
        // Of a transaction, not of a statement.
        Verb::Prepare => piece.inner == Verb::Prepare,
        _ => false,
    }
}

fn commits_itself(entry: &Entry<'_>, max_rows: u64) -> Breach {
    Breach {
        rule: WRITE_BUDGET,
        statement: entry.index,
        measured: "commits itself".to_owned(),
        limit: max_rows,
        message: "the text commits a write before anybody knows how many rows it changes".to_owned(),
        hint: "Send the COMMIT in a query of its own".to_owned(),
    }
}

//! Takes back a write that changed too many rows.

use crate::guard::breach::{Breach, Mode};
use crate::guard::intake::Entry;
use crate::guard::limits::{Limits, Undo, WriteLimit};
use crate::guard::names::WRITE_BUDGET;
use crate::guard::plan::{self, Extent};
use crate::guard::rule::{Finding, OnPanic, Rule, RuleDef};
use crate::guard::settings::Section;
use crate::sql::lexer::Marks;
use crate::sql::{Piece, Verb};
use crate::units::Unit;

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
    /// Nothing can be taken back of a text that commits what it writes: when its count is here, its COMMIT has been carried out. Nor
    /// can what stands behind a COMMIT: the server commits that with the end of the text, unless it begins another block.
    fn check(&self, entry: &Entry<'_>) -> Option<Finding> {
        let piece = entry.piece;
        // Of what was not read nobody knows whether it writes.
        if piece.marks.has(Marks::CUT) || !(piece.writes() || piece.verb == Verb::Execute) {
            return None;
        }
        let (before, behind) = entry.intake.reading.pieces().split_at_checked(entry.index).unwrap_or_default();
        let behind = behind.split_first().map(|(_, behind)| behind).unwrap_or_default();
        let commits = behind.iter().any(commits) || (is_alone(before) && !behind.iter().any(begins_or_ends));
        let commits = commits && plan::changes(entry, self.max_rows) == Extent::Unknown;
        commits.then(|| Finding::Breach(commits_itself(entry, self.max_rows)))
    }

    fn limit(&self, mode: Mode, limits: &mut Limits) {
        let Self { max_rows, undo } = *self;
        limits.write = Some(WriteLimit { mode, max_rows, undo });
    }
}

/// True where these leave no block open for sure: the last of them that begins or ends one is a COMMIT.
fn is_alone(before: &[Piece]) -> bool {
    before.iter().rev().find(|piece| begins_or_ends(piece)).is_some_and(commits)
}

fn begins_or_ends(piece: &Piece) -> bool {
    commits(piece) || matches!(piece.verb, Verb::Begin | Verb::Rollback)
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
        unit: Unit::Count,
        message: "the text commits a write before anybody knows how many rows it changes".to_owned(),
        hint: "Send the COMMIT in a query of its own".to_owned(),
    }
}

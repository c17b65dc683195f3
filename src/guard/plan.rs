//! What is known of a text before it runs: it decides what has to be watched while it does.

use super::bound::{self, Bound, Inputs, Size};
use super::intake::{Entry, Intake, Whole};
use super::limits::Limits;
use crate::sql::Verb;
use crate::sql::facts::WriteKind;
use crate::sql::lexer::{Limit, Marks, Wrap};

/// How many rows something has, as far as anybody can tell beforehand.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum Extent {
    /// None.
    #[default]
    None,
    /// At most what its limit allows, for sure.
    Within,
    /// Nobody can tell.
    Unknown,
}

/// What a text does beside sending rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum Effect {
    /// It only reads, as far as its text says.
    #[default]
    Reads,
    /// It changes rows, and may run inside a transaction block.
    Writes,
    /// Anything else: transaction control, settings, DDL, procedures. It may be forbidden inside a transaction block.
    Other,
}

/// What is known of a text before it runs: the worst of all its statements.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Plan {
    /// Rows of its replies, against `result_budget`.
    pub rows: Extent,
    /// Rows that it changes, against `write_budget`.
    pub changes: Extent,
    /// What else it does.
    pub effect: Effect,
    /// How many statements it holds: 0, 1, or 2 for more.
    pub statements: u8,
}

impl Plan {
    /// Of a text that nobody has read: anything may happen.
    pub const UNREAD: Self =
        Self { rows: Extent::Unknown, changes: Extent::Unknown, effect: Effect::Other, statements: 2 };
}

/// The plan of a text: the worst of its statements.
pub(super) fn of(intake: &Intake<'_>, limits: &Limits) -> Plan {
    let mut plan = Plan::default();
    for entry in intake.entries() {
        if entry.piece.verb == Verb::Empty {
            continue;
        }
        plan.statements = plan.statements.saturating_add(1).min(2);
        plan.rows = plan.rows.max(rows(&entry, limits));
        plan.changes = plan.changes.max(changes(&entry, limits));
        plan.effect = plan.effect.max(effect(&entry));
    }
    plan
}

/// Rows that it sends, against the budget of a reply.
fn rows(entry: &Entry<'_>, limits: &Limits) -> Extent {
    let max_rows = limits.result.map_or(u64::MAX, |limit| limit.max_rows);
    let piece = entry.piece;
    let queries = piece.wrap == Wrap::None && piece.inner.queries();
    match piece.verb {
        _ if entry.cut == Whole::PrefixOnly || piece.marks.has(Marks::CUT) => Extent::Unknown,
        _ if queries => match bound::bound(&entry.facts.reach, &Sure { max_rows, entry }) {
            Bound::AtMost(0) => Extent::None,
            Bound::AtMost(rows) if rows <= max_rows => Extent::Within,
            _ => Extent::Unknown,
        },
        Verb::Begin
        | Verb::Commit
        | Verb::Rollback
        | Verb::Savepoint
        | Verb::Prepare
        | Verb::Deallocate
        | Verb::Declare
        | Verb::Close
        | Verb::Truncate
        | Verb::Lock
        | Verb::Notify => Extent::None,
        Verb::Set | Verb::Schema | Verb::Maintain => Extent::Within,
        _ => Extent::Unknown,
    }
}

/// What is sure: an estimate of a table's size is no bound, a limit of the text is.
#[derive(Debug)]
struct Sure<'a> {
    max_rows: u64,
    entry: &'a Entry<'a>,
}

impl Inputs for Sure<'_> {
    fn max_rows(&self) -> u64 {
        self.max_rows
    }

    fn size(&self, _table: u16) -> Size {
        Size::Unknowable
    }

    fn limit(&self, index: u16) -> Limit {
        self.entry.intake.reading.limit(self.entry.piece, index)
    }
}

/// Rows that it changes, against the budget of a write.
fn changes(entry: &Entry<'_>, limits: &Limits) -> Extent {
    let max_rows = limits.write.map_or(u64::MAX, |limit| limit.max_rows);
    let piece = entry.piece;
    let filtered = entry.facts.writes.iter().any(|write| write.kind != WriteKind::Truncate);
    match piece.inner {
        _ if piece.marks.has(Marks::CUT) => Extent::Unknown,
        _ if !piece.writes() || !runs_now(piece.wrap) => Extent::None,
        Verb::Insert if piece.marks.has(Marks::CTE_WRITES) || filtered => Extent::Unknown,
        Verb::Insert if piece.counts.tuples > 0 && u64::from(piece.counts.tuples) <= max_rows => Extent::Within,
        _ => Extent::Unknown,
    }
}

fn effect(entry: &Entry<'_>) -> Effect {
    let piece = entry.piece;
    if entry.cut == Whole::PrefixOnly || piece.marks.has(Marks::CUT) || !runs_now(piece.wrap) {
        Effect::Other
    } else if piece.writes() {
        Effect::Writes
    } else if piece.inner.queries() {
        Effect::Reads
    } else {
        Effect::Other
    }
}

/// `EXECUTE` of what is prepared and `FETCH` from what is declared come later, as statements of their own.
const fn runs_now(wrap: Wrap) -> bool {
    matches!(wrap, Wrap::None | Wrap::ExplainAnalyze)
}

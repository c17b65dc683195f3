//! What is known of a text before it runs: it decides what has to be watched while it does.

use super::bound::{Inputs, upper};
use super::intake::{Entry, Intake, Whole};
use super::limits::Limits;
use crate::sql::facts::{Reach, Source};
use crate::sql::lexer::{Marks, Wrap};
use crate::sql::{Piece, Verb};

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
    /// It has an `EXECUTE`: it may run inside a transaction block, and what was prepared by a driver may even end that.
    Runs,
    /// It opens a transaction block, of which all that it reads and changes is a part, and leaves it open.
    Opens,
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

    /// Of a function that is called without a text: one row, and the server does not count what it changes.
    pub const CALL: Self = Self { rows: Extent::Within, changes: Extent::None, effect: Effect::Writes, statements: 1 };
}

impl Plan {
    /// The worst of two plans for one text that is read in two ways.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        if self.statements == 0 {
            return other;
        }
        Self {
            rows: self.rows.max(other.rows),
            changes: self.changes.max(other.changes),
            effect: self.effect.or(other.effect),
            statements: self.statements.max(other.statements),
        }
    }
}

impl Effect {
    /// The worst of two. A block that only one of two readings sees is none to count on.
    fn or(self, other: Self) -> Self {
        let block = self == Self::Opens || other == Self::Opens;
        if block && self != other { Self::Other } else { self.max(other) }
    }
}

/// The plan of a text: the worst of its statements.
pub(super) fn of(intake: &Intake<'_>, limits: &Limits) -> Plan {
    let mut plan = Plan::default();
    let (mut block, mut saves) = (false, false);
    let mut several = Several::default();
    for entry in intake.entries() {
        if entry.piece.verb == Verb::Empty {
            continue;
        }
        // What comes before it in the same text becomes a part of the block.
        let begins = entry.piece.verb == Verb::Begin;
        block |= begins;
        saves |= entry.piece.verb == Verb::Savepoint;
        plan.statements = plan.statements.saturating_add(1).min(2);
        plan.rows = plan.rows.max(rows(&entry, limits));
        plan.changes = plan.changes.max(changes(&entry, limits.write.map_or(u64::MAX, |limit| limit.max_rows)));
        if !begins {
            plan.effect = plan.effect.max(effect(&entry));
            several.add(&entry);
        }
    }
    // Without a block the server refuses a savepoint, and ours would change that.
    several.apart |= saves && !block;
    let effect = if plan.statements > 1 { several.effect(plan) } else { plan.effect };
    plan.effect = match effect {
        Effect::Reads | Effect::Writes if block && plan.statements > 1 => Effect::Opens,
        _ if block => Effect::Other,
        effect => effect,
    };
    plan
}

/// What the statements of one text are together. PostgreSQL runs them as one transaction, so that what is forbidden in a
/// transaction block is forbidden there too: a block around them changes nothing, as long as none of them ends it.
#[derive(Debug, Default)]
struct Several {
    /// One of them ends a transaction, or nobody can tell what it does.
    apart: bool,
    executes: bool,
}

impl Several {
    fn add(&mut self, entry: &Entry<'_>) {
        let piece = entry.piece;
        self.executes |= piece.verb == Verb::Execute;
        self.apart |= entry.cut == Whole::PrefixOnly || piece.marks.has(Marks::CUT) || !stays_inside(piece);
    }

    /// A block is wanted only where nobody can tell how much they change.
    fn effect(&self, plan: Plan) -> Effect {
        match plan.effect {
            Effect::Runs | Effect::Other if self.apart || plan.changes < Extent::Unknown => Effect::Other,
            Effect::Runs | Effect::Other if self.executes => Effect::Runs,
            Effect::Other => Effect::Writes,
            effect => effect,
        }
    }
}

/// True for what ends no transaction. ROLLBACK may be one to a savepoint, which nobody can tell here.
fn stays_inside(piece: &Piece) -> bool {
    match piece.verb {
        Verb::Begin | Verb::Savepoint => true,
        verb if verb.controls_transactions() => false,
        // Of a transaction, not of a statement.
        Verb::Prepare => piece.inner != Verb::Prepare,
        Verb::Load | Verb::Handler | Verb::Kill | Verb::Other => false,
        _ => true,
    }
}

/// Rows that it sends, against the budget of a reply. What a write sends is what RETURNING names of its rows.
fn rows(entry: &Entry<'_>, limits: &Limits) -> Extent {
    let max_rows = limits.result.map_or(u64::MAX, |limit| limit.max_rows);
    let piece = entry.piece;
    let sends = piece.wrap == Wrap::None && (piece.inner.queries() || piece.inner.writes());
    match piece.verb {
        _ if entry.cut == Whole::PrefixOnly || piece.marks.has(Marks::CUT) => Extent::Unknown,
        _ if sends => extent(&entry.facts.reach, max_rows, entry),
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

/// What is sure of a formula: an estimate of a table's size is no bound, a limit of the text and a unique key are.
fn extent(reach: &Reach, max_rows: u64, entry: &Entry<'_>) -> Extent {
    // Of what the parser could not read one thing is sure: a write without RETURNING sends nothing.
    let silent = entry.piece.inner.writes() && *reach == Reach::Silent;
    if matches!(entry.facts.source, Source::Scanned(_)) && !silent {
        return Extent::Unknown;
    }
    match upper(reach, &Inputs::certain(max_rows, entry)) {
        Some(0) => Extent::None,
        Some(rows) if rows <= max_rows => Extent::Within,
        _ => Extent::Unknown,
    }
}

/// Rows that it changes, against the budget of a write. What an `EXECUTE` runs was prepared, and nobody looks it up.
pub(super) fn changes(entry: &Entry<'_>, max_rows: u64) -> Extent {
    let piece = entry.piece;
    if piece.marks.has(Marks::CUT) || piece.verb == Verb::Execute {
        return Extent::Unknown;
    }
    if !piece.writes() || !runs_now(piece.wrap) {
        return Extent::None;
    }
    match entry.facts.source {
        _ if entry.cut == Whole::PrefixOnly => Extent::Unknown,
        Source::Parsed => extent(&entry.facts.changed, max_rows, entry).max(Extent::Within),
        // Its tuples are counted without a parser, unless they are an INSERT's by the way.
        Source::Scanned(_) if piece.inner == Verb::Insert && !piece.marks.has(Marks::CTE_WRITES) => {
            let tuples = u64::from(piece.counts.tuples);
            if tuples > 0 && tuples <= max_rows { Extent::Within } else { Extent::Unknown }
        }
        Source::Scanned(_) | Source::Verb => Extent::Unknown,
    }
}

fn effect(entry: &Entry<'_>) -> Effect {
    let piece = entry.piece;
    if entry.cut == Whole::PrefixOnly || piece.marks.has(Marks::CUT) || !runs_now(piece.wrap) {
        Effect::Other
    } else if piece.verb == Verb::Execute {
        Effect::Runs
    } else if piece.writes() {
        Effect::Writes
    } else if piece.inner.queries() {
        Effect::Reads
    } else {
        Effect::Other
    }
}

/// `FETCH` from what is declared comes later, as a statement of its own.
const fn runs_now(wrap: Wrap) -> bool {
    matches!(wrap, Wrap::None | Wrap::ExplainAnalyze)
}

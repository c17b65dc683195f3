//! What a shape says beside its facts.
//!
//! Whoever parses a shape makes this of it: like parsing, it takes the longer the longer the shape is, so no worker does it.

use std::sync::Arc;

use crate::sql::Verb;
use crate::sql::facts::PARSED_BYTES_MAX;
use crate::sql::lexer::{Lexed, Marks};
use crate::sql::lookup::Lookup;
use crate::telemetry::StatementKind;
use crate::telemetry::shapes::{ShapeStat, Shapes};

/// What is kept of a shape's text, for logs.
const SHAPE_TEXT_MAX: usize = 512;

/// What is known of a shape.
#[derive(Debug)]
pub struct Sketch {
    /// The beginning of its text, without literals: fit for a log.
    pub text: Box<[u8]>,
    /// What its first statement is.
    pub kind: StatementKind,
    /// Whether it may change the tables of its database.
    pub changes_schema: ChangesSchema,
    /// What it may change of how the session sees the tables.
    pub lookup: Lookup,
    /// What it cost so far.
    pub stat: Arc<ShapeStat>,
}

/// Whether a text may change which tables there are, or how large they are at a stroke.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChangesSchema {
    /// It may.
    Yes,
    /// It does not.
    No,
}

impl Sketch {
    /// Of the shape that was read; its statistics are those of all texts of that shape.
    pub fn of(lexed: &Lexed, statistics: &Shapes) -> Self {
        let shape = lexed.shape.as_slice();
        let kind = kind(lexed.pieces.first().map_or(Verb::Empty, |piece| piece.verb));
        Self {
            text: shape.get(..SHAPE_TEXT_MAX).unwrap_or(shape).into(),
            kind,
            changes_schema: changes_schema(lexed),
            lookup: Lookup::of(lexed),
            stat: statistics.entry(shape.get(..PARSED_BYTES_MAX).unwrap_or(shape), kind),
        }
    }
}

fn changes_schema(lexed: &Lexed) -> ChangesSchema {
    let changes = |verb| matches!(verb, Verb::Schema | Verb::Truncate | Verb::Maintain | Verb::Copy);
    if lexed.pieces.iter().any(|piece| changes(piece.verb) || piece.marks.has(Marks::CUT)) {
        ChangesSchema::Yes
    } else {
        ChangesSchema::No
    }
}

fn kind(verb: Verb) -> StatementKind {
    match verb {
        Verb::Select | Verb::Values | Verb::Table | Verb::Fetch | Verb::Handler => StatementKind::Select,
        Verb::Insert => StatementKind::Insert,
        Verb::Update => StatementKind::Update,
        Verb::Delete | Verb::Truncate => StatementKind::Delete,
        Verb::Merge => StatementKind::Merge,
        Verb::Copy | Verb::Load => StatementKind::Copy,
        Verb::Begin | Verb::Commit | Verb::Rollback | Verb::Savepoint | Verb::Xa => StatementKind::Transaction,
        Verb::Set | Verb::Prepare | Verb::Deallocate | Verb::Declare | Verb::Close | Verb::Lock | Verb::Notify => {
            StatementKind::Session
        }
        Verb::Schema | Verb::Maintain => StatementKind::Schema,
        Verb::Execute | Verb::Call => StatementKind::Call,
        Verb::Empty | Verb::Explain | Verb::Kill | Verb::Other => StatementKind::Other,
    }
}

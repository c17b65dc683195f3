//! All that a rule may see.

use crate::sql::facts::Statement;
use crate::sql::lexer::{Counts, Limit};
use crate::sql::{Piece, Reading, Schema, Values};

/// How much of a text was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Whole {
    /// All of it.
    Whole,
    /// Only its beginning, since it is longer than any rule needs to see: its last statement is cut off.
    PrefixOnly,
}

/// How much of a reply the client asks for at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fetch {
    /// All of it.
    All,
    /// So many rows; for more it has to ask again.
    AtMost(u32),
    /// It has not said yet. What depends on it is judged when it has.
    Later,
}

/// One text on its way to the server.
#[derive(Debug, Clone, Copy)]
pub struct Intake<'a> {
    /// What was read of it.
    pub reading: &'a Reading,
    /// What is known of the tables of its database; `None` where nothing is known.
    pub schema: Option<&'a Schema>,
    /// Length of the text, also where only its beginning was read.
    pub text_bytes: u64,
    /// How much was read.
    pub whole: Whole,
    /// The values that were bound to its parameters; `None` before that.
    pub values: Option<&'a Values>,
    /// How its rows are fetched.
    pub fetch: Fetch,
}

impl<'a> Intake<'a> {
    /// A text that was read whole and runs as it stands.
    pub fn of_text(reading: &'a Reading, schema: Option<&'a Schema>, text_bytes: u64) -> Self {
        Self { reading, schema, text_bytes, whole: Whole::Whole, values: None, fetch: Fetch::All }
    }

    /// The statements, in order.
    pub(super) fn entries(&self) -> impl Iterator<Item = Entry<'a>> + use<'a> {
        let intake = *self;
        let mut written = 0_u64;
        intake.reading.pieces().iter().enumerate().map(move |(index, piece)| {
            let facts = intake.reading.statement(index);
            let last = intake.reading.is_last_of_its_reading(index);
            let cut = if last { intake.whole } else { Whole::Whole };
            let entry = Entry { index, piece, facts, cut, written_before: written, intake };
            // Another reading of the same text counts for itself.
            written = if last { 0 } else { written.saturating_add(entry.written()) };
            entry
        })
    }
}

/// One statement of an intake.
#[derive(Debug, Clone, Copy)]
pub(super) struct Entry<'a> {
    /// Its place in the text, from 0.
    pub(super) index: usize,
    /// What the lexer read.
    pub(super) piece: &'a Piece,
    /// What its shape says.
    pub(super) facts: &'a Statement,
    /// Whether its end was read.
    pub(super) cut: Whole,
    /// Rows that the writes before it in the text carry together.
    pub(super) written_before: u64,
    /// The text that it is part of.
    pub(super) intake: Intake<'a>,
}

impl Entry<'_> {
    /// Bytes of SQL.
    pub(super) fn bytes(&self) -> u64 {
        let bytes = match self.cut {
            Whole::Whole => return self.piece.text.len() as u64,
            Whole::PrefixOnly => self.intake.text_bytes,
        };
        bytes.saturating_sub(self.piece.text.start as u64)
    }

    /// The n-th limit, with the value that was bound where it is a parameter.
    pub(super) fn limit(&self, index: u16) -> Limit {
        let limit = self.intake.reading.limit(self.piece, index);
        match (limit, self.intake.values) {
            // What cannot be read bounds something, though nobody knows what: the server may take it.
            (Limit::Parameter(parameter), Some(values)) => {
                values.limit(parameter).filter(|known| *known != Limit::Other).unwrap_or(limit)
            }
            _ => limit,
        }
    }

    /// Rows that its text and its values carry, by form.
    pub(super) fn counts(&self) -> Counts {
        let counts = self.piece.counts;
        let bound = self.intake.values.map_or(0, |values| self.intake.reading.bound_elements(self.piece, values));
        Counts { array_elements: counts.array_elements.max(bound), ..counts }
    }

    /// Rows that it is known to mean to write: what it carries, and one where it carries none; 0 where it only reads.
    pub(super) fn written(&self) -> u64 {
        if self.piece.writes() { u64::from(self.counts().largest().max(1)) } else { 0 }
    }
}

//! All that a rule may see.

use crate::sql::facts::Statement;
use crate::sql::{Piece, Reading, Schema};

/// How much of a text was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Whole {
    /// All of it.
    Whole,
    /// Only its beginning, since it is longer than any rule needs to see: its last statement is cut off.
    PrefixOnly,
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
}

impl<'a> Intake<'a> {
    /// The statements, in order.
    pub(super) fn entries(&self) -> impl Iterator<Item = Entry<'a>> + use<'a> {
        let intake = *self;
        intake.reading.pieces().iter().enumerate().map(move |(index, piece)| Entry {
            index,
            piece,
            facts: intake.reading.statement(index),
            cut: if intake.reading.is_last_of_its_reading(index) { intake.whole } else { Whole::Whole },
            intake,
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
}

//! What rules see of one text.

use std::sync::Arc;

use super::facts::{self, Facts};
use super::lexer::{self, Lexed, Limit, Marks, Piece};
use super::{Flags, facts::Statement};

/// A text that was read: its statements with their counts, and the facts of its shape.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reading {
    pieces: Box<[Piece]>,
    limits: Box<[Limit]>,
    facts: Arc<Facts>,
}

impl Reading {
    /// Puts together what the lexer read of a text and the facts of its shape.
    pub fn new(lexed: &Lexed, facts: Arc<Facts>) -> Self {
        let limits = lexed.limits.iter().map(|at| at.limit).collect();
        Self { pieces: lexed.pieces.as_slice().into(), limits, facts }
    }

    /// Reads a text in one go. Parses: never on a worker, see [`facts::parse`].
    pub fn of(flags: Flags, text: &[u8]) -> Self {
        let lexed = lexer::lex(flags, text);
        let facts = Arc::new(facts::parse(&lexed));
        Self::new(&lexed, facts)
    }

    /// True where the lexer read the same in another text of the same shape: then no rule can tell the two apart.
    pub fn is_of(&self, lexed: &Lexed) -> bool {
        *self.pieces == *lexed.pieces && self.limits.iter().eq(lexed.limits.iter().map(|at| &at.limit))
    }

    /// Its statements, at least one.
    pub fn pieces(&self) -> &[Piece] {
        &self.pieces
    }

    /// True for the last piece of one way to read the text, behind which another way begins.
    pub fn is_last_of_its_reading(&self, index: usize) -> bool {
        match (self.pieces.get(index), self.pieces.get(index + 1)) {
            (Some(piece), Some(next)) => next.marks.has(Marks::ASIDE) && next.text.start < piece.text.end,
            (_, None) => true,
            (None, Some(_)) => false,
        }
    }

    /// The facts of its shape.
    pub fn facts(&self) -> &Facts {
        &self.facts
    }

    /// The facts of one statement.
    pub fn statement(&self, index: usize) -> &Statement {
        static SILENT: Statement = Statement::SILENT;
        self.facts.statements.get(index).unwrap_or(&SILENT)
    }

    /// The n-th limit of one statement. Of an expression, which has no value here, nobody can tell where there are
    /// parameters; without any it was written to be no number.
    pub fn limit(&self, piece: &Piece, index: u16) -> Limit {
        let limits = self.limits.get(piece.limits.clone()).unwrap_or_default();
        let expression = if piece.marks.has(Marks::PARAMETERS) { Limit::Parameter } else { Limit::Other };
        limits.get(usize::from(index)).copied().unwrap_or(expression)
    }

    /// Bytes of memory beside the shared facts: for a cache that counts bytes.
    pub fn weight_bytes(&self) -> usize {
        size_of::<Self>() + size_of_val(&*self.pieces) + size_of_val(&*self.limits)
    }
}

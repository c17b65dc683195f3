//! What rules see of one text.

use std::sync::Arc;

use super::facts::{self, Facts};
use super::lexer::{self, Lexed, Limit, Marks, Piece};
use super::values::{Role, Values, Wanted};
use super::{Flags, facts::Statement};

/// A text that was read: its statements with their counts, and the facts of its shape.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reading {
    pieces: Box<[Piece]>,
    limits: Box<[Limit]>,
    arrays: Box<[u16]>,
    wanted: Box<[Wanted]>,
    facts: Arc<Facts>,
}

impl Reading {
    /// Puts together what the lexer read of a text and the facts of its shape.
    pub fn new(lexed: &Lexed, facts: Arc<Facts>) -> Self {
        let limits = lexed.limits.iter().map(|at| at.limit).collect();
        let arrays = lexed.arrays.iter().map(|at| at.parameter).collect();
        Self { pieces: lexed.pieces.as_slice().into(), limits, arrays, wanted: wanted(lexed), facts }
    }

    /// Reads a text in one go. Parses: never on a worker, see [`facts::parse`].
    pub fn of(flags: Flags, text: &[u8]) -> Self {
        let lexed = lexer::lex(flags, text);
        let facts = Arc::new(facts::parse(&lexed));
        Self::new(&lexed, facts)
    }

    /// True where the lexer read the same in another text of the same shape: then no rule can tell the two apart.
    pub fn is_of(&self, lexed: &Lexed) -> bool {
        *self.pieces == *lexed.pieces
            && self.limits.iter().eq(lexed.limits.iter().map(|at| &at.limit))
            && self.arrays.iter().eq(lexed.arrays.iter().map(|at| &at.parameter))
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
        let expression = if piece.marks.has(Marks::PARAMETERS) { Limit::Parameter(0) } else { Limit::Other };
        limits.get(usize::from(index)).copied().unwrap_or(expression)
    }

    /// The parameters that say how much its statements read or write, sorted; empty where no value changes a verdict.
    pub fn wanted(&self) -> &[Wanted] {
        &self.wanted
    }

    /// The elements of the largest array among the bound values of one statement.
    pub fn bound_elements(&self, piece: &Piece, values: &Values) -> u32 {
        let arrays = self.arrays.get(piece.arrays.clone()).unwrap_or_default();
        arrays.iter().map(|&parameter| values.elements(parameter)).max().unwrap_or(0)
    }

    /// The elements of the largest array among the bound values of one statement, where every one of them was read to its end.
    pub fn elements_at_most(&self, piece: &Piece, values: &Values) -> Option<u32> {
        let arrays = self.arrays.get(piece.arrays.clone()).unwrap_or_default();
        let known = arrays.iter().map(|&parameter| values.all_elements(parameter)).collect::<Option<Vec<u32>>>()?;
        known.into_iter().max()
    }

    /// True where any of its statements inserts, updates, deletes or merges.
    pub fn writes(&self) -> bool {
        self.pieces.iter().any(Piece::writes)
    }

    /// Bytes of memory beside the shared facts: for a cache that counts bytes.
    pub fn weight_bytes(&self) -> usize {
        size_of::<Self>()
            + size_of_val(&*self.pieces)
            + size_of_val(&*self.limits)
            + size_of_val(&*self.arrays)
            + size_of_val(&*self.wanted)
    }
}

/// Every limit and every array. An array of a write has to be known, since it says how much is written; one of a query only
/// saves counting its rows as they come.
fn wanted(lexed: &Lexed) -> Box<[Wanted]> {
    let limits = lexed.limits.iter().filter_map(|at| match at.limit {
        Limit::Parameter(parameter) => Some(Wanted { parameter, role: Role::Limit }),
        Limit::Rows(_) | Limit::All | Limit::Other => None,
    });
    let arrays = lexed.pieces.iter().flat_map(|piece| {
        let role = if piece.writes() { Role::Array } else { Role::Keys };
        let arrays = lexed.arrays.get(piece.arrays.clone()).unwrap_or_default();
        arrays.iter().map(move |at| Wanted { parameter: at.parameter, role })
    });
    let mut wanted: Vec<Wanted> = limits.chain(arrays).filter(|wanted| wanted.parameter > 0).collect();
    wanted.sort_unstable();
    wanted.dedup();
    wanted.into()
}

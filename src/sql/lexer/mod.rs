//! One pass over the bytes of a text: its statements, what each does and how much it carries, and the text's shape.
//!
//! The shape is the text without what varies from call to call: comments and white space are gone, unquoted words are
//! in lower case, each literal and parameter is `$1`, a list keeps its first item and `VALUES` its first tuple. What
//! was left out is counted, and the values that a verdict needs ([`Limit`]) stand beside the shape. Table names stay.
//!
//! A few kinds of literal keep a trace in the shape, since a verdict depends on them: `$2` stands for the value of a
//! `LIMIT` or `FETCH FIRST`; a comparison of two literals becomes one of `1` and `2` with the same outcome; a `0`
//! or `1` that is compared with a column named `id` or `pk` stays; of `a = 'x' OR a <> 'x'` both become `3`; a pattern that
//! every text matches becomes `'%'`; and a sample of 100 percent and more becomes `100`. In MySQL's SQL the marks are `?1`
//! and `?2`, and names keep their case.
//!
//! The lexer takes any bytes, never fails, allocates nothing for a token, and its time is linear in the text. What it keeps is
//! bounded: names by [`NAME_BYTES_MAX`], the shape by [`SHAPE_BYTES_MAX`], statements by [`PIECES_MAX`], limits by [`LIMITS_MAX`],
//! nesting by [`NEST_MAX`]. Beyond each bound counting goes on, and [`Marks::CUT`] tells what was not kept.

mod body;
mod everything;
mod fold;
mod frame;
mod head;
mod keyword;
mod list;
mod mysql;
mod name;
mod nest;
mod pair;
mod piece;
mod scalar;
mod scan;
mod state;
mod statement;
pub mod timeout;
mod token;
mod value;

use super::dialect::{Dialect, Flags};
pub use piece::{Counts, Marks, Piece, Wrap};
use state::Lexer;

/// Bytes kept of a name or an operator: more than the server tells apart.
pub const NAME_BYTES_MAX: usize = 256;
/// Bytes kept of a shape.
pub const SHAPE_BYTES_MAX: usize = 256 << 10;
/// Beyond this much shape, statements that are alike are kept once.
pub const SHAPE_BYTES_SINGLE: usize = 128 << 10;
/// Statements that are kept singly, though they may be alike.
pub const PIECES_SINGLE: usize = 1_000;
/// Statements that are kept at all; the last of them stands for all that come later, and the one that the text ends in follows it.
pub const PIECES_MAX: usize = 2_000;
/// Values of `LIMIT` that are kept.
pub const LIMITS_MAX: usize = 4_096;
/// Parentheses, brackets and CASEs that are told apart inside each other.
pub const NEST_MAX: usize = 1_000;

/// A value that stands as `LIMIT` or `FETCH FIRST`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Limit {
    /// A literal, or a sum of literals; what does not fit is the largest value.
    Rows(u64),
    /// The parameter of this number, known only when bound; 0 for one that no server takes.
    Parameter(u16),
    /// None at all: NULL was bound.
    All,
    /// A literal that is no number of rows.
    Other,
}

/// A limit with its place in the shape.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LimitAt {
    /// Offset of its `$2`.
    pub at: usize,
    /// The value.
    pub limit: Limit,
}

/// A parameter that stands as an array, with its place in the shape.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ArrayAt {
    /// Offset of what stands for it.
    pub at: usize,
    /// Its number, from 1; 0 for one that no server takes.
    pub parameter: u16,
}

/// A text that was read.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Lexed {
    /// The SQL it is written in.
    pub dialect: Dialect,
    /// The text without what varies; statements are separated by `"; "`. At most [`SHAPE_BYTES_MAX`].
    pub shape: Vec<u8>,
    /// Its statements; a text without any has one of `Verb::Empty`. Of very many, those of one shape are one, see [`PIECES_SINGLE`].
    pub pieces: Vec<Piece>,
    /// Values of `LIMIT` and `FETCH FIRST`, in the order of the text. At most [`LIMITS_MAX`].
    pub limits: Vec<LimitAt>,
    /// Parameters that stand as arrays, in the order of the text.
    pub arrays: Vec<ArrayAt>,
    /// Numbers that may be any others.
    pub numbers: Numbers,
}

/// Numbers of a text that may be any others of as many digits: it would be read the same. See [`mask`](super::mask).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Numbers {
    /// So many of those that stand alone, and nothing looked at a value of them.
    Plain(u32),
    /// Something looked at the value of one: whoever does so sets this.
    Read,
}

impl Default for Numbers {
    fn default() -> Self {
        Self::Plain(0)
    }
}

impl Numbers {
    fn add(&mut self) {
        if let Self::Plain(count) = self {
            *count = count.saturating_add(1);
        }
    }
}

impl Lexed {
    fn clear(&mut self) {
        self.shape.clear();
        self.pieces.clear();
        self.limits.clear();
        self.arrays.clear();
        self.numbers = Numbers::default();
    }

    /// Forgets the values whose place was at `to` or behind it.
    fn forget_values(&mut self, to: usize) {
        while self.limits.last().is_some_and(|limit| limit.at >= to) {
            self.limits.pop();
        }
        while self.arrays.last().is_some_and(|array| array.at >= to) {
            self.arrays.pop();
        }
    }
}

impl Lexed {
    /// True where all was kept: only then do texts of one shape have the same facts.
    pub fn is_whole(&self) -> bool {
        !self.pieces.iter().any(|piece| piece.marks.has(Marks::CUT))
    }
}

/// Reads a text.
pub fn lex(flags: Flags, text: &[u8]) -> Lexed {
    let mut out = Lexed::default();
    lex_into(flags, text, &mut out);
    out
}

/// Reads a text into buffers that are used again.
pub fn lex_into(flags: Flags, text: &[u8], out: &mut Lexed) {
    out.clear();
    out.dialect = flags.dialect;
    match flags.dialect {
        Dialect::Postgres => {
            let mut lexer = Lexer::new(flags, text, out);
            while lexer.statement() {}
        }
        Dialect::MySql => mysql::read(flags, text, out),
    }
    if out.pieces.is_empty() {
        out.pieces.push(Piece::default());
    }
}

/// The first statement of a text, and where the next one may begin; `None` where there is none.
///
/// For files: what follows `COPY … FROM STDIN` is data, so a file cannot be read in one go.
pub fn first_statement(flags: Flags, text: &[u8], out: &mut Lexed) -> Option<usize> {
    out.clear();
    out.dialect = flags.dialect;
    let mut lexer = Lexer::new(flags, text, out);
    lexer.read_all_comments();
    while lexer.next_statement() {
        if lexer.has_pieces() {
            return Some(lexer.position());
        }
    }
    let end = lexer.position();
    lexer.has_pieces().then_some(end)
}

//! The state of one pass over a text.

use super::body::Body;
use super::fold::Fold;
use super::frame::Frame;
use super::head::Head;
use super::keyword::Word;
use super::mysql::MySql;
use super::pair::Pair;
use super::scalar::Scalar;
use super::{Lexed, Piece};
use crate::sql::dialect::{Dialect, Flags, Strings};

/// The token before the current one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Last {
    /// None: a statement begins.
    Start,
    /// An unquoted word.
    Word(Word),
    /// A quoted name, or a word after a dot or `AS`.
    Name,
    /// A string literal.
    Text,
    /// Any other literal, or a parameter.
    Value,
    Open,
    Close,
    OpenBracket,
    CloseBracket,
    Comma,
    Dot,
    Cast,
    /// `=`, `<>`, `<` and the like.
    Compare,
    /// `+` or `-`.
    Sign,
    /// Any other operator.
    Operator,
}

/// The state of one pass.
#[derive(Debug)]
pub(super) struct Lexer<'a> {
    pub(super) text: &'a [u8],
    pub(super) at: usize,
    pub(super) strings: Strings,
    pub(super) out: &'a mut Lexed,
    /// The statement being read.
    pub(super) piece: Piece,
    pub(super) head: Head,
    /// What is open; the first frame is the statement itself.
    pub(super) frames: Vec<Frame>,
    /// Parentheses and brackets that are open beyond those in `frames`.
    pub(super) deep: usize,
    /// Items of every kind that stand so deep.
    pub(super) deep_items: u32,
    /// How many frames are open in the outermost list of which an item behind the first is being read; 0 outside of any.
    pub(super) list: usize,
    /// That item has more than values in it.
    pub(super) listed: bool,
    /// Where the shape ended when the statement began.
    pub(super) before: usize,
    /// Statements by shape, once there are very many.
    pub(super) fold: Option<Box<Fold>>,
    pub(super) last: Last,
    pub(super) before_last: Last,
    /// Offset in the shape of a sign, with its space, while it is the last token.
    pub(super) sign_at: usize,
    pub(super) pair: Pair,
    /// The literal that was compared last before an OR, with its place in the shape.
    pub(super) before_or: Option<(Scalar, usize)>,
    /// Up to here each operator is a sign of its own.
    pub(super) signs: usize,
    /// The next value is that of a LIMIT.
    pub(super) limit_next: bool,
    /// `BEGIN ATOMIC` bodies that are open; in MySQL's SQL, blocks of a stored program.
    pub(super) atomic: u32,
    /// How many pieces other readings of the text left.
    pub(super) first_piece: usize,
    /// Bodies of DO that are being read, innermost last.
    pub(super) bodies: Vec<Body<'a>>,
    /// Tuples that the statement carried before the INSERT being read.
    pub(super) tuples_before: u32,
    /// What stands for a value, and for that of a limit.
    pub(super) marks: Placeholders,
    pub(super) mysql: MySql,
}

/// What stands for values in the shape, so that a parser of the dialect can read it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Placeholders {
    pub(super) value: &'static [u8; 2],
    pub(super) limit: &'static [u8; 2],
}

impl Placeholders {
    const fn of(dialect: Dialect) -> Self {
        match dialect {
            Dialect::Postgres => Self { value: b"$1", limit: b"$2" },
            Dialect::MySql => Self { value: b"?1", limit: b"?2" },
        }
    }
}

impl<'a> Lexer<'a> {
    pub(super) fn new(flags: Flags, text: &'a [u8], out: &'a mut Lexed) -> Self {
        let first_piece = out.pieces.len();
        Self {
            text,
            at: 0,
            strings: flags.strings,
            out,
            piece: Piece::default(),
            head: Head::First,
            frames: Vec::with_capacity(16),
            deep: 0,
            deep_items: 0,
            list: 0,
            listed: false,
            before: 0,
            fold: None,
            last: Last::Start,
            before_last: Last::Start,
            sign_at: 0,
            signs: 0,
            pair: Pair::None,
            before_or: None,
            limit_next: false,
            atomic: 0,
            first_piece,
            bodies: Vec::new(),
            tuples_before: 0,
            marks: Placeholders::of(flags.dialect),
            mysql: MySql::new(flags),
        }
    }

    pub(super) fn has_pieces(&self) -> bool {
        !self.out.pieces.is_empty()
    }

    pub(super) fn position(&self) -> usize {
        self.at
    }
}

//! Words: which statement they begin, and what else they set off.

use super::frame::{FrameKind, Tuples};
use super::keyword::Word;
use super::pair::{Pair, Side};
use super::scalar::Scalar;
use super::state::{Last, Lexer};
use super::{Marks, Wrap};
use crate::sql::verb::Verb;

/// How far the beginning of a statement was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Head {
    /// The next word begins a statement, maybe inside parentheses.
    First,
    /// After `EXPLAIN`: options, then a statement.
    Explain,
    /// After `PREPARE`: a name, then `AS` and a statement.
    Prepare,
    /// After `DECLARE`: a name, then `FOR` and a query.
    Declare,
    /// After MySQL's `SET STATEMENT`: settings, then `FOR` and a statement.
    SetStatement,
    /// After `COPY`: a query in parentheses, or a table.
    Copy,
    /// After `WITH`: the main statement follows at this depth.
    With(usize),
    /// The verb is known.
    Done,
}

impl Lexer<'_> {
    /// Acts on the word that was just put at `shape`.
    pub(super) fn act(&mut self, word: Word, shape: usize) {
        if self.head != Head::Done {
            self.head_word(word, shape);
        }
        if self.list > 0 {
            self.listed_word(word, shape);
        }
        // `LIMIT CAST (10 AS bigint)` is a limit all the same.
        self.limit_next &= word == Word::Cast;
        self.pair_word(word);
        if let Some(top) = self.top_mut() {
            top.tuples = if word == Word::Values { Tuples::Expected } else { Tuples::No };
            top.tuple_count = 0;
        }
        match word {
            Word::Case => self.open_case(),
            Word::When => self.case_arm(shape),
            Word::Else => self.case_else(shape),
            Word::End => self.case_end(shape),
            Word::Limit => self.limit_next = true,
            Word::First => self.limit_next = self.last == Last::Word(Word::Fetch),
            Word::Select | Word::Values | Word::Table | Word::With => self.query_word(),
            Word::Insert | Word::Update | Word::Delete | Word::Merge => self.write_word(word),
            Word::Null | Word::True | Word::False | Word::Default => return self.constant_word(word, shape),
            Word::Stdin if self.piece.verb == Verb::Copy && self.last == Last::Word(Word::From) => {
                self.piece.marks.set(Marks::COPY_IN);
            }
            Word::Atomic if self.piece.verb == Verb::Schema && self.last == Last::Word(Word::Begin) => self.atomic += 1,
            _ => {}
        }
        self.token(Last::Word(word));
    }

    /// A quoted name was put.
    pub(super) fn name(&mut self, word: Word) {
        self.pair_word(word);
        self.limit_next = false;
        self.listed |= self.list > 0;
        if let Some(top) = self.top_mut() {
            top.tuples = Tuples::No;
        }
        self.token(Last::Name);
    }

    fn pair_word(&mut self, word: Word) {
        self.pair = match (word, self.pair) {
            (Word::Key, Pair::Compared(Side::Literal(left, at))) => {
                self.compare_with_key(left, at);
                Pair::Left(Side::Key)
            }
            (Word::Key, _) => Pair::Left(Side::Key),
            (Word::In, pair) => pair.compared(),
            (Word::Or, pair) => {
                self.note_or(pair);
                Pair::None
            }
            (Word::And | Word::When, _) => {
                self.before_or = None;
                Pair::None
            }
            // The type of a cast.
            (_, pair) if self.last == Last::Cast => pair,
            _ => Pair::None,
        };
    }

    /// In a list that is shortened, and in the arm of a CASE, these are values like any other.
    fn constant_word(&mut self, word: Word, shape: usize) {
        let item =
            matches!(self.top().kind, FrameKind::List | FrameKind::Tuple | FrameKind::Array | FrameKind::RowArray)
                && matches!(self.last, Last::Open | Last::OpenBracket | Last::Comma);
        if item || matches!(self.last, Last::Word(Word::Then)) {
            self.out.shape.truncate(shape);
            self.out.shape.extend_from_slice(self.marks.value);
            self.token(Last::Value);
        } else {
            self.token(Last::Word(word));
        }
    }

    /// The list, or what ANY compares with, turns out to be a query.
    fn query_word(&mut self) {
        if self.last == Last::Open
            && let Some(top) = self.top_mut()
            && matches!(top.kind, FrameKind::List | FrameKind::Rows)
        {
            top.kind = FrameKind::Group;
        }
    }

    fn write_word(&mut self, word: Word) {
        if !matches!(self.last, Last::Open | Last::Close) {
            return;
        }
        if self.frames.len() > 1 {
            self.piece.marks.set(Marks::CTE_WRITES);
            if self.piece.marks.has(Marks::CUT) && matches!(word, Word::Update | Word::Delete) {
                self.piece.marks.set(Marks::CUT_WRITES);
            }
        }
        if word == Word::Insert {
            self.tuples_before = self.piece.counts.tuples;
        }
    }

    fn head_word(&mut self, word: Word, shape: usize) {
        match self.head {
            Head::First => self.first_word(word, shape),
            Head::Explain => self.explain_word(word, shape),
            Head::Prepare if word == Word::As && self.frames.len() == 1 => self.wrapped(Wrap::Prepare),
            Head::Declare if word == Word::For && self.frames.len() == 1 => self.wrapped(Wrap::Cursor),
            Head::SetStatement if word == Word::For => self.head = Head::First,
            Head::Copy => self.head = Head::Done,
            Head::With(depth) if depth == self.depth() => self.main_word(word),
            Head::Prepare | Head::Declare | Head::SetStatement | Head::With(_) | Head::Done => {}
        }
    }

    /// What follows is the statement that runs.
    fn wrapped(&mut self, wrap: Wrap) {
        self.piece.wrap = wrap;
        self.head = Head::First;
    }

    fn first_word(&mut self, word: Word, shape: usize) {
        let outer = self.piece.verb == Verb::Empty;
        // Parentheses around the statement belong to it; the one of `COPY (…)` does not.
        let before = self.out.shape.get(self.piece.body..shape).unwrap_or_default();
        self.piece.body = shape - before.iter().rev().take_while(|&&byte| byte == b'(').count();
        let verb = word.verb();
        self.head = match word {
            Word::With => Head::With(self.depth()),
            Word::Explain if outer => Head::Explain,
            Word::Prepare if outer => Head::Prepare,
            Word::Declare if outer => Head::Declare,
            Word::Copy if outer => Head::Copy,
            _ => Head::Done,
        };
        if word == Word::Explain && outer {
            self.piece.wrap = Wrap::Explain;
        }
        if !matches!(self.head, Head::With(_)) {
            self.resolve(verb);
        }
    }

    fn resolve(&mut self, verb: Verb) {
        self.piece.inner = verb;
        if self.piece.verb == Verb::Empty {
            self.piece.verb = verb;
        }
    }

    fn explain_word(&mut self, word: Word, shape: usize) {
        match word {
            Word::Analyze => self.piece.wrap = Wrap::ExplainAnalyze,
            Word::False | Word::Off if self.last == Last::Word(Word::Analyze) => self.piece.wrap = Wrap::Explain,
            // VERBOSE, or an option in parentheses.
            Word::Plain => {}
            // No option has such a name: these parentheses are the statement's.
            Word::Select | Word::With | Word::Values | Word::Table => self.first_word(word, shape),
            _ if self.frames.len() == 1 => self.first_word(word, shape),
            _ => {}
        }
    }

    /// `EXPLAIN (ANALYZE 0)` and `EXPLAIN (ANALYZE 'off')`.
    pub(super) fn note_explain_option(&mut self, scalar: Scalar) {
        if self.head != Head::Explain || self.last != Last::Word(Word::Analyze) {
            return;
        }
        let value = self.text.get(scalar.start..scalar.end).unwrap_or_default();
        if [&b"0"[..], b"'0'", b"'off'", b"'false'"].iter().any(|off| value.eq_ignore_ascii_case(off)) {
            self.piece.wrap = Wrap::Explain;
        }
    }

    fn main_word(&mut self, word: Word) {
        if matches!(
            word,
            Word::Select | Word::Values | Word::Table | Word::Insert | Word::Update | Word::Delete | Word::Merge
        ) {
            self.head = Head::Done;
            self.resolve(word.verb());
        }
    }

    /// A parenthesis opens: after `COPY` it holds a query.
    pub(super) fn head_paren(&mut self) {
        if self.head == Head::Copy {
            self.wrapped(Wrap::CopyOut);
            self.piece.body = self.out.shape.len();
        }
    }

    /// The statement ends: what its head left open is settled.
    pub(super) fn close_head(&mut self) {
        match self.head {
            // The main statement is a query in parentheses.
            Head::With(_) => self.resolve(Verb::Select),
            Head::First => self.resolve(Verb::Other),
            Head::Explain | Head::Prepare | Head::Declare | Head::SetStatement | Head::Copy | Head::Done => {}
        }
    }
}

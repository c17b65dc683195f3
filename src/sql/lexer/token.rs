//! What each token adds to the shape.

use super::keyword::{self, Word};
use super::pair::Pair;
use super::scalar::{Kind, Scalar};
use super::scan::{self, Class};
use super::state::{Last, Lexer};
use super::{Marks, NAME_BYTES_MAX, SHAPE_BYTES_MAX};
use crate::sql::dialect::Strings;

impl Lexer<'_> {
    /// Notes the token that was just put, which ends at the cursor.
    #[inline(always)]
    pub(super) fn token(&mut self, last: Last) {
        self.before_last = self.last;
        self.last = last;
        self.piece.text.end = self.at;
        if self.out.shape.len() > SHAPE_BYTES_MAX {
            self.cut(SHAPE_BYTES_MAX);
            self.piece.marks.set(Marks::CUT);
        }
    }

    /// Separates the next token from the one before it. Must come first, since it also begins a statement.
    #[inline(always)]
    pub(super) fn gap(&mut self) {
        match self.last {
            Last::Open | Last::OpenBracket | Last::Dot | Last::Cast => {}
            Last::Start => self.begin_shape(),
            _ => self.out.shape.push(b' '),
        }
    }

    pub(super) fn begin_shape(&mut self) {
        if self.has_pieces() {
            self.out.shape.extend_from_slice(b"; ");
        }
        let shape = self.out.shape.len();
        self.piece.shape.start = shape;
        self.piece.body = shape;
        self.piece.text.start = self.mysql.start(self.at);
    }

    #[inline(always)]
    pub(super) fn put(&mut self, bytes: &[u8]) {
        if self.last == Last::Start {
            self.begin_shape();
        }
        self.out.shape.extend_from_slice(bytes);
    }

    /// Takes back what was put from `to` on, with the values in it.
    pub(super) fn cut(&mut self, to: usize) {
        self.out.shape.truncate(to);
        self.pair = self.pair.cut(to);
        self.before_or = self.before_or.filter(|(_, at)| *at < to);
        self.out.forget_values(to);
    }

    pub(super) fn word(&mut self) {
        let start = self.at;
        let end = scan::word(self.text, start + 1);
        if end - start <= 1 && self.prefixed_literal(start, end) {
            return;
        }
        self.gap();
        let shape = self.out.shape.len();
        self.out.shape.extend_from_slice(&self.text[start..end.min(start + NAME_BYTES_MAX)]);
        self.out.shape[shape..].make_ascii_lowercase();
        self.at = end;
        let word = self.meaning(shape);
        self.act(word, shape);
    }

    /// What the word at the end of the shape means where it stands.
    fn meaning(&self, shape: usize) -> Word {
        let word = keyword::word(&self.out.shape[shape..]);
        match self.last {
            // Any word is a name after a dot.
            Last::Dot if word != Word::Key => Word::Plain,
            // A label: only these go on with the statement.
            Last::Word(Word::As) => match word {
                Word::Select | Word::Values | Word::Table | Word::Insert | Word::Update | Word::Delete => word,
                Word::Merge | Word::With | Word::Execute | Word::Materialized | Word::Not | Word::Type => word,
                _ => Word::Plain,
            },
            _ => word,
        }
    }

    /// `E'…'`, `B'…'`, `X'…'`, `N'…'`, `U&'…'` and `U&"…"`.
    fn prefixed_literal(&mut self, start: usize, end: usize) -> bool {
        let next = self.text.get(end).copied();
        let after = self.text.get(end + 1).copied();
        match (self.text[start] | 0x20, next, after) {
            (b'e', Some(b'\''), _) => self.string(start, end + 1, Strings::Escapes),
            (b'n', Some(b'\''), _) => self.string(start, end + 1, self.strings),
            (b'b' | b'x', Some(b'\''), _) => self.string(start, end + 1, Strings::Standard),
            (b'u', Some(b'&'), Some(b'\'')) => {
                self.string(start, end + 2, Strings::Standard);
                self.skip_escape_clause();
            }
            (b'u', Some(b'&'), Some(b'"')) => self.quoted_name(end + 2),
            _ => return false,
        }
        true
    }

    pub(super) fn string(&mut self, start: usize, from: usize, strings: Strings) {
        let end = scan::string(self.text, from, strings);
        if end.closed && self.enters_body(from..end.at - 1, end.at) {
            return;
        }
        self.text_value(start, from, end);
    }

    #[inline(always)]
    pub(super) fn text_value(&mut self, start: usize, content: usize, end: scan::End) {
        if !end.closed {
            self.piece.marks.set(Marks::UNTERMINATED);
        }
        self.value(Scalar { kind: Kind::Text, start, content, end: end.at, negative: false });
    }

    pub(super) fn number(&mut self) {
        let start = self.at;
        let end = scan::number(self.text, start);
        self.value(Scalar { kind: Kind::Number, start, content: start, end, negative: false });
    }

    pub(super) fn dollar(&mut self) {
        let start = self.at;
        if scan::class(self.text, start + 1) == Class::Digit {
            let digits = self.text[start + 1..].iter().position(|byte| !byte.is_ascii_digit());
            let end = digits.map_or(self.text.len(), |digits| start + 1 + digits);
            // In a body they are parameters of what it executes.
            if self.bodies.is_empty() {
                self.piece.marks.set(Marks::PARAMETERS);
            }
            self.value(Scalar { kind: Kind::Parameter, start, content: start, end, negative: false });
        } else if let Some(end) = scan::dollar_quoted(self.text, start) {
            let tag = scan::dollar_tag(self.text, start);
            if !end.closed || !self.enters_body(start + tag..end.at - tag, end.at) {
                self.text_value(start, start, end);
            }
        } else {
            self.other();
        }
    }

    /// A dot before a digit begins a number, even directly behind a name.
    pub(super) fn dot_or_number(&mut self) {
        if scan::class(self.text, self.at + 1) == Class::Digit {
            return self.number();
        }
        self.dot();
    }

    pub(super) fn dot(&mut self) {
        self.put(b".");
        self.at += 1;
        self.token(Last::Dot);
        self.pair = Pair::None;
        self.limit_next = false;
    }

    pub(super) fn colon(&mut self) {
        let cast = self.text.get(self.at + 1) == Some(&b':');
        self.put(if cast { b"::" } else { b":" });
        self.at += if cast { 2 } else { 1 };
        self.token(if cast { Last::Cast } else { Last::Operator });
        self.limit_next = false;
        if !cast {
            self.pair = Pair::None;
        }
    }

    pub(super) fn operator(&mut self) {
        let start = self.at;
        match (self.text[start], self.text.get(start + 1)) {
            (b'-', Some(b'-')) => {
                self.at = scan::line_comment(self.text, start + 2);
                return;
            }
            (b'/', Some(b'*')) => {
                let end = scan::block_comment(self.text, start + 2);
                if !end.closed {
                    self.piece.marks.set(Marks::UNTERMINATED);
                }
                self.at = end.at;
                return;
            }
            _ => {}
        }
        let end = self.operator_end(start);
        self.put_operator(end);
    }

    /// Puts the operator from the cursor to `end`.
    pub(super) fn put_operator(&mut self, end: usize) {
        let start = self.at;
        let sum = self.extends_limit(start..end);
        let space = self.out.shape.len();
        self.gap();
        self.out.shape.extend_from_slice(&self.text[start..end.min(start + NAME_BYTES_MAX)]);
        self.at = end;
        match &self.text[start..end] {
            b"=" | b"<>" | b"!=" | b"<" | b">" | b"<=" | b">=" => {
                self.pair = self.pair.compared();
                self.token(Last::Compare);
            }
            b"+" | b"-" => {
                self.sign_at = space;
                self.token(Last::Sign);
                self.pair = self.pair.signed();
            }
            _ => {
                self.pair = Pair::None;
                self.token(Last::Operator);
            }
        }
        self.limit_next = sum || self.limit_next && self.last == Last::Sign;
    }

    /// Where the operator ends that begins at `start`. A run of signs is looked through once, not again for each of them.
    fn operator_end(&mut self, start: usize) -> usize {
        if start < self.signs {
            return start + 1;
        }
        let end = scan::operator(self.text, start);
        self.signs = end.signs;
        end.at
    }

    /// A byte that no token begins with.
    pub(super) fn other(&mut self) {
        if self.is_escaped_space() {
            self.at += 2;
            return;
        }
        self.gap();
        self.out.shape.push(self.text[self.at]);
        self.at += 1;
        self.token(Last::Operator);
        self.pair = Pair::None;
        self.limit_next = false;
    }

    /// The `\n` of a body in `E'…'`.
    fn is_escaped_space(&self) -> bool {
        let escape = self.text.get(self.at..).and_then(|rest| rest.get(..2)).unwrap_or_default();
        !self.bodies.is_empty() && matches!(escape, [b'\\', b'n' | b'r' | b't'])
    }
}

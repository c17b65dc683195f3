//! The loop over tokens: what each adds to the shape.

use super::keyword::{self, Word};
use super::mysql::MySql;
use super::nest::Frame;
use super::scan::{self, CLASS, Class};
use super::value::{Kind, Pair, Scalar};
use super::{Lexed, Marks, Piece, head::Head};
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
    pub(super) last: Last,
    pub(super) before_last: Last,
    /// Offset in the shape of a sign, with its space, while it is the last token.
    pub(super) sign_at: usize,
    pub(super) pair: Pair,
    /// The next value is that of a LIMIT.
    pub(super) limit_next: bool,
    /// `BEGIN ATOMIC` bodies that are open; in MySQL's SQL, blocks of a stored program.
    pub(super) atomic: u32,
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
        Self {
            text,
            at: 0,
            strings: flags.strings,
            out,
            piece: Piece::default(),
            head: Head::First,
            frames: Vec::with_capacity(16),
            last: Last::Start,
            before_last: Last::Start,
            sign_at: 0,
            pair: Pair::None,
            limit_next: false,
            atomic: 0,
            marks: Placeholders::of(flags.dialect),
            mysql: MySql::new(flags),
        }
    }

    /// Reads one statement of either dialect; false at the end of the text.
    pub(super) fn next_statement(&mut self) -> bool {
        match self.mysql.dialect {
            Dialect::Postgres => self.statement(),
            Dialect::MySql => self.mysql_statement(),
        }
    }

    pub(super) fn has_pieces(&self) -> bool {
        !self.out.pieces.is_empty()
    }

    pub(super) fn position(&self) -> usize {
        self.at
    }

    /// Reads up to the end of one statement; false at the end of the text.
    pub(super) fn statement(&mut self) -> bool {
        self.begin_statement();
        while let Some(&byte) = self.text.get(self.at) {
            match CLASS[usize::from(byte)] {
                Class::Space => self.at += 1,
                Class::Letter => self.word(),
                Class::Digit => self.number(),
                Class::Quote => self.string(self.at, self.at + 1, self.strings),
                Class::DoubleQuote => self.quoted_name(self.at + 1),
                Class::Dollar => self.dollar(),
                Class::Open => self.open_paren(),
                Class::Close => self.close_paren(),
                Class::OpenBracket => self.open_bracket(),
                Class::CloseBracket => self.close_bracket(),
                Class::Comma => self.comma(),
                Class::Semicolon => {
                    if self.semicolon() {
                        return true;
                    }
                }
                Class::Dot => self.dot_or_number(),
                Class::Colon => self.colon(),
                Class::Operator => self.operator(),
                Class::Other => self.other(),
            }
        }
        self.end_statement();
        false
    }

    pub(super) fn begin_statement(&mut self) {
        let shape = self.out.shape.len();
        let limits = self.out.limits.len();
        self.piece = Piece { shape: shape..shape, body: shape, limits: limits..limits, ..Piece::default() };
        self.head = Head::First;
        self.frames.clear();
        self.frames.push(Frame::STATEMENT);
        self.last = Last::Start;
        self.before_last = Last::Start;
        self.pair = Pair::None;
        self.limit_next = false;
        self.atomic = 0;
    }

    pub(super) fn end_statement(&mut self) {
        if self.last == Last::Start {
            return;
        }
        if self.frames.len() > 1 {
            self.piece.marks.set(Marks::UNTERMINATED);
        }
        self.close_head();
        self.piece.shape.end = self.out.shape.len();
        self.piece.limits.end = self.out.limits.len();
        self.out.pieces.push(std::mem::take(&mut self.piece));
    }

    /// Ends the statement unless the `;` belongs to it; true where it ended.
    pub(super) fn semicolon(&mut self) -> bool {
        if self.frames.len() > 1 || self.atomic > 0 {
            self.put(b";");
            self.at += 1;
            self.token(Last::Operator);
            return false;
        }
        self.end_statement();
        self.at += 1;
        true
    }

    /// Notes the token that was just put, which ends at the cursor.
    #[inline(always)]
    pub(super) fn token(&mut self, last: Last) {
        self.before_last = self.last;
        self.last = last;
        self.piece.text.end = self.at;
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

    /// Takes back what was put from `to` on, with the limits in it.
    pub(super) fn cut(&mut self, to: usize) {
        self.out.shape.truncate(to);
        self.pair = self.pair.cut(to);
        while self.out.limits.last().is_some_and(|limit| limit.at >= to) {
            self.out.limits.pop();
        }
    }

    fn word(&mut self) {
        let start = self.at;
        let end = scan::word(self.text, start + 1);
        if end - start <= 1 && self.prefixed_literal(start, end) {
            return;
        }
        self.gap();
        let shape = self.out.shape.len();
        self.out.shape.extend_from_slice(&self.text[start..end]);
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
            (b'u', Some(b'&'), Some(b'\'')) => self.string(start, end + 2, Strings::Standard),
            (b'u', Some(b'&'), Some(b'"')) => self.quoted_name(end + 2),
            _ => return false,
        }
        true
    }

    fn string(&mut self, start: usize, from: usize, strings: Strings) {
        let end = scan::string(self.text, from, strings);
        self.text_value(start, from, end);
    }

    #[inline(always)]
    pub(super) fn text_value(&mut self, start: usize, content: usize, end: scan::End) {
        if !end.closed {
            self.piece.marks.set(Marks::UNTERMINATED);
        }
        self.value(Scalar { kind: Kind::Text, start, content, end: end.at, negative: false });
    }

    fn number(&mut self) {
        let start = self.at;
        let end = scan::number(self.text, start);
        self.value(Scalar { kind: Kind::Number, start, content: start, end, negative: false });
    }

    fn dollar(&mut self) {
        let start = self.at;
        if scan::class(self.text, start + 1) == Class::Digit {
            let digits = self.text[start + 1..].iter().position(|byte| !byte.is_ascii_digit());
            let end = digits.map_or(self.text.len(), |digits| start + 1 + digits);
            self.piece.marks.set(Marks::PARAMETERS);
            self.value(Scalar { kind: Kind::Parameter, start, content: start, end, negative: false });
        } else if let Some(end) = scan::dollar_quoted(self.text, start) {
            self.text_value(start, start, end);
        } else {
            self.other();
        }
    }

    fn quoted_name(&mut self, from: usize) {
        let end = scan::quoted_name(self.text, from);
        if !end.closed {
            self.piece.marks.set(Marks::UNTERMINATED);
        }
        self.gap();
        let shape = self.out.shape.len();
        let unicode = self.text[self.at] != b'"';
        if unicode {
            self.unicode_name(from, end);
        } else {
            self.out.shape.extend_from_slice(&self.text[self.at..end.at]);
        }
        self.at = end.at;
        let key = matches!(&self.out.shape[shape..], b"\"id\"" | b"\"pk\"");
        self.name(if key { Word::Key } else { Word::Plain });
    }

    /// Puts `U&"…"` as the plain quoted name that it stands for, so that no table hides behind an escape.
    fn unicode_name(&mut self, from: usize, end: scan::End) {
        let inside = &self.text[from..end.at - usize::from(end.closed)];
        self.out.shape.push(b'"');
        super::value::unescape(inside, &mut self.out.shape);
        self.out.shape.push(b'"');
    }

    fn dot_or_number(&mut self) {
        if scan::class(self.text, self.at + 1) == Class::Digit && !matches!(self.last, Last::Word(_) | Last::Name) {
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

    fn colon(&mut self) {
        let cast = self.text.get(self.at + 1) == Some(&b':');
        self.put(if cast { b"::" } else { b":" });
        self.at += if cast { 2 } else { 1 };
        self.token(if cast { Last::Cast } else { Last::Operator });
        self.limit_next = false;
        if !cast {
            self.pair = Pair::None;
        }
    }

    fn operator(&mut self) {
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
        self.put_operator(scan::operator(self.text, start));
    }

    /// Puts the operator from the cursor to `end`.
    pub(super) fn put_operator(&mut self, end: usize) {
        let start = self.at;
        let space = self.out.shape.len();
        self.gap();
        self.out.shape.extend_from_slice(&self.text[start..end]);
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
        self.limit_next &= self.last == Last::Sign;
    }

    /// A byte that no token begins with.
    pub(super) fn other(&mut self) {
        self.gap();
        self.out.shape.push(self.text[self.at]);
        self.at += 1;
        self.token(Last::Operator);
        self.pair = Pair::None;
        self.limit_next = false;
    }
}

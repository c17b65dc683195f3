//! The loop over tokens: what each adds to the shape.

use super::body::Body;
use super::fold::Fold;
use super::keyword::{self, Word};
use super::mysql::MySql;
use super::nest::Frame;
use super::scan::{self, CLASS, Class};
use super::value::{Kind, Pair, Scalar};
use super::{Lexed, Marks, NAME_BYTES_MAX, Piece, SHAPE_BYTES_MAX, head::Head};
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

/// What ends a statement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Close {
    Semicolon,
    /// The end of the text, which may have been cut off there.
    Text,
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
        loop {
            let Some(&byte) = self.text.get(self.at) else {
                if self.leaves_body() {
                    continue;
                }
                break;
            };
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
        self.end_statement(Close::Text);
        false
    }

    pub(super) fn begin_statement(&mut self) {
        let shape = self.out.shape.len();
        let (limits, arrays) = (self.out.limits.len(), self.out.arrays.len());
        self.piece = Piece {
            shape: shape..shape,
            body: shape,
            limits: limits..limits,
            arrays: arrays..arrays,
            ..Piece::default()
        };
        self.tuples_before = 0;
        self.head = Head::First;
        self.frames.clear();
        self.frames.push(Frame::STATEMENT);
        self.deep = 0;
        self.deep_items = 0;
        self.list = 0;
        self.listed = false;
        self.before = shape;
        self.last = Last::Start;
        self.before_last = Last::Start;
        self.pair = Pair::None;
        self.before_or = None;
        self.limit_next = false;
        self.atomic = 0;
        self.mysql.parameters = 0;
    }

    pub(super) fn end_statement(&mut self, close: Close) {
        if self.last == Last::Start {
            return;
        }
        if self.frames.len() > 1 {
            self.piece.marks.set(Marks::UNTERMINATED);
        }
        self.close_head();
        let shape = self.out.shape.len();
        self.piece.shape = self.piece.shape.start.min(shape)..shape;
        self.piece.body = self.piece.body.min(shape);
        self.piece.limits.end = self.out.limits.len();
        self.piece.arrays.end = self.out.arrays.len();
        self.keep_piece(close);
    }

    /// Ends the statement unless the `;` belongs to it; true where it ended.
    pub(super) fn semicolon(&mut self) -> bool {
        if self.frames.len() > 1 || self.atomic > 0 {
            self.put(b";");
            self.at += 1;
            self.token(Last::Operator);
            return false;
        }
        self.end_statement(Close::Semicolon);
        self.at += 1;
        true
    }

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

    fn word(&mut self) {
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

    fn string(&mut self, start: usize, from: usize, strings: Strings) {
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

    fn quoted_name(&mut self, from: usize) {
        let end = scan::quoted_name(self.text, from);
        if !end.closed {
            self.piece.marks.set(Marks::UNTERMINATED);
        }
        self.gap();
        let shape = self.out.shape.len();
        let unicode = self.text[self.at] != b'"';
        let escape = if unicode { scan::escape_clause(self.text, end.at) } else { None };
        if unicode {
            self.unicode_name(from, end, escape.map_or(b'\\', |clause| clause.character));
        } else if end.at - self.at > NAME_BYTES_MAX {
            self.long_name(from, b'"');
        } else {
            self.out.shape.extend_from_slice(&self.text[self.at..end.at]);
        }
        self.at = escape.map_or(end.at, |clause| clause.end);
        let key = matches!(&self.out.shape[shape..], b"\"id\"" | b"\"pk\"");
        self.name(if key { Word::Key } else { Word::Plain });
    }

    /// Puts `U&"…"` as the plain quoted name that it stands for, so that no table hides behind an escape.
    fn unicode_name(&mut self, from: usize, end: scan::End, escape: u8) {
        let inside = &self.text[from..end.at - usize::from(end.closed)];
        let inside = inside.get(..NAME_BYTES_MAX).unwrap_or(inside);
        self.out.shape.push(b'"');
        super::value::unescape(inside, escape, &mut self.out.shape);
        self.out.shape.push(b'"');
    }

    /// `UESCAPE '!'` belongs to the literal before it.
    fn skip_escape_clause(&mut self) {
        if let Some(clause) = scan::escape_clause(self.text, self.at) {
            self.at = clause.end;
            self.piece.text.end = clause.end;
        }
    }

    /// Puts the beginning of a name that no server tells apart from others that begin so. Quotes in it are left out: half of
    /// a doubled one would end the name.
    pub(super) fn long_name(&mut self, from: usize, quote: u8) {
        let inside = self.text[from..from + NAME_BYTES_MAX - 2].iter().filter(|&&byte| !matches!(byte, b'"' | b'`'));
        self.out.shape.push(quote);
        self.out.shape.extend(inside);
        self.out.shape.push(quote);
    }

    /// A dot before a digit begins a number, even directly behind a name.
    fn dot_or_number(&mut self) {
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

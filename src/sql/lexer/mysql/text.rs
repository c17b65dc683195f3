//! Strings, quoted names and variables of MySQL's SQL, and what they are worth as numbers.

use std::cmp::Ordering;

use super::{keyword, scan};
use crate::sql::dialect::{Quotes, Strings};
use crate::sql::lexer::head::Head;
use crate::sql::lexer::keyword::Word;
use crate::sql::lexer::scalar::{Kind, Scalar};
use crate::sql::lexer::scan::{self as common, End};
use crate::sql::lexer::state::{Last, Lexer};
use crate::sql::lexer::{Marks, NAME_BYTES_MAX};
use crate::sql::verb::Verb;

/// Texts of PREPARE that are read for one text; it takes one at a time.
const PREPARED_MAX: usize = 16;

/// Bytes of a string that may make a number.
const NUMBER_BYTES_MAX: usize = 64;

impl Lexer<'_> {
    /// `N'…'`, `x'…'`, `b'…'` and `_utf8mb4 '…'`.
    pub(super) fn prefixed(&mut self, start: usize, end: usize) -> bool {
        let word = &self.text[start..end];
        let quote = scan::byte(self.text, end) == b'\'';
        match word {
            [b'n' | b'N'] if quote => self.mysql_string(start, end + 1),
            [b'x' | b'X' | b'b' | b'B'] if quote => {
                let end = scan::quoted(self.text, end + 1, b'\'', Strings::Standard);
                self.text_value(start, start + 2, end);
            }
            _ if keyword::is_charset(word) && self.begins_literal(scan::after_space(self.text, end)) => self.at = end,
            _ => return false,
        }
        true
    }

    fn begins_literal(&self, at: usize) -> bool {
        match (scan::byte(self.text, at), scan::byte(self.text, at + 1)) {
            (b'\'' | b'"', _) | (b'0', b'x' | b'b') => true,
            (b'x' | b'X' | b'b' | b'B', next) => next == b'\'',
            _ => false,
        }
    }

    /// A string in single quotes, whose content begins at `from`.
    pub(super) fn mysql_string(&mut self, start: usize, from: usize) {
        let end = scan::quoted(self.text, from, b'\'', self.strings);
        self.put_string(start, from, end);
    }

    pub(super) fn double_quoted(&mut self) {
        let start = self.at;
        match self.mysql.quotes {
            Quotes::Text => {
                let end = scan::quoted(self.text, start + 1, b'"', self.strings);
                self.put_string(start, start + 1, end);
            }
            Quotes::Name => self.quoted(b'"'),
        }
    }

    fn put_string(&mut self, start: usize, from: usize, end: End) {
        if self.names_column() {
            self.unterminated(end);
            self.gap();
            // A label is text that a client chose: it stays out of the shape.
            self.out.shape.extend_from_slice(b"`label`");
            self.at = end.at;
            return self.name(Word::Plain);
        }
        if self.is_prepared() && self.mysql.prepared.len() < PREPARED_MAX {
            self.mysql.prepared.push(from..end.at - usize::from(end.closed));
        }
        self.text_value(start, from, end);
    }

    /// True where a string is the label of a column: `SELECT a 'b'`, `SELECT a AS 'b'`.
    fn names_column(&self) -> bool {
        match self.last {
            Last::Word(Word::As | Word::Key) | Last::Name | Last::Close | Last::Value => true,
            // The queries of a WITH come before the verb is known.
            Last::Word(Word::Plain) => self.piece.inner.queries() || matches!(self.head, Head::With(_)),
            _ => false,
        }
    }

    /// True for the string of `PREPARE name FROM '…'` and of MariaDB's `EXECUTE IMMEDIATE '…'`.
    fn is_prepared(&self) -> bool {
        match self.piece.verb {
            Verb::Prepare => self.last == Last::Word(Word::From),
            Verb::Execute => {
                self.last == Last::Word(Word::Plain)
                    && self.before_last == Last::Word(Word::Execute)
                    && self.last_word().eq_ignore_ascii_case(b"immediate")
            }
            _ => false,
        }
    }

    fn unterminated(&mut self, end: End) {
        if !end.closed {
            self.piece.marks.set(Marks::UNTERMINATED);
        }
    }

    pub(super) fn backticked(&mut self) {
        self.quoted(b'`');
    }

    /// A quoted name; it stands in backticks in the shape.
    fn quoted(&mut self, quote: u8) {
        let end = scan::quoted(self.text, self.at + 1, quote, Strings::Standard);
        self.unterminated(end);
        self.gap();
        let shape = self.out.shape.len();
        if end.at - self.at > NAME_BYTES_MAX {
            self.long_name(self.at + 1, b'`');
        } else if quote == b'`' {
            self.out.shape.extend_from_slice(&self.text[self.at..end.at]);
        } else {
            let inside = &self.text[self.at + 1..end.at - usize::from(end.closed)];
            put_backticked(inside, quote, &mut self.out.shape);
        }
        self.at = end.at;
        let name = &mut self.out.shape[shape..];
        let key = name.eq_ignore_ascii_case(b"`id`") || name.eq_ignore_ascii_case(b"`pk`");
        if key {
            // Columns have no case.
            name.make_ascii_lowercase();
        }
        self.name(if key { Word::Key } else { Word::Plain });
    }

    /// `@name`, `@'name'`, `@@name`; `user@host` as well.
    pub(super) fn variable(&mut self) {
        let start = self.at;
        let signs = if scan::byte(self.text, start + 1) == b'@' { 2 } else { 1 };
        let from = start + signs;
        self.gap();
        self.out.shape.extend_from_slice(&self.text[start..from]);
        match scan::byte(self.text, from) {
            quote @ (b'`' | b'\'' | b'"') => {
                let strings = if quote == b'`' { Strings::Standard } else { self.strings };
                let end = scan::quoted(self.text, from + 1, quote, strings);
                self.unterminated(end);
                let inside = &self.text[from + 1..end.at - usize::from(end.closed)];
                // What is no word to a parser must not be one to a reader.
                self.out.shape.extend(
                    inside.iter().take(NAME_BYTES_MAX).map(|&byte| if scan::is_word(byte) { byte } else { b'_' }),
                );
                self.at = end.at;
            }
            _ => {
                let end = self.variable_end(from);
                self.out.shape.extend_from_slice(&self.text[from..end.min(from + NAME_BYTES_MAX)]);
                self.at = end;
            }
        }
        self.name(Word::Plain);
    }

    /// A name of a user's variable may have dots; one of a system variable is one part of several.
    fn variable_end(&self, from: usize) -> usize {
        let mut end = common::word(self.text, from);
        while from == self.at + 1 && scan::byte(self.text, end) == b'.' && scan::is_word(scan::byte(self.text, end + 1))
        {
            end = common::word(self.text, end + 1);
        }
        end
    }

    /// What a literal is worth as a condition.
    pub(in crate::sql::lexer) fn number_as_truth(&self, scalar: Scalar) -> &'static [u8] {
        match number(self.text, scalar) {
            Some(value) if value != 0.0 => b" 1",
            Some(_) => b" 0",
            None => self.marks.value,
        }
    }
}

fn put_backticked(inside: &[u8], quote: u8, out: &mut Vec<u8>) {
    out.push(b'`');
    let mut rest = inside.iter();
    while let Some(&byte) = rest.next() {
        out.push(byte);
        if byte == b'`' {
            out.push(b'`');
        } else if byte == quote {
            // Doubled in the text.
            rest.next();
        }
    }
    out.push(b'`');
}

/// How two literals compare by the rules of a server at its defaults: a string and a number as numbers, strings without
/// regard to case and trailing spaces. `None` where it takes a server to know.
pub(in crate::sql::lexer) fn compare(text: &[u8], left: Scalar, right: Scalar) -> Option<Ordering> {
    if (left.kind, right.kind) != (Kind::Text, Kind::Text) {
        return number(text, left)?.partial_cmp(&number(text, right)?);
    }
    let (a, b) = (left.content(text), right.content(text));
    if a == b {
        return Some(Ordering::Equal);
    }
    let plain = |content: &[u8]| content.is_ascii() && !content.contains(&b'\\') && !content.contains(&b'\'');
    if !plain(a) || !plain(b) || radix(text, left).is_some() || radix(text, right).is_some() {
        return None;
    }
    let folded = |content: &[u8]| content.trim_ascii_end().to_ascii_lowercase();
    Some(folded(a).cmp(&folded(b)))
}

/// A literal as a number: the digits at the beginning of a string, else 0. `None` for a parameter.
fn number(text: &[u8], scalar: Scalar) -> Option<f64> {
    if scalar.kind == Kind::Parameter {
        return None;
    }
    let (radix, content) = radix(text, scalar).unwrap_or_else(|| (10, scalar.content(text)));
    let value = if radix == 10 { leading_number(content) } else { digits(content, radix) };
    Some(if scalar.negative { -value } else { value })
}

/// The radix and the digits of `0x…`, `x'…'`, `0b…` and `b'…'`.
fn radix(text: &[u8], scalar: Scalar) -> Option<(u32, &[u8])> {
    let content = scalar.content(text);
    let content = if scalar.kind == Kind::Number { content.strip_prefix(b"0")? } else { content };
    let letter = if scalar.kind == Kind::Number { *content.first()? } else { scan::byte(text, scalar.start) };
    let digits = if scalar.kind == Kind::Number { content.get(1..)? } else { content };
    match letter {
        b'x' | b'X' => Some((16, digits)),
        b'b' | b'B' => Some((2, digits)),
        _ => None,
    }
}

fn digits(content: &[u8], radix: u32) -> f64 {
    let worth = |byte: &u8| char::from(*byte).to_digit(radix).unwrap_or(0);
    content.iter().map(worth).fold(0.0, |value, digit| value * f64::from(radix) + f64::from(digit))
}

fn leading_number(content: &[u8]) -> f64 {
    let mut number = String::with_capacity(NUMBER_BYTES_MAX);
    // `'\1'` is `'1'`.
    let bytes = content.iter().filter(|&&byte| byte != b'\\').skip_while(|byte| byte.is_ascii_whitespace());
    for &byte in bytes.take(NUMBER_BYTES_MAX) {
        if !(byte.is_ascii_digit() || matches!(byte, b'+' | b'-' | b'.' | b'e' | b'E')) {
            break;
        }
        number.push(char::from(byte));
    }
    while !number.is_empty() {
        if let Ok(value) = number.parse() {
            return value;
        }
        number.pop();
    }
    0.0
}

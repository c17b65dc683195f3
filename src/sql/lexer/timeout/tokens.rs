//! The tokens of a statement that sets something.

use crate::sql::dialect::Strings;
use crate::sql::lexer::scan::{self, Class, class};

/// One token, as far as a setting needs it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Token<'a> {
    /// An unquoted word.
    Word(&'a [u8]),
    /// A quoted name, without its quotes.
    Name(&'a [u8]),
    /// A name of the form `U&"…"`.
    Unicode,
    /// The content of a literal.
    Text(&'a [u8]),
    /// A number without a sign.
    Number(&'a [u8]),
    Symbol(u8),
    /// A literal that only the server can read.
    Opaque,
    End,
}

/// The tokens of a statement that are still to come.
#[derive(Debug, Clone, Copy)]
pub(super) struct Tokens<'a> {
    text: &'a [u8],
    at: usize,
    strings: Strings,
}

impl<'a> Tokens<'a> {
    /// All of a text.
    pub(super) const fn of(text: &'a [u8], strings: Strings) -> Self {
        Self { text, at: 0, strings }
    }

    /// The next one, which stays.
    pub(super) fn peek(&self) -> Token<'a> {
        let mut ahead = *self;
        ahead.next()
    }

    /// Takes the next one; behind the last, [`Token::End`].
    pub(super) fn next(&mut self) -> Token<'a> {
        self.skip();
        let start = self.at;
        match class(self.text, start) {
            _ if start >= self.text.len() => Token::End,
            Class::Letter => self.word(start),
            Class::Digit => self.cut(scan::number(self.text, start), Token::Number),
            Class::Dot if class(self.text, start + 1) == Class::Digit => {
                self.cut(scan::number(self.text, start), Token::Number)
            }
            Class::Quote => self.literal(start + 1, self.strings),
            Class::DoubleQuote => self.name(start + 1),
            Class::Dollar => self.dollar(start),
            _ => {
                self.at = start + 1;
                Token::Symbol(self.text.get(start).copied().unwrap_or_default())
            }
        }
    }

    /// White space and comments.
    fn skip(&mut self) {
        loop {
            let rest = self.text.get(self.at..).unwrap_or_default();
            self.at = match rest {
                [byte, ..] if class(&[*byte], 0) == Class::Space => self.at + 1,
                [b'-', b'-', ..] => scan::line_comment(self.text, self.at),
                [b'/', b'*', ..] => scan::block_comment(self.text, self.at + 2).at,
                _ => return,
            };
        }
    }

    fn cut(&mut self, end: usize, token: impl FnOnce(&'a [u8]) -> Token<'a>) -> Token<'a> {
        let start = std::mem::replace(&mut self.at, end);
        token(self.text.get(start..end).unwrap_or_default())
    }

    fn word(&mut self, start: usize) -> Token<'a> {
        let end = scan::word(self.text, start);
        let word = self.text.get(start..end).unwrap_or_default();
        match (word, self.text.get(end).copied(), self.text.get(end + 1).copied()) {
            ([b'e' | b'E'], Some(b'\''), _) => self.literal(end + 1, Strings::Escapes),
            ([b'n' | b'N'], Some(b'\''), _) => self.literal(end + 1, self.strings),
            ([b'u' | b'U'], Some(b'&'), Some(b'"')) => {
                self.at = scan::quoted_name(self.text, end + 2).at;
                Token::Unicode
            }
            ([b'u' | b'U'], Some(b'&'), Some(b'\'')) => self.opaque(end + 2),
            ([b'b' | b'B' | b'x' | b'X'], Some(b'\''), _) => self.opaque(end + 1),
            _ => self.cut(end, Token::Word),
        }
    }

    fn literal(&mut self, from: usize, strings: Strings) -> Token<'a> {
        let end = scan::string(self.text, from, strings);
        self.at = end.at;
        let content = self.text.get(from..end.at.saturating_sub(1)).unwrap_or_default();
        // Nobody escapes the name of a setting or a number, except to hide it.
        if strings == Strings::Escapes && content.contains(&b'\\') { Token::Opaque } else { Token::Text(content) }
    }

    fn opaque(&mut self, from: usize) -> Token<'a> {
        self.at = scan::string(self.text, from, Strings::Standard).at;
        Token::Opaque
    }

    fn name(&mut self, from: usize) -> Token<'a> {
        let end = scan::quoted_name(self.text, from).at;
        self.at = end;
        Token::Name(self.text.get(from..end.saturating_sub(1)).unwrap_or_default())
    }

    /// A literal in dollar quotes, or a parameter.
    fn dollar(&mut self, start: usize) -> Token<'a> {
        let Some(end) = scan::dollar_quoted(self.text, start) else {
            self.at = scan::word(self.text, start + 1).max(start + 1);
            return Token::Opaque;
        };
        self.at = end.at;
        let quoted = self.text.get(start..end.at).unwrap_or_default();
        let tag = quoted.iter().skip(1).position(|&byte| byte == b'$').map_or(0, |at| at + 2);
        let content = quoted.get(tag..quoted.len().saturating_sub(tag)).unwrap_or_default();
        Token::Text(content)
    }
}

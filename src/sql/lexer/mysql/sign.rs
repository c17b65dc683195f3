//! Numbers, parameters, signs and operators of MySQL's SQL.

use super::{Inside, scan};
use crate::sql::lexer::Marks;
use crate::sql::lexer::pair::Pair;
use crate::sql::lexer::scalar::{Kind, Scalar};
use crate::sql::lexer::scan as common;
use crate::sql::lexer::state::{Last, Lexer};
use scan::Digits;

impl Lexer<'_> {
    pub(super) fn mysql_number(&mut self) {
        let start = self.at;
        let end = match scan::digits(self.text, start) {
            _ if self.last == Last::Dot => return self.put_word(start, common::word(self.text, start)),
            Digits::Name(end) => return self.put_word(start, end),
            Digits::Number(end) => end,
        };
        self.value(Scalar { kind: Kind::Number, start, content: start, end, negative: false });
    }

    pub(super) fn parameter(&mut self) {
        let start = self.at;
        // The marks of a shape are `?1` and `?2`.
        let end = start + 1 + usize::from(matches!(scan::byte(self.text, start + 1), b'1' | b'2'));
        self.piece.marks.set(Marks::PARAMETERS);
        self.mysql.parameters = self.mysql.parameters.saturating_add(1);
        self.value(Scalar { kind: Kind::Parameter, start, content: start, end, negative: false });
    }

    /// `LIMIT 20, 10` is `LIMIT 10 OFFSET 20`.
    pub(super) fn mysql_comma(&mut self) {
        let mark = self.out.shape.len().saturating_sub(2);
        let offset = self.last == Last::Value && self.out.limits.last().is_some_and(|limit| limit.at == mark);
        if offset {
            self.out.limits.pop();
            self.out.shape.truncate(mark);
            self.out.shape.extend_from_slice(self.marks.value);
        }
        self.comma();
        self.limit_next = offset;
    }

    pub(super) fn mysql_dot(&mut self) {
        let next = scan::byte(self.text, self.at + 1);
        if !matches!(self.last, Last::Word(_) | Last::Name) || (next.is_ascii_digit() && !self.touches_name()) {
            if next.is_ascii_digit() {
                return self.mysql_number();
            }
            if !(scan::is_word(next) || next == b'`') {
                // Belongs to no name; set close to a number it would become one.
                return self.put_operator(self.at + 1);
            }
        }
        if self.follows_variable() {
            // Without the space it would be part of the variable's name.
            self.gap();
        }
        self.dot();
    }

    /// True where a name, whatever it is elsewhere, ends right here: a dot then qualifies it.
    fn touches_name(&self) -> bool {
        let before = self.at.checked_sub(1).map_or(0, |before| scan::byte(self.text, before));
        scan::is_word(before) || matches!(before, b'`' | b'"' | b'\'') || self.follows_variable()
    }

    /// True where the last token is a user's variable, whose name may have dots.
    fn follows_variable(&self) -> bool {
        let mut before = self.out.shape.iter().rev().skip_while(|&&byte| scan::is_word(byte) || byte == b'.');
        self.last == Last::Name && before.next() == Some(&b'@') && before.next() != Some(&b'@')
    }

    pub(super) fn mysql_colon(&mut self) {
        if scan::byte(self.text, self.at + 1) == b'=' {
            return self.put_operator(self.at + 2);
        }
        self.put(b":");
        self.at += 1;
        self.token(Last::Operator);
        self.limit_next = false;
        self.pair = Pair::None;
    }

    /// `\N` is NULL.
    pub(super) fn backslash(&mut self) {
        if scan::byte(self.text, self.at + 1) != b'N' {
            return self.other();
        }
        self.put_sign(b"null", self.at + 2);
    }

    /// Puts the word that a sign stands for.
    /// It means what the word would mean there.
    pub(super) fn put_sign(&mut self, word: &[u8], end: usize) {
        self.gap();
        let shape = self.out.shape.len();
        self.out.shape.extend_from_slice(word);
        self.at = end;
        let meaning = self.mysql_meaning(shape);
        self.act_on(meaning, shape);
    }

    /// `{ OJ … }`, `{d '…'}`, `{fn …}`: what an ODBC client writes stands for what is inside.
    pub(super) fn open_brace(&mut self) {
        let word = scan::after_comments(self.text, self.at + 1);
        let end = common::word(self.text, word);
        // A brace without a word is an error to the server; it leaves no trace, so that a shape never has one.
        self.passed(if end == word { self.at + 1 } else { end });
    }

    pub(super) fn mysql_operator(&mut self) {
        let start = self.at;
        let end = scan::operator(self.text, start);
        match (&self.text[start..end], scan::byte(self.text, start + 1)) {
            (b"-", b'-') if scan::is_dashed_comment(self.text, start) => {
                self.at = scan::line_comment(self.text, start + 2);
            }
            (b"/", b'*') => self.comment(),
            (b"*", b'/') if self.mysql.inside == Inside::Comment => {
                self.mysql.inside = Inside::Statement;
                self.passed(start + 2);
            }
            // A server may be set to take `||` for a concatenation: as OR it filters less.
            (b"||", _) => self.put_sign(b"or", end),
            (b"&&", _) => self.put_sign(b"and", end),
            (b"!", _) => self.put_sign(b"not", end),
            (b"<=>", _) => {
                let pair = self.pair.compared();
                self.put_operator(end);
                self.pair = pair;
                self.last = Last::Compare;
            }
            _ => self.put_operator(end),
        }
    }
}

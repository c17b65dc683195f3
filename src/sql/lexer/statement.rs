//! The loop over the tokens of a statement, and where it ends.

use super::frame::Frame;
use super::head::Head;
use super::pair::Pair;
use super::scan::{CLASS, Class};
use super::state::{Last, Lexer};
use super::{Marks, Piece};
use crate::sql::dialect::Dialect;

/// What ends a statement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Close {
    Semicolon,
    /// The end of the text, which may have been cut off there.
    Text,
}

impl Lexer<'_> {
    /// Reads one statement of either dialect; false at the end of the text.
    pub(super) fn next_statement(&mut self) -> bool {
        match self.mysql.dialect {
            Dialect::Postgres => self.statement(),
            Dialect::MySql => self.mysql_statement(),
        }
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
}

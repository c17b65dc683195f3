//! The loop over tokens of MySQL's SQL.
//!
//! Sources: MySQL Reference Manual, "Lexical structure", and what MariaDB 10.11 does (`tests/live/mariadb.rs` asks it).
//!
//! A text with executable comments (`/*!50700 … */`) is read as the session's server does, with all of them and with
//! none. What differs from the first reading stands behind it as pieces of [`Marks::ASIDE`], so that a guard that
//! judges every piece judges the worst reading: a LIMIT or WHERE in such a comment bounds nothing, and a table or a
//! write in one counts.

mod aside;
mod comment;
mod keyword;
mod program;
mod scan;
mod sign;
mod text;
mod word;

use std::ops::Range;

use super::state::{Last, Lexer};
use super::statement::Close;
use super::{Lexed, Marks};
use crate::sql::dialect::{Dialect, Flags, Quotes, Server};
use scan::{CLASS, Class};

pub(super) use text::compare;

/// Which executable comments are taken for SQL.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Comments {
    /// Those that the session's server runs.
    AsServer,
    /// All of them.
    All,
    /// None of them.
    None,
}

/// Whether the cursor is inside of an executable comment that runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Inside {
    Statement,
    Comment,
}

/// Whether the statement may hold blocks of statements.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Program {
    No,
    /// A stored program, or a block that runs at once.
    Yes,
}

/// What only MySQL's SQL needs to know.
#[derive(Debug, Clone)]
pub(super) struct MySql {
    pub(super) dialect: Dialect,
    quotes: Quotes,
    server: Server,
    comments: Comments,
    inside: Inside,
    /// Executable comments met so far.
    executable: usize,
    /// Where an executable comment began before its statement did.
    opened: Option<usize>,
    program: Program,
    /// Parameters of the statement so far.
    pub(super) parameters: u16,
    /// Texts that PREPARE names, without their quotes.
    prepared: Vec<Range<usize>>,
}

impl MySql {
    pub(super) const fn new(flags: Flags) -> Self {
        Self {
            dialect: flags.dialect,
            quotes: flags.quotes,
            server: flags.server,
            comments: Comments::AsServer,
            inside: Inside::Statement,
            executable: 0,
            opened: None,
            parameters: 0,
            program: Program::No,
            prepared: Vec::new(),
        }
    }

    /// Where the statement that begins at `at` begins with the comments before it.
    pub(super) fn start(&mut self, at: usize) -> usize {
        self.opened.take().unwrap_or(at)
    }
}

/// Reads a text in every way in which a server may.
pub(super) fn read(flags: Flags, text: &[u8], out: &mut Lexed) {
    aside::read(flags, text, out);
}

impl Lexer<'_> {
    /// Takes every executable comment for SQL, so that no statement of a file is passed over.
    pub(super) fn read_all_comments(&mut self) {
        self.mysql.comments = Comments::All;
    }

    /// Reads up to the end of one statement; false at the end of the text.
    pub(super) fn mysql_statement(&mut self) -> bool {
        self.begin_statement();
        self.mysql.program = Program::No;
        while let Some(&byte) = self.text.get(self.at) {
            match CLASS[usize::from(byte)] {
                Class::Space => self.at += 1,
                Class::Letter => self.mysql_word(),
                Class::Digit => self.mysql_number(),
                Class::Quote => self.mysql_string(self.at, self.at + 1),
                Class::DoubleQuote => self.double_quoted(),
                Class::Backtick => self.backticked(),
                Class::At => self.variable(),
                Class::Hash => self.at = scan::line_comment(self.text, self.at + 1),
                Class::Parameter => self.parameter(),
                Class::Open => self.open_paren(),
                Class::Close => self.close_paren(),
                Class::OpenBrace => self.open_brace(),
                Class::CloseBrace => self.passed(self.at + 1),
                Class::Comma => self.mysql_comma(),
                Class::Semicolon => {
                    if self.semicolon() {
                        return true;
                    }
                }
                Class::Dot => self.mysql_dot(),
                Class::Colon => self.mysql_colon(),
                Class::Backslash => self.backslash(),
                Class::Operator => self.mysql_operator(),
                Class::Other => self.other(),
            }
        }
        if self.mysql.inside == Inside::Comment {
            self.piece.marks.set(Marks::UNTERMINATED);
        }
        self.end_statement(Close::Text);
        false
    }

    /// Goes on at `to` without a trace in the shape; what was passed belongs to the statement all the same.
    fn passed(&mut self, to: usize) {
        self.at = to;
        if self.last != Last::Start {
            self.piece.text.end = to;
        }
    }
}

//! The loop over tokens of MySQL's SQL.
//!
//! Sources: MySQL Reference Manual, "Lexical structure", and what MariaDB 10.11 does (`tests/live/mariadb.rs` asks it).
//!
//! A text with executable comments (`/*!50700 … */`) is read as the session's server does, with all of them and with
//! none. What differs from the first reading stands behind it as pieces of [`Marks::ASIDE`], so that a guard that
//! judges every piece judges the worst reading: a LIMIT or WHERE in such a comment bounds nothing, and a table or a
//! write in one counts.

mod aside;
mod keyword;
mod program;
mod scan;
mod text;

use std::ops::Range;

use super::keyword::Word;
use super::nest::Tuples;
use super::scan as common;
use super::token::{Last, Lexer};
use super::value::{Kind, Pair, Scalar};
use super::{Lexed, Marks};
use crate::sql::dialect::{Dialect, Flags, Quotes, Server};
use crate::sql::verb::Verb;
use scan::{CLASS, Class, Digits, Executable};

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
        self.end_statement();
        false
    }

    /// Goes on at `to` without a trace in the shape; what was passed belongs to the statement all the same.
    fn passed(&mut self, to: usize) {
        self.at = to;
        if self.last != Last::Start {
            self.piece.text.end = to;
        }
    }

    fn mysql_word(&mut self) {
        let start = self.at;
        let end = common::word(self.text, start);
        if self.last != Last::Dot && self.prefixed(start, end) {
            return;
        }
        // The word before a tuple of `VALUES ROW (1, 2)` adds nothing.
        let tuple = match self.top().tuples {
            Tuples::Expected => self.last == Last::Word(Word::Values),
            Tuples::Read => self.last == Last::Comma,
            Tuples::No => false,
        };
        if tuple && self.text.get(start..end).is_some_and(|word| word.eq_ignore_ascii_case(b"row")) {
            return self.passed(end);
        }
        self.put_word(start, end);
    }

    fn put_word(&mut self, start: usize, end: usize) {
        self.gap();
        let shape = self.out.shape.len();
        self.out.shape.extend_from_slice(&self.text[start..end]);
        self.out.shape[shape..].make_ascii_lowercase();
        self.at = end;
        let word = self.mysql_meaning(shape);
        let called = scan::byte(self.text, end) == b'(' && !self.names_table();
        if word == Word::Plain && !called {
            // Names keep their case.
            self.out.shape[shape..].copy_from_slice(&self.text[start..end]);
        }
        let acting = self.program_word(word);
        self.act(acting, shape);
        self.settle_head(word);
    }

    /// True where the next name is that of a table, also if a parenthesis follows it.
    fn names_table(&self) -> bool {
        matches!(self.last, Last::Word(Word::Insert | Word::Table | Word::Update | Word::Clause) | Last::Dot)
    }

    /// What the word at the end of the shape means where it stands.
    fn mysql_meaning(&mut self, shape: usize) -> Word {
        let text = &self.out.shape[shape..];
        let word = keyword::word(text);
        let call = scan::byte(self.text, self.at) == b'(';
        match self.last {
            // Any word is a name after a dot, and of a table it is one after FROM.
            Last::Dot if word != Word::Key => return Word::Plain,
            Last::Word(Word::From) if matches!(word, Word::Start(_) | Word::Type) => return Word::Plain,
            Last::Word(Word::End) if word == Word::Case => return Word::Plain,
            // Options of EXPLAIN.
            Last::Compare if self.head == super::head::Head::Explain => return Word::Plain,
            _ => {}
        }
        match word {
            Word::Insert | Word::If | Word::Loop if call && self.head == super::head::Head::Done => self.function(word),
            Word::Plain if text == b"value" && self.begins_tuples() => {
                self.out.shape.push(b's');
                Word::Values
            }
            _ => word,
        }
    }

    /// `INSERT (…)`, `REPLACE (…)`, `IF (…)` and `REPEAT (…)` are functions as well.
    fn function(&self, word: Word) -> Word {
        if word != Word::Insert && self.begins_inner_statement() { word } else { Word::Plain }
    }

    /// `VALUE` means `VALUES` before the tuples of an INSERT.
    fn begins_tuples(&self) -> bool {
        self.piece.inner == Verb::Insert
            && self.frames.len() == 1
            && scan::byte(self.text, scan::after_space(self.text, self.at)) == b'('
    }

    fn mysql_number(&mut self) {
        let start = self.at;
        let end = match scan::digits(self.text, start) {
            _ if self.last == Last::Dot => return self.put_word(start, common::word(self.text, start)),
            Digits::Name(end) => return self.put_word(start, end),
            Digits::Number(end) => end,
        };
        self.value(Scalar { kind: Kind::Number, start, content: start, end, negative: false });
    }

    fn parameter(&mut self) {
        let start = self.at;
        // The marks of a shape are `?1` and `?2`.
        let end = start + 1 + usize::from(matches!(scan::byte(self.text, start + 1), b'1' | b'2'));
        self.piece.marks.set(Marks::PARAMETERS);
        self.value(Scalar { kind: Kind::Parameter, start, content: start, end, negative: false });
    }

    /// `LIMIT 20, 10` is `LIMIT 10 OFFSET 20`.
    fn mysql_comma(&mut self) {
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

    fn mysql_dot(&mut self) {
        let number = scan::byte(self.text, self.at + 1).is_ascii_digit();
        if number && !matches!(self.last, Last::Word(_) | Last::Name) {
            return self.mysql_number();
        }
        self.dot();
    }

    fn mysql_colon(&mut self) {
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
    fn backslash(&mut self) {
        if scan::byte(self.text, self.at + 1) != b'N' {
            return self.other();
        }
        self.put_sign(b"null", self.at + 2, Word::Null);
    }

    /// Puts the word that a sign stands for.
    fn put_sign(&mut self, word: &[u8], end: usize, meaning: Word) {
        self.gap();
        let shape = self.out.shape.len();
        self.out.shape.extend_from_slice(word);
        self.at = end;
        self.act(meaning, shape);
    }

    /// `{ OJ … }`, `{d '…'}`, `{fn …}`: what an ODBC client writes stands for what is inside.
    fn open_brace(&mut self) {
        let word = scan::after_space(self.text, self.at + 1);
        let end = common::word(self.text, word);
        if end == word {
            return self.other();
        }
        self.passed(end);
    }

    fn mysql_operator(&mut self) {
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
            (b"||", _) => self.put_sign(b"or", end, Word::Or),
            (b"&&", _) => self.put_sign(b"and", end, Word::And),
            (b"!", _) => self.put_sign(b"not", end, Word::Not),
            (b"<=>", _) => {
                let pair = self.pair.compared();
                self.put_operator(end);
                self.pair = pair;
                self.last = Last::Compare;
            }
            _ => self.put_operator(end),
        }
    }

    fn comment(&mut self) {
        let start = self.at;
        let Some(opening) = scan::executable(self.text, start) else {
            let end = scan::block_comment(self.text, start + 2);
            return self.passed_comment(end);
        };
        self.mysql.executable += 1;
        if self.last == Last::Start {
            self.mysql.opened.get_or_insert(start);
        }
        let runs = match (self.mysql.comments, opening.kind) {
            (Comments::All, _) => true,
            (Comments::None, _) => false,
            (Comments::AsServer, Executable::Any) => self.mysql.server.runs(opening.version),
            (Comments::AsServer, Executable::MariaDb) => self.mysql.server.runs_mariadb(opening.version),
        };
        if runs {
            self.mysql.inside = Inside::Comment;
            self.passed(opening.end);
        } else {
            let end = scan::skipped_comment(self.text, opening.end);
            self.passed_comment(end);
            self.passed(end.at);
        }
    }

    fn passed_comment(&mut self, end: common::End) {
        if !end.closed {
            self.piece.marks.set(Marks::UNTERMINATED);
        }
        self.at = end.at;
    }
}

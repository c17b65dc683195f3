//! Words of MySQL's SQL: names keep their case, and some words mean another thing where they stand.

use super::{keyword, scan};
use crate::sql::lexer::NAME_BYTES_MAX;
use crate::sql::lexer::frame::Tuples;
use crate::sql::lexer::head::Head;
use crate::sql::lexer::keyword::Word;
use crate::sql::lexer::scan as common;
use crate::sql::lexer::state::{Last, Lexer};
use crate::sql::verb::Verb;

impl Lexer<'_> {
    pub(super) fn mysql_word(&mut self) {
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

    pub(super) fn put_word(&mut self, start: usize, end: usize) {
        self.gap();
        let shape = self.out.shape.len();
        let kept = &self.text[start..end.min(start + NAME_BYTES_MAX)];
        self.out.shape.extend_from_slice(kept);
        self.out.shape[shape..].make_ascii_lowercase();
        self.at = end;
        let word = self.mysql_meaning(shape);
        let called = scan::byte(self.text, end) == b'(' && !self.names_table();
        if word == Word::Plain && !called {
            // Names keep their case.
            self.out.shape[shape..].copy_from_slice(kept);
        }
        self.act_on(word, shape);
    }

    /// Acts on a word that was just put at `shape`.
    pub(super) fn act_on(&mut self, word: Word, shape: usize) {
        let acting = self.program_word(word);
        self.act(acting, shape);
        self.settle_head(word);
    }

    /// True where the next name is that of a table, also if a parenthesis follows it.
    pub(super) fn names_table(&self) -> bool {
        matches!(self.last, Last::Word(Word::Insert | Word::Table | Word::Update | Word::Clause) | Last::Dot)
    }

    /// What the word at the end of the shape means where it stands.
    pub(super) fn mysql_meaning(&mut self, shape: usize) -> Word {
        let text = &self.out.shape[shape..];
        let word = keyword::word(text);
        let call = scan::byte(self.text, self.at) == b'(';
        match self.last {
            // Any word is a name after a dot, and of a table it is one after FROM.
            Last::Dot if word != Word::Key => return Word::Plain,
            Last::Word(Word::From) if matches!(word, Word::Start(_) | Word::Type) => return Word::Plain,
            Last::Word(Word::End) if word == Word::Case => return Word::Plain,
            // Options of EXPLAIN.
            Last::Compare if self.head == Head::Explain => return Word::Plain,
            _ => {}
        }
        match word {
            Word::Insert | Word::If | Word::Loop if call && self.head == Head::Done => self.function(word),
            Word::Plain if text == b"value" && self.begins_tuples() => {
                self.out.shape.push(b's');
                Word::Values
            }
            _ => word,
        }
    }

    /// `INSERT (…)`, `REPLACE (…)`, `IF (…)` and `REPEAT (…)` are functions as well.
    pub(super) fn function(&self, word: Word) -> Word {
        if word != Word::Insert && self.begins_inner_statement() { word } else { Word::Plain }
    }

    /// `VALUE` means `VALUES` before the tuples of an INSERT.
    pub(super) fn begins_tuples(&self) -> bool {
        self.piece.inner == Verb::Insert
            && self.frames.len() == 1
            && scan::byte(self.text, scan::after_comments(self.text, self.at)) == b'('
    }
}

//! Which statements a word begins that PostgreSQL does not have, and blocks of statements: the `;` in them ends nothing.

use super::{Program, scan};
use crate::sql::lexer::frame::FrameKind;
use crate::sql::lexer::head::Head;
use crate::sql::lexer::keyword::Word;
use crate::sql::lexer::scan as common;
use crate::sql::lexer::state::{Last, Lexer};
use crate::sql::lexer::{Marks, Wrap};
use crate::sql::verb::Verb;

impl Lexer<'_> {
    /// Notes what a word at the end of the shape opens; says what is left to do for the shared reader of words.
    pub(super) fn program_word(&mut self, word: Word) -> Word {
        match (self.head, word) {
            // Before a statement it runs it. What it is before TABLE, the next word tells.
            (Head::First, Word::Analyze) => return Word::Explain,
            (Head::Explain, _) if self.gathers_statistics() => self.settle_maintenance(),
            // MariaDB runs a block that stands alone.
            (Head::First, word) if begins_block(word) => self.mysql.program = Program::Yes,
            (Head::Explain, Word::Type | Word::Clause | Word::Key | Word::Start(_)) => return Word::Plain,
            (Head::Done, Word::Plain | Word::Clause | Word::Atomic) => self.named_part(word),
            _ => {}
        }
        if self.mysql.program == Program::Yes {
            self.block_word(word);
        }
        word
    }

    /// True for the second word of `ANALYZE TABLE`. In `EXPLAIN ANALYZE` the word before is another.
    fn gathers_statistics(&self) -> bool {
        let is = |word: &&[u8]| self.last_word().eq_ignore_ascii_case(word);
        self.last == Last::Word(Word::Explain)
            && self.piece.wrap == Wrap::ExplainAnalyze
            && [&b"table"[..], b"tables", b"local", b"no_write_to_binlog"].iter().any(is)
    }

    fn settle_maintenance(&mut self) {
        self.head = Head::Done;
        self.piece.verb = Verb::Maintain;
        self.piece.inner = Verb::Maintain;
        self.piece.wrap = Wrap::None;
    }

    fn is_followed_by(&self, words: &[&[u8]]) -> bool {
        let start = scan::after_comments(self.text, self.at);
        let end = common::word(self.text, start);
        let next = self.text.get(start..end).unwrap_or_default();
        words.iter().any(|word| next.eq_ignore_ascii_case(word))
    }

    /// Words that settle what a statement is when its first word did not.
    fn named_part(&mut self, word: Word) {
        let set = self.last == Last::Word(Word::Set) && self.before_last == Last::Start;
        let not = self.last == Last::Word(Word::Not) && self.before_last == Last::Word(Word::Begin);
        let is = |word: &&[u8]| self.last_word().eq_ignore_ascii_case(word);
        match self.piece.verb {
            Verb::Set if set && is(&&b"statement"[..]) => self.head = Head::SetStatement,
            Verb::Handler if is(&&b"read"[..]) => self.piece.inner = Verb::Select,
            Verb::Begin if word == Word::Atomic && not => {
                self.piece.verb = Verb::Call;
                self.piece.inner = Verb::Call;
                self.mysql.program = Program::Yes;
                self.atomic += 1;
            }
            Verb::Schema if self.frames.len() == 1 && PROGRAMS.iter().any(is) => self.mysql.program = Program::Yes,
            _ => {}
        }
    }

    /// The word at the end of the shape.
    pub(super) fn last_word(&self) -> &[u8] {
        let shape = &self.out.shape;
        let start = shape.iter().rposition(|&byte| !scan::is_word(byte)).map_or(0, |at| at + 1);
        shape.get(start..).unwrap_or_default()
    }

    fn block_word(&mut self, word: Word) {
        let opens = match word {
            Word::Begin => true,
            Word::If => self.begins_inner_statement() && !self.asks_for_existence(),
            Word::Loop | Word::While | Word::For => self.begins_inner_statement(),
            Word::Insert | Word::Update | Word::Delete if self.piece.verb == Verb::Call => {
                if self.begins_inner_statement() {
                    self.piece.marks.set(Marks::CTE_WRITES);
                }
                false
            }
            _ => false,
        };
        if opens {
            self.atomic += 1;
        }
    }

    /// True where a statement of a block may begin.
    pub(super) fn begins_inner_statement(&self) -> bool {
        if self.mysql.program == Program::No {
            return false;
        }
        // In a CASE a word with a parenthesis is more likely a function.
        let call = scan::byte(self.text, self.at) == b'(';
        match self.last {
            Last::Start | Last::Close => true,
            Last::Word(Word::Begin | Word::Atomic | Word::Loop | Word::Row | Word::Start(Verb::Call)) => true,
            Last::Word(Word::Then | Word::Else) => !call || self.top().kind != FrameKind::Case,
            Last::Operator => matches!(self.before_gap(), Some(b';' | b':')),
            _ => false,
        }
    }

    /// The last byte of the token before the word that was just put.
    fn before_gap(&self) -> Option<u8> {
        let word = self.last_word().len();
        let before = self.out.shape.len().checked_sub(word)?;
        self.out.shape.get(..before)?.trim_ascii_end().last().copied()
    }

    /// `IF EXISTS` and `IF NOT EXISTS` begin no block where a name is expected.
    fn asks_for_existence(&self) -> bool {
        self.atomic == 0 && self.piece.verb == Verb::Schema && self.is_followed_by(&[b"exists", b"not"])
    }

    /// Settles what a statement is that runs others, once its first word was read.
    pub(super) fn settle_head(&mut self, word: Word) {
        if word == Word::Analyze && self.head == Head::Explain {
            self.piece.wrap = Wrap::ExplainAnalyze;
        }
        if begins_block(word) && self.mysql.program == Program::Yes && self.piece.verb == Verb::Other {
            self.piece.verb = Verb::Call;
            self.piece.inner = Verb::Call;
        }
    }
}

fn begins_block(word: Word) -> bool {
    matches!(word, Word::If | Word::Loop | Word::While | Word::For | Word::Case)
}

/// What `CREATE` and `ALTER` make that may hold statements.
const PROGRAMS: &[&[u8]] = &[b"procedure", b"function", b"trigger", b"event", b"package"];

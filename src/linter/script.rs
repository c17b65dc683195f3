//! A file as `psql` or `mysql` reads it: each statement is one text; data after `COPY … FROM STDIN`, lines that begin with a
//! backslash and, of MySQL's, `DELIMITER` lines are passed over.

use super::finding::{self, Finding, Place};
use crate::guard::Guard;
use crate::sql::lexer::{self, Lexed, Marks};
use crate::sql::{Dialect, Flags, Schema};

/// Judges every statement of a file.
pub(super) fn judge(guard: &Guard, schema: Option<&Schema>, flags: Flags, text: &[u8]) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut lexed = Lexed::default();
    let mut lines = Lines::default();
    let mut at = 0;
    while let Some(rest) = text.get(at..).filter(|rest| !rest.is_empty()) {
        if let Some(length) = meta_command(rest) {
            at += length;
            continue;
        }
        if flags.dialect == Dialect::MySql
            && let Some((delimiter, length)) = delimiter_line(rest)
        {
            at += length;
            let block = &text[at..];
            for statement in delimited(block, &delimiter) {
                let place = Place::Line(lines.of(text, at + statement.start));
                findings.push(finding::judge(guard, schema, flags, block.get(statement).unwrap_or_default(), place));
            }
            at += if delimiter == b";" { 0 } else { block_end(block) };
            continue;
        }
        let Some(end) = lexer::first_statement(flags, rest, &mut lexed) else { break };
        let Some(piece) = lexed.pieces.first() else { break };
        let statement = at + piece.text.start..at + piece.text.end;
        let data = if piece.marks.has(Marks::COPY_IN) { copy_data(&rest[end..]) } else { 0 };
        let place = Place::Line(lines.of(text, statement.start));
        findings.push(finding::judge(guard, schema, flags, text.get(statement).unwrap_or_default(), place));
        at += end + data;
    }
    findings
}

/// Length of a line that begins with a backslash, with the white space and comments before it: a command to `psql`.
fn meta_command(text: &[u8]) -> Option<usize> {
    let mut at = 0;
    for line in text.split_inclusive(|&byte| byte == b'\n') {
        at += line.len();
        match line.trim_ascii_start() {
            [] | [b'-', b'-', ..] => {}
            [b'\\', ..] => return Some(at),
            _ => return None,
        }
    }
    None
}

/// A line `DELIMITER x` with the white space and comments before it: what ends statements from there on, and its length.
/// `DELIMITER ;` is one as well, and changes nothing.
fn delimiter_line(text: &[u8]) -> Option<(Vec<u8>, usize)> {
    let mut at = 0;
    for line in text.split_inclusive(|&byte| byte == b'\n') {
        at += line.len();
        match line.trim_ascii() {
            [] | [b'-', b'-', ..] | [b'#', ..] => {}
            line => return delimiter(line).map(|delimiter| (delimiter.to_vec(), at)),
        }
    }
    None
}

fn delimiter(line: &[u8]) -> Option<&[u8]> {
    const WORD: &[u8] = b"delimiter";
    let (word, rest) = line.trim_ascii().split_at_checked(WORD.len())?;
    let rest = rest.first().is_some_and(u8::is_ascii_whitespace).then(|| rest.trim_ascii())?;
    let end = rest.iter().position(u8::is_ascii_whitespace).unwrap_or(rest.len());
    rest.get(..end).filter(|found| word.eq_ignore_ascii_case(WORD) && !found.is_empty())
}

/// Where the next line with a `DELIMITER` begins, or the end.
fn block_end(text: &[u8]) -> usize {
    let mut at = 0;
    for line in text.split_inclusive(|&byte| byte == b'\n') {
        if delimiter(line).is_some() {
            return at;
        }
        at += line.len();
    }
    at
}

/// The statements of a block that this delimiter ends; those that `;` ends are left to the lexer.
fn delimited(block: &[u8], delimiter: &[u8]) -> Vec<std::ops::Range<usize>> {
    let mut statements = Vec::new();
    if delimiter == b";" {
        return statements;
    }
    let block = block.get(..block_end(block)).unwrap_or_default();
    let mut start = 0;
    while start < block.len() {
        let rest = block.get(start..).unwrap_or_default();
        let end = rest.windows(delimiter.len()).position(|found| found == delimiter).unwrap_or(rest.len());
        let text = rest.get(..end).unwrap_or_default();
        let blank = text.len() - text.trim_ascii_start().len();
        if blank < text.len() {
            statements.push(start + blank..start + end);
        }
        start += end + delimiter.len();
    }
    statements
}

/// Length of the data that follows `COPY … FROM STDIN;`, up to the line `\.`. Without such a line there is none.
fn copy_data(text: &[u8]) -> usize {
    let mut at = 0;
    for line in text.split_inclusive(|&byte| byte == b'\n') {
        at += line.len();
        if line.trim_ascii_end() == b"\\." {
            return at;
        }
    }
    0
}

/// Counts lines as far as they are asked for.
#[derive(Debug, Default)]
struct Lines {
    at: usize,
    before: usize,
}

impl Lines {
    /// The line of an offset, from 1. Offsets may only grow.
    fn of(&mut self, text: &[u8], offset: usize) -> usize {
        let passed = text.get(self.at..offset).unwrap_or_default();
        self.before += passed.iter().filter(|&&byte| byte == b'\n').count();
        self.at = self.at.max(offset);
        self.before + 1
    }
}

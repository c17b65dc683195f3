//! A file as `psql` reads it: each statement is one text, data after `COPY … FROM STDIN` and lines that begin with a backslash
//! are passed over.

use super::finding::{self, Finding, Place};
use crate::guard::Guard;
use crate::sql::Flags;
use crate::sql::lexer::{self, Lexed, Marks};

/// Judges every statement of a file.
pub(super) fn judge(guard: &Guard, flags: Flags, text: &[u8]) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut lexed = Lexed::default();
    let mut lines = Lines::default();
    let mut at = 0;
    while let Some(rest) = text.get(at..).filter(|rest| !rest.is_empty()) {
        if let Some(length) = meta_command(rest) {
            at += length;
            continue;
        }
        let Some(end) = lexer::first_statement(flags, rest, &mut lexed) else { break };
        let Some(piece) = lexed.pieces.first() else { break };
        let statement = at + piece.text.start..at + piece.text.end;
        let data = if piece.marks.has(Marks::COPY_IN) { copy_data(&rest[end..]) } else { 0 };
        let place = Place::Line(lines.of(text, statement.start));
        findings.push(finding::judge(guard, flags, text.get(statement).unwrap_or_default(), place));
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

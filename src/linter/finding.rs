//! Reads and judges one statement.

use crate::guard::{Breach, Guard, Intake, Mode, Trace, Verdict, Whole};
use crate::sql::facts::{Source, Statement};
use crate::sql::lexer::{self, Marks, Wrap};
use crate::sql::{Flags, Piece, Reading, Schema};
use crate::units::display_bytes;

/// What one statement would get.
#[derive(Debug)]
pub(super) struct Finding {
    pub(super) place: Place,
    pub(super) shape: String,
    pub(super) verb: &'static str,
    /// How it was read.
    pub(super) read: String,
    /// The tables that it names, as far as they were read.
    pub(super) tables: Vec<String>,
    pub(super) trace: Vec<Trace>,
    pub(super) refused: Option<Breach>,
    pub(super) warned: Vec<Breach>,
    /// What the server counted of it, where that is known.
    pub(super) counted: Option<Counted>,
}

/// Where a statement stands in its input, from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    Line(usize),
    /// Of a list of entries whose lines are not known.
    Entry(usize),
}

/// What pg_stat_statements says of a shape.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Counted {
    pub(super) calls: u64,
    /// Rows of all calls: sent by a query, changed by a write.
    pub(super) rows: Option<u64>,
    /// Mean time of a call, in milliseconds.
    pub(super) mean_ms: Option<f64>,
}

impl Counted {
    /// Rows of one call on average.
    pub(super) fn mean_rows(&self) -> Option<f64> {
        (self.calls > 0).then_some(self.rows? as f64 / self.calls as f64)
    }
}

impl Finding {
    /// `refuse`, `warn` or `allow`.
    pub(super) fn verdict(&self) -> &'static str {
        match (&self.refused, self.warned.is_empty()) {
            (Some(_), _) => "refuse",
            (None, false) => "warn",
            (None, true) => "allow",
        }
    }

    /// Adds a breach of a rule in this mode.
    pub(super) fn add(&mut self, mode: Mode, breach: Breach) {
        match mode {
            Mode::Off => {}
            Mode::Enforce if self.refused.is_none() => self.refused = Some(breach),
            Mode::Enforce | Mode::Warn => self.warned.push(breach),
        }
    }
}

/// Judges one statement of a file.
pub(super) fn judge(guard: &Guard, schema: Option<&Schema>, flags: Flags, sql: &[u8], place: Place) -> Finding {
    let lexed = lexer::lex(flags, sql);
    let reading = Reading::new(&lexed, crate::sql::facts::parse(&lexed).into());
    judge_reading(guard, schema, &reading, Read { shape: &lexed.shape, bytes: sql.len(), whole: Whole::Whole }, place)
}

/// What was read, beside the reading.
#[derive(Debug, Clone, Copy)]
pub(super) struct Read<'a> {
    pub(super) shape: &'a [u8],
    pub(super) bytes: usize,
    pub(super) whole: Whole,
}

/// Judges what was read.
pub(super) fn judge_reading(
    guard: &Guard,
    schema: Option<&Schema>,
    reading: &Reading,
    read: Read<'_>,
    place: Place,
) -> Finding {
    let intake = Intake { whole: read.whole, ..Intake::of_text(reading, schema, read.bytes as u64) };
    let judgement = guard.judge(&intake);
    let decisive = match &judgement.verdict {
        Verdict::Allow => 0,
        Verdict::Refuse(breach) => breach.statement,
    };
    let statement = reading.statement(decisive);
    Finding {
        place,
        shape: display_bytes(read.shape),
        verb: reading.pieces().first().map_or("", |piece| piece.verb.label()),
        read: how_read(statement.source, reading.pieces().get(decisive)),
        tables: tables(statement),
        trace: guard.trace(&intake, decisive),
        refused: match judgement.verdict {
            Verdict::Allow => None,
            Verdict::Refuse(breach) => Some(breach),
        },
        warned: judgement.warned,
        counted: None,
    }
}

fn how_read(source: Source, piece: Option<&Piece>) -> String {
    let wrapped = match piece.map_or(Wrap::None, |piece| piece.wrap) {
        Wrap::None => "",
        Wrap::Explain => "explained, not run; ",
        Wrap::ExplainAnalyze => "explained and run; ",
        Wrap::Prepare => "prepared; ",
        Wrap::Cursor => "read through a cursor; ",
        Wrap::CopyOut => "streamed by COPY; ",
    };
    let open = if piece.is_some_and(|piece| piece.marks.has(Marks::UNTERMINATED)) {
        "; a quote, comment or parenthesis is never closed"
    } else {
        ""
    };
    match source {
        Source::Verb => format!("{wrapped}judged by its verb{open}"),
        Source::Parsed => format!("{wrapped}parsed{open}"),
        Source::Scanned(reason) => format!("{wrapped}not parsed ({}), judged by its clauses{open}", reason.label()),
    }
}

/// Each table once, those that it writes first.
fn tables(statement: &Statement) -> Vec<String> {
    let written = statement.writes.iter().filter_map(|write| write.table.as_ref());
    let mut names = Vec::new();
    for name in written.chain(&statement.tables).map(ToString::to_string) {
        if !names.contains(&name) {
            names.push(name);
        }
    }
    names
}

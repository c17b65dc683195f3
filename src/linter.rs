//! The engine of `floodwall judge`: a file of statements in, what each would get and why out.
//!
//! A file is read as `psql` reads it: each statement is one text, data after `COPY … FROM STDIN` and lines that begin
//! with a backslash are passed over. No server is asked, so no table is known to be large.

use std::io::{self, Write};
use std::ops::Range;

use serde_json::{Value, json};

use crate::guard::{Breach, Guard, Intake, Trace, Verdict, Whole};
use crate::sql::facts::{STACK_BYTES, Source};
use crate::sql::lexer::{self, Lexed, Marks, Wrap};
use crate::sql::{Dialect, Flags, Reading};

/// How verdicts are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

/// How many statements there were, and what they would get.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Outcome {
    /// Statements in all.
    pub statements: usize,
    /// Those that would be refused.
    pub refused: usize,
    /// Those that pass with a warning.
    pub warned: usize,
}

/// Judges every statement of a file, prints what each would get, and counts them.
pub fn run(guard: &Guard, dialect: Dialect, text: &[u8], out: &mut impl Write, format: Format) -> io::Result<Outcome> {
    let flags = Flags::of(dialect);
    let findings = on_large_stack(|| judge_all(guard, flags, text))?;
    let mut outcome = Outcome::default();
    for finding in &findings {
        outcome.statements += 1;
        outcome.refused += usize::from(finding.refused.is_some());
        outcome.warned += usize::from(finding.refused.is_none() && !finding.warned.is_empty());
        match format {
            Format::Text => print_text(finding, out)?,
            Format::Json => writeln!(out, "{}", as_json(finding))?,
        }
    }
    if format == Format::Text {
        let Outcome { statements, refused, warned } = outcome;
        writeln!(out, "{statements} statements: {refused} would be refused, {warned} would pass with a warning")?;
    }
    Ok(outcome)
}

/// What one statement would get.
#[derive(Debug)]
struct Finding {
    line: usize,
    shape: String,
    verb: &'static str,
    /// How it was read.
    read: String,
    trace: Vec<Trace>,
    refused: Option<Breach>,
    warned: Vec<Breach>,
}

/// The parser recurses: it gets the stack that it wants.
fn on_large_stack<T: Send>(run: impl FnOnce() -> T + Send) -> io::Result<T> {
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().stack_size(STACK_BYTES).spawn_scoped(scope, run)?;
        thread.join().map_err(|_| io::Error::other("reading the statements failed"))
    })
}

fn judge_all(guard: &Guard, flags: Flags, text: &[u8]) -> Vec<Finding> {
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
        findings.push(judge_one(guard, flags, text, statement, &mut lines));
        at += end + data;
    }
    findings
}

fn judge_one(guard: &Guard, flags: Flags, text: &[u8], at: Range<usize>, lines: &mut Lines) -> Finding {
    let line = lines.of(text, at.start);
    let sql = text.get(at).unwrap_or_default();
    let lexed = lexer::lex(flags, sql);
    let facts = crate::sql::facts::parse(&lexed);
    let reading = Reading::new(&lexed, facts.into());
    let intake = Intake { reading: &reading, schema: None, text_bytes: sql.len() as u64, whole: Whole::Whole };
    let judgement = guard.judge(&intake);
    let decisive = match &judgement.verdict {
        Verdict::Allow => 0,
        Verdict::Refuse(breach) => breach.statement,
    };
    let piece = reading.pieces().first();
    let wrap = reading.pieces().get(decisive).map_or(Wrap::None, |piece| piece.wrap);
    Finding {
        line,
        shape: crate::units::display_bytes(&lexed.shape),
        verb: piece.map_or("", |piece| piece.verb.label()),
        read: how_read(reading.statement(decisive).source, wrap),
        trace: guard.trace(&intake, decisive),
        refused: match judgement.verdict {
            Verdict::Allow => None,
            Verdict::Refuse(breach) => Some(breach),
        },
        warned: judgement.warned,
    }
}

fn how_read(source: Source, wrap: Wrap) -> String {
    let wrapped = match wrap {
        Wrap::None => "",
        Wrap::Explain => "explained, not run; ",
        Wrap::ExplainAnalyze => "explained and run; ",
        Wrap::Prepare => "prepared; ",
        Wrap::Cursor => "read through a cursor; ",
        Wrap::CopyOut => "streamed by COPY; ",
    };
    match source {
        Source::Verb => format!("{wrapped}judged by its verb"),
        Source::Parsed => format!("{wrapped}parsed"),
        Source::Scanned(reason) => format!("{wrapped}not parsed ({}), judged by its clauses", reason.label()),
    }
}

impl Finding {
    fn verdict(&self) -> &'static str {
        match (&self.refused, self.warned.is_empty()) {
            (Some(_), _) => "refuse",
            (None, false) => "warn",
            (None, true) => "allow",
        }
    }
}

fn print_text(finding: &Finding, out: &mut impl Write) -> io::Result<()> {
    writeln!(out, "line {}: {}: {}", finding.line, finding.verdict(), shortened(&finding.shape))?;
    for breach in finding.refused.iter().chain(&finding.warned) {
        writeln!(out, "  {}: {}", breach.rule, breach.message)?;
        writeln!(out, "    hint: {}", breach.hint)?;
    }
    // Where no rule has a say there is nothing to explain.
    if !finding.trace.is_empty() {
        writeln!(out, "  {}", finding.read)?;
    }
    for Trace { rule, mode, saw } in &finding.trace {
        writeln!(out, "  {rule} ({}): {saw}", mode.label())?;
    }
    Ok(())
}

/// The beginning of a shape: enough to know the statement by.
fn shortened(shape: &str) -> String {
    match shape.char_indices().nth(200) {
        Some((end, _)) => format!("{}…", &shape[..end]),
        None => shape.to_owned(),
    }
}

fn as_json(finding: &Finding) -> Value {
    let breach = |breach: &Breach| {
        json!({
            "rule": breach.rule,
            "measured": breach.measured,
            "limit": breach.limit,
            "message": breach.message,
            "hint": breach.hint,
        })
    };
    let trace = |trace: &Trace| json!({ "rule": trace.rule, "mode": trace.mode.label(), "saw": trace.saw });
    json!({
        "line": finding.line,
        "verdict": finding.verdict(),
        "verb": finding.verb,
        "shape": finding.shape,
        "read": finding.read,
        "refused": finding.refused.as_ref().map(breach),
        "warned": finding.warned.iter().map(breach).collect::<Vec<_>>(),
        "trace": finding.trace.iter().map(trace).collect::<Vec<_>>(),
    })
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

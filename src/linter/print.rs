//! Findings as text for people and as JSON for programs.

use std::io::{self, Write};

use serde_json::{Value, json};

use super::Outcome;
use super::finding::{Counted, Finding, Place};
use crate::guard::{Breach, Trace};
use crate::units::counted;

/// A finding in a few lines, the first of which an editor can follow.
pub(super) fn text(name: &str, finding: &Finding, out: &mut impl Write) -> io::Result<()> {
    let place = match finding.place {
        Place::Line(line) => format!("{name}:{line}"),
        Place::Entry(number) => format!("{name}: entry {number}"),
    };
    writeln!(out, "{place}: {}: {}", finding.verdict(), shortened(&finding.shape))?;
    if let Some(counted) = &finding.counted {
        writeln!(out, "  {}", in_words(counted))?;
    }
    for breach in finding.refused.iter().chain(&finding.warned) {
        writeln!(out, "  {}: {}", breach.rule, breach.message)?;
        writeln!(out, "    hint: {}", breach.hint)?;
    }
    // Where no rule has a say there is nothing to explain.
    if !finding.trace.is_empty() {
        let tables =
            if finding.tables.is_empty() { String::new() } else { format!("; tables: {}", finding.tables.join(", ")) };
        writeln!(out, "  {}{tables}", finding.read)?;
    }
    for Trace { rule, mode, saw } in &finding.trace {
        writeln!(out, "  {rule} ({}): {saw}", mode.label())?;
    }
    Ok(())
}

/// The last line.
pub(super) fn summary(outcome: Outcome, out: &mut impl Write) -> io::Result<()> {
    let Outcome { statements, refused, warned } = outcome;
    let statements = counted(statements as u64, "statement");
    writeln!(out, "{statements}: {refused} would be refused, {warned} would pass with a warning")
}

/// The beginning of a shape: enough to know the statement by.
fn shortened(shape: &str) -> String {
    match shape.char_indices().nth(200) {
        Some((end, _)) => format!("{}…", &shape[..end]),
        None => shape.to_owned(),
    }
}

fn in_words(counted: &Counted) -> String {
    let rows = counted.mean_rows().map(|rows| format!(", rows a call: {rows:.1}")).unwrap_or_default();
    let time = counted.mean_ms.map(|ms| format!(", ms a call: {ms:.3}")).unwrap_or_default();
    format!("calls: {}{rows}{time}", counted.calls)
}

/// A finding as one line of JSON.
pub(super) fn json(name: &str, finding: &Finding, out: &mut impl Write) -> io::Result<()> {
    let (line, entry) = match finding.place {
        Place::Line(line) => (Some(line), None),
        Place::Entry(entry) => (None, Some(entry)),
    };
    let trace = |trace: &Trace| json!({ "rule": trace.rule, "mode": trace.mode.label(), "saw": trace.saw });
    let object = json!({
        "file": name,
        "line": line,
        "entry": entry,
        "verdict": finding.verdict(),
        "verb": finding.verb,
        "shape": finding.shape,
        "read": finding.read,
        "tables": finding.tables,
        "calls": finding.counted.map(|counted| counted.calls),
        "rows": finding.counted.and_then(|counted| counted.rows),
        "mean_exec_ms": finding.counted.and_then(|counted| counted.mean_ms),
        "refused": finding.refused.as_ref().map(breach),
        "warned": finding.warned.iter().map(breach).collect::<Vec<_>>(),
        "trace": finding.trace.iter().map(trace).collect::<Vec<_>>(),
    });
    writeln!(out, "{object}")
}

fn breach(breach: &Breach) -> Value {
    json!({
        "rule": breach.rule,
        "measured": breach.measured_text(),
        "limit": breach.limit_text(),
        "message": breach.message,
        "hint": breach.hint,
    })
}

//! An export of pg_stat_statements: shapes with their calls and rows.
//!
//! Its texts are normalised, so that `LIMIT $1` tells nothing; and tools cut them, so what cannot be parsed is judged as a
//! beginning: a filter may stand in what is missing. What the server counted is held against the limits that are measured while
//! a statement runs. A mean over a limit means that some call was over it; a mean below proves nothing.

use serde_json::{Deserializer, Map, Value};

use super::Failed;
use super::finding::{Counted, Finding, Place, Read, judge_reading};
use super::input::Input;
use crate::guard::limits::Fate;
use crate::guard::{Breach, Guard, UNREADABLE, Whole};
use crate::sql::facts::{self, Source};
use crate::sql::lexer::{self, Marks};
use crate::sql::{Flags, Reading, Schema};
use crate::units::Unit;

/// One row of the view.
#[derive(Debug)]
struct Entry {
    place: Place,
    query: String,
    counted: Counted,
}

/// Judges every entry of an export, most calls first.
pub(super) fn judge(
    guard: &Guard,
    schema: Option<&Schema>,
    flags: Flags,
    input: &Input,
) -> Result<Vec<Finding>, Failed> {
    let first = input.text.iter().find(|byte| !byte.is_ascii_whitespace());
    let mut entries = match first {
        Some(b'[' | b'{') => json_entries(input)?,
        _ => csv_entries(input)?,
    };
    entries.sort_by_key(|entry| std::cmp::Reverse(entry.counted.calls));
    Ok(entries.iter().map(|entry| judge_entry(guard, schema, flags, entry)).collect())
}

fn judge_entry(guard: &Guard, schema: Option<&Schema>, flags: Flags, entry: &Entry) -> Finding {
    let text = entry.query.trim_end_matches("...").trim_end_matches('…').as_bytes();
    let lexed = lexer::lex(flags, text);
    let facts = facts::parse(&lexed);
    let open = lexed.pieces.iter().any(|piece| piece.marks.has(Marks::UNTERMINATED));
    let unread = facts.statements.iter().any(|statement| matches!(statement.source, Source::Scanned(_)));
    let cut = open || unread || text.len() < entry.query.len();
    let whole = if cut { Whole::PrefixOnly } else { Whole::Whole };
    let reading = Reading::new(&lexed, facts.into());
    let read = Read { shape: &lexed.shape, bytes: entry.query.len(), whole };
    let mut finding = judge_reading(guard, schema, &reading, read, entry.place);
    finding.counted = Some(entry.counted);
    if entry.query == HIDDEN {
        finding.warned.push(hidden());
        return finding;
    }
    if cut {
        finding.read.push_str("; its end may be missing, so only its beginning counts");
    }
    if let Some(piece) = reading.pieces().first() {
        if piece.writes() {
            too_many_changes(guard, entry.counted, &mut finding);
        } else if piece.inner.queries() {
            too_many_rows(guard, entry.counted, &mut finding);
        }
        too_slow(guard, entry.counted, &mut finding);
    }
    finding
}

/// What the view shows in place of a text that the role may not see.
const HIDDEN: &str = "<insufficient privilege>";

/// What nobody has judged must not look as if it had passed.
fn hidden() -> Breach {
    Breach {
        rule: UNREADABLE,
        statement: 0,
        measured: "hidden".to_owned(),
        limit: 0,
        unit: Unit::Count,
        message: "the role that exported this may not see the statement".to_owned(),
        hint: "Export as a member of pg_read_all_stats".to_owned(),
    }
}

fn too_many_rows(guard: &Guard, counted: Counted, finding: &mut Finding) {
    let (Some(limit), Some(mean)) = (guard.limits().result, counted.mean_rows()) else { return };
    if mean > limit.max_rows as f64 {
        let message = format!("its calls sent {mean:.0} rows on average; at most {} are allowed", limit.max_rows);
        finding
            .add(limit.mode, Breach { message, measured: format!("{mean:.0}"), ..limit.too_many_rows(Fate::Passed) });
    }
}

fn too_many_changes(guard: &Guard, counted: Counted, finding: &mut Finding) {
    let (Some(limit), Some(mean)) = (guard.limits().write, counted.mean_rows()) else { return };
    if mean > limit.max_rows as f64 {
        let message = format!("its calls changed {mean:.0} rows on average; at most {} are allowed", limit.max_rows);
        finding.add(
            limit.mode,
            Breach { message, measured: format!("{mean:.0}"), ..limit.too_many_rows(0, Fate::Passed) },
        );
    }
}

fn too_slow(guard: &Guard, counted: Counted, finding: &mut Finding) {
    let (Some(limit), Some(mean_ms)) = (guard.limits().statement, counted.mean_ms) else { return };
    if mean_ms > limit.limit.as_secs_f64() * 1e3 {
        let message = format!("its calls took {mean_ms:.0} ms on average");
        finding
            .add(limit.mode, Breach { message, measured: format!("{:.0}", mean_ms.round() * 1e3), ..limit.too_long() });
    }
}

/// Columns by name, in any order and letter case; others are passed over.
#[derive(Debug)]
struct Columns {
    query: usize,
    calls: Option<usize>,
    rows: Option<usize>,
    mean_ms: Option<usize>,
}

/// Up to PostgreSQL 12 the last one was called otherwise.
const MEAN_MS: [&str; 2] = ["mean_exec_time", "mean_time"];
const NO_QUERY: &str = "no column is called \"query\": export with \
                        COPY (SELECT query, calls, rows, mean_exec_time FROM pg_stat_statements) TO STDOUT (FORMAT csv, HEADER)";

fn csv_entries(input: &Input) -> Result<Vec<Entry>, Failed> {
    let mut reader = csv::ReaderBuilder::new().flexible(true).from_reader(&*input.text);
    let broken = |error: csv::Error| {
        let line = error.position().map_or(1, csv::Position::line);
        malformed(input, line, error.to_string())
    };
    let columns = columns(reader.headers().map_err(broken)?).ok_or_else(|| malformed(input, 1, NO_QUERY.to_owned()))?;
    let mut entries = Vec::new();
    for record in reader.records() {
        let record = record.map_err(broken)?;
        let line = record.position().map_or(1, csv::Position::line);
        entries.push(csv_entry(&columns, &record, line).map_err(|reason| malformed(input, line, reason))?);
    }
    Ok(entries)
}

fn columns(header: &csv::StringRecord) -> Option<Columns> {
    let find = |name: &str| header.iter().position(|column| column.trim().eq_ignore_ascii_case(name));
    let mean_ms = MEAN_MS.iter().find_map(|name| find(name));
    Some(Columns { query: find("query")?, calls: find("calls"), rows: find("rows"), mean_ms })
}

fn csv_entry(columns: &Columns, record: &csv::StringRecord, line: u64) -> Result<Entry, String> {
    let Some(query) = record.get(columns.query) else {
        return Err(format!("the row has {} fields and none for \"query\"", record.len()));
    };
    let field = |column: Option<usize>| column.and_then(|column| record.get(column)).filter(|text| !text.is_empty());
    let counted = Counted {
        calls: field(columns.calls).map(|text| number(text, "calls")).transpose()?.unwrap_or(0),
        rows: field(columns.rows).map(|text| number(text, "rows")).transpose()?,
        mean_ms: field(columns.mean_ms).map(|text| number(text, MEAN_MS[0])).transpose()?,
    };
    let place = Place::Line(usize::try_from(line).unwrap_or(usize::MAX));
    Ok(Entry { place, query: query.to_owned(), counted })
}

fn number<T: std::str::FromStr>(text: &str, column: &str) -> Result<T, String> {
    text.trim().parse().map_err(|_| format!("\"{column}\" is no number"))
}

/// A list of objects, or objects one after the other.
fn json_entries(input: &Input) -> Result<Vec<Entry>, Failed> {
    let mut entries = Vec::new();
    for value in Deserializer::from_slice(&input.text).into_iter::<Value>() {
        let value = value.map_err(|error| malformed(input, error.line() as u64, error.to_string()))?;
        let list = match value {
            Value::Array(list) => list,
            other => vec![other],
        };
        for object in list {
            let number = entries.len() + 1;
            let entry = object.as_object().and_then(|object| json_entry(object, number));
            let reason = || format!("entry {number} is no object with a \"query\"");
            entries.push(entry.ok_or_else(|| malformed(input, 1, reason()))?);
        }
    }
    Ok(entries)
}

fn json_entry(object: &Map<String, Value>, number: usize) -> Option<Entry> {
    // Some exports quote their numbers.
    let count = |name: &str| {
        let value = object.get(name)?;
        value.as_u64().or_else(|| value.as_str()?.parse().ok())
    };
    let time = |name: &&str| {
        let value = object.get(*name)?;
        value.as_f64().or_else(|| value.as_str()?.parse().ok())
    };
    let mean_ms = MEAN_MS.iter().find_map(time);
    let counted = Counted { calls: count("calls").unwrap_or(0), rows: count("rows"), mean_ms };
    Some(Entry { place: Place::Entry(number), query: object.get("query")?.as_str()?.to_owned(), counted })
}

fn malformed(input: &Input, line: u64, reason: String) -> Failed {
    Failed::Malformed { name: input.name.clone(), line, reason }
}

//! The two readings of a text, held against each other.

use std::collections::BTreeMap;
use std::fmt::Debug;

use floodwall::sql::facts::Source;
use floodwall::sql::lexer::Counts;
use floodwall::sql::{Flags, Strings, Verb};

use super::view::{Cap, Mark, View, Write};
use super::{ours, theirs};

/// What came of one text.
#[derive(Debug, Default)]
pub struct Outcome {
    /// Statements in it.
    pub statements: usize,
    /// Those that only the scanner could read, though they carry data.
    pub scanned: usize,
    /// What differs, each as "field: ours, theirs".
    pub differences: Vec<String>,
}

/// A difference that stays.
#[derive(Debug)]
pub struct Known {
    pub text: &'static str,
    pub field: &'static str,
    pub harmless_since: &'static str,
}

/// All of them. Beside these: lists and limits are compared in queries and writes only, since a partition's bounds and
/// a role's connection limit look alike to the lexer and no rule looks at them there.
pub const KNOWN: &[Known] = &[
    Known { text: "INSERT INTO t SELECT 1 INTO f", field: "marks", harmless_since: "the server refuses INTO here" },
    Known {
        text: "SELECT * FROM big LIMIT bigint '1000000'",
        field: "limit",
        harmless_since: "a literal with its type before it is an expression to the lexer, which bounds nothing",
    },
    Known {
        text: "SELECT * FROM big LIMIT int '100000'",
        field: "limit",
        harmless_since: "a literal with its type before it is an expression to the lexer, which bounds nothing",
    },
    Known {
        text: "SELECT * FROM big LIMIT -(-100000)",
        field: "limit",
        harmless_since: "a sum is an expression to the lexer, which bounds nothing",
    },
    Known {
        text: "SELECT * FROM big LIMIT $$100000$$",
        field: "limit",
        harmless_since: "a string in dollars is an expression to the lexer, which bounds nothing",
    },
];

/// What a server takes and the parser does not, so that it is judged by its clauses.
const UNREAD: &[&str] =
    &["3 AS select", "GROUP BY DISTINCT ROLLUP", "inet '10.0.0.0/8' >>", "SELECT WHERE EXISTS", "USING a JOIN b"];

/// True for a text that holds one of the forms which are only scanned.
pub fn is_known_unread(text: &str) -> bool {
    UNREAD.iter().any(|form| text.contains(form))
}

/// As [`unfiltered`], without the known differences.
pub fn compare(text: &str, strings: Strings) -> Result<Outcome, String> {
    let mut outcome = unfiltered(text, strings)?;
    let known =
        |difference: &String| KNOWN.iter().any(|known| known.text == text && difference.starts_with(known.field));
    outcome.differences.retain(|difference| !known(difference));
    Ok(outcome)
}

/// Compares both readings; `Err` is the parser's message where the text has a syntax error.
pub fn unfiltered(text: &str, strings: Strings) -> Result<Outcome, String> {
    let theirs = theirs::read(text, strings)?;
    let ours = ours::read(text, Flags::POSTGRES.with_strings(strings));
    let mut outcome = Outcome { statements: theirs.len(), ..Outcome::default() };
    if ours.len() != theirs.len() {
        outcome.differences.push(format!("statements: {}, {}", ours.len(), theirs.len()));
        return Ok(outcome);
    }
    for ((ours, source), theirs) in ours.iter().zip(&theirs) {
        let scanned = matches!(source, Source::Scanned(_));
        outcome.scanned += usize::from(scanned);
        statement(ours, *source, theirs, &mut outcome.differences);
    }
    Ok(outcome)
}

fn statement(ours: &View, source: Source, theirs: &View, found: &mut Vec<String>) {
    let mut differ =
        |field: &str, ours: &dyn Debug, theirs: &dyn Debug| found.push(format!("{field}: {ours:?}, {theirs:?}"));
    if ours.text.start < theirs.text.start || ours.text.end > theirs.text.end {
        differ("place", &ours.text, &theirs.text);
    }
    if kind(ours.verb) != kind(theirs.verb) {
        differ("verb", &ours.verb, &theirs.verb);
    }
    if kind(ours.inner) != kind(theirs.inner) {
        differ("inner", &ours.inner, &theirs.inner);
    }
    if ours.wrap != theirs.wrap {
        differ("wrap", &ours.wrap, &theirs.wrap);
    }
    if !same_marks(ours, theirs) {
        differ("marks", &ours.marks, &theirs.marks);
    }
    if judged(theirs.inner) && !same_counts(ours.counts, theirs.counts) {
        differ("counts", &ours.counts, &theirs.counts);
    }
    if judged(theirs.inner) && !same_limits(ours, theirs) {
        differ("limits", &ours.limits, &theirs.limits);
    }
    // The parser does not look into the body of a DO.
    if theirs.inner != Verb::Call && !same_writes(&ours.writes, &theirs.writes) {
        differ("writes", &ours.writes, &theirs.writes);
    }
    if !same_limit(ours, source, theirs) {
        differ("limit", &ours.limit, &theirs.limit);
    }
    let known = match source {
        Source::Parsed => ours.tables == theirs.tables,
        // What the scanner names is there; it may leave the rest for unknown.
        Source::Scanned(_) => ours.tables.is_subset(&theirs.tables),
        Source::Verb => true,
    };
    if !known {
        differ("tables", &ours.tables, &theirs.tables);
    }
}

/// The parser makes `VALUES` and `TABLE t` a SELECT.
fn kind(verb: Verb) -> Verb {
    if verb.queries() { Verb::Select } else { verb }
}

/// Only queries and writes are judged by what they carry. In others a list may be one of partition bounds, and a limit
/// one of connections.
fn judged(verb: Verb) -> bool {
    verb.queries() || verb.writes()
}

fn same_marks(ours: &View, theirs: &View) -> bool {
    // A write is one with or without another in its WITH; so is what a rule does later.
    let decided = ours.inner.writes() || !judged(theirs.inner);
    let without = |view: &View| {
        let mut marks = view.marks.clone();
        if decided {
            marks.remove(&Mark::CteWrites);
        }
        marks
    };
    without(ours) == without(theirs)
}

/// A list of one item is no list to the parser.
fn same_counts(ours: Counts, theirs: Counts) -> bool {
    let same = |ours: u32, theirs: u32| ours == theirs || ours.max(theirs) <= 1;
    same(ours.tuples, theirs.tuples)
        && same(ours.in_items, theirs.in_items)
        && same(ours.case_arms, theirs.case_arms)
        && same(ours.array_elements, theirs.array_elements)
}

/// Every limit is seen, but for those in rows that the shape leaves out.
fn same_limits(ours: &View, theirs: &View) -> bool {
    let mut rest = count(&theirs.limits);
    for cap in &ours.limits {
        match rest.get_mut(cap) {
            Some(left) if *left > 0 => *left -= 1,
            _ => return false,
        }
    }
    let left_out = theirs.counts.largest() > 1;
    left_out || ours.limits.len() == theirs.limits.len()
}

fn count(caps: &[Cap]) -> BTreeMap<Cap, usize> {
    let mut counts = BTreeMap::new();
    caps.iter().for_each(|cap| *counts.entry(*cap).or_default() += 1);
    counts
}

fn same_writes(ours: &[Write], theirs: &[Write]) -> bool {
    ours.len() == theirs.len() && theirs.iter().all(|write| ours.contains(write))
}

/// The outermost limit is the one that counts. Where the rows are fewer for another reason, that one counts.
fn same_limit(ours: &View, source: Source, theirs: &View) -> bool {
    if !theirs.inner.queries() || theirs.marks.contains(&Mark::Into) {
        return true;
    }
    match (ours.limit, theirs.limit) {
        (Cap::Rows(0 | 1), _) => true,
        (ours, Cap::Rows(_) | Cap::Parameter) if source == Source::Parsed => ours == theirs.limit,
        (Cap::Rows(ours), Cap::Rows(theirs)) => ours == theirs,
        _ => true,
    }
}

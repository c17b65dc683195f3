//! Clauses in a form that the parser does not know.

use super::Edit;
use super::operators::operator;
use crate::sql::facts::functions::AGGREGATES;
use crate::sql::facts::tokens::{Words, name};

/// `ONLY t` and `ONLY (t)`.
pub(super) fn only<'a>(words: &Words<'a>, at: usize) -> Option<Edit<'a>> {
    if !matches!(words.before(at, 1), "from" | "join" | "update" | "using" | "into" | "table" | ",") {
        return None;
    }
    match words.close(at + 1) {
        close if close > at + 1 && words.word(at + 1) == "(" => {
            Edit::put(close - at + 1, words.slice(at + 2, close - 1))
        }
        _ => Edit::cut(1),
    }
}

/// `t *`, a table with those that inherit from it.
pub(super) fn star<'a>(words: &Words<'a>, at: usize) -> Option<Edit<'a>> {
    let Some(first) = words.name_start(at.checked_sub(1)?) else { return operator(words, at) };
    let follows_table =
        matches!(words.before(first, 1), "from" | "join" | "update" | "only" | "into" | "using" | "table");
    // `extract (epoch FROM a * 2)` is a product.
    let product = matches!(words.around(at), "extract" | "substring" | "trim" | "overlay" | "position");
    if follows_table && !product { Edit::cut(1) } else { operator(words, at) }
}

/// `TABLE t` as a query. The word is reserved: anywhere else it follows INTO, or names something.
pub(super) fn table<'a>(words: &Words<'a>, at: usize) -> Option<Edit<'a>> {
    match words.before(at, 1) {
        "into" | "temp" | "temporary" | "unlogged" | "local" | "global" | "as" => None,
        _ => Edit::put(1, "select * from"),
    }
}

/// `f(…) AS (a int, b text)`.
pub(super) fn column_types<'a>(words: &Words<'a>, at: usize) -> Option<Edit<'a>> {
    let query = matches!(
        words.word(at + 2),
        "select" | "values" | "table" | "with" | "insert" | "update" | "delete" | "merge" | "("
    );
    if words.before(at, 1) != ")" || words.word(at + 1) != "(" || query {
        return None;
    }
    Edit::cut(words.close(at + 1) - at + 1)
}

/// `JOIN … USING (a) AS x`.
pub(super) fn named_join<'a>(words: &Words<'a>, at: usize) -> Option<Edit<'a>> {
    let close = words.close(at + 1);
    let query = matches!(words.word(at + 2), "select" | "values" | "table" | "with");
    if words.word(at + 1) != "(" || words.word(close + 1) != "as" || query {
        return None;
    }
    let columns = (at + 2..close).all(|column| words.word(column) == "," || name(words.word(column)).is_some());
    if columns { Edit::put(close - at + 3, words.slice(at, close)) } else { None }
}

/// The strengths of row locks that the parser does not know.
pub(super) fn lock<'a>(words: &Words<'a>, at: usize) -> Option<Edit<'a>> {
    match (words.word(at + 1), words.word(at + 2), words.word(at + 3)) {
        ("no", "key", "update") => Edit::put(4, "for update"),
        ("key", "share", _) => Edit::put(3, "for share"),
        ("read", "only", _) => Edit::cut(3),
        _ => None,
    }
}

/// `FOR UPDATE OF a, b`.
pub(super) fn locked_tables<'a>(words: &Words<'a>, at: usize) -> Option<Edit<'a>> {
    let mut end = at + 2;
    while matches!(words.word(end), "," | ".") {
        end += 2;
    }
    Edit::cut(end - at)
}

/// `SELECT` without anything to select.
pub(super) fn empty_select<'a>(words: &Words<'a>, at: usize) -> Option<Edit<'a>> {
    let ends = ["", ")", "into", "union", "except", "intersect", "order", "limit", "offset", "fetch", "for"];
    match words.word(at + 1) {
        "all" if ends.contains(&words.word(at + 2)) => Edit::put(2, "select $1"),
        next if ends.contains(&next) => Edit::put(1, "select $1"),
        _ => None,
    }
}

/// `FETCH FIRST (…) ROWS ONLY`: a LIMIT by another name.
pub(super) fn fetch_expression<'a>(words: &Words<'a>, at: usize) -> Option<Edit<'a>> {
    let close = words.close(at + 2);
    let end = ["only", "ties"].iter().find_map(|last| (close..close + 4).find(|&index| words.word(index) == *last))?;
    let put = format!("limit {}", words.slice(at + 2, close));
    Some(Edit { take: end - at + 1, put: put.into() })
}

/// The exclusion of a window's frame.
pub(super) fn exclude<'a>(words: &Words<'a>, at: usize) -> Option<Edit<'a>> {
    if !matches!(words.before(at, 1), "row" | "preceding" | "following") {
        return None;
    }
    match words.word(at + 1) {
        "current" | "no" => Edit::cut(3),
        "group" | "ties" => Edit::cut(2),
        _ => None,
    }
}

/// `SEARCH … SET a` and `CYCLE … USING b` after a WITH query.
pub(super) fn recursion_order<'a>(words: &Words<'a>, at: usize) -> Option<Edit<'a>> {
    let (first, last) = match (words.word(at), words.word(at + 1)) {
        ("search", "depth" | "breadth") => (words.before(at, 1) == ")", "set"),
        ("cycle", _) => (true, "using"),
        _ => return None,
    };
    // CYCLE may follow SEARCH.
    let names = first && name(words.word(at + 1)).is_some();
    let end = words.find(at, last)?;
    if names { Edit::cut(end - at + 2) } else { None }
}

/// What ON CONFLICT infers an index from: it has a WHERE of its own, which filters nothing that is written.
pub(super) fn conflict_target<'a>(words: &Words<'a>, at: usize) -> Option<Edit<'a>> {
    let action = words.find(at, "do")?;
    Edit::put(action - at, "conflict ")
}

/// `SET a[1] = …` and `INSERT INTO t (a[1])`.
pub(super) fn assigned_element<'a>(words: &Words<'a>, at: usize) -> Option<Edit<'a>> {
    let first = words.name_start(at.checked_sub(1)?)?;
    let mut end = words.close(at) + 1;
    loop {
        match words.word(end) {
            "[" if words.close(end) > end => end = words.close(end) + 1,
            "." => end += 2,
            _ => break,
        }
    }
    let listed =
        matches!(words.word(end), "," | ")") && matches!(words.before(first, 1), "(" | ",") && words.in_columns(at);
    let assigned = listed || words.word(end) == "=" && matches!(words.before(first, 1), "set" | ",");
    if assigned { Edit::cut(end - at) } else { None }
}

/// `(f(a)).*`, and `t.*` under a cast: the row itself.
pub(super) fn expanded_row<'a>(words: &Words<'a>, at: usize) -> Option<Edit<'a>> {
    if words.before(at, 1) == ")" || words.word(at + 2) == ":" { Edit::cut(2) } else { None }
}

/// `REPEATABLE (…)` of a sample, and the precision of an interval.
pub(super) fn argument<'a>(words: &Words<'a>, at: usize) -> Option<Edit<'a>> {
    let kept = match (words.word(at), words.before(at, 1)) {
        ("second", "to" | "''") => "second",
        ("repeatable", ")") => "",
        _ => return None,
    };
    Edit::put(words.close(at + 1) - at + 1, kept)
}

pub(super) fn own_syntax<'a>(words: &Words<'a>, at: usize) -> Option<Edit<'a>> {
    let close = words.close(at + 1);
    let called = |index: usize| AGGREGATES.contains(&words.word(index)) && words.word(index + 1) == "(";
    let twin = if (at..close).any(called) { "max(a)" } else { "lower(a)" };
    if close > at + 1 { Edit::put(close - at + 1, twin) } else { None }
}

/// Functions whose arguments have a syntax of their own.
pub(super) const OWN_SYNTAX: &[&str] = &[
    "json",
    "json_array",
    "json_arrayagg",
    "json_exists",
    "json_object",
    "json_objectagg",
    "json_query",
    "json_scalar",
    "json_serialize",
    "json_value",
    "xmlconcat",
    "xmlelement",
    "xmlexists",
    "xmlforest",
    "xmlparse",
    "xmlpi",
    "xmlroot",
    "xmlserialize",
];

//! What the parser cannot read, written as a twin that it can: the same rows, tables and filters in other words.
//!
//! Each form that PostgreSQL knows and the parser does not is one small function below. What is dropped says nothing
//! about the rows of a statement. A form that is missing here leaves the statement to `scan`.

use std::borrow::Cow;

use super::functions::AGGREGATES;
use super::select::LIMIT_BASE;
use super::tokens::{Words, name};

/// Some tokens and what takes their place.
#[derive(Debug)]
struct Edit<'a> {
    /// How many tokens.
    take: usize,
    put: Cow<'a, str>,
}

impl<'a> Edit<'a> {
    const fn cut(take: usize) -> Option<Self> {
        Some(Self { take, put: Cow::Borrowed("") })
    }

    const fn put(take: usize, put: &'a str) -> Option<Self> {
        Some(Self { take, put: Cow::Borrowed(put) })
    }
}

/// The shape for the parser, with its limits numbered.
pub(super) fn adapted(text: &str) -> String {
    let words = Words::of(text);
    let mut out = String::with_capacity(text.len() + 16);
    let mut copied = 0;
    let mut limits = 0_u16;
    let mut index = 0;
    while let Some(token) = words.token(index) {
        let edit = edit(&words, index).or_else(|| (token.text == "$2").then(|| Edit { take: 1, put: "$2".into() }));
        let Some(edit) = edit else {
            index += 1;
            continue;
        };
        out.push_str(&text[copied..token.at]);
        push_numbered(&edit.put, limits, &mut out);
        let taken = index..index + edit.take;
        let passed = taken.clone().filter(|&taken| words.word(taken) == "$2").count();
        limits = limits.saturating_add(u16::try_from(passed).unwrap_or(u16::MAX));
        copied = words.token(taken.end - 1).map_or(text.len(), |last| last.end());
        index = taken.end;
    }
    out.push_str(&text[copied..]);
    out
}

/// Appends a text in which each `$2` is the next limit.
fn push_numbered(text: &str, mut next: u16, out: &mut String) {
    let mut parts = text.split("$2");
    out.push_str(parts.next().unwrap_or_default());
    for part in parts {
        out.push_str(&format!("${}{part}", LIMIT_BASE.saturating_add(next)));
        next = next.saturating_add(1);
    }
}

fn edit<'a>(words: &Words<'a>, at: usize) -> Option<Edit<'a>> {
    if words.before(at, 1) == "." {
        return None;
    }
    match words.word(at) {
        "only" => only(words, at),
        "*" => star(words, at),
        "." if words.word(at + 1) == "*" => expanded_row(words, at),
        "table" => table(words, at),
        "rows" if words.word(at + 1) == "from" && words.word(at + 2) == "(" => Edit::put(2, "rows_from"),
        "as" => column_types(words, at),
        "using" => named_join(words, at),
        "for" => lock(words, at),
        "of" if matches!(words.before(at, 1), "update" | "share") => locked_tables(words, at),
        "current" if words.word(at + 1) == "of" => Edit::put(3, "ctid = $1"),
        "select" => empty_select(words, at),
        "exclude" => exclude(words, at),
        "distinct" | "all" if words.before(at, 1) == "by" && words.before(at, 2) == "group" => Edit::cut(1),
        "symmetric" | "asymmetric" if words.before(at, 1) == "between" => Edit::cut(1),
        "search" | "cycle" => recursion_order(words, at),
        "at" if words.word(at + 1) == "local" => Edit::put(2, "at time zone $1"),
        "operator" if words.word(at + 1) == "(" => named_operator(words, at),
        "conflict" if words.before(at, 1) == "on" && words.word(at + 1) == "(" => conflict_target(words, at),
        "overriding" if matches!(words.word(at + 1), "system" | "user") => Edit::cut(3),
        "default" if words.before(at, 1) == "insert" => Edit::put(2, "values ($1)"),
        "with" if words.before(at, 1) == "returning" => Edit::cut(words.close(at + 1) - at + 1),
        "variadic" => Edit::cut(1),
        "isnull" if words.before(at, 1) != "as" => Edit::put(1, "is null"),
        "document" if matches!(words.before(at, 1), "is" | "not") => Edit::put(1, "null"),
        "fetch" if words.word(at + 2) == "(" => fetch_expression(words, at),
        "extract" if words.word(at + 2) == "$1" => Edit::put(3, "extract(year"),
        "collate" => collation(words, at),
        "repeatable" | "second" if words.word(at + 1) == "(" => argument(words, at),
        "from" if matches!(words.before(at, 1), "both" | "leading" | "trailing") => Edit::put(1, "$1 from"),
        "from" if words.before(at, 1) == "(" && words.before(at, 2) == "trim" => Edit::cut(1),
        "similar" if words.around(at) == "substring" => Edit::put(1, "from"),
        "escape" if words.around(at) == "substring" => Edit::put(1, "for"),
        "sets" if words.before(at, 1) == "grouping" => Edit::put(words.close(at + 1) - at + 1, "sets ((a))"),
        "xmltable" | "json_table" if words.word(at + 1) == "(" => {
            Edit::put(words.close(at + 1) - at + 1, "rows_from(a)")
        }
        "collation" if words.word(at + 1) == "for" => Edit::put(words.close(at + 2) - at + 1, "lower(a)"),
        ":" if words.word(at + 1) == "=" => Edit::put(2, "=>"),
        word if OWN_SYNTAX.contains(&word) && words.word(at + 1) == "(" => own_syntax(words, at),
        word if word.starts_with(is_operator) => operator(words, at),
        word => typed(words, at, word),
    }
}

/// Types where they are cast to, and before literals.
fn typed<'a>(words: &Words<'a>, at: usize, word: &str) -> Option<Edit<'a>> {
    match word {
        "array" if words.before(at, 2) == ":" && words.word(at + 1) == "[" => Edit::cut(words.close(at + 1) - at + 1),
        "array" if words.before(at, 2) == ":" => Edit::cut(1),
        "[" if words.before(at, 2) == ":" && words.before(at, 3) == ":" => Edit::put(words.close(at) - at + 1, "[]"),
        "[" => assigned_element(words, at),
        "(" if words.before(at, 2) == "." && words.before(at, 4) == ":" => Edit::cut(words.close(at) - at + 1),
        "national" if matches!(words.word(at + 1), "char" | "character") => Edit::cut(1),
        "interval" if is_column(words, at) => Edit::put(1, "\"interval\""),
        "double" if words.word(at + 1) == "precision" && words.word(at + 2) == "$1" => Edit::put(3, "$1"),
        "bit" | "char" | "varchar" | "time" | "timestamp"
            if words.word(at + 1) == "(" && words.word(words.close(at + 1) + 1) == "$1" =>
        {
            Edit::put(words.close(at + 1) - at + 2, "$1")
        }
        _ if TYPES.contains(&word) && matches!(words.word(at + 1), "$1" | "''") => Edit::put(2, "$1"),
        _ if words.word(at + 1) == "." && words.word(at + 3) == "$1" => Edit::put(4, "$1"),
        _ if is_own_type(words, at, word) => Edit::put(2, "$1"),
        _ => None,
    }
}

/// `a::text COLLATE "C"`, which keeps being no plain column.
fn collation<'a>(words: &Words<'a>, at: usize) -> Option<Edit<'a>> {
    let cast = words.before(words.name_start(at.checked_sub(1)?)?, 1) == ":";
    if cast { Edit::put(words.name_end(at + 1) - at + 1, "|| $1") } else { None }
}

/// `ONLY t` and `ONLY (t)`.
fn only<'a>(words: &Words<'a>, at: usize) -> Option<Edit<'a>> {
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
fn star<'a>(words: &Words<'a>, at: usize) -> Option<Edit<'a>> {
    let Some(first) = words.name_start(at.checked_sub(1)?) else { return operator(words, at) };
    let follows_table =
        matches!(words.before(first, 1), "from" | "join" | "update" | "only" | "into" | "using" | "table");
    // `extract (epoch FROM a * 2)` is a product.
    let product = matches!(words.around(at), "extract" | "substring" | "trim" | "overlay" | "position");
    if follows_table && !product { Edit::cut(1) } else { operator(words, at) }
}

/// `TABLE t` as a query. The word is reserved: anywhere else it follows INTO, or names something.
fn table<'a>(words: &Words<'a>, at: usize) -> Option<Edit<'a>> {
    match words.before(at, 1) {
        "into" | "temp" | "temporary" | "unlogged" | "local" | "global" | "as" => None,
        _ => Edit::put(1, "select * from"),
    }
}

/// `f(…) AS (a int, b text)`.
fn column_types<'a>(words: &Words<'a>, at: usize) -> Option<Edit<'a>> {
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
fn named_join<'a>(words: &Words<'a>, at: usize) -> Option<Edit<'a>> {
    let close = words.close(at + 1);
    let query = matches!(words.word(at + 2), "select" | "values" | "table" | "with");
    if words.word(at + 1) != "(" || words.word(close + 1) != "as" || query {
        return None;
    }
    let columns = (at + 2..close).all(|column| words.word(column) == "," || name(words.word(column)).is_some());
    if columns { Edit::put(close - at + 3, words.slice(at, close)) } else { None }
}

/// The strengths of row locks that the parser does not know.
fn lock<'a>(words: &Words<'a>, at: usize) -> Option<Edit<'a>> {
    match (words.word(at + 1), words.word(at + 2), words.word(at + 3)) {
        ("no", "key", "update") => Edit::put(4, "for update"),
        ("key", "share", _) => Edit::put(3, "for share"),
        ("read", "only", _) => Edit::cut(3),
        _ => None,
    }
}

/// `FOR UPDATE OF a, b`.
fn locked_tables<'a>(words: &Words<'a>, at: usize) -> Option<Edit<'a>> {
    let mut end = at + 2;
    while matches!(words.word(end), "," | ".") {
        end += 2;
    }
    Edit::cut(end - at)
}

/// `SELECT` without anything to select.
fn empty_select<'a>(words: &Words<'a>, at: usize) -> Option<Edit<'a>> {
    let ends = ["", ")", "into", "union", "except", "intersect", "order", "limit", "offset", "fetch", "for"];
    match words.word(at + 1) {
        "all" if ends.contains(&words.word(at + 2)) => Edit::put(2, "select $1"),
        next if ends.contains(&next) => Edit::put(1, "select $1"),
        _ => None,
    }
}

/// `FETCH FIRST (…) ROWS ONLY`: a LIMIT by another name.
fn fetch_expression<'a>(words: &Words<'a>, at: usize) -> Option<Edit<'a>> {
    let close = words.close(at + 2);
    let end = ["only", "ties"].iter().find_map(|last| (close..close + 4).find(|&index| words.word(index) == *last))?;
    let put = format!("limit {}", words.slice(at + 2, close));
    Some(Edit { take: end - at + 1, put: put.into() })
}

/// The exclusion of a window's frame.
fn exclude<'a>(words: &Words<'a>, at: usize) -> Option<Edit<'a>> {
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
fn recursion_order<'a>(words: &Words<'a>, at: usize) -> Option<Edit<'a>> {
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
fn conflict_target<'a>(words: &Words<'a>, at: usize) -> Option<Edit<'a>> {
    let action = words.find(at, "do")?;
    Edit::put(action - at, "conflict ")
}

/// `SET a[1] = …` and `INSERT INTO t (a[1])`.
fn assigned_element<'a>(words: &Words<'a>, at: usize) -> Option<Edit<'a>> {
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

/// Functions whose arguments have a syntax of their own.
const OWN_SYNTAX: &[&str] = &[
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

fn own_syntax<'a>(words: &Words<'a>, at: usize) -> Option<Edit<'a>> {
    let close = words.close(at + 1);
    let called = |index: usize| AGGREGATES.contains(&words.word(index)) && words.word(index + 1) == "(";
    let twin = if (at..close).any(called) { "max(a)" } else { "lower(a)" };
    if close > at + 1 { Edit::put(close - at + 1, twin) } else { None }
}

/// Types whose literals the parser does not know. A name before a literal can be nothing else.
const TYPES: &[&str] = &[
    "bigint",
    "box",
    "bpchar",
    "citext",
    "cube",
    "datemultirange",
    "daterange",
    "float",
    "float4",
    "float8",
    "geography",
    "geometry",
    "int",
    "int2",
    "int4",
    "int4multirange",
    "int4range",
    "int8",
    "int8multirange",
    "int8range",
    "integer",
    "jsonpath",
    "lquery",
    "nummultirange",
    "numrange",
    "refcursor",
    "regnamespace",
    "regproc",
    "regprocedure",
    "regrole",
    "tsmultirange",
    "tsrange",
    "tstzmultirange",
    "tstzrange",
    "xid",
    "xid8",
    "real",
    "smallint",
    "text",
    "cidr",
    "circle",
    "hstore",
    "inet",
    "line",
    "lseg",
    "ltree",
    "macaddr",
    "macaddr8",
    "money",
    "name",
    "oid",
    "path",
    "pg_lsn",
    "pg_snapshot",
    "point",
    "polygon",
    "regclass",
    "regtype",
    "tid",
    "tsquery",
    "tsvector",
    "txid_snapshot",
    "vector",
    "xml",
];

/// An operator where it stands before its operand, which most may; or one that the parser does not know.
fn operator<'a>(words: &Words<'a>, at: usize) -> Option<Edit<'a>> {
    let length =
        1 + (at..).take_while(|&index| words.touch(index) && words.word(index + 1).starts_with(is_operator)).count();
    let operator = words.slice(at, at + length - 1);
    if stands_before_operand(words, at) {
        // A sign is no matter, and a star is all columns.
        return if matches!(operator, "+" | "-" | "*") { None } else { Edit::cut(length) };
    }
    if matches!(words.word(at + length), "any" | "some" | "all") && !COMPARISONS.contains(&operator) {
        return Edit::put(length, "=");
    }
    if OPERATORS.contains(&operator) {
        Some(Edit { take: length, put: operator.into() })
    } else {
        Edit::put(length, "||")
    }
}

/// True for `mytype 'x'`, where an operand begins with a name and a literal.
fn is_own_type(words: &Words<'_>, at: usize, word: &str) -> bool {
    let literal = matches!(words.word(at + 1), "$1" | "''");
    let keyword = BEFORE_OPERAND.contains(&word) || matches!(word, "both" | "leading" | "trailing" | "interval");
    let begins = matches!(words.before(at, 1), "select" | "where" | "and" | "or" | "(" | ",");
    literal && begins && !keyword && name(word).is_some()
}

/// True for a column that has the name of a type: no literal follows.
fn is_column(words: &Words<'_>, at: usize) -> bool {
    !matches!(words.word(at + 1), "$1" | "''" | "(") && !matches!(words.before(at, 1), ":" | "as")
}

/// `OPERATOR(schema.op)`, which is that operator.
fn named_operator<'a>(words: &Words<'a>, at: usize) -> Option<Edit<'a>> {
    let close = words.close(at + 1);
    let sign = (at + 2..close).find(|&index| words.word(index).starts_with(is_operator))?;
    let operator = words.slice(sign, close - 1);
    let put = match operator {
        _ if stands_before_operand(words, at) => "",
        _ if matches!(words.word(close + 1), "any" | "some" | "all") && !COMPARISONS.contains(&operator) => "=",
        known if OPERATORS.contains(&known) => known,
        _ => "||",
    };
    Edit::put(close - at + 1, put)
}

/// True where no operand stands before a token.
fn stands_before_operand(words: &Words<'_>, at: usize) -> bool {
    let before = words.before(at, 1);
    matches!(before, "" | "(" | ",") || before.starts_with(is_operator) || BEFORE_OPERAND.contains(&before)
}

fn is_operator(c: char) -> bool {
    matches!(c, '+' | '-' | '*' | '/' | '<' | '>' | '=' | '~' | '!' | '@' | '#' | '%' | '^' | '&' | '|' | '`' | '?')
}

/// Words that an expression follows.
const BEFORE_OPERAND: &[&str] = &[
    "all",
    "and",
    "between",
    "by",
    "case",
    "distinct",
    "else",
    "having",
    "in",
    "limit",
    "not",
    "offset",
    "on",
    "or",
    "returning",
    "select",
    "then",
    "when",
    "where",
];

/// Operators that may stand before `ANY (…)` to the parser.
const COMPARISONS: &[&str] = &["=", "<>", "!=", "<", ">", "<=", ">="];

/// Operators that the parser knows.
const OPERATORS: &[&str] = &[
    "+", "-", "*", "/", "%", "^", "=", "<>", "!=", "<", ">", "<=", ">=", "||", "&", "|", "#", "<<", ">>", "~", "~*",
    "!~", "!~*", "~~", "~~*", "!~~", "!~~*", "->", "->>", "#>", "#>>", "@>", "<@", "&&", "?", "?|", "?&", "@@", "@?",
    "#-", "=>", "<->",
];

/// `(f(a)).*`, and `t.*` under a cast: the row itself.
fn expanded_row<'a>(words: &Words<'a>, at: usize) -> Option<Edit<'a>> {
    if words.before(at, 1) == ")" || words.word(at + 2) == ":" { Edit::cut(2) } else { None }
}

/// `REPEATABLE (…)` of a sample, and the precision of an interval.
fn argument<'a>(words: &Words<'a>, at: usize) -> Option<Edit<'a>> {
    let kept = match (words.word(at), words.before(at, 1)) {
        ("second", "to" | "''") => "second",
        ("repeatable", ")") => "",
        _ => return None,
    };
    Edit::put(words.close(at + 1) - at + 1, kept)
}

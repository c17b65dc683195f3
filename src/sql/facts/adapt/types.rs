//! Types where they are cast to, and before literals.

use super::Edit;
use super::clauses::assigned_element;
use super::operators::BEFORE_OPERAND;
use crate::sql::facts::tokens::{Words, name};

/// Types where they are cast to, and before literals.
pub(super) fn typed<'a>(words: &Words<'a>, at: usize, word: &str) -> Option<Edit<'a>> {
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
pub(super) fn collation<'a>(words: &Words<'a>, at: usize) -> Option<Edit<'a>> {
    let cast = words.before(words.name_start(at.checked_sub(1)?)?, 1) == ":";
    if cast { Edit::put(words.name_end(at + 1) - at + 1, "|| $1") } else { None }
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

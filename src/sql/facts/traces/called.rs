//! What stands before a parenthesis: a function, or a word that calls nothing.

use crate::sql::facts::builtin;
use crate::sql::facts::tokens::Words;

/// True where a word begins no call in its place.
pub(super) fn calls_nothing(words: &Words<'_>, at: usize) -> bool {
    let (before, inside) = (words.before(at, 1), words.word(at + 2));
    match words.word(at) {
        "over" => before == ")" && !words.has_distinct_on(),
        "filter" => inside == "where",
        "by" => matches!(before, "group" | "order" | "partition"),
        "sets" => before == "grouping",
        "zone" => before == "time",
        "insert" => before == "then",
        "conflict" => before == "on",
        "copy" => before.is_empty(),
        "materialized" => matches!(before, "as" | "not"),
        // Names a function may have, too; but no argument begins like this.
        "join" => matches!(inside, "select" | "values" | "with"),
        word => builtin::is_keyword(word),
    }
}

/// True where the parenthesis behind a name holds names of columns: of a table that is written, of an alias.
pub(super) fn names_columns(words: &Words<'_>, first: usize, before: &str) -> bool {
    match before {
        "into" | "as" | "copy" | "with" | "recursive" => true,
        "," => is_later_cte(words, first),
        _ => false,
    }
}

/// `WITH a AS (…), b (x) AS (…)`: a name, its columns, AS and a parenthesis.
fn is_later_cte(words: &Words<'_>, first: usize) -> bool {
    let columns_end = words.close(first + 1);
    words.before(first, 2) == ")" && words.word(columns_end + 1) == "as" && is_cte_body(words, columns_end + 2)
}

fn is_cte_body(words: &Words<'_>, mut at: usize) -> bool {
    if words.word(at) == "not" {
        at += 1;
    }
    if words.word(at) == "materialized" {
        at += 1;
    }
    words.word(at) == "("
        && matches!(
            words.word(at + 1),
            "select" | "values" | "table" | "with" | "(" | "insert" | "update" | "delete" | "merge"
        )
}

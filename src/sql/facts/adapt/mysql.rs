//! What the parser of MySQL's SQL has to be spared.

use std::collections::BTreeMap;

use crate::sql::dialect::Dialect;
use crate::sql::facts::cap::LIMIT_BASE;
use crate::sql::facts::functions::AGGREGATES;
use crate::sql::facts::tokens::{Token, tokens};

/// Words that change how a statement runs, not what it does.
const MODIFIERS: &[&str] = &[
    "delayed",
    "high_priority",
    "ignore",
    "low_priority",
    "quick",
    "sql_big_result",
    "sql_buffer_result",
    "sql_cache",
    "sql_calc_found_rows",
    "sql_no_cache",
    "sql_small_result",
    "straight_join",
];

/// Words that modifiers follow.
const MODIFIED: &[&str] = &["select", "insert", "replace", "update", "delete", "all", "distinct", "distinctrow"];

/// What a query may follow.
const BEFORE_QUERY: &[&str] = &["", "(", "union", "all", "distinct", "except", "intersect"];

/// The text as the parser knows it: limits are numbered, and what it is known to refuse and means nothing here is gone.
pub(in crate::sql::facts) fn adapted(text: &str) -> String {
    let tokens: Vec<Token<'_>> = tokens(Dialect::MySql, text).collect();
    let parens = table_parens(&tokens);
    let mut out = String::with_capacity(text.len() + 16);
    let mut copied = 0;
    let mut limits = 0_u16;
    let mut at = 0;
    while let Some(token) = tokens.get(at) {
        let (count, by) = match replaced(&tokens, at) {
            _ if parens.contains_key(&at) => (1, parens[&at].into()),
            Some((count, by)) => (count, by.into()),
            None if token.text == "?2" => (1, format!("?{}", LIMIT_BASE.saturating_add(limits))),
            None => {
                at += 1;
                continue;
            }
        };
        let mut taken = tokens.get(at..).unwrap_or_default().iter().take(count);
        let passed = taken.clone().filter(|token| token.text == "?2").count();
        limits = limits.saturating_add(u16::try_from(passed).unwrap_or(u16::MAX));
        out.push_str(&text[copied..token.at]);
        out.push_str(&by);
        copied = taken.next_back().map_or(text.len(), Token::end);
        at += count;
    }
    out.push_str(&text[copied..]);
    out
}

/// How many tokens from `at` on stand for something else, and what for.
fn replaced(tokens: &[Token<'_>], at: usize) -> Option<(usize, &'static str)> {
    let word = |offset: usize| tokens.get(at + offset).map_or("", |token| token.text);
    let before = at.checked_sub(1).map_or("", |before| tokens[before].text);
    let follows = |words: &[&str]| words.iter().enumerate().all(|(offset, expected)| word(offset) == *expected);
    Some(match word(0) {
        "lock" if follows(&["lock", "in", "share", "mode"]) => (4, "for share"),
        "distinctrow" => (1, "distinct"),
        "table" if BEFORE_QUERY.contains(&before) => (1, "select * from"),
        "from" if word(1) == "dual" => (2, ""),
        "sounds" if word(1) == "like" => (2, "="),
        "limit" if follows(&["limit", "rows", "examined"]) => (4, ""),
        "rows" if word(1) == "examined" => (3, ""),
        "wait" if matches!(before, "update" | "share") => (2, ""),
        "for" if follows(&["for", "system_time", "all"]) => (3, ""),
        "character" if word(1) == "set" && before != "convert" => (3, ""),
        // Of one row, and no aggregate.
        "any_value" if word(1) == "(" => (1, "lower"),
        "." if word(1) == "*" && tokens[0].text == "delete" => (2, ""),
        "mod" if word(1) != "(" && before != "." => (1, "%"),
        "json_value" | "char" if word(1) == "(" => (own_syntax(tokens, at)?, "lower(a)"),
        "collate" if word(1) == "?1" => (2, "collate utf8mb4_bin"),
        "from" if before == ")" && is_any(word(1), &["first", "last"]) => (2, ""),
        "for" if word(1) == "system_time" => (past_length(tokens, at)?, ""),
        "interval" if word(1) == "(" && is_call(tokens, at) => (1, "field"),
        "as" if in_cast(tokens, at) => (type_length(tokens, at)?, "as char"),
        "." if matches!(before, "from" | "join" | "update" | "into" | "," | "(" | "select") => (1, " "),
        "use" | "ignore" | "force" if word(2) == "for" && matches!(word(1), "key" | "index") => {
            let open = (3..6).find(|&offset| word(offset) == "(")?;
            (open + length(tokens, at + open)?, "")
        }
        "asc" | "desc" if in_group_by(tokens, at) => (1, ""),
        modifier if MODIFIERS.contains(&modifier) && modifies(tokens, at) => (1, ""),
        _ if before != "." => return in_any_case(tokens, at),
        _ => return None,
    })
}

/// As [`replaced`], for words that keep their case in a shape.
fn in_any_case(tokens: &[Token<'_>], at: usize) -> Option<(usize, &'static str)> {
    let word = |offset: usize| tokens.get(at + offset).map_or("", |token| token.text);
    let first = |words: &[&str]| is_any(word(0), words);
    Some(match word(1) {
        "(" if first(&["mid"]) => (1, "substring"),
        "(" if first(&["weight_string", "column_create", "column_add", "column_get"]) => {
            (own_syntax(tokens, at)?, "lower(a)")
        }
        "from" if first(&["leading", "trailing", "both"]) => (1, "both ?1"),
        value if first(&["next", "previous"]) && is_any(value, &["value"]) && word(2) == "for" => (3, ""),
        next if next != "(" && first(&["match"]) => (match_length(tokens, at)?, "lower(a)"),
        _ if first(UNITS) => (1, "day"),
        _ => return None,
    })
}

fn is_any(word: &str, words: &[&str]) -> bool {
    words.iter().any(|known| word.eq_ignore_ascii_case(known))
}

/// Tokens of the parentheses that open at `open`.
fn length(tokens: &[Token<'_>], open: usize) -> Option<usize> {
    let depth = tokens.get(open)?.depth;
    let inside = tokens.get(open + 1..)?.iter().take(1_000).position(|token| token.depth <= depth)?;
    Some(inside + 2)
}

/// Units of an interval that the parser does not know.
const UNITS: &[&str] = &[
    "day_hour",
    "day_microsecond",
    "day_minute",
    "day_second",
    "hour_microsecond",
    "hour_minute",
    "hour_second",
    "minute_microsecond",
    "minute_second",
    "second_microsecond",
    "year_month",
];

/// True for `INTERVAL(a, b)`, which is a function, and not for `INTERVAL (a) DAY`.
fn is_call(tokens: &[Token<'_>], at: usize) -> bool {
    let Some(length) = length(tokens, at + 1) else { return false };
    let depth = tokens[at + 1].depth + 1;
    tokens[at + 1..at + length].iter().any(|token| token.text == "," && token.depth == depth)
}

/// True for the AS of a CAST to a type that the parser does not know.
fn in_cast(tokens: &[Token<'_>], at: usize) -> bool {
    let depth = tokens[at].depth;
    let unknown = |token: &Token<'_>| is_any(token.text, &["ascii", "unicode", "byte", "binary"]);
    if !type_length(tokens, at).is_some_and(|length| tokens[at..at + length].iter().any(unknown)) {
        return false;
    }
    let open = before(tokens, at).position(|token| token.depth < depth);
    open.and_then(|open| at.checked_sub(open + 2)).is_some_and(|name| tokens[name].text == "cast")
}

/// Tokens from the AS of a CAST up to its end.
fn type_length(tokens: &[Token<'_>], at: usize) -> Option<usize> {
    let depth = tokens.get(at)?.depth;
    tokens.get(at..)?.iter().take(16).position(|token| token.depth < depth)
}

/// Tokens of `MATCH a, b AGAINST (…)`.
fn match_length(tokens: &[Token<'_>], at: usize) -> Option<usize> {
    let columns = tokens.get(at..)?.iter().take(64).position(|token| token.text == "against")?;
    Some(columns + 1 + length(tokens, at + columns + 1)?)
}

/// Tokens of `FOR SYSTEM_TIME …`, the past of a table: about as many rows as it has now.
fn past_length(tokens: &[Token<'_>], at: usize) -> Option<usize> {
    let word = |offset: usize| tokens.get(at + offset).map_or("", |token| token.text);
    let point = |from: usize| {
        let value = from + usize::from(is_any(word(from), &["timestamp", "transaction"]));
        if word(value + 1) == "(" { Some(value + 1 + length(tokens, at + value + 1)?) } else { Some(value + 1) }
    };
    match (word(2), word(3)) {
        ("as", "of") => point(4),
        ("between", _) => point(point(3)? + 1),
        ("from", _) => point(point(3)? + 1),
        _ => None,
    }
}

/// Tokens of a call whose arguments have words between them that the parser does not know. No aggregate is hidden in it.
fn own_syntax(tokens: &[Token<'_>], at: usize) -> Option<usize> {
    let length = 1 + length(tokens, at + 1)?;
    let inside = tokens.get(at + 2..at + length)?;
    let own = inside.iter().any(|token| matches!(token.text, "using" | "default" | "returning" | "on" | "as"));
    let counts = inside.iter().any(|token| AGGREGATES.contains(&token.text));
    (own && !counts).then_some(length)
}

/// The 1,000 tokens before one, backwards: each token may be asked, and all of them together must not take long.
fn before<'a, 'b>(tokens: &'b [Token<'a>], at: usize) -> impl Iterator<Item = &'b Token<'a>> {
    tokens.get(..at).unwrap_or_default().iter().rev().take(1_000)
}

/// True where nothing but modifiers stands between a word that takes them and this one.
fn modifies(tokens: &[Token<'_>], at: usize) -> bool {
    let before = before(tokens, at).find(|token| !MODIFIERS.contains(&token.text));
    before.is_some_and(|token| MODIFIED.contains(&token.text))
}

fn in_group_by(tokens: &[Token<'_>], at: usize) -> bool {
    let depth = tokens[at].depth;
    let clauses = ["group", "order", "over", "partition", "having", "select"];
    let mut before = before(tokens, at).filter(|token| token.depth == depth);
    before.find(|token| clauses.contains(&token.text)).is_some_and(|token| token.text == "group")
}

/// The parentheses of `FROM (a, b)`, which names two tables as `FROM a, b` does, and of `FROM (a)`; and the commas of
/// `JOIN (a, b) ON`.
fn table_parens(tokens: &[Token<'_>]) -> BTreeMap<usize, &'static str> {
    let mut parens = BTreeMap::new();
    for (open, pair) in tokens.windows(2).enumerate().map(|(at, pair)| (at + 1, pair)) {
        let first = tokens.get(open + 1).map_or("", |token| token.text);
        if pair[0].text == "from" && pair[1].text == "(" && first == "(" {
            parens.extend(nested_parens(tokens, open).into_iter().flatten().map(|at| (at, " ")));
        }
        let opens = pair[1].text == "("
            && matches!(pair[0].text, "from" | "join")
            && !matches!(first, "select" | "with" | "values" | "(" | "table");
        if let Some(close) = if opens { listed_until(tokens, open) } else { None } {
            let depth = pair[1].depth;
            let commas = (open..close).filter(|&at| tokens[at].text == "," && tokens[at].depth == depth + 1);
            let before = parens.len();
            parens.extend(commas.filter(|_| pair[0].text == "join").map(|at| (at, " cross join ")));
            if parens.len() == before {
                parens.extend([(open, " "), (close, " ")]);
            }
        }
    }
    parens
}

/// The parentheses of `FROM ((a))`, the first of which is at `open`.
fn nested_parens(tokens: &[Token<'_>], open: usize) -> Option<Vec<usize>> {
    let many = tokens.get(open..)?.iter().take(16).take_while(|token| token.text == "(").count();
    let inner = open + many.checked_sub(1)?;
    let first = tokens.get(inner + 1)?.text;
    let close = listed_until(tokens, inner).filter(|_| !matches!(first, "select" | "with" | "values" | "table"))?;
    let closes = tokens.get(close..close + many)?.iter().all(|token| token.text == ")");
    closes.then(|| (open..=inner).chain(close..close + many).collect())
}

/// Where the parenthesis at `open` closes, if it holds tables by commas or one alone.
fn listed_until(tokens: &[Token<'_>], open: usize) -> Option<usize> {
    let depth = tokens[open].depth;
    let inside = tokens[open + 1..].iter().take_while(|token| token.depth > depth);
    let joined = inside.clone().any(|token| token.text == "join");
    let listed = !joined || inside.clone().any(|token| token.text == "," && token.depth == depth + 1);
    let close = open + 1 + inside.count();
    (listed && close < tokens.len()).then_some(close)
}

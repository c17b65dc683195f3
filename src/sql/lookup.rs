//! What a text may change of how the names of tables are looked up: the search path, and temporary tables, which hide
//! others of their name.

use super::lexer::{Lexed, Piece};
use super::verb::Verb;

/// What a text may change.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Lookup {
    /// The search path.
    pub path: Path,
    /// Tables that it makes for the session alone.
    pub temporary: Box<[Box<str>]>,
}

/// Whether `search_path`, or the role that `"$user"` stands for, is what it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Path {
    /// No text has said otherwise.
    #[default]
    Kept,
    /// It may be another one.
    Changed,
}

impl Lookup {
    /// Reads a shape. Only the words of the text are seen: a function may do the same unseen.
    pub fn of(lexed: &Lexed) -> Self {
        let mut temporary: Vec<Box<str>> = Vec::new();
        let mut path = Path::Kept;
        for piece in &lexed.pieces {
            let Ok(text) = std::str::from_utf8(lexed.shape.get(piece.shape.clone()).unwrap_or_default()) else {
                continue;
            };
            if changes_path(piece, text) {
                path = Path::Changed;
            }
            if temporary.len() < TEMPORARY_MAX
                && let Some(name) = temporary_table(piece, text)
            {
                temporary.push(name);
            }
        }
        Self { path, temporary: temporary.into() }
    }
}

fn changes_path(piece: &Piece, text: &str) -> bool {
    match piece.verb {
        // SET SCHEMA is another word for it; a role and RESET, DISCARD and LOCAL come to the same.
        Verb::Set => {
            let what = words(text)
                .map(|word| word.trim_matches('"'))
                .find(|word| !matches!(*word, "set" | "reset" | "discard" | "session" | "local"));
            matches!(what, Some("search_path" | "schema" | "role" | "authorization" | "all"))
        }
        // What a block of code does, nobody has read.
        Verb::Call => true,
        _ => text.contains("set_config"),
    }
}

/// The name of the temporary table or view that a statement makes.
fn temporary_table(piece: &Piece, text: &str) -> Option<Box<str>> {
    match piece.verb {
        Verb::Schema => created(words(text)),
        Verb::Select => {
            let mut words = words(text).skip_while(|word| *word != "into").skip(1).peekable();
            words.next_if(|word| matches!(*word, "local" | "global"));
            words.next_if(|word| matches!(*word, "temp" | "temporary"))?;
            name(words.skip_while(|word| *word == "table"))
        }
        _ => None,
    }
}

fn created<'a>(words: impl Iterator<Item = &'a str>) -> Option<Box<str>> {
    let mut words = words.peekable();
    words.next_if_eq(&"create")?;
    let mut temporary = false;
    while let Some(word) = words.next_if(|word| BEFORE_KIND.contains(word)) {
        temporary |= matches!(word, "temp" | "temporary");
    }
    words.next_if(|word| matches!(*word, "table" | "view" | "sequence"))?;
    while words.next_if(|word| matches!(*word, "if" | "not" | "exists")).is_some() {}
    temporary |= words.peek() == Some(&"pg_temp");
    if temporary { name(words) } else { None }
}

/// The last part of a name.
fn name<'a>(mut words: impl Iterator<Item = &'a str>) -> Option<Box<str>> {
    let first = words.next()?;
    let last = if words.next() == Some(".") { words.next()? } else { first };
    let unquoted = last.strip_prefix('"').and_then(|name| name.strip_suffix('"'));
    Some(unquoted.map_or_else(|| last.into(), |name| name.replace("\"\"", "\"").into()))
}

/// The words, quoted names and signs of a shape.
fn words(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = text;
    std::iter::from_fn(move || {
        rest = rest.trim_start();
        let first = rest.chars().next()?;
        let end = match first {
            '"' => quoted_end(rest),
            c if is_word(c) => rest.find(|c| !is_word(c)).unwrap_or(rest.len()),
            c => c.len_utf8(),
        };
        let (word, after) = rest.split_at_checked(end)?;
        rest = after;
        Some(word)
    })
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_' || c == '$'
}

/// Where a quoted name ends: two quotes in a row are one letter of it.
fn quoted_end(text: &str) -> usize {
    let mut open = true;
    let mut letters = text.char_indices().skip(1).peekable();
    while let Some((at, letter)) = letters.next() {
        open ^= letter == '"';
        if !open && letters.peek().is_none_or(|(_, next)| *next != '"') {
            return at + 1;
        }
    }
    text.len()
}

/// Words between CREATE and what is made.
const BEFORE_KIND: &[&str] = &["or", "replace", "global", "local", "temp", "temporary", "unlogged", "recursive"];
/// Temporary tables of one text.
const TEMPORARY_MAX: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sql::Flags;
    use crate::sql::lexer::lex;

    fn lookup(sql: &str) -> Lookup {
        Lookup::of(&lex(Flags::POSTGRES, sql.as_bytes()))
    }

    #[test]
    fn what_may_change_the_search_path_is_seen() {
        for sql in [
            "SET search_path TO small, public",
            "set Local \"search_path\" = 'x'",
            "SELECT 1; SET SESSION search_path = a",
            "SET SCHEMA 'x'",
            "SET ROLE bob",
            "SET SESSION AUTHORIZATION bob",
            "RESET ALL",
            "RESET search_path",
            "DISCARD ALL",
            "SELECT pg_catalog.set_config('search_path', 'x', false)",
            "DO $$ BEGIN SET search_path = x; END $$",
        ] {
            assert_eq!(lookup(sql).path, Path::Changed, "{sql}");
        }
        for sql in ["SET statement_timeout = 5", "SHOW search_path", "SELECT 'search_path'", "DISCARD PLANS", "BEGIN"] {
            assert_eq!(lookup(sql), Lookup::default(), "{sql}");
        }
    }

    #[test]
    fn temporary_tables_are_told_by_name() {
        for (sql, name) in [
            ("CREATE TEMP TABLE big (id int)", "big"),
            ("create global temporary table if not exists Big(id int)", "big"),
            ("CREATE TEMP TABLE \"Odd \"\" name\" AS SELECT 1", "Odd \" name"),
            ("CREATE OR REPLACE TEMP VIEW v AS SELECT 1", "v"),
            ("CREATE TABLE pg_temp.big (id int)", "big"),
            ("SELECT * INTO TEMP TABLE big FROM small", "big"),
            ("SELECT * INTO TEMPORARY big FROM small", "big"),
        ] {
            assert_eq!(*lookup(sql).temporary, [Box::from(name)], "{sql}");
        }
        for sql in ["CREATE TABLE big (id int)", "SELECT * INTO big FROM small", "CREATE INDEX i ON temp (id)"] {
            assert!(lookup(sql).temporary.is_empty(), "{sql}");
        }
    }
}

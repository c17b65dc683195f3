//! What a text may change of what the names of tables stand for: the search path, temporary tables, which hide others of their name,
//! and tables that are made, dropped, emptied or renamed.

use super::lexer::{Lexed, Piece};
use super::verb::Verb;

/// What a text may change.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Lookup {
    /// The search path.
    pub path: Path,
    /// Tables that it makes for the session alone.
    pub temporary: Box<[Box<str>]>,
    /// Tables for all that are other ones, or empty, once it has run; not those of a `CREATE … IF NOT EXISTS`, which may have been there.
    pub remade: Box<[Box<str>]>,
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
        let mut remade: Vec<Box<str>> = Vec::new();
        let mut path = Path::Kept;
        for piece in &lexed.pieces {
            let Ok(text) = std::str::from_utf8(lexed.shape.get(piece.shape.clone()).unwrap_or_default()) else {
                continue;
            };
            if changes_path(piece, text) {
                path = Path::Changed;
            }
            match temporary_table(piece, text) {
                Some(name) if temporary.len() < TEMPORARY_MAX => temporary.push(name),
                Some(_) => {}
                None => {
                    remade.extend(remade_tables(piece, text).into_iter().take(REMADE_MAX.saturating_sub(remade.len())))
                }
            }
        }
        Self { path, temporary: temporary.into(), remade: remade.into() }
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

/// The names of the tables that a statement makes, drops, empties or renames.
fn remade_tables(piece: &Piece, text: &str) -> Vec<Box<str>> {
    let mut words = words(text).peekable();
    match (piece.verb, words.next()) {
        (Verb::Schema, Some("create")) => {
            while words.next_if(|word| BEFORE_KIND.contains(word)).is_some() {}
            let table = words.next_if_eq(&"table").is_some() && words.peek() != Some(&"if");
            if table { names(words).into_iter().take(1).collect() } else { Vec::new() }
        }
        (Verb::Schema, Some("drop")) if words.next_if_eq(&"table").is_some() => names(words),
        (Verb::Schema, Some("alter")) if words.next_if_eq(&"table").is_some() => renamed(words),
        (Verb::Truncate, Some("truncate")) => {
            words.next_if_eq(&"table");
            names(words)
        }
        (Verb::Select, _) => names(words.skip_while(|word| *word != "into").skip(1)).into_iter().take(1).collect(),
        _ => Vec::new(),
    }
}

/// The old name and the new one of a table.
fn renamed<'a>(words: impl Iterator<Item = &'a str>) -> Vec<Box<str>> {
    let words: Vec<&str> = words.collect();
    let Some(at) = words.windows(2).position(|pair| pair == ["rename", "to"]) else { return Vec::new() };
    let (old, new) = words.split_at(at);
    let old = names(old.iter().copied());
    old.into_iter().take(1).chain(names(new.iter().skip(2).copied()).into_iter().take(1)).collect()
}

/// The last part of each name of a list, up to what is none.
fn names<'a>(words: impl Iterator<Item = &'a str>) -> Vec<Box<str>> {
    let mut words = words.skip_while(|word| BEFORE_NAME.contains(word)).peekable();
    let mut names = Vec::new();
    while let Some(first) = words.next_if(|word| word.starts_with(|c| c == '"' || is_word(c))) {
        let mut last = first;
        while words.next_if_eq(&".").is_some() {
            last = words.next().unwrap_or(last);
        }
        names.push(plain(last));
        words.next_if_eq(&"*");
        if words.next_if_eq(&",").is_none() {
            break;
        }
        words.next_if_eq(&"only");
    }
    names
}

/// A name without its quotes.
fn plain(name: &str) -> Box<str> {
    let unquoted = name.strip_prefix('"').and_then(|name| name.strip_suffix('"'));
    unquoted.map_or_else(|| name.into(), |name| name.replace("\"\"", "\"").into())
}

/// The last part of a name.
fn name<'a>(mut words: impl Iterator<Item = &'a str>) -> Option<Box<str>> {
    let first = words.next()?;
    let last = if words.next() == Some(".") { words.next()? } else { first };
    Some(plain(last))
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
/// Words between what is made, dropped or emptied and its name.
const BEFORE_NAME: &[&str] = &["if", "exists", "only", "table", "unlogged", "local", "global", "temp", "temporary"];
/// Tables that one text makes, drops, empties or renames.
const REMADE_MAX: usize = 64;
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
    fn tables_that_are_other_ones_afterwards_are_told_by_name() {
        for (sql, names) in [
            ("CREATE TABLE big (id int)", &["big"][..]),
            ("CREATE UNLOGGED TABLE s.Big AS SELECT 1, 2", &["big"]),
            ("DROP TABLE IF EXISTS a, s.b, \"C d\" CASCADE", &["a", "b", "C d"]),
            ("TRUNCATE a", &["a"]),
            ("TRUNCATE TABLE ONLY a, only s.b * RESTART IDENTITY", &["a", "b"]),
            ("ALTER TABLE IF EXISTS a RENAME TO b", &["a", "b"]),
            ("BEGIN; DROP TABLE a; ALTER TABLE s.b RENAME TO a; COMMIT", &["a", "b", "a"]),
            ("SELECT * INTO big FROM small, other", &["big"]),
        ] {
            assert_eq!(lookup(sql).remade.iter().map(AsRef::as_ref).collect::<Vec<&str>>(), names, "{sql}");
        }
        for sql in [
            "CREATE TABLE IF NOT EXISTS big (id int)",
            "CREATE TEMP TABLE big (id int)",
            "SELECT * INTO TEMP big FROM small",
            "CREATE TABLE pg_temp.big (id int)",
            "CREATE INDEX i ON big (id)",
            "DROP INDEX big",
            "ALTER TABLE big RENAME COLUMN a TO b",
            "ALTER TABLE big ADD x int",
            "DELETE FROM big",
            "SELECT 1 FROM big",
        ] {
            assert!(lookup(sql).remade.is_empty(), "{sql}");
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

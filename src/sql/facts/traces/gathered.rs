//! What the statements of a text leave, added up word by word.

use super::called::{calls_nothing, names_columns};
use super::{Left, Traces};
use crate::sql::facts::builtin;
use crate::sql::facts::database::vacated;
use crate::sql::facts::relations::Relations;
use crate::sql::facts::tokens::{Words, name};
use crate::sql::lexer::{Lexed, Marks, Piece};
use crate::sql::schema::TableName;

/// Tables of one text that are told; with more of them nobody knows.
const TABLES_MAX: usize = 64;
/// Settings of one text that are told.
const SETTINGS_MAX: usize = 32;

/// What was found so far.
#[derive(Default)]
pub(super) struct Gathered {
    traces: Traces,
    tables: Vec<TableName>,
    settings: Vec<Box<str>>,
    vacated: Option<Box<str>>,
}

impl Gathered {
    /// Reads a statement.
    pub(super) fn piece(&mut self, lexed: &Lexed, piece: &Piece) {
        match std::str::from_utf8(lexed.shape.get(piece.shape.clone()).unwrap_or_default()) {
            Ok(text) if !piece.marks.has(Marks::CUT) && !piece.marks.has(Marks::UNTERMINATED) => {
                let words = Words::of(text);
                self.statement(&words, 0);
            }
            _ => self.add(Traces::UNKNOWN),
        }
    }

    /// What all of them leave.
    pub(super) fn left(mut self) -> Left {
        self.tables.sort_unstable();
        self.tables.dedup();
        if self.tables.len() > TABLES_MAX || self.settings.len() > SETTINGS_MAX {
            self.tables.clear();
            self.settings.truncate(SETTINGS_MAX);
            self.add(Traces::UNKNOWN);
        }
        let Self { traces, tables, settings, vacated } = self;
        Left { traces, tables: tables.into(), settings: settings.into(), vacated }
    }

    fn add(&mut self, traces: Traces) {
        self.traces = self.traces.and(traces);
    }

    /// Reads the statement that begins at a token.
    fn statement(&mut self, words: &Words<'_>, at: usize) {
        match words.word(at) {
            "" | "begin" | "start" | "commit" | "end" | "rollback" | "abort" | "savepoint" | "release" | "fetch"
            | "move" | "lock" | "notify" | "checkpoint" | "vacuum" | "analyze" | "analyse" | "show" => {}
            "select" | "values" | "table" | "with" | "(" | "insert" | "update" | "delete" | "merge" | "copy"
            | "truncate" => {
                self.query(words, at);
            }
            "explain" => self.statement(words, explained(words, at)),
            "set" | "reset" => self.setting(words, at),
            "discard" => self.add(discarded(words.word(at + 1))),
            "prepare" if words.word(at + 1) == "transaction" => {}
            "prepare" => self.add(Traces::PREPARED),
            "deallocate" => self.add(deallocated(words, at + 1)),
            "close" | "unlisten" => self.add(Traces::ENDS),
            // What it runs was read when it was prepared, maybe by another text.
            "execute" => self.add(Traces::PREPARED.and(Traces::UNKNOWN).and(Traces::FORGETS)),
            "declare" => {
                self.add(Traces::HOLD);
                self.query(words, at);
            }
            "listen" => self.add(Traces::LISTEN),
            "load" => self.add(Traces::LIBRARY),
            // Definitions run functions in defaults, indexes and event triggers, and they are rare.
            "create" | "drop" | "alter" => {
                self.vacated = self.vacated.take().or_else(|| vacated(words, at));
                self.add(defined(words, at));
            }
            _ => self.add(Traces::UNKNOWN),
        }
    }

    fn query(&mut self, words: &Words<'_>, from: usize) {
        for at in from..words.len() {
            match words.word(at) {
                // What its rows are made of is read before; what it returns, behind.
                "insert" if at > from => self.add(Traces::ADVANCES),
                // `UPDATE … SET id = DEFAULT` takes the next value as well.
                "returning" | "default" => self.add(Traces::ADVANCES),
                "(" => self.call(words, at),
                "into" => self.into(words, at),
                // An operator of a schema.
                "operator" if words.word(at + 1) == "(" => self.add(Traces::UNKNOWN),
                "execute" if words.word(from) == "explain" => self.add(Traces::UNKNOWN),
                _ => {}
            }
        }
        if matches!(words.word(from), "insert" | "merge" | "copy") {
            self.add(Traces::ADVANCES);
        }
        self.tables.extend(Relations::of(words, from));
    }

    /// `SELECT … INTO TEMP`, whose words may also stand in a list of columns or behind INSERT.
    fn into(&mut self, words: &Words<'_>, at: usize) {
        let mut next = at + 1;
        if matches!(words.word(next), "local" | "global") {
            next += 1;
        }
        let writes = matches!(words.before(at, 1), "insert" | "merge");
        if !writes && matches!(words.word(next), "temp" | "temporary" | "pg_temp" | "\"pg_temp\"") {
            self.add(Traces::TEMP);
        }
    }

    /// What stands before a parenthesis may be a function.
    fn call(&mut self, words: &Words<'_>, open: usize) {
        let Some(last) = open.checked_sub(1) else { return };
        let Some(first) = words.name_start(last) else { return };
        let Some(called) = name(words.word(last)) else { return };
        let quoted = words.word(last).starts_with('"');
        let schema = if first == last { None } else { name(words.word(last.saturating_sub(2))) };
        let before = words.before(first, 1);
        let is_word = schema.is_none() && !quoted && calls_nothing(words, last);
        if is_word || names_columns(words, first, before) {
            return;
        }
        let own = match schema.as_deref() {
            None => true,
            Some("pg_catalog") => first + 2 == last,
            Some(_) => false,
        };
        self.add(match &*called {
            "set_config" if own => self.set_config(words, open),
            "currval" | "lastval" if own => self.recalls(),
            "nextval" | "setval" if own => Traces::ADVANCES,
            called if own && builtin::locks_session(called) => Traces::ADVISORY,
            called if own && builtin::leaves_nothing(called) => Traces::NONE,
            _ => Traces::UNKNOWN,
        });
    }

    /// What an earlier part of the text has set, or may have, is its own.
    const fn recalls(&self) -> Traces {
        if self.traces.may_have(Traces::ADVANCES) { Traces::NONE } else { Traces::RECALLS }
    }

    /// `set_config(name, value, true)` lasts as long as the transaction. The name is a literal, which the shape has not.
    fn set_config(&self, words: &Words<'_>, open: usize) -> Traces {
        let close = words.close(open);
        let local = close > open + 2 && words.before(close, 1) == "true" && words.before(close, 2) == ",";
        if local { Traces::LOCAL } else { Traces::SETTING.and(Traces::UNNAMED) }
    }

    fn setting(&mut self, words: &Words<'_>, at: usize) {
        let mut next = at + 1;
        let is_name = |next: usize| matches!(words.word(next + 1), "." | "=" | "to");
        match words.word(next) {
            "local" if !is_name(next) => return self.add(Traces::LOCAL),
            "constraints" | "transaction" if !is_name(next) => return,
            "session" if !is_name(next) => next += 1,
            _ => {}
        }
        match words.word(next).trim_matches('"') {
            "role" | "authorization" | "session_authorization" => self.add(Traces::ROLE),
            // RESET of all settings says nothing of the role.
            _ => self.add(Traces::SETTING),
        }
        if words.word(next + 1) == "." {
            let end = words.name_end(next);
            let parts: Vec<_> = (next..=end).step_by(2).filter_map(|at| name(words.word(at))).collect();
            self.settings.push(parts.join(".").into());
        }
    }
}

/// Where the statement that EXPLAIN names begins.
fn explained(words: &Words<'_>, at: usize) -> usize {
    let mut next = at + 1;
    if words.word(next) == "(" && is_options(words.word(next + 1)) {
        return words.close(next) + 1;
    }
    while matches!(words.word(next), "analyze" | "analyse" | "verbose") {
        next += 1;
    }
    next
}

/// True for what stands first in a list of options, and not in a query in parentheses.
fn is_options(word: &str) -> bool {
    !matches!(word, "select" | "values" | "table" | "with" | "(")
}

fn deallocated(words: &Words<'_>, at: usize) -> Traces {
    match (words.word(at), words.word(at + 1)) {
        ("all", _) | ("prepare", "all") => Traces::ENDS.and(Traces::FORGETS),
        _ => Traces::ENDS,
    }
}

fn discarded(what: &str) -> Traces {
    match what {
        "plans" | "sequences" => Traces::NONE,
        "temp" | "temporary" => Traces::TEMP,
        _ => Traces::DISCARD,
    }
}

fn defined(words: &Words<'_>, at: usize) -> Traces {
    if words.word(at) != "create" {
        return Traces::UNKNOWN;
    }
    let is_temporary = |word: &str| matches!(word, "temp" | "temporary" | "pg_temp" | "\"pg_temp\"");
    let temporary = (at..words.len()).any(|at| is_temporary(words.word(at)));
    if temporary { Traces::TEMP.and(Traces::UNKNOWN) } else { Traces::UNKNOWN }
}

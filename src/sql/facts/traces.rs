//! What a text may leave behind in its session: what a server connection must be looked at for before another client gets it.
//!
//! Read off the words of the shape, never off the parser's tree: what is not recognised counts as unknown, so a word too few here
//! costs a look at the server and never a leak. The tables that a statement names are told beside it, since triggers, rules and
//! policies run functions that no text shows.
//!
//! What is taken to leave nothing, though a text cannot prove it: operators, casts, domains and collations; and a function of a user
//! that has the name of one of the server's own but takes other arguments. `nextval` leaves the session's last value, which nobody
//! else's statement can change; who reads it in a later transaction, by `currval` or `lastval`, is told ([`Traces::RECALLS`]), since a
//! server that somebody else had meanwhile would tell that one's number.

use super::builtin;
use super::database::vacated;
use super::relations::Relations;
use super::tokens::{Words, name};
use crate::sql::dialect::Dialect;
use crate::sql::lexer::{Lexed, Marks, Piece};
use crate::sql::schema::TableName;

/// Kinds of things that stay in a session after its transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Traces(u16);

impl Traces {
    /// Nothing at all.
    pub const NONE: Self = Self(0);
    /// Settings: `SET`, `RESET`, `set_config`.
    pub const SETTING: Self = Self(1);
    /// The role: `SET ROLE`, `SET SESSION AUTHORIZATION`.
    pub const ROLE: Self = Self(2);
    /// Channels that are listened to: `LISTEN`, `UNLISTEN`.
    pub const LISTEN: Self = Self(4);
    /// Temporary tables and other objects in `pg_temp`.
    pub const TEMP: Self = Self(8);
    /// Advisory locks of the session.
    pub const ADVISORY: Self = Self(16);
    /// Cursors `WITH HOLD`.
    pub const HOLD: Self = Self(32);
    /// Statements prepared by SQL.
    pub const PREPARED: Self = Self(64);
    /// `DISCARD ALL`: everything, the prepared statements of the protocol included.
    pub const DISCARD: Self = Self(128);
    /// A library, which nothing unloads.
    pub const LIBRARY: Self = Self(256);
    /// A setting that the server does not list, since no library declares it, under a name that the text does not tell.
    pub const UNNAMED: Self = Self(512);
    /// Whatever a function may do.
    pub const UNKNOWN: Self = Self(1024);
    /// Nothing, but it may end what was left before: `DEALLOCATE`, `UNLISTEN`, `CLOSE`.
    pub const ENDS: Self = Self(2048);
    /// Nothing but the session's last value: `nextval`, `setval`, and rows that may get a key by default.
    pub const ADVANCES: Self = Self(4096);
    /// Nothing, but it reads the last value that an earlier text left: `currval`, `lastval`.
    pub const RECALLS: Self = Self(8192);
    /// Nothing, but settings are others until its transaction ends: `SET LOCAL`, `set_config(…, true)`.
    pub const LOCAL: Self = Self(16384);
    /// What is of no matter to others.
    pub const OWN: Self = Self::ADVANCES.and(Self::RECALLS).and(Self::LOCAL);
    /// What says by its words that settings are others behind it.
    pub const RESETS: Self = Self::SETTING.and(Self::DISCARD).and(Self::LOCAL);

    /// True where nothing is left behind.
    pub const fn is_none(self) -> bool {
        self.0 == 0
    }

    /// True where all of `other` may be left.
    pub const fn has(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// True where any of `other` are left by the words of the text.
    pub const fn names(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    /// True where any of `other` may be left, or nobody knows.
    pub const fn may_have(self, other: Self) -> bool {
        self.0 & (other.0 | Self::UNKNOWN.0) != 0
    }

    /// These without those.
    #[must_use]
    pub const fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// What both leave.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

/// What a text leaves behind.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct Left {
    /// By its own words.
    pub traces: Traces,
    /// Tables that it names. Where one of them is not known to be plain, what it runs may leave anything.
    pub tables: Box<[TableName]>,
    /// Settings with a dot in their names that it sets: the server does not list those that no library declares.
    pub settings: Box<[Box<str>]>,
    /// A database that it needs to itself, once all its sessions have left it.
    pub vacated: Option<Box<str>>,
}

/// Tables of one text that are told; with more of them nobody knows.
const TABLES_MAX: usize = 64;
/// Settings of one text that are told.
const SETTINGS_MAX: usize = 32;

impl Left {
    /// Nobody has read the text.
    pub fn unread() -> Self {
        Self { traces: Traces::UNKNOWN, ..Self::default() }
    }

    /// What these tables make of it: unknown where `is_plain` denies one of them.
    pub fn given(&self, is_plain: impl FnMut(&TableName) -> bool) -> Traces {
        if self.tables.iter().all(is_plain) { self.traces } else { self.traces.and(Traces::UNKNOWN) }
    }

    /// About how much memory this takes.
    pub(super) fn weight_bytes(&self) -> usize {
        self.tables.len() * 96 + self.settings.len() * 48 + self.vacated.as_ref().map_or(0, |name| name.len())
    }
}

/// Reads all statements of a text.
pub(super) fn left(lexed: &Lexed) -> Left {
    if lexed.dialect != Dialect::Postgres {
        return Left::unread();
    }
    let mut gathered = Gathered::default();
    for piece in &lexed.pieces {
        gathered.piece(lexed, piece);
    }
    gathered.left()
}

#[derive(Default)]
struct Gathered {
    traces: Traces,
    tables: Vec<TableName>,
    settings: Vec<Box<str>>,
    vacated: Option<Box<str>>,
}

impl Gathered {
    fn piece(&mut self, lexed: &Lexed, piece: &Piece) {
        match std::str::from_utf8(lexed.shape.get(piece.shape.clone()).unwrap_or_default()) {
            Ok(text) if !piece.marks.has(Marks::CUT) && !piece.marks.has(Marks::UNTERMINATED) => {
                let words = Words::of(text);
                self.statement(&words, 0);
            }
            _ => self.add(Traces::UNKNOWN),
        }
    }

    fn left(mut self) -> Left {
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
            "deallocate" | "close" | "unlisten" => self.add(Traces::ENDS),
            // What it runs was read when it was prepared, maybe by another text.
            "execute" => self.add(Traces::PREPARED.and(Traces::UNKNOWN)),
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
                "returning" => self.add(Traces::ADVANCES),
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

/// True where a word begins no call in its place.
fn calls_nothing(words: &Words<'_>, at: usize) -> bool {
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
fn names_columns(words: &Words<'_>, first: usize, before: &str) -> bool {
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

//! Which of the server's own time limits a statement sets, and to what.
//!
//! Seen are `SET`, `RESET`, `DISCARD ALL`, `set_config(…)`, an `UPDATE` of `pg_settings`, and the `SET` and `RESET` of `ALTER` and
//! `CREATE`. What cannot be told is [`Value::Unreadable`], never silence: a name or a value that is computed, a parameter. Not
//! seen is what code on the server does (`DO`, functions), and what a start-up packet asks for, which is no SQL.

mod tokens;

use self::tokens::{Token, Tokens};
use crate::sql::dialect::Flags;
use crate::sql::lexer::Piece;
use crate::sql::verb::Verb;

/// A time limit of the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Timeout {
    /// `statement_timeout`.
    Statement,
    /// `transaction_timeout`.
    Transaction,
    /// `idle_in_transaction_session_timeout`.
    IdleInTransaction,
    /// `lock_timeout`.
    Lock,
}

/// What a limit is set to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Value {
    /// So many milliseconds; 0 is no limit.
    Milliseconds(u64),
    /// What it would be had nobody set it.
    Default,
    /// Nobody can tell before it runs.
    Unreadable,
}

/// For how long it is set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Scope {
    /// For the rest of the session.
    Session,
    /// To the end of the transaction.
    Local,
    /// For sessions to come, or for the calls of a function.
    Stored,
}

/// One limit that a statement sets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Change {
    /// Which.
    pub timeout: Timeout,
    /// To what.
    pub value: Value,
    /// For how long.
    pub scope: Scope,
}

impl Timeout {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Statement, Self::Transaction, Self::IdleInTransaction, Self::Lock];

    /// The server's name for it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Statement => "statement_timeout",
            Self::Transaction => "transaction_timeout",
            Self::IdleInTransaction => "idle_in_transaction_session_timeout",
            Self::Lock => "lock_timeout",
        }
    }

    /// Names of settings have no case, quoted or not.
    fn named(name: &[u8]) -> Option<Self> {
        Self::ALL.into_iter().find(|timeout| timeout.name().as_bytes().eq_ignore_ascii_case(name))
    }
}

/// The limits that one statement of a text sets, in its order. One pass over the statement; allocates where it finds something.
pub fn changes(flags: Flags, text: &[u8], piece: &Piece) -> Vec<Change> {
    let text = text.get(piece.text.clone()).unwrap_or_default();
    let mut tokens = Tokens::of(text, flags.strings);
    let mut found = Vec::new();
    match piece.verb {
        Verb::Set => setting(&mut tokens, Scope::Session, &mut found),
        Verb::Schema => stored(&mut tokens, &mut found),
        _ => calls(&mut tokens, piece, &mut found),
    }
    found
}

/// `SET`, `RESET` or `DISCARD`, from its first word on.
fn setting(tokens: &mut Tokens<'_>, scope: Scope, found: &mut Vec<Change>) {
    match tokens.next() {
        Token::Word(word) if is(word, "set") => assignment(tokens, scope, found),
        Token::Word(word) if is(word, "reset") => match tokens.next() {
            Token::Word(word) if is(word, "all") => every(Value::Default, scope, found),
            name => of(name, Value::Default, scope, found),
        },
        Token::Word(word) if is(word, "discard") => {
            if matches!(tokens.next(), Token::Word(word) if is(word, "all")) {
                every(Value::Default, scope, found);
            }
        }
        _ => {}
    }
}

/// What follows `SET`.
fn assignment(tokens: &mut Tokens<'_>, mut scope: Scope, found: &mut Vec<Change>) {
    let mut name = tokens.next();
    if let Token::Word(word) = name
        && (is(word, "session") || is(word, "local"))
    {
        if is(word, "local") && scope == Scope::Session {
            scope = Scope::Local;
        }
        name = tokens.next();
    }
    let assigns = match tokens.next() {
        Token::Symbol(b'=') => true,
        Token::Word(word) => is(word, "to") || is(word, "from"),
        _ => false,
    };
    if assigns {
        let value = assigned(tokens);
        of(name, value, scope, found);
    }
}

/// The value behind `=` or `TO`. `FROM CURRENT` is as good as a value that nobody can tell.
fn assigned(tokens: &mut Tokens<'_>) -> Value {
    let value = match tokens.next() {
        Token::Word(word) if is(word, "default") => Value::Default,
        Token::Symbol(b'+') => number_of(tokens.next()),
        token => number_of(token),
    };
    match tokens.peek() {
        // A list, or a literal that goes on in the next line.
        Token::Symbol(b',') | Token::Text(_) => Value::Unreadable,
        _ => value,
    }
}

fn number_of(token: Token<'_>) -> Value {
    match token {
        Token::Number(number) => milliseconds(number),
        Token::Text(text) => milliseconds(text),
        _ => Value::Unreadable,
    }
}

/// `SET` and `RESET` inside `ALTER` and `CREATE`.
fn stored(tokens: &mut Tokens<'_>, found: &mut Vec<Change>) {
    loop {
        match tokens.peek() {
            Token::End => return,
            Token::Word(word) if is(word, "set") || is(word, "reset") => setting(tokens, Scope::Stored, found),
            _ => drop(tokens.next()),
        }
    }
}

/// `set_config(…)` anywhere, and an `UPDATE` of `pg_settings`.
fn calls(tokens: &mut Tokens<'_>, piece: &Piece, found: &mut Vec<Change>) {
    loop {
        let called = match tokens.next() {
            Token::End => return,
            Token::Word(name) | Token::Name(name) => name,
            Token::Unicode => {
                if tokens.peek() == Token::Symbol(b'(') {
                    every(Value::Unreadable, Scope::Session, found);
                }
                continue;
            }
            _ => continue,
        };
        if is(called, "pg_settings") && piece.writes() {
            every(Value::Unreadable, Scope::Session, found);
        }
        if is(called, "set_config") && tokens.peek() == Token::Symbol(b'(') {
            tokens.next();
            set_config(tokens, found);
        }
    }
}

/// The arguments of `set_config`.
fn set_config(tokens: &mut Tokens<'_>, found: &mut Vec<Change>) {
    let (Token::Text(name), Token::Symbol(b',')) = (tokens.next(), tokens.next()) else {
        // A name that is computed may be any.
        return every(Value::Unreadable, Scope::Session, found);
    };
    let Some(timeout) = Timeout::named(name) else { return };
    let value = match (tokens.next(), tokens.peek()) {
        (Token::Text(text), Token::Symbol(b',')) => milliseconds(text),
        (Token::Word(word), Token::Symbol(b',')) if is(word, "null") => Value::Default,
        _ => Value::Unreadable,
    };
    let scope = match (tokens.next(), tokens.next(), tokens.peek()) {
        (Token::Symbol(b','), Token::Word(word), Token::Symbol(b')')) if is(word, "true") => Scope::Local,
        _ => Scope::Session,
    };
    found.push(Change { timeout, value, scope });
}

fn of(name: Token<'_>, value: Value, scope: Scope, found: &mut Vec<Change>) {
    match name {
        Token::Word(name) | Token::Name(name) => {
            found.extend(Timeout::named(name).map(|timeout| Change { timeout, value, scope }));
        }
        // It may spell any name.
        Token::Unicode => every(Value::Unreadable, scope, found),
        _ => {}
    }
}

fn every(value: Value, scope: Scope, found: &mut Vec<Change>) {
    found.extend(Timeout::ALL.map(|timeout| Change { timeout, value, scope }));
}

/// Reads a time as the server does: milliseconds unless a unit follows, rounded to the nearest.
fn milliseconds(text: &[u8]) -> Value {
    let Ok(text) = std::str::from_utf8(text) else { return Value::Unreadable };
    let text = text.trim_matches(|letter: char| letter.is_ascii_whitespace());
    let number = text.trim_start_matches('+');
    let end = number.find(|letter: char| !letter.is_ascii_digit() && letter != '.').unwrap_or(number.len());
    let (digits, unit) = number.split_at(end);
    // The server reads `010` as 8 and `0x10` as 16: nobody writes a time like that by accident.
    let octal = digits.len() > 1 && digits.starts_with('0') && !digits.starts_with("0.");
    let factor = match unit.trim_start_matches(|letter: char| letter.is_ascii_whitespace()) {
        "" | "ms" => 1.0,
        "us" => 0.001,
        "s" => 1e3,
        "min" => 6e4,
        "h" => 3.6e6,
        "d" => 8.64e7,
        _ => return Value::Unreadable,
    };
    match digits.parse::<f64>() {
        Ok(number) if !octal && number * factor < LONGEST => {
            Value::Milliseconds((number * factor).round_ties_even() as u64)
        }
        _ => Value::Unreadable,
    }
}

/// What does not fit the server's own integer: it refuses such a value.
const LONGEST: f64 = 2_147_483_648.0;

fn is(word: &[u8], wanted: &str) -> bool {
    word.eq_ignore_ascii_case(wanted.as_bytes())
}

#[cfg(test)]
mod tests;

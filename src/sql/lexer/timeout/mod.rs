//! Which of the server's own time limits a statement sets, and to what.
//!
//! Seen are `SET`, `RESET`, `DISCARD ALL`, `set_config(…)`, an `UPDATE` of `pg_settings`, and the `SET` and `RESET` of `ALTER` and
//! `CREATE`. What cannot be told is [`Value::Unreadable`], never silence: a name or a value that is computed, a parameter. Not
//! seen is what code on the server does (`DO`, functions), and what a start-up packet asks for, which is no SQL.

mod changed;
mod tokens;

use self::changed::{calls, setting, stored};
use self::tokens::Tokens;
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

#[cfg(test)]
mod tests;

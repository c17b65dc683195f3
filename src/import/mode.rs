//! When a server is given back: `pool_mode`, of all, of one database or of one user.

use super::ini::Entry;
use super::login::{Login, NEEDS_USERS};
use super::settings::Convert;

/// When a server is given back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mode {
    Session,
    Transaction,
}

impl Mode {
    /// The word of `pool`, and of PgBouncer's `pool_mode`.
    pub(super) const fn word(self) -> &'static str {
        match self {
            Self::Session => "session",
            Self::Transaction => "transaction",
        }
    }
}

impl Convert<'_> {
    /// The mode that stands in this entry, or in `[pgbouncer]`; it may be one that there is not here.
    pub(super) fn mode(&mut self, entry: Option<&Entry>, mode: &str) -> Mode {
        let (taken, advice) = match mode {
            "session" => return Mode::Session,
            "transaction" => return Mode::Transaction,
            "statement" => (Mode::Transaction, STATEMENTS),
            _ => (Mode::Session, NO_MODE),
        };
        match entry {
            Some(entry) => self.note_key(entry, &format!("{} pool_mode", entry.key), advice),
            None => self.note_setting("pool_mode", advice),
        }
        taken
    }

    /// The mode of one database or user; `None`: that of all others.
    pub(super) fn mode_of(&mut self, entry: &Entry, mode: &str, login: &Login) -> Option<Mode> {
        let own = self.mode(Some(entry), mode);
        if own == Mode::Transaction && *login == Login::Relay {
            self.note_key(entry, &format!("{} pool_mode", entry.key), NEEDS_USERS);
            return None;
        }
        Some(own)
    }
}

const STATEMENTS: &str = "transaction takes its place: transactions of several statements are not forbidden";
/// PgBouncer does not start with it.
const NO_MODE: &str = "no mode of PgBouncer: session, its default, was taken";

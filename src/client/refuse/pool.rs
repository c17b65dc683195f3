//! A pool has no server for a statement.

use std::time::Duration;

use super::code::{LATER, UNREACHABLE};
use super::login::{CONSOLE, NO_CONSOLE, server_login};
use super::sentence::statement;
use super::server::{NO_CONNECTION, unreachable_hint};
use crate::units::counted;
use crate::wire::{Refusal, Severity};

/// Too many statements wait for a server of one pool.
pub fn pool_queue_full(waiting: usize) -> Refusal {
    let waiting = counted(waiting as u64, "statement");
    let message = format!("all servers of this pool are in use, with {waiting} waiting for one already");
    statement(LATER, "pool_queue_length", &message, "Try again later; SHOW POOLS on the console tells who waits.")
}

/// Why a pool had no server for a statement within its time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Lack {
    /// All of its servers were lent.
    Busy,
    /// So they were, and there was no room for another one.
    Full(String),
    /// Another one could not be made.
    Unmade(String),
    /// The first one is being made, and the server has not answered yet.
    Dialled,
    /// The server does not answer when it is asked how it is.
    Silent(String),
    /// An operator holds its statements back.
    Paused,
}

impl Lack {
    /// What is known of it, for the detail.
    fn detail(&self) -> String {
        match self {
            Self::Busy => String::new(),
            Self::Full(why) | Self::Unmade(why) => format!("The pool could not grow: {why}."),
            Self::Dialled => "It has no server yet: one is being dialled, or has not answered its login.".to_owned(),
            Self::Silent(why) => format!("The server does not answer: {why}."),
            Self::Paused => "An operator has paused this database.".to_owned(),
        }
    }

    /// Nobody who waits for a server that hangs is helped by shorter transactions.
    const fn hint(&self) -> &'static str {
        match self {
            Self::Busy => "Shorten transactions, or raise `pool_size` or `query_wait_timeout`.",
            Self::Full(_) => {
                "Shorten transactions, or raise what is used up, or `query_wait_timeout`. SHOW CAPS on the console tells all caps."
            }
            Self::Unmade(_) | Self::Dialled | Self::Silent(_) => {
                "See that the server runs and answers, and look at its log; SHOW NODES on the console tells what is known of it."
            }
            Self::Paused => {
                "Try again after RESUME; SHOW STATE on the console tells who has paused it, and for how long."
            }
        }
    }
}

/// A statement waited too long for a server of its pool.
pub fn pool_waited(waited: Duration, lack: &Lack) -> Refusal {
    let message = format!("no server of this pool was free within {:.1} s", waited.as_secs_f64());
    Refusal { detail: lack.detail(), ..statement(LATER, "query_wait_timeout", &message, lack.hint()) }
}

/// A pool has no server, and none could be made.
pub fn pool_has_no_server(why: &str) -> Refusal {
    let is_dial = why.starts_with(NO_CONNECTION);
    let hint =
        if is_dial { unreachable_hint(why) } else { "Try again; if that fails, look at the server and at its log." };
    statement(UNREACHABLE, "server", why, hint)
}

/// A pool has no server, and the server lets none in: in its own words, since programs know them, but where Floodwall's login may be
/// what is wrong.
pub fn pool_denied(user: &str, sqlstate: &'static str, why: &str) -> Refusal {
    if sqlstate.starts_with("28") {
        return Refusal { severity: Severity::Error, ..server_login(user, why) };
    }
    let hint = if why == NO_CONSOLE { CONSOLE } else { "" };
    Refusal {
        severity: Severity::Error,
        sqlstate,
        rule: "server",
        message: why.to_owned(),
        detail: String::new(),
        hint: hint.to_owned(),
    }
}

//! An operator has said so, or Floodwall ends.

use super::code::{IDLE_SESSION, NOT_NOW, SHUTDOWN};
use super::sentence::fatal;
use crate::wire::Refusal;

/// PAUSE held a login back for too long.
pub fn paused() -> Refusal {
    fatal(NOT_NOW, "pause", "an operator has paused this database", "Connect again later.")
}

/// DISABLE keeps newcomers away from a database.
pub fn disabled() -> Refusal {
    fatal(NOT_NOW, "disable", "an operator lets no new client into this database", "Connect again later.")
}

/// An operator ended the session.
pub fn killed() -> Refusal {
    fatal(SHUTDOWN, "operator", "an operator ended this session (KILL)", "Connect again.")
}

/// The client did nothing for too long.
pub fn idle_too_long() -> Refusal {
    let what = "the session was idle for longer than client_idle_timeout";
    fatal(
        IDLE_SESSION,
        "client_idle_timeout",
        what,
        "Connect again; let the application's pool close idle connections sooner.",
    )
}

/// Floodwall is going down.
pub fn draining() -> Refusal {
    fatal(SHUTDOWN, "shutdown", "Floodwall is shutting down", "Connect again.")
}

/// Floodwall is going down and takes nobody in.
pub fn closing() -> Refusal {
    fatal(NOT_NOW, "shutdown", "Floodwall is shutting down and takes no new clients", "Connect again later.")
}

//! A statement is not run, or not to its end; its session goes on where the server lets it.

use super::code::{
    CANCELLED, CONNECTION, DUPLICATE_STATEMENT, IDLE_IN_TRANSACTION, MEMORY, PERMANENT, PREREQUISITE,
    TRANSACTION_TIMEOUT,
};
use super::sentence::{fatal, prefixed, statement};
use crate::guard::limits::TimeLimit;
use crate::guard::{Breach, names};
use crate::units::display_bytes;
use crate::wire::pg::own::Raised;
use crate::wire::{Refusal, Severity};

/// A statement was cancelled before it had a server.
pub fn cancelled_while_waiting() -> Refusal {
    let what = "the statement was cancelled on the client's request while it waited for a server";
    statement(CANCELLED, "cancel", what, "")
}

/// A statement was cancelled before it was sent to the server at hand.
pub fn cancelled_unsent() -> Refusal {
    let what = "the statement was cancelled on the client's request before it was sent to the server";
    statement(CANCELLED, "cancel", what, "")
}

/// A statement that a rule refuses.
pub fn breach(breach: &Breach) -> Refusal {
    let statement = match breach.statement {
        0 => String::new(),
        index => format!(" (statement {} of the text)", index.saturating_add(1)),
    };
    let limit = match breach.limit {
        0 => "allowed: none".to_owned(),
        _ => format!("limit: {}", breach.limit_text()),
    };
    Refusal {
        severity: Severity::Error,
        sqlstate: PERMANENT,
        rule: breach.rule,
        message: prefixed(breach.rule, &format!("{}{statement}", breach.message)),
        detail: format!("Measured: {}; {limit}.", breach.measured_text()),
        hint: breach.hint.clone(),
    }
}

/// A statement that a rule would have to take back, where no transaction of its own can be put around it.
pub fn query_in_pipeline() -> Refusal {
    let what = "a simple query inside an open pipeline cannot be watched";
    statement(PERMANENT, "protocol", what, "Send a Sync before the Query.")
}

/// A message whose names of statement and portal are longer than anybody looks at, or than the server takes.
pub fn name_too_long() -> Refusal {
    let what = "the name of a prepared statement or portal is too long: less than 10,000 bytes always fit";
    statement(PERMANENT, "protocol", what, "Choose a shorter name.")
}

/// A client prepares a statement under a name that it has given away: the server's own error, since the server knows other names.
pub fn statement_exists(name: &[u8]) -> Refusal {
    let message = format!("prepared statement \"{}\" already exists", display_bytes(name));
    preparing(DUPLICATE_STATEMENT, &message, "Close the other one first, or choose another name.")
}

/// A client prepares more statements, or more bytes of them, than are kept for one client of a pool.
pub fn too_many_statements() -> Refusal {
    let hint = "Close statements that are no longer used, or let the driver keep fewer.";
    preparing(PERMANENT, "this client has prepared as many statements as it may", hint)
}

/// A client prepares a statement that is too long to be kept for other servers of a pool.
pub fn statement_too_long() -> Refusal {
    let hint = "Send it without a name, or as a simple query.";
    preparing(PERMANENT, "the statement is too long to be prepared under a name", hint)
}

/// A server of a pool did not take the settings of its next client, so the statement was not run.
pub fn settings_failed(raised: &Raised) -> Refusal {
    let (sqlstate, said) = (display_bytes(&raised.sqlstate), display_bytes(&raised.message));
    let mut what = "the server did not take the settings of this session".to_owned();
    if raised.sqlstate == UNKNOWN {
        // The name of a setting. What else the server says may hold a value, which no log is to have.
        what.push_str(&format!(": {said}"));
    }
    let hint = "Look at the parameters of the connection string, and at what the session has SET.";
    let detail = format!("It said: {said} ({sqlstate}).");
    Refusal { detail, ..statement(setting_refused(&raised.sqlstate), "settings", &what, hint) }
}

/// SQLSTATE of a setting that the server does not know.
const UNKNOWN: [u8; 5] = *b"42704";

/// What the server has against a setting stays so, however often it is tried: drivers must not take it for a lost connection.
fn setting_refused(sqlstate: &[u8]) -> &'static str {
    // Unknown, a wrong value, not allowed, not at this time.
    let lasting = ["42704", "22023", "42501", "55P02"];
    lasting.into_iter().find(|lasting| lasting.as_bytes() == sqlstate).unwrap_or(CONNECTION)
}

/// `currval()` or `lastval()` at a server that somebody else had since the client's last transaction.
pub fn foreign_sequence() -> Refusal {
    let what = "currval() and lastval() would tell another client's number: this one's server has gone to others since its last transaction";
    let hint = "Read it in the transaction of the INSERT, or write INSERT ... RETURNING. A listener with pool = \"session\" tells it at any time.";
    statement(PREREQUISITE, "sequence", what, hint)
}

fn preparing(sqlstate: &'static str, message: &str, hint: &str) -> Refusal {
    statement(sqlstate, "prepared_statements", message, hint)
}

/// A reply that could be stopped only with the session.
pub fn overrun() -> Refusal {
    fatal(
        PERMANENT,
        "result_budget",
        "the reply is larger than allowed, and the protocol was mixed in a way in which only the session can be ended",
        "Connect again. Wait for the end of each COPY before you send a Sync.",
    )
}

/// A statement, a transaction or its idleness took too long. Time may do better another time, so the SQLSTATEs are the server's own
/// for its timeouts; the end of a transaction ends the session.
pub fn timed_out(limit: &TimeLimit) -> Refusal {
    let (severity, sqlstate) = match limit.rule {
        names::STATEMENT_TIMEOUT => (Severity::Error, CANCELLED),
        names::TRANSACTION_TIMEOUT => (Severity::Fatal, TRANSACTION_TIMEOUT),
        _ => (Severity::Fatal, IDLE_IN_TRANSACTION),
    };
    Refusal { severity, sqlstate, ..breach(&limit.too_long()) }
}

/// A frame that would not fit the common memory budget.
pub fn memory(bytes: usize) -> Refusal {
    let hint = "Try again later, send smaller statements, or raise `[limits] memory`.";
    statement(MEMORY, "memory", &format!("no room for {bytes} bytes of a statement"), hint)
}

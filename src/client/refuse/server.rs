//! The server, or the connection to it, is not what it was.

use super::code::{AUTHORIZATION, CONNECTION, NOT_NOW, PROTOCOL, SHUTDOWN, UNREACHABLE};
use super::sentence::{fatal, statement};
use crate::net::tls::{NO_HANDSHAKE, NO_TLS};
use crate::wire::{Malformed, Refusal};

/// The server's connection broke.
pub fn server_gone() -> Refusal {
    fatal(
        CONNECTION,
        "server",
        "the server closed the connection",
        "Connect again; if that fails, look at the server's log.",
    )
}

/// The server sent what is no message.
pub fn server_malformed(why: Malformed) -> Refusal {
    fatal(PROTOCOL, "server", &format!("the server broke the protocol: {why}"), "Look at the server's log.")
}

/// No connection to the server could be made.
pub fn server_unreachable(server: &str, why: &str) -> Refusal {
    let message = format!("{NO_CONNECTION} {server}: {why}");
    fatal(UNREACHABLE, "server", &message, unreachable_hint(why))
}

/// How a failed dial begins, for sessions and pools alike.
pub const NO_CONNECTION: &str = "no connection to the server";

/// What is the matter is known by what the dial said: a server that runs is not mended by trying again.
pub(super) fn unreachable_hint(why: &str) -> &'static str {
    if why.ends_with(NO_TLS) {
        return "Switch TLS on at the server (ssl = on), or give the listener's `server_tls` another mode.";
    }
    if why.contains(NO_HANDSHAKE) {
        return "Look at `server_tls` of the listener (its mode, and whether its `ca_file` has signed the server's certificate) and at the server's log.";
    }
    "See that the server runs and that `servers` of the listener names it; SHOW NODES on the console tells what is known of it."
}

/// A server of a pool was lost before it was known what the client's last transaction left in it.
pub fn session_lost(why: &str) -> Refusal {
    let what = "what the last transaction left in its session is lost: settings, locks, temporary tables";
    let hint = "The transaction itself is committed. Connect again, or set again what the session needs.";
    Refusal { detail: why.to_owned(), ..statement(CONNECTION, "settings", what, hint) }
}

/// Servers of a pool were lost, one after the other, before anything of the client was sent to them.
pub fn servers_lost(count: u8, why: &str) -> Refusal {
    let message = format!("{count} servers in a row were lost before the statement was sent to them");
    let hint = "Nothing of it has run: try again; if that fails, look at the server and at its log.";
    Refusal { detail: why.to_owned(), ..statement(CONNECTION, "server", &message, hint) }
}

/// A server of a pool was lost while a client's statement was there, outside a transaction.
pub fn server_lost() -> Refusal {
    lost(CONNECTION, "the connection to the server was lost before the statement was answered")
}

/// The same, where the server said that it is shut down, or that an operator has ended its process.
pub fn server_shut_down() -> Refusal {
    lost(SHUTDOWN, "the server was shut down before the statement was answered")
}

fn lost(sqlstate: &'static str, message: &str) -> Refusal {
    let hint = "The session goes on with another server. See whether the statement has run before you send it again.";
    let detail = "It may have run, or not: no result of it has come.".to_owned();
    Refusal { detail, ..statement(sqlstate, "server", message, hint) }
}

/// What the client logged in with opens no server any more, and a new login may.
pub fn outdated() -> Refusal {
    let what = "the session ends, since the server does not take any more what it was begun with";
    fatal(AUTHORIZATION, "server_login", what, "Connect again, with the password as it is now.")
}

/// The session's server is not the primary any more.
pub fn moved() -> Refusal {
    fatal(
        SHUTDOWN,
        "server",
        "another server is used now, and this session's is not the primary any more",
        "Connect again.",
    )
}

/// The server that a client was about to be let in at is not the primary any more.
pub fn standby() -> Refusal {
    fatal(NOT_NOW, "server", "the server is a standby now", "Connect again: the login goes to the primary.")
}

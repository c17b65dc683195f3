//! Whoever is not let in: what it asked for, how it came, what it proved.

use std::time::Duration;

use super::code::{AUTHORIZATION, LATER, NO_DATABASE, PROTOCOL, UNREACHABLE, UNSUPPORTED, WRONG_PASSWORD};
use super::sentence::fatal;
use crate::client::channel::Channel;
use crate::units::{display_bytes, display_duration};
use crate::wire::{Malformed, Refusal, Severity};

/// The client sent what is no message.
pub fn malformed(why: Malformed) -> Refusal {
    fatal(PROTOCOL, "protocol", &format!("the client broke the protocol: {why}"), "")
}

/// A client that speaks a protocol of another major version.
pub fn unsupported_protocol() -> Refusal {
    fatal(
        UNSUPPORTED,
        "protocol",
        "only version 3 of the protocol is supported",
        "Use a client that speaks protocol 3.",
    )
}

/// A start-up packet that names no user.
pub fn no_user() -> Refusal {
    fatal(AUTHORIZATION, "protocol", &Malformed::NoUser.to_string(), "Name a user in the connection string.")
}

/// A login that the server turned away with these words, where somebody looks for the console as PgBouncer has it.
pub fn console_is_elsewhere(why: &str) -> Option<Refusal> {
    (why == NO_CONSOLE).then(|| Refusal {
        severity: Severity::Fatal,
        sqlstate: NO_DATABASE,
        rule: "server",
        message: why.to_owned(),
        detail: String::new(),
        hint: CONSOLE.to_owned(),
    })
}

/// What the server says to those who look for the console where PgBouncer has it.
pub(super) const NO_CONSOLE: &str = "database \"pgbouncer\" does not exist";

pub(super) const CONSOLE: &str = "The console has a port and users of its own: [admin] in Floodwall's configuration, 127.0.0.1:9301 unless that says otherwise.";

/// What a start-up packet sets that no lent server can be given.
pub fn startup_unfit(why: &str) -> Refusal {
    fatal(PROTOCOL, "settings", why, "Set it in the session, or use a listener with pool = \"session\".")
}

/// Too many connections that have not said what they want.
pub fn crowded() -> Refusal {
    let what = "too many connections have not sent their first message yet";
    fatal(
        LATER,
        "lobby",
        what,
        "Try again later. If nobody dials in numbers, look for clients that connect and stay silent.",
    )
}

/// The login took too long.
pub fn login_timeout(seconds: f64) -> Refusal {
    fatal(
        AUTHORIZATION,
        "login_timeout",
        &format!("the login was not finished within {seconds} s"),
        "Look for a slow network, a slow server or a client that waits; `login_timeout` sets the limit.",
    )
}

/// A client without TLS, where the listener asks for it.
pub fn tls_required() -> Refusal {
    fatal(
        AUTHORIZATION,
        "client_tls",
        "this listener takes encrypted connections only",
        "Set sslmode=require in the connection string, or verify-full with the authority's certificate.",
    )
}

/// A client whose certificate is for somebody else.
pub fn certificate_user() -> Refusal {
    fatal(
        AUTHORIZATION,
        "client_tls",
        "the client's certificate is not for this user",
        "Use a certificate whose common name, or one of whose alternative names, is the user.",
    )
}

/// A login that is bound to a TLS channel which ends at Floodwall.
pub fn channel_binding() -> Refusal {
    fatal(
        AUTHORIZATION,
        "channel_binding",
        "the client binds its login to its TLS channel, which is not the server's",
        "Set channel_binding=disable in the connection string. Floodwall can also show the server's own certificate, or check the \
         passwords itself (`login`).",
    )
}

/// The server asked Floodwall for no password on behalf of a client of another host.
pub fn trusted() -> Refusal {
    fatal(
        AUTHORIZATION,
        "allow_trust",
        "the server asked for no password, and this client is not on the same host as Floodwall",
        "Ask for a password in pg_hba.conf for Floodwall's address, or set `allow_trust = true` on the listener.",
    )
}

/// A client that did not prove who it is: PostgreSQL's own words, since programs know them, whether the name exists or not.
pub fn wrong_password(user: &str) -> Refusal {
    not_believed(format!("password authentication failed for user \"{}\"", display_bytes(user.as_bytes())))
}

/// A client that gave an empty password; in PostgreSQL's own words as well.
pub fn empty_password() -> Refusal {
    not_believed("empty password returned by client".to_owned())
}

fn not_believed(message: String) -> Refusal {
    Refusal {
        severity: Severity::Fatal,
        sqlstate: WRONG_PASSWORD,
        rule: "login",
        message,
        detail: String::new(),
        hint: String::new(),
    }
}

/// No `[[access]]` entry lets this client in. It ends as PostgreSQL's own, where clients look for what to try next.
pub fn no_access(user: &str, database: &str, channel: &Channel) -> Refusal {
    let (user, database) = (display_bytes(user.as_bytes()), display_bytes(database.as_bytes()));
    let encryption = if channel.tls { "SSL encryption" } else { "no encryption" };
    let message = format!(
        "no [[access]] entry lets user \"{user}\" in to database \"{database}\" from this address, {encryption}"
    );
    fatal(AUTHORIZATION, "access", &message, "Ask whoever runs Floodwall; the entries stand in its configuration.")
}

/// The server could not be asked for a user's verifier.
pub fn no_verifier() -> Refusal {
    let message = "the server could not be asked how this user logs in";
    fatal(UNREACHABLE, "server", message, "See that the server runs, and what Floodwall's log says of auth_query.")
}

/// Keys could not be derived.
pub fn not_derived(why: &str) -> Refusal {
    fatal(LATER, "login", why, "Many logins are in progress: try again shortly.")
}

/// Too many wait for the answer to a wrong login, and this one comes from where others were wrong as the same user.
pub fn not_heard(user: &str, left: Duration) -> Refusal {
    let message = format!(
        "many logins are wrong, and some from here as user \"{}\": try again in {}",
        display_bytes(user.as_bytes()),
        display_duration(Duration::from_secs(left.as_secs().saturating_add(1)))
    );
    fatal(LATER, "login", &message, "See in Floodwall's log who uses a wrong password.")
}

/// A start-up packet that is no UTF-8, where Floodwall logs in to the server itself.
pub fn not_utf8() -> Refusal {
    let hint = "Write user, database and options in UTF-8; set other encodings in the session.";
    fatal(PROTOCOL, "login", "the start-up packet is not UTF-8", hint)
}

/// The client has proven who it is, and the server did not let Floodwall in under its name.
pub fn server_login(user: &str, why: &str) -> Refusal {
    let user = display_bytes(user.as_bytes());
    let message = format!("the server did not let Floodwall in as \"{user}\": {why}");
    let hint = "The client's own login was right. Compare what Floodwall knows of this user with what the server stores, and \
                look at pg_hba.conf for Floodwall's address.";
    fatal(AUTHORIZATION, "server_login", &message, hint)
}

/// A replication connection that no `[[client]]` allows.
pub fn replication() -> Refusal {
    fatal(
        AUTHORIZATION,
        "replication",
        "replication connections are not allowed for this client",
        "Set `replication = true` on a [[client]] that matches this user and address.",
    )
}

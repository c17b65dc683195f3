//! The only words that clients read.
//!
//! Every text starts with `FLOODWALL[rule=NAME]` and says what to do instead. SQLSTATEs: 54000 for what will never pass,
//! 53300 for what may pass later (libraries retry the classes 08, 40, 53 and 57).

use std::time::Duration;

use super::admission::{Denied, Disclose, Reason};
use super::channel::Channel;
use crate::guard::Breach;
use crate::guard::limits::TimeLimit;
use crate::guard::names;
use crate::net::tls::{NO_HANDSHAKE, NO_TLS};
use crate::units::{counted, display_bytes, display_duration};
use crate::wire::pg::own::Raised;
use crate::wire::{Malformed, Refusal, Severity};

/// Will never pass, however often it is tried.
const PERMANENT: &str = "54000";
/// May pass later: too many connections.
const LATER: &str = "53300";
/// Out of memory.
const MEMORY: &str = "53200";
/// The protocol was broken.
const PROTOCOL: &str = "08P01";
/// The connection to the server broke.
const CONNECTION: &str = "08006";
/// No connection to the server could be made.
const UNREACHABLE: &str = "08001";
/// An operator ended the connection.
const SHUTDOWN: &str = "57P01";
/// Cannot connect now.
const NOT_NOW: &str = "57P03";
/// The login is not accepted.
const AUTHORIZATION: &str = "28000";
/// The password is wrong.
const WRONG_PASSWORD: &str = "28P01";
/// A statement was cancelled.
const CANCELLED: &str = "57014";
/// The server's own for a transaction that stays idle.
const IDLE_IN_TRANSACTION: &str = "25P03";
/// The server's own for a session that stays idle outside a transaction.
const IDLE_SESSION: &str = "57P05";
/// The server's own, from PostgreSQL 17 on, for a transaction that stays open.
const TRANSACTION_TIMEOUT: &str = "25P04";
/// The server's own for a name that is taken.
const DUPLICATE_STATEMENT: &str = "42P05";
/// object_not_in_prerequisite_state, as the server says where a session has no last value.
const PREREQUISITE: &str = "55000";
/// The server's own for a database that does not exist.
const NO_DATABASE: &str = "3D000";
/// A thing that this version does not do.
const UNSUPPORTED: &str = "0A000";

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
fn unreachable_hint(why: &str) -> &'static str {
    if why.ends_with(NO_TLS) {
        return "Switch TLS on at the server (ssl = on), or give the listener's `server_tls` another mode.";
    }
    if why.contains(NO_HANDSHAKE) {
        return "Look at `server_tls` of the listener (its mode, and whether its `ca_file` has signed the server's certificate) and at the server's log.";
    }
    "See that the server runs and that `servers` of the listener names it; SHOW NODES on the console tells what is known of it."
}

/// No place under a cap. Counts only where the client has proven who it is, or its address has before.
pub fn denied(denied: &Denied) -> Refusal {
    let whose = match denied.scope.as_str() {
        "listener" => "this listener".to_owned(),
        "address" => "this address".to_owned(),
        client => format!("client \"{client}\""),
    };
    let what = match denied.reason {
        Reason::Full => format!("{whose} has all its places in use"),
        Reason::QueueFull => format!("{whose} has all its places in use and too many wait for one"),
        Reason::WaitedTooLong => format!("{whose} had no place free within {:.1} s", denied.waited.as_secs_f64()),
        Reason::Rate => format!("{whose} opens connections too fast"),
    };
    let counts = match denied.disclose {
        Disclose::Counts => format!(": {} of {}", denied.current, denied.limit),
        Disclose::NameOnly => String::new(),
    };
    let mut refusal = fatal(LATER, denied.rule, &format!("{what}{counts}"), cap_hint(denied.rule));
    if let (Some(behind), Disclose::Counts) = (&denied.behind, denied.disclose) {
        refusal.detail =
            format!("They wait for {} of {}: {} of {}.", behind.rule, behind.scope, behind.current, behind.limit);
    }
    refusal
}

fn cap_hint(rule: &str) -> &'static str {
    match rule {
        "max_server_connections" => {
            "The server's connections are all in use: close idle ones, or raise `max_server_connections`."
        }
        "new_connections_per_second" => {
            "Keep connections open and use them again, or raise `new_connections_per_second`."
        }
        "max_logins" | "max_logins_per_address" => "Many logins are in progress: try again shortly.",
        "max_clients" => {
            "Close connections that are not in use, or raise `caps.max_clients`. SHOW CAPS on the console tells all caps."
        }
        "address_max_connections" => {
            "Close connections that are not in use, or raise `caps.address.max_connections`. SHOW CAPS on the console tells all caps."
        }
        "client_max_connections" => {
            "Close connections that are not in use, use a connection pool of bounded size, or raise `caps.client.max_connections`, for all or for one [[client]]. SHOW CAPS on the console tells all caps."
        }
        _ => {
            "Close connections that are not in use, use a connection pool of bounded size, or raise the cap. SHOW CAPS on the console tells all caps."
        }
    }
}

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
            Self::Busy | Self::Full(_) => "Shorten transactions, or raise `pool_size` or `query_wait_timeout`.",
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
const NO_CONSOLE: &str = "database \"pgbouncer\" does not exist";
const CONSOLE: &str = "The console has a port and users of its own: [admin] in Floodwall's configuration, 127.0.0.1:9301 unless that says otherwise.";

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

/// What a start-up packet sets that no lent server can be given.
pub fn startup_unfit(why: &str) -> Refusal {
    fatal(PROTOCOL, "settings", why, "Set it in the session, or use a listener with pool = \"session\".")
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

/// Floodwall is going down.
pub fn draining() -> Refusal {
    fatal(SHUTDOWN, "shutdown", "Floodwall is shutting down", "Connect again.")
}

/// Floodwall is going down and takes nobody in.
pub fn closing() -> Refusal {
    fatal(NOT_NOW, "shutdown", "Floodwall is shutting down and takes no new clients", "Connect again later.")
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

/// The server has no connection left.
pub fn server_full(why: &str) -> Refusal {
    let hint = "Lower `max_server_connections` below what the server has, or close connections that go past Floodwall.";
    fatal(LATER, "server", &format!("the server has no connection left: {why}"), hint)
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

/// A frame that would not fit the common memory budget.
pub fn memory(bytes: usize) -> Refusal {
    let hint = "Try again later, send smaller statements, or raise `[limits] memory`.";
    statement(MEMORY, "memory", &format!("no room for {bytes} bytes of a statement"), hint)
}

/// A refusal that the session outlives.
fn statement(sqlstate: &'static str, rule: &'static str, message: &str, hint: &str) -> Refusal {
    Refusal { severity: Severity::Error, ..fatal(sqlstate, rule, message, hint) }
}

/// One that ends it.
fn fatal(sqlstate: &'static str, rule: &'static str, message: &str, hint: &str) -> Refusal {
    Refusal {
        severity: Severity::Fatal,
        sqlstate,
        rule,
        message: prefixed(rule, message),
        detail: String::new(),
        hint: hint.to_owned(),
    }
}

fn prefixed(rule: &str, message: &str) -> String {
    format!("FLOODWALL[rule={rule}] {message}")
}

//! A cap, or the server, has no room.

use super::code::LATER;
use super::sentence::fatal;
use crate::client::admission::{Denied, Disclose, Reason};
use crate::wire::Refusal;

/// No place under a cap. Counts only where the client has proven who it is, or its address has before.
pub fn denied(denied: &Denied) -> Refusal {
    let whose = match denied.scope.as_str() {
        "listener" => "this listener".to_owned(),
        "address" => "this address".to_owned(),
        "database" => "this database".to_owned(),
        "user" => "this user".to_owned(),
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
        "max_db_connections" => {
            "The server connections of this database are all in use: close idle ones, or raise `max_db_connections` of the listener or of a [[pool]]."
        }
        "max_user_connections" => {
            "The server connections of this role are all in use: close idle ones, or raise `max_user_connections` of the listener or of a [[pool]]."
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

/// The server has no connection left.
pub fn server_full(why: &str) -> Refusal {
    let hint = "Lower `max_server_connections` below what the server has, or close connections that go past Floodwall.";
    fatal(LATER, "server", &format!("the server has no connection left: {why}"), hint)
}

//! `[caps]`: how many connections each may hold, and what happens to one too many.

use std::time::Duration;

use toml::Value;

use super::document::Section;
use super::problem::Fault;
use super::{defaults, value};

/// What happens to a newcomer over a connection cap or rate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Over {
    /// Wait for a place, bounded by `queue_length` and `queue_wait`.
    Queue,
    /// Refuse at once.
    Refuse,
}

/// `[caps]`.
#[derive(Debug, Clone, PartialEq)]
pub struct Caps {
    /// Clients of each listener.
    pub max_clients: usize,
    /// Logins in progress in all, of each listener.
    pub max_logins: usize,
    /// Logins in progress of one address.
    pub max_logins_per_address: usize,
    /// From accept to the server's first ReadyForQuery.
    pub login_timeout: Duration,
    /// What a newcomer over a cap meets.
    pub over: Over,
    /// Newcomers that may wait, of each listener.
    pub queue_length: usize,
    /// How long one may wait in all.
    pub queue_wait: Duration,
    /// `[caps.address] max_connections`.
    pub address_max_connections: usize,
    /// `[caps.client]`.
    pub client: ClientCaps,
    /// What makes connections one client: `[caps.client] key`.
    pub client_key: Vec<KeyPart>,
}

/// One part of a client's key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyPart {
    /// The user named at login.
    User,
    /// The database named at login.
    Database,
    /// The peer address (IPv6: its /64).
    Address,
    /// The `application_name` of the start-up packet. Only ever tightens, since a client chooses it.
    ApplicationName,
}

/// Connection caps of a client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClientCaps {
    /// Proven connections at any moment.
    pub max_connections: usize,
    /// New connections a second.
    pub new_connections_per_second: u32,
}

impl Over {
    /// The word of the file.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Queue => "queue",
            Self::Refuse => "refuse",
        }
    }
}

impl KeyPart {
    /// The word of the file.
    pub const fn label(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Database => "database",
            Self::Address => "address",
            Self::ApplicationName => "application_name",
        }
    }
}

/// Reads `[caps]`, `[caps.address]` and `[caps.client]`.
pub(super) fn resolve(mut section: Section<'_>) -> Caps {
    let default = Caps::default();
    let max_logins = section.read("max_logins", value::count).unwrap_or(default.max_logins);
    let per_address = section.read("max_logins_per_address", value::count);
    if per_address.is_some_and(|per_address| per_address > max_logins) {
        let fault = Fault::new(format!("is more than max_logins = {max_logins}, so it bounds nothing"));
        section.warn("max_logins_per_address", fault);
    }
    let (client, client_key) = resolve_client(section.section("client"), &default);
    let caps = Caps {
        max_clients: section.read("max_clients", value::count).unwrap_or(default.max_clients),
        max_logins,
        max_logins_per_address: per_address.unwrap_or_else(|| defaults::logins_per_address(max_logins)),
        login_timeout: section.read("login_timeout", value::timeout).unwrap_or(default.login_timeout),
        over: section.read("over", |value| value::one_of(value, &OVER)).unwrap_or(default.over),
        queue_length: section.read("queue_length", value::count_or_zero).unwrap_or(default.queue_length),
        queue_wait: section.read("queue_wait", value::duration).unwrap_or(default.queue_wait),
        address_max_connections: resolve_address(section.section("address"), default.address_max_connections),
        client,
        client_key,
    };
    if caps.queue_wait > caps.login_timeout {
        let fault =
            Fault::new("is longer than login_timeout, which counts from the accepted connection and ends the wait");
        section.warn("queue_wait", fault);
    }
    section.finish();
    caps
}

const OVER: [(&str, Over); 2] = [("queue", Over::Queue), ("refuse", Over::Refuse)];

fn resolve_address(mut section: Section<'_>, default: usize) -> usize {
    let max_connections = section.read("max_connections", value::count).unwrap_or(default);
    section.finish();
    max_connections
}

fn resolve_client(mut section: Section<'_>, default: &Caps) -> (ClientCaps, Vec<KeyPart>) {
    let key = section.read("key", client_key).unwrap_or_else(|| default.client_key.clone());
    let caps = ClientCaps {
        max_connections: section.read("max_connections", value::count).unwrap_or(default.client.max_connections),
        new_connections_per_second: section
            .read("new_connections_per_second", value::rate)
            .unwrap_or(default.client.new_connections_per_second),
    };
    section.finish();
    (caps, key)
}

fn client_key(value: &Value) -> Result<Vec<KeyPart>, Fault> {
    let example = "write a list, as in [\"user\", \"database\"]";
    let items = value.as_array().ok_or_else(|| Fault::new("expected a list").advise(example))?;
    let parts = items.iter().map(|item| value::one_of(item, &KEY_PARTS)).collect::<Result<Vec<_>, _>>()?;
    let twice = parts.iter().enumerate().find(|(index, part)| parts.iter().take(*index).any(|other| other == *part));
    match (parts.is_empty(), twice) {
        (true, _) => Err(Fault::new("must not be empty").advise(example)),
        (false, Some((_, part))) => Err(Fault::new(format!("\"{}\" is there twice", part.label()))),
        (false, None) => Ok(parts),
    }
}

const KEY_PARTS: [(&str, KeyPart); 4] = [
    ("user", KeyPart::User),
    ("database", KeyPart::Database),
    ("address", KeyPart::Address),
    ("application_name", KeyPart::ApplicationName),
];

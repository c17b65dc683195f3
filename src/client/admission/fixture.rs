//! A configuration for tests.

use std::path::PathBuf;
use std::time::Duration;

use crate::config::{
    Admin, Caps, ClientCaps, ClientMatch, ClientRule, Config, KeyPart, Limits, Listener, Log, LogFormat, Over,
};

/// The default cap of a client in [`config`].
pub(super) const CLIENT_MAX: usize = 5;

/// One listener `main`, small caps, newcomers queue.
pub(super) fn config() -> Config {
    Config {
        state_dir: PathBuf::new(),
        workers: 1,
        limits: Limits { memory_bytes: 0, ..Limits::default() },
        admin: Admin { http: None, console: None, users: Vec::new() },
        listeners: vec![Listener { bind: ([127, 0, 0, 1], 0).into(), ..Listener::default() }],
        caps: Caps {
            max_clients: 50,
            max_logins: 10,
            max_logins_per_address: 10,
            login_timeout: Duration::from_secs(15),
            over: Over::Queue,
            queue_length: 100,
            queue_wait: Duration::from_secs(5),
            address_max_connections: 50,
            client: ClientCaps { max_connections: CLIENT_MAX, new_connections_per_second: 1000 },
            client_key: vec![KeyPart::User, KeyPart::Database],
        },
        clients: Vec::new(),
        access: Vec::new(),
        databases: Vec::new(),
        pools: Vec::new(),
        rules: toml::Table::new(),
        break_glass: None,
        log: Log { format: LogFormat::Text, level: "info".into() },
        drain_timeout: Duration::from_secs(1),
    }
}

/// A `[[client]]` entry for a user glob.
pub(super) fn rule(name: &str, user: &str, max_connections: Option<usize>) -> ClientRule {
    ClientRule {
        name: name.into(),
        matches: ClientMatch {
            user: user.into(),
            database: "*".into(),
            application_name: "*".into(),
            addresses: Vec::new(),
            listener: "*".into(),
        },
        max_connections,
        new_connections_per_second: None,
        rules: toml::Table::new(),
        replication: false,
    }
}

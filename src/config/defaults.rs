//! What holds where the file is silent: safe on day one, and the figures that `config.toml` tells.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use super::listener::CHECK_INTERVAL;
use super::{
    Admin, Caps, ClientCaps, ClientMatch, Databases, Entry, KeyPart, Limits, Listener, Log, LogFormat, Login, Over,
    Pool, Surroundings, Tls,
};

impl Default for Limits {
    fn default() -> Self {
        Self { memory_bytes: 512 << 20, guard_time: Duration::from_millis(50) }
    }
}

impl Default for Admin {
    fn default() -> Self {
        Self { http: Some(loopback(9300)), console: Some(loopback(9301)), users: Vec::new() }
    }
}

impl Default for Listener {
    fn default() -> Self {
        Self {
            name: "main".to_owned(),
            bind: loopback(6432),
            servers: vec!["127.0.0.1:5432".to_owned()],
            server_check_interval: CHECK_INTERVAL,
            max_server_connections: None,
            client_idle_timeout: None,
            allow_trust: false,
            monitor: None,
            entry: Entry::default(),
            login: Login::default(),
            pool: Pool::default(),
            tls: Tls::default(),
            databases: Databases::default(),
            pools: Vec::new(),
        }
    }
}

impl Default for Caps {
    fn default() -> Self {
        let max_logins = 50;
        Self {
            max_clients: 10_000,
            max_logins,
            max_logins_per_address: logins_per_address(max_logins),
            login_timeout: Duration::from_secs(15),
            over: Over::Queue,
            queue_length: 1000,
            queue_wait: Duration::from_secs(5),
            address_max_connections: 2000,
            client: ClientCaps::default(),
            client_key: vec![KeyPart::User, KeyPart::Database],
        }
    }
}

impl Default for ClientCaps {
    fn default() -> Self {
        Self { max_connections: 100, new_connections_per_second: 500 }
    }
}

impl Default for ClientMatch {
    fn default() -> Self {
        let any = || "*".to_owned();
        Self { user: any(), database: any(), application_name: any(), addresses: Vec::new(), listener: any() }
    }
}

impl Default for Log {
    fn default() -> Self {
        Self { format: LogFormat::Text, level: "info".to_owned() }
    }
}

/// Half of all, so that one address that stalls its logins leaves room for the others.
pub(super) fn logins_per_address(max_logins: usize) -> usize {
    (max_logins / 2).max(1)
}

/// Where state goes where the file does not say: the system's place for root, the user's own for others.
pub(super) fn state_dir(surroundings: &dyn Surroundings) -> PathBuf {
    let set = |name| surroundings.variable(name).filter(|folder| folder.starts_with('/')).map(PathBuf::from);
    let own = || set("XDG_STATE_HOME").or_else(|| set("HOME").map(|home| home.join(".local/state")));
    let user_folder = if surroundings.is_root() { None } else { own() };
    user_folder.map_or_else(|| PathBuf::from("/var/lib/floodwall"), |folder| folder.join("floodwall"))
}

pub(super) const DRAIN_TIMEOUT: Duration = Duration::from_secs(30);

/// The database that every server has.
pub(super) const MONITOR_DATABASE: &str = "postgres";

fn loopback(port: u16) -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], port))
}

//! A resolved configuration for people: rows for the console, TOML for `check`. Secrets are masked.

use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt::Write as _;
use std::net::SocketAddr;

use toml::{Table, Value};

use super::{
    AccessRule, Admin, AdminUser, Caps, ClientRule, Config, Limits, Listener, Loaded, LogFormat, Login, Monitor, Pool,
    PoolMode, Process, read,
};
use crate::units::{ByteSize, display_duration};

impl Config {
    /// Every setting with its value, as `("caps.max_clients", "10000")`.
    pub fn rows(&self) -> Vec<(String, String)> {
        let mut rows = Vec::new();
        for part in parts(self) {
            for (key, shown) in part.keys {
                let prefix = if part.label.is_empty() { String::new() } else { format!("{}.", part.label) };
                rows.push((format!("{prefix}{key}"), shown.cell()));
            }
        }
        rows
    }

    /// What [`Config::rows`] tells of a file that says nothing, by key; that of a listener is its [`Config::common_key`]. What stands
    /// in `[rules]` is not known here.
    pub fn default_rows() -> HashMap<String, String> {
        let Ok(Loaded { config, .. }) = read("[[listener]]", &Process::WithSecrets, &|_| Vec::new()) else {
            return HashMap::new();
        };
        let of_pools = pool(&Pool { mode: PoolMode::Transaction, ..Pool::default() });
        let of_pools = of_pools.into_iter().map(|(key, shown)| (format!("{OF_LISTENERS}.{key}"), shown.cell()));
        config
            .rows()
            .into_iter()
            .map(|(key, value)| (Self::common_key(&key).into_owned(), value))
            .chain(of_pools)
            .collect()
    }

    /// A key of [`Config::rows`] without the name of its listener.
    pub fn common_key(key: &str) -> Cow<'_, str> {
        match key.strip_prefix("listener.").and_then(|rest| rest.rsplit_once('.')) {
            Some((_, key)) => format!("{OF_LISTENERS}.{key}").into(),
            None => key.into(),
        }
    }

    /// The whole as TOML. Read again it gives the same configuration, where no secret is masked.
    pub fn to_toml(&self) -> String {
        let mut out = String::new();
        for part in parts(self) {
            // Writing to a `String` cannot fail.
            if !part.heading.is_empty() {
                let _ = writeln!(out, "\n{}", part.heading);
            }
            for (key, shown) in part.keys {
                let _ = match shown {
                    Shown::Value(value) => writeln!(out, "{} = {value}", key_of(&key)),
                    Shown::Note(note) => writeln!(out, "# {key}: {note}"),
                };
            }
        }
        out
    }
}

/// One section: its heading in the file, and its label in the console, which names what the file only numbers.
struct Part {
    heading: String,
    label: String,
    keys: Vec<(String, Shown)>,
}

enum Shown {
    Value(Value),
    /// A key that the file may leave out for a meaning that no value has.
    Note(&'static str),
}

impl Shown {
    fn cell(&self) -> String {
        match self {
            Self::Value(Value::String(text)) => text.clone(),
            Self::Value(value) => value.to_string(),
            Self::Note(note) => format!("({note})"),
        }
    }
}

fn parts(config: &Config) -> Vec<Part> {
    let mut parts = vec![top(config), limits(config), log(config), admin(&config.admin)];
    parts.extend(config.admin.users.iter().map(admin_user));
    parts.extend(config.listeners.iter().map(listener));
    parts.extend(caps(&config.caps));
    parts.extend(config.access.iter().enumerate().map(|(index, rule)| access(index, rule)));
    parts.extend(config.clients.iter().map(client));
    parts.extend(rules(&config.rules));
    parts.push(break_glass(config));
    parts
}

fn top(config: &Config) -> Part {
    let keys = vec![
        pair("state_dir", config.state_dir.display().to_string()),
        number("workers", config.workers),
        pair("drain_timeout", display_duration(config.drain_timeout)),
    ];
    Part { heading: String::new(), label: String::new(), keys }
}

fn limits(config: &Config) -> Part {
    let Limits { memory_bytes, guard_time } = config.limits;
    let keys =
        vec![pair("memory", ByteSize(memory_bytes).to_string()), pair("guard_time", display_duration(guard_time))];
    table("limits", keys)
}

fn log(config: &Config) -> Part {
    let format = match config.log.format {
        LogFormat::Text => "text",
        LogFormat::Json => "json",
    };
    table("log", vec![pair("format", format), pair("level", config.log.level.as_str())])
}

fn break_glass(config: &Config) -> Part {
    let key = if config.break_glass.is_some() { pair("key", MASK) } else { note("key", "none: no pass is accepted") };
    table("break_glass", vec![key])
}

fn admin(admin: &Admin) -> Part {
    let shown = |address: Option<SocketAddr>| address.map_or_else(|| "off".to_owned(), |address| address.to_string());
    table("admin", vec![pair("http", shown(admin.http)), pair("console", shown(admin.console))])
}

fn admin_user(user: &AdminUser) -> Part {
    let keys = vec![pair("name", user.name.as_str()), pair("role", user.role.label()), pair("password", MASK)];
    entry("admin.user", &user.name, keys)
}

fn listener(listener: &Listener) -> Part {
    let servers = listener.servers.iter().cloned().map(Value::String).collect();
    let max_server_connections = match listener.max_server_connections {
        Some(count) => number("max_server_connections", count),
        None => note("max_server_connections", "learnt from the server"),
    };
    let client_idle_timeout = match listener.client_idle_timeout {
        Some(limit) => pair("client_idle_timeout", display_duration(limit)),
        None => note("client_idle_timeout", "idle clients may stay"),
    };
    let mut keys = vec![
        pair("name", listener.name.as_str()),
        pair("protocol", "postgres"),
        pair("bind", listener.bind.to_string()),
        unix_socket(listener),
        proxies(listener),
        ("reuse_port".to_owned(), Shown::Value(Value::Boolean(listener.entry.reuse_port))),
        ("servers".to_owned(), Shown::Value(Value::Array(servers))),
        pair("server_check_interval", display_duration(listener.server_check_interval)),
        pair("login", listener.login.label()),
        pair("pool", listener.pool.mode.label()),
        ("client_tls".to_owned(), Shown::Value(Value::Table(listener.tls.client.to_table()))),
        ("server_tls".to_owned(), Shown::Value(Value::Table(listener.tls.server.to_table()))),
        max_server_connections,
        client_idle_timeout,
        ("allow_trust".to_owned(), Shown::Value(Value::Boolean(listener.allow_trust))),
        listener.monitor.as_ref().map_or_else(|| note("monitor", "none: the catalogue is not read"), monitor),
    ];
    match &listener.login {
        Login::Relay => {}
        Login::Users(users) => keys.push(pair("users_file", users.file.display().to_string())),
        Login::Query(query) => {
            keys.push(pair("auth_query", query.query.as_str()));
            let asks = Monitor {
                user: query.user.clone(),
                password: query.password.clone(),
                database: query.database.clone(),
            };
            keys.push(("auth".to_owned(), monitor(&asks).1));
        }
    }
    keys.extend(pool(&listener.pool));
    entry("listener", &listener.name, keys)
}

fn unix_socket(listener: &Listener) -> (String, Shown) {
    match &listener.entry.unix_socket {
        Some(folder) => pair("unix_socket", folder.display().to_string()),
        None => note("unix_socket", "none"),
    }
}

fn proxies(listener: &Listener) -> (String, Shown) {
    let networks = &listener.entry.proxy_protocol_from;
    if networks.is_empty() {
        return note("proxy_protocol_from", "nowhere: every client comes directly");
    }
    let networks = networks.iter().map(|network| Value::from(network.to_string())).collect();
    ("proxy_protocol_from".to_owned(), Shown::Value(Value::Array(networks)))
}

/// What bounds pools, where there are any.
fn pool(pool: &Pool) -> Vec<(String, Shown)> {
    if pool.mode == PoolMode::Session {
        return Vec::new();
    }
    vec![
        number("pool_size", pool.size),
        number("min_pool_size", pool.min_size),
        number("min_guaranteed_pool_size", pool.min_guaranteed_size),
        number("max_server_logins", pool.max_server_logins),
        pair("server_connect_timeout", display_duration(pool.server_connect_timeout)),
        pair("server_idle_timeout", display_duration(pool.server_idle_timeout)),
        pair("server_lifetime", display_duration(pool.server_lifetime)),
        pair("query_wait_timeout", display_duration(pool.query_wait_timeout)),
        number("pool_queue_length", pool.queue_length),
        number("max_prepared_statements", pool.max_prepared_statements),
        number("max_client_prepared_statements", pool.max_client_prepared_statements),
        ("prepare_unnamed".to_owned(), Shown::Value(Value::Boolean(pool.prepare_unnamed))),
        pair("unknown_tables", pool.unknown_tables.label().to_owned()),
    ]
}

fn monitor(monitor: &Monitor) -> (String, Shown) {
    let password = monitor.password.as_ref().map(|_| ("password".to_owned(), Value::from(MASK)));
    let fields = [("user", &monitor.user), ("database", &monitor.database)];
    let named = fields.map(|(key, text)| (key.to_owned(), Value::from(text.as_str())));
    ("monitor".to_owned(), Shown::Value(Value::Table(named.into_iter().chain(password).collect())))
}

fn caps(caps: &Caps) -> [Part; 3] {
    let key = caps.client_key.iter().map(|part| Value::from(part.label())).collect();
    let all = vec![
        number("max_clients", caps.max_clients),
        number("max_logins", caps.max_logins),
        number("max_logins_per_address", caps.max_logins_per_address),
        pair("login_timeout", display_duration(caps.login_timeout)),
        pair("over", caps.over.label()),
        number("queue_length", caps.queue_length),
        pair("queue_wait", display_duration(caps.queue_wait)),
    ];
    let client = vec![
        ("key".to_owned(), Shown::Value(Value::Array(key))),
        number("max_connections", caps.client.max_connections),
        ("new_connections_per_second".to_owned(), Shown::Value(Value::from(caps.client.new_connections_per_second))),
    ];
    [
        table("caps", all),
        table("caps.address", vec![number("max_connections", caps.address_max_connections)]),
        table("caps.client", client),
    ]
}

fn access(index: usize, rule: &AccessRule) -> Part {
    let named = [("listener", &rule.listener), ("user", &rule.user), ("database", &rule.database)];
    let mut keys: Vec<_> = named.into_iter().map(|(key, text)| pair(key, text.as_str())).collect();
    if !rule.addresses.is_empty() {
        let addresses = rule.addresses.iter().map(|network| Value::from(network.to_string())).collect();
        keys.push(("address".to_owned(), Shown::Value(Value::Array(addresses))));
    }
    keys.extend(rule.tls.map(|tls| ("tls".to_owned(), Shown::Value(Value::Boolean(tls)))));
    keys.push(pair("method", rule.method.label()));
    entry("access", &index.to_string(), keys)
}

fn client(client: &ClientRule) -> Part {
    let mut keys = vec![pair("name", client.name.as_str()), ("match".to_owned(), Shown::Value(matches(client)))];
    let connections = client.max_connections.map(|count| ("max_connections".to_owned(), integer(count)));
    let rate =
        client.new_connections_per_second.map(|rate| ("new_connections_per_second".to_owned(), Value::from(rate)));
    let caps: Table = connections.into_iter().chain(rate).collect();
    for (key, given) in [("caps", &caps), ("rules", &client.rules)] {
        if !given.is_empty() {
            keys.push((key.to_owned(), Shown::Value(Value::Table(given.clone()))));
        }
    }
    if client.replication {
        keys.push(("replication".to_owned(), Shown::Value(Value::Boolean(true))));
    }
    entry("client", &client.name, keys)
}

/// Only what narrows the match: `*` and an empty list mean anybody.
fn matches(client: &ClientRule) -> Value {
    let matches = &client.matches;
    let globs = [
        ("user", &matches.user),
        ("database", &matches.database),
        ("application_name", &matches.application_name),
        ("listener", &matches.listener),
    ];
    let narrow = globs.into_iter().filter(|(_, glob)| glob.as_str() != "*");
    let mut table: Table = narrow.map(|(key, glob)| (key.to_owned(), Value::from(glob.as_str()))).collect();
    if !matches.addresses.is_empty() {
        let networks = matches.addresses.iter().map(|network| Value::from(network.to_string())).collect();
        table.insert("address".to_owned(), Value::Array(networks));
    }
    Value::Table(table)
}

fn rules(rules: &Table) -> Vec<Part> {
    let is_rule = |value: &Value| value.is_table();
    let own = rules
        .iter()
        .filter(|(_, value)| !is_rule(value))
        .map(|(key, value)| (key.clone(), Shown::Value(value.clone())));
    let mut parts = vec![table("rules", own.collect())];
    for (name, settings) in rules.iter().filter_map(|(name, value)| value.as_table().map(|settings| (name, settings))) {
        let keys = settings.iter().map(|(key, value)| (key.clone(), Shown::Value(value.clone()))).collect();
        parts.push(table(&format!("rules.{}", key_of(name)), keys));
    }
    parts
}

/// Stands for the listeners' names.
pub(super) const OF_LISTENERS: &str = "listener[]";

const MASK: &str = "***";

fn table(path: &str, keys: Vec<(String, Shown)>) -> Part {
    Part { heading: format!("[{path}]"), label: path.to_owned(), keys }
}

fn entry(path: &str, name: &str, keys: Vec<(String, Shown)>) -> Part {
    Part { heading: format!("[[{path}]]"), label: format!("{path}.{name}"), keys }
}

fn pair(key: &str, value: impl Into<String>) -> (String, Shown) {
    (key.to_owned(), Shown::Value(Value::String(value.into())))
}

fn number(key: &str, count: usize) -> (String, Shown) {
    (key.to_owned(), Shown::Value(integer(count)))
}

fn note(key: &str, note: &'static str) -> (String, Shown) {
    (key.to_owned(), Shown::Note(note))
}

fn integer(count: usize) -> Value {
    Value::Integer(i64::try_from(count).unwrap_or(i64::MAX))
}

/// A key as TOML wants it: bare where it can be.
fn key_of(key: &str) -> String {
    let bare = !key.is_empty() && key.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-');
    if bare { key.to_owned() } else { Value::from(key).to_string() }
}

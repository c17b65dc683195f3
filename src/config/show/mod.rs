//! A resolved configuration for people: rows for the console, TOML for `check`. Secrets are masked.

mod clients;
mod databases;
mod listener;
mod pools;

use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt::Write as _;
use std::net::SocketAddr;

use toml::{Table, Value};

use self::clients::{access, caps, client};
use self::databases::database;
use self::listener::{listener, pool};
use self::pools::pool_rule;
use super::{Admin, AdminUser, Config, Limits, Loaded, LogFormat, Pool, Process, read};
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
        let of_pools = pool(&Pool::default());
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
    parts.extend(config.databases.iter().enumerate().map(|(index, rule)| database(index, rule)));
    parts.extend(config.pools.iter().enumerate().map(|(index, rule)| pool_rule(index, rule)));
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
pub(in crate::config) const OF_LISTENERS: &str = "listener[]";

const MASK: &str = "***";

fn table(path: &str, keys: Vec<(String, Shown)>) -> Part {
    Part { heading: format!("[{path}]"), label: path.to_owned(), keys }
}

fn entry(path: &str, name: &str, keys: Vec<(String, Shown)>) -> Part {
    Part { heading: format!("[[{path}]]"), label: format!("{path}.{name}"), keys }
}

fn pair(key: &str, value: impl Into<Value>) -> (String, Shown) {
    (key.to_owned(), Shown::Value(value.into()))
}

/// The globs that narrow a match: `*` means all.
fn narrow<const N: usize>(globs: [(&str, &String); N]) -> Table {
    let narrow = globs.into_iter().filter(|(_, glob)| glob.as_str() != "*");
    narrow.map(|(key, glob)| (key.to_owned(), Value::from(glob.as_str()))).collect()
}

fn texts(values: &[impl ToString]) -> Vec<String> {
    values.iter().map(ToString::to_string).collect()
}

fn number(key: &str, count: usize) -> (String, Shown) {
    pair(key, integer(count))
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

//! What a reload cannot change in a running process.

use super::show::OF_LISTENERS;
use super::{Config, Listener};

/// A key, and whether two configurations differ in it.
type Fixed<T> = (&'static str, fn(&T, &T) -> bool);

const FIXED: [Fixed<Config>; 7] = [
    ("state_dir", |old, new| old.state_dir != new.state_dir),
    ("workers", |old, new| old.workers != new.workers),
    ("log.format", |old, new| old.log.format != new.log.format),
    ("limits.memory", |old, new| old.limits.memory_bytes != new.limits.memory_bytes),
    ("limits.guard_time", |old, new| old.limits.guard_time != new.limits.guard_time),
    ("admin.http", |old, new| old.admin.http != new.admin.http),
    ("admin.console", |old, new| old.admin.console != new.admin.console),
];

/// Keys of a listener: its socket stays where it is.
const FIXED_OF_LISTENERS: [Fixed<Listener>; 4] = [
    ("name", |old, new| old.name != new.name),
    ("bind", |old, new| old.bind != new.bind),
    ("unix_socket", |old, new| old.entry.unix_socket != new.entry.unix_socket),
    ("reuse_port", |old, new| old.entry.reuse_port != new.entry.reuse_port),
];

impl Config {
    /// Whether a reload applies another value of a key of [`Config::rows`].
    pub fn is_reloadable(key: &str) -> bool {
        let key = Self::common_key(key);
        match key.strip_prefix(OF_LISTENERS).and_then(|rest| rest.strip_prefix('.')) {
            Some(key) => FIXED_OF_LISTENERS.iter().all(|(fixed, _)| *fixed != key),
            None => FIXED.iter().all(|(fixed, _)| *fixed != key),
        }
    }

    /// The keys that differ and that only a restart applies; everything else takes effect with the swap.
    pub fn needs_restart(old: &Self, new: &Self) -> Vec<String> {
        let changed = changed(&FIXED, old, new).map(str::to_owned);
        changed.chain(listener_changes(old, new)).collect()
    }
}

fn changed<T>(fixed: &[Fixed<T>], old: &T, new: &T) -> impl Iterator<Item = &'static str> {
    fixed.iter().filter(|(_, differs)| differs(old, new)).map(|(key, _)| *key)
}

/// Listeners are told apart by name. A bound socket stays where it is, and none is opened or closed by a reload.
fn listener_changes(old: &Config, new: &Config) -> Vec<String> {
    let mut changes = Vec::new();
    for listener in &old.listeners {
        match new.listeners.iter().find(|other| other.name == listener.name) {
            None => changes.push(format!("listener.{} (removed)", listener.name)),
            Some(other) => {
                let changed = changed(&FIXED_OF_LISTENERS, listener, other);
                changes.extend(changed.map(|key| format!("listener.{}.{key}", listener.name)));
            }
        }
    }
    let added = new.listeners.iter().filter(|other| !old.listeners.iter().any(|listener| listener.name == other.name));
    changes.extend(added.map(|listener| format!("listener.{} (added)", listener.name)));
    changes
}

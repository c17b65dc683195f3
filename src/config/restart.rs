//! What a reload cannot change in a running process.

use super::Config;

/// Keys of [`Config::rows`] that only a restart applies, those of a listener by their [`Config::common_key`].
const FIXED: [&str; 11] = [
    "state_dir",
    "workers",
    "log.format",
    "limits.memory",
    "limits.guard_time",
    "admin.http",
    "admin.console",
    "listener[].name",
    "listener[].bind",
    "listener[].unix_socket",
    "listener[].reuse_port",
];

impl Config {
    /// Whether a reload applies another value of a key of [`Config::rows`].
    pub fn is_reloadable(key: &str) -> bool {
        !FIXED.contains(&&*Self::common_key(key))
    }

    /// The keys that differ and that only a restart applies; everything else takes effect with the swap.
    pub fn needs_restart(old: &Self, new: &Self) -> Vec<String> {
        let fixed = [
            ("state_dir", old.state_dir != new.state_dir),
            ("workers", old.workers != new.workers),
            ("log.format", old.log.format != new.log.format),
            ("limits.memory", old.limits.memory_bytes != new.limits.memory_bytes),
            ("limits.guard_time", old.limits.guard_time != new.limits.guard_time),
            ("admin.http", old.admin.http != new.admin.http),
            ("admin.console", old.admin.console != new.admin.console),
        ];
        let changed = fixed.iter().filter(|(_, differs)| *differs).map(|(key, _)| (*key).to_owned());
        changed.chain(listener_changes(old, new)).collect()
    }
}

/// Listeners are told apart by name. A bound socket stays where it is, and none is opened or closed by a reload.
fn listener_changes(old: &Config, new: &Config) -> Vec<String> {
    let mut changes = Vec::new();
    for listener in &old.listeners {
        match new.listeners.iter().find(|other| other.name == listener.name) {
            None => changes.push(format!("listener.{} (removed)", listener.name)),
            Some(other) => {
                let fixed = [
                    ("bind", other.bind != listener.bind),
                    ("unix_socket", other.entry.unix_socket != listener.entry.unix_socket),
                    ("reuse_port", other.entry.reuse_port != listener.entry.reuse_port),
                ];
                let changed = fixed.iter().filter(|(_, differs)| *differs);
                changes.extend(changed.map(|(key, _)| format!("listener.{}.{key}", listener.name)));
            }
        }
    }
    let added = new.listeners.iter().filter(|other| !old.listeners.iter().any(|listener| listener.name == other.name));
    changes.extend(added.map(|listener| format!("listener.{} (added)", listener.name)));
    changes
}

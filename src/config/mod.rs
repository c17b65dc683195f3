//! The resolved configuration: immutable, with no `Option` that means "default".
//!
//! `document` reads `config.toml` with the place of each key, `resolve` and the section files turn it into this and
//! gather every error on the way. Defaults stand in `defaults`. Rules stay raw tables here, since only the guard's
//! registry knows their settings (`app` hands in a check), so `config` imports no policy.
//!
//! A running process never changes a `Config`: a reload builds a whole new one and swaps it.

mod access;
mod admin;
mod break_glass;
mod caps;
mod client;
mod context;
mod databases;
mod defaults;
mod document;
mod listener;
mod pools;
mod problem;
mod resolve;
mod restart;
mod show;
mod strays;
mod surroundings;
mod users;
mod value;

use std::path::PathBuf;
use std::time::Duration;

pub use access::{AccessMethod, AccessRule};
pub use admin::{Admin, AdminUser, Role};
pub use caps::{Caps, ClientCaps, KeyPart, Over};
pub use client::{ClientMatch, ClientRule};
pub use context::{RulesCheck, RulesTable};
pub use databases::{DatabaseRule, Databases, ServerUser};
pub use listener::{
    AuthQuery, Entry, Listener, Login, Monitor, Pool, PoolMode, Tls, TlsMode, TlsProtocols, TlsSide, UnknownTables,
    Users,
};
pub use pools::{PoolMatch, PoolRule};
pub use problem::{Problem, Problems, SettingError, Warnings};
pub use resolve::{Loaded, load, load_break_glass, load_console, locate, read};
pub use surroundings::{Process, SecretSource, Surroundings};
pub use users::{User, UserSecret};

/// Everything that `config.toml` says, with every default filled in.
#[derive(Debug, Clone, PartialEq)]
pub struct Config {
    /// Where generated files go: the console password, its socket.
    pub state_dir: PathBuf,
    /// Worker threads of the data path; 0 in the file means one for each core and is resolved here.
    pub workers: usize,
    /// Process-wide budgets.
    pub limits: Limits,
    /// Console and HTTP.
    pub admin: Admin,
    /// At least one.
    pub listeners: Vec<Listener>,
    /// Caps of each listener and, by default, of each client.
    pub caps: Caps,
    /// The `[[client]]` entries in file order.
    pub clients: Vec<ClientRule>,
    /// The `[[access]]` entries in file order; none: everybody may come in.
    pub access: Vec<AccessRule>,
    /// The `[[database]]` entries in file order; each listener has its own.
    pub databases: Vec<DatabaseRule>,
    /// The `[[pool]]` entries in file order.
    pub pools: Vec<PoolRule>,
    /// The raw `[rules]` table: read by `guard::Guard::build`.
    pub rules: toml::Table,
    /// Signs break-glass passes; `None`: there are none.
    pub break_glass: Option<Secret>,
    /// How to log.
    pub log: Log,
    /// How long a drain may take before sessions are ended.
    pub drain_timeout: Duration,
}

impl Config {
    /// The console's Unix socket, named as `psql -h <state_dir> -p <port>` looks for it; `None` without a console.
    pub fn console_socket(&self) -> Option<PathBuf> {
        self.admin.console.map(|address| self.state_dir.join(format!(".s.PGSQL.{}", address.port())))
    }

    /// Where the generated console password stands.
    pub fn console_password_file(&self) -> PathBuf {
        self.state_dir.join("console.password")
    }
}

/// Name of the console user that is there when `[[admin.user]]` is not given.
pub const GENERATED_ADMIN: &str = "admin";

/// `[limits]`.
#[derive(Debug, Clone, PartialEq)]
pub struct Limits {
    /// Bytes of all data-path buffers and caches together.
    pub memory_bytes: u64,
    /// How long reading one text may take before it is counted and logged; at twenty times as long it counts as unreadable.
    pub guard_time: Duration,
}

/// A secret that never shows itself in `Debug`.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Wraps a secret.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The secret itself: for the one call that needs it, never for a log.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret(***)")
    }
}

/// `[log]`.
#[derive(Debug, Clone, PartialEq)]
pub struct Log {
    /// Line format.
    pub format: LogFormat,
    /// `error`, `warn`, `info`, `debug` or `trace`.
    pub level: String,
}

/// Line format of the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

//! The engine of `floodwall import`: a configuration of PgBouncer in, the equivalent one and what has no equivalent out.
//!
//! ```text
//! ini        sections, keys and lines of pgbouncer.ini, with what %include names
//! connect    the connection string of a database
//! userlist   the users of auth_file
//! hba        the lines of auth_hba_file
//!   convert  what each key becomes
//!     keys   what becomes of the keys that need no thought
//!     settings  the keys of [pgbouncer], and what is noted
//!     databases, declared, exception, login, access, caps  what [databases], [users], the passwords and the limits become
//!     database, sizes, pools  databases with another name or role, and pools with sizes of their own
//!     mode   when servers are given back
//!     doors  which databases each listener lets in
//!     pattern  names that would hold for others as well
//!     common  what all listeners have in common
//!     listener, users, text  the text of config.toml and users.toml
//! ```
//!
//! Source of all meanings and defaults: PgBouncer's manual, <https://www.pgbouncer.org/config.html>.

mod access;
mod caps;
mod common;
mod connect;
mod convert;
mod database;
mod databases;
mod declared;
mod doors;
mod exception;
mod hba;
mod ini;
mod keys;
mod listener;
mod login;
mod mode;
mod pattern;
mod pools;
mod settings;
mod sizes;
mod text;
mod userlist;
mod users;

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

/// Reads a file: the import opens none on its own.
pub type ReadFile<'a> = &'a dyn Fn(&Path) -> io::Result<String>;

/// What a configuration of PgBouncer becomes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Imported {
    /// The text of `config.toml`.
    pub config: String,
    /// Files that hold secrets and belong beside it, each by name with its text: `users.toml`, where users are known; `auth.password`, with
    /// which the user logs in that asks the server for passwords; and one for each database whose clients are one role at the server.
    pub secrets: Vec<(String, String)>,
    /// What has no equivalent, in the order of the files.
    pub notes: Vec<Note>,
}

/// A key that does not carry over as it stands.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Note {
    /// Where it stands.
    pub place: Place,
    /// The key, with the database or user that it is of.
    pub key: String,
    /// What becomes of it, and what to do instead.
    pub advice: String,
}

/// A line of a file, from 1.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// The file.
    pub file: PathBuf,
    /// The line.
    pub line: usize,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.file.display(), self.line)
    }
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}: {}", self.place, self.key, self.advice)
    }
}

/// Why nothing was imported.
#[derive(Debug, thiserror::Error)]
pub enum Failed {
    /// A file cannot be read.
    #[error("{path}: cannot be read: {error}")]
    Unreadable {
        /// The file.
        path: String,
        /// What the system said.
        error: io::Error,
    },
    /// A line that PgBouncer would not take either.
    #[error("{place}: {reason}")]
    Malformed {
        /// Where.
        place: Place,
        /// What is wrong with it.
        reason: String,
    },
}

/// What becomes of a setting of PgBouncer's; `None` where it has none of that name.
pub fn advice(key: &str) -> Option<&'static str> {
    Some(match keys::fate(key)? {
        keys::Fate::Taken => "floodwall import writes what it becomes",
        keys::Fate::Idle => "there is nothing to set",
        keys::Fate::Gone(advice) => advice,
    })
}

/// Reads `pgbouncer.ini` with what it includes, and the users: those of `userlist`, or else of its `auth_file`.
///
/// # Errors
/// A file that was named on the command line or by `%include` cannot be read, or holds what PgBouncer would refuse.
pub fn import(ini: &Path, userlist: Option<&Path>, read: ReadFile<'_>) -> Result<Imported, Failed> {
    let entries = ini::read(ini, read)?;
    convert::convert(&entries, &users::Source { ini, userlist, read })
}

//! A `[[database]]`: one with another name or another role at the server.

use super::mode::Mode;
use super::sizes::Sizes;
use super::text::quoted;

/// A database that was declared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Database {
    /// As clients know it.
    pub(super) key: String,
    /// The server's own name, where that is another one.
    pub(super) at_server: Option<String>,
    /// As whom its clients are at the server, where that is one role.
    pub(super) role: Option<Role>,
    /// How many clients it may have.
    pub(super) clients: Option<u64>,
    /// When its servers are given back.
    pub(super) mode: Mode,
    /// Servers of each of its pools with PgBouncer.
    pub(super) pool_size: u64,
    /// Servers in all of its pools together; 0: any number.
    pub(super) max_connections: u64,
    /// What its pools have of their own, where its servers are lent.
    pub(super) sizes: Sizes,
}

/// A role that PgBouncer logged in as for all clients of a database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Role {
    pub(super) name: String,
    pub(super) proof: RoleProof,
}

/// With what it logs in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum RoleProof {
    /// With nothing: PgBouncer knew no password either.
    Nothing,
    /// With the password in this file.
    File(String),
    /// With one that nobody has told, in this variable.
    Variable(String),
}

impl Database {
    /// The entry; `None` where it is the server's own and each client is itself there.
    pub(super) fn text(&self, listener: Option<&str>) -> Option<String> {
        if self.at_server.is_none() && self.role.is_none() {
            return None;
        }
        let mut lines = vec!["[[database]]".to_owned(), format!("name = {}", quoted(&self.key))];
        lines.extend(listener.map(|listener| format!("listener = {}", quoted(listener))));
        lines.extend(self.at_server.as_deref().map(|name| format!("database = {}", quoted(name))));
        if let Some(Role { name, proof }) = &self.role {
            lines.push(format!("user = {}", quoted(name)));
            lines.extend(match proof {
                RoleProof::Nothing => None,
                RoleProof::File(file) => Some(format!("password_file = {}", quoted(file))),
                RoleProof::Variable(variable) => Some(format!("password_env = {}", quoted(variable))),
            });
        }
        Some(lines.join("\n") + "\n")
    }
}

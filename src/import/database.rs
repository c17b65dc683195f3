//! The text of a `[[database]]`, and of the `[[pool]]` entries for databases and users with sizes of their own.

use super::listener::{Listener, quoted};

/// A database that was declared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Database {
    /// As clients know it.
    pub(super) key: String,
    /// The server's own name, where that is another one.
    pub(super) at_server: Option<String>,
    /// As whom its clients are at the server, where that is one role.
    pub(super) role: Option<Role>,
    /// What its pools have of their own.
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

/// What pools have of their own.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Sizes {
    pub(super) pool_size: Option<u64>,
    pub(super) min_pool_size: Option<u64>,
    /// In seconds, as the next.
    pub(super) server_lifetime: Option<u64>,
    pub(super) query_wait_timeout: Option<u64>,
}

/// Whose pools have sizes of their own; `None`: any.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Whose<'a> {
    pub(super) user: Option<&'a str>,
    pub(super) database: Option<&'a str>,
    pub(super) listener: Option<&'a str>,
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

impl Sizes {
    /// Those of `self` where it says something, else those of `other`.
    pub(super) fn or(self, other: Self) -> Self {
        Self {
            pool_size: self.pool_size.or(other.pool_size),
            min_pool_size: self.min_pool_size.or(other.min_pool_size),
            server_lifetime: self.server_lifetime.or(other.server_lifetime),
            query_wait_timeout: self.query_wait_timeout.or(other.query_wait_timeout),
        }
    }

    /// The entry; `None` where nothing is other than for all pools of the listener.
    pub(super) fn text(&self, whose: Whose<'_>) -> Option<String> {
        if *self == Self::default() {
            return None;
        }
        let Whose { user, database, listener } = whose;
        let parts = [("listener", listener), ("database", database), ("user", user)];
        let parts: Vec<_> =
            parts.into_iter().filter_map(|(key, part)| Some(format!("{key} = {}", quoted(part?)))).collect();
        let mut lines = vec!["[[pool]]".to_owned(), format!("match = {{ {} }}", parts.join(", "))];
        let counts = [("pool_size", self.pool_size), ("min_pool_size", self.min_pool_size)];
        lines.extend(counts.into_iter().filter_map(|(key, count)| Some(format!("{key} = {}", count?))));
        let times = [("server_lifetime", self.server_lifetime), ("query_wait_timeout", self.query_wait_timeout)];
        lines.extend(times.into_iter().filter_map(|(key, seconds)| Some(format!("{key} = \"{}s\"", seconds?))));
        Some(lines.join("\n") + "\n")
    }
}

/// The entries for all pools, in their order: what is said of a user goes before what is said of a database, as with PgBouncer, and what
/// only the database says stands with both.
pub(super) fn pools(listeners: &[&Listener], users: &[(String, Sizes)], least: u64) -> Vec<String> {
    let several = listeners.len() > 1;
    let databases = || {
        listeners.iter().flat_map(|listener| {
            let whose = move |database| Whose {
                database: Some(database),
                listener: several.then_some(&*listener.name),
                user: None,
            };
            listener.databases.iter().map(move |known| (whose(&known.key), listener.beyond(known.sizes)))
        })
    };
    let mut texts = Vec::new();
    for (user, sizes) in users {
        let more = databases().filter(|(_, beyond)| sizes.or(*beyond) != *sizes);
        let both = more.map(|(whose, beyond)| (Whose { user: Some(user), ..whose }, sizes.or(beyond)));
        texts.extend(both.filter_map(|(whose, sizes)| sizes.within(least).text(whose)));
        texts.extend(sizes.within(least).text(Whose { user: Some(user), ..Whose::default() }));
    }
    texts.extend(databases().filter_map(|(whose, sizes)| sizes.within(least).text(whose)));
    texts
}

impl Listener {
    /// What pools of a database have that those of all others have not.
    fn beyond(&self, own: Sizes) -> Sizes {
        let size = own.pool_size.unwrap_or(self.pool_size);
        Sizes {
            pool_size: own.pool_size.filter(|size| *size != self.pool_size),
            min_pool_size: own.min_pool_size.map(|least| least.min(size)),
            ..own
        }
    }
}

impl Sizes {
    /// PgBouncer caps the least of a pool at its size.
    fn within(self, least: u64) -> Self {
        let Some(size) = self.pool_size else { return self };
        let own = self.min_pool_size.unwrap_or(least);
        Self { min_pool_size: (own > size).then_some(size).or(self.min_pool_size), ..self }
    }
}

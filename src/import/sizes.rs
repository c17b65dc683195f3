//! A `[[pool]]`: pools with a mode, sizes and times of their own.

use super::mode::Mode;
use super::text::quoted;

/// What pools have of their own.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Sizes {
    pub(super) mode: Option<Mode>,
    pub(super) pool_size: Option<u64>,
    pub(super) min_pool_size: Option<u64>,
    /// In seconds, as the next.
    pub(super) server_lifetime: Option<u64>,
    pub(super) query_wait_timeout: Option<u64>,
    /// Servers of the database in all of its pools, as the next of the user; 0: any number.
    pub(super) max_db_connections: Option<u64>,
    pub(super) max_user_connections: Option<u64>,
}

/// Whose pools have sizes of their own; `None`: any.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Whose<'a> {
    pub(super) user: Option<&'a str>,
    pub(super) database: Option<&'a str>,
    pub(super) listener: Option<&'a str>,
}

impl Sizes {
    /// Those of `self` where it says something, else those of `other`.
    pub(super) fn or(self, other: Self) -> Self {
        Self {
            mode: self.mode.or(other.mode),
            pool_size: self.pool_size.or(other.pool_size),
            min_pool_size: self.min_pool_size.or(other.min_pool_size),
            server_lifetime: self.server_lifetime.or(other.server_lifetime),
            query_wait_timeout: self.query_wait_timeout.or(other.query_wait_timeout),
            max_db_connections: self.max_db_connections.or(other.max_db_connections),
            max_user_connections: self.max_user_connections.or(other.max_user_connections),
        }
    }

    /// What is left of it where the mode of others is `usual`: sizes say nothing of sessions, each of which has a server.
    pub(super) fn beside(self, usual: Mode) -> Self {
        let own = Self { mode: self.mode.or(Some(usual)), ..self }.of_mode();
        Self { mode: own.mode.filter(|mode| *mode != usual), ..own }
    }

    /// What is left of it in its mode.
    pub(super) fn of_mode(self) -> Self {
        match self.mode {
            Some(Mode::Session) => self.of_sessions(),
            Some(Mode::Transaction) | None => self,
        }
    }

    /// What holds for sessions as well, each of which has a server.
    pub(super) fn of_sessions(self) -> Self {
        let Self { mode, max_db_connections, max_user_connections, .. } = self;
        Self { mode, max_db_connections, max_user_connections, ..Self::default() }
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
        lines.extend(self.mode.map(|mode| format!("pool = {}", quoted(mode.word()))));
        let counts = [
            ("pool_size", self.pool_size),
            ("min_pool_size", self.min_pool_size),
            ("max_db_connections", self.max_db_connections),
            ("max_user_connections", self.max_user_connections),
        ];
        lines.extend(counts.into_iter().filter_map(|(key, count)| Some(format!("{key} = {}", count?))));
        let times = [("server_lifetime", self.server_lifetime), ("query_wait_timeout", self.query_wait_timeout)];
        lines.extend(times.into_iter().filter_map(|(key, seconds)| Some(format!("{key} = \"{}s\"", seconds?))));
        Some(lines.join("\n") + "\n")
    }

    /// PgBouncer caps the least of a pool at its size.
    pub(super) fn within(self, least: u64) -> Self {
        let Some(size) = self.pool_size else { return self };
        let own = self.min_pool_size.unwrap_or(least);
        Self { min_pool_size: (own > size).then_some(size).or(self.min_pool_size), ..self }
    }
}

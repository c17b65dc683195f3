//! The text of a `[[listener]]`.

use super::common::Common;
use super::database::Database;
use super::login::Login;
use super::mode::Mode;
use super::text::quoted;

/// A port that clients connect to, with the servers behind it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Listener {
    pub(super) name: String,
    pub(super) bind: String,
    pub(super) servers: Vec<String>,
    /// The databases that it was declared for, but for all others.
    pub(super) databases: Vec<Database>,
    pub(super) others: Others,
    /// Of its pools, as the next, where nothing else is said of them.
    pub(super) pool: Mode,
    pub(super) pool_size: u64,
    /// Servers of a database, where nothing else is said of it, and of a user, in all of their pools; 0: any number.
    pub(super) max_db_connections: u64,
    pub(super) max_user_connections: u64,
    /// Whether it lends servers, to all of its clients or to some.
    pub(super) lends: bool,
}

/// Whether databases that nobody has declared are there, by `*`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Others {
    LetIn,
    Unknown,
}

impl Listener {
    /// Those of its databases, and of all others where they are let in.
    pub(super) fn modes(&self) -> impl Iterator<Item = Mode> {
        let rest = (self.others == Others::LetIn).then_some(self.pool);
        self.databases.iter().map(|database| database.mode).chain(rest)
    }

    /// The names that clients have for its databases.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.databases.iter().map(|database| &*database.key)
    }

    pub(super) fn text(&self, login: &Login, common: &Common) -> String {
        let servers: Vec<String> = self.servers.iter().map(|server| quoted(server)).collect();
        let rest = (self.others == Others::LetIn).then_some("every other database");
        let databases: Vec<&str> = self.databases.iter().map(|known| &*known.key).chain(rest).collect();
        let mut lines = vec![
            "[[listener]]".to_owned(),
            format!("# For {}.", databases.join(", ")),
            format!("name = {}", quoted(&self.name)),
            format!("bind = {}", quoted(&self.bind)),
            format!("servers = [{}]", servers.join(", ")),
        ];
        lines.extend(login.lines());
        if self.lends {
            lines.push(MONITOR.to_owned());
        }
        lines.push(format!("pool = {}", quoted(self.pool.word())));
        let bounds =
            [("max_db_connections", self.max_db_connections), ("max_user_connections", self.max_user_connections)];
        lines.extend(bounds.into_iter().filter(|(_, most)| *most > 0).map(|(key, most)| format!("{key} = {most}")));
        if self.lends {
            lines.extend(self.pool_lines(common));
        }
        lines.extend(common.lines.iter().cloned());
        lines.join("\n") + "\n"
    }

    /// PgBouncer caps the least of a pool at its size.
    fn pool_lines(&self, common: &Common) -> Vec<String> {
        let least = common.min_pool_size.min(self.pool_size);
        let mut lines = vec![format!("pool_size = {}", self.pool_size)];
        lines.extend((least > 0).then(|| format!("min_pool_size = {least}")));
        lines.extend(common.of_pools.iter().cloned());
        lines
    }
}

/// What PgBouncer has no key for.
const MONITOR: &str = "\
# Worth having: a role that may log in and needs no other right. Without it no table is known to be plain, so that a transaction on one
# costs a question to the server more.
#monitor = { user = \"floodwall\", password_env = \"FLOODWALL_MONITOR_PASSWORD\" }";

//! What `[databases]` becomes: listeners, with the servers behind them.

use super::database::Database;
use super::declared::Given;
use super::ini::Entry;
use super::listener::{Listener, Others};
use super::login::Login;
use super::mode::Mode;
use super::pattern::{self, is_pattern};
use super::settings::Convert;

impl Convert<'_> {
    /// A listener for each group of servers.
    pub(super) fn listeners(&mut self, databases: &[&Entry], given: Given<'_>) -> Vec<Listener> {
        let mode = self.text("pool_mode").unwrap_or("session").to_owned();
        let told = self.mode(None, &mode);
        let default = if *given.login == Login::Relay { Mode::Session } else { told };
        let size = self.at_least_one("default_pool_size", 20, "since a pool needs a server");
        let [most, of_user] = ["max_db_connections", "max_user_connections"].map(|key| self.number(key, 0));
        let mut listeners: Vec<Listener> = Vec::new();
        for entry in databases {
            let Some(mut database) = self.database(entry, (default, size, most), given) else { continue };
            database.max_user_connections = of_user;
            match listeners.iter_mut().find(|known| known.servers == database.servers) {
                None => {
                    let bind = self.bind(listeners.len(), entry);
                    let name =
                        if listeners.is_empty() { "main".to_owned() } else { format!("pool-{}", listeners.len() + 1) };
                    listeners.push(Listener { name, bind, ..database });
                }
                Some(known) => known.join(database),
            }
        }
        listeners.iter_mut().for_each(|listener| listener.settle((default, size, most)));
        self.note_patterns(&listeners, databases);
        self.note_bounds_of_patterns(&listeners, databases);
        listeners
    }

    /// Databases that no entry can name, and that have a bound of their own.
    fn note_bounds_of_patterns(&mut self, listeners: &[Listener], databases: &[&Entry]) {
        for listener in listeners {
            let own = |known: &&Database| known.max_connections != listener.max_db_connections;
            for known in listener.databases.iter().filter(own).filter(|known| is_pattern(&known.key)) {
                let key = format!("{} max_db_connections", known.key);
                let entries = databases.iter().filter(|entry| entry.key == known.key);
                entries.for_each(|entry| self.note_key(entry, &key, pattern::POOL));
            }
        }
    }

    /// Databases that no `[[access]]` can name.
    fn note_patterns(&mut self, listeners: &[Listener], databases: &[&Entry]) {
        let declared = listeners.iter().filter(|listener| listener.others == Others::Unknown);
        let known = declared.flat_map(|listener| &listener.databases).filter(|database| is_pattern(&database.key));
        for database in known {
            databases
                .iter()
                .filter(|entry| entry.key == database.key)
                .for_each(|entry| self.note(entry, pattern::DATABASE));
        }
    }

    /// The address of the n-th listener: each has a port of its own.
    fn bind(&mut self, index: usize, entry: &Entry) -> String {
        let first = self.number("listen_port", 6432);
        let port = first.saturating_add(index as u64);
        if index > 0 {
            let advice = format!(
                "other servers than the databases before it: it has a listener of its own, on port {port}, and is let in nowhere else"
            );
            self.note(entry, &advice);
        }
        let listed = self.text("listen_addr").unwrap_or_default().to_owned();
        let mut addresses = listed.split(',').map(str::trim).filter(|address| !address.is_empty());
        let address = addresses.next().unwrap_or("127.0.0.1");
        if address == "*" {
            self.note_setting(
                "listen_addr",
                "* is IPv4 alone: for IPv6 as well write bind = \"[::]:…\", where the host has it",
            );
        }
        if addresses.next().is_some() {
            self.note_setting(
                "listen_addr",
                "a listener has one address: the first; write another [[listener]] for each of the others",
            );
        }
        let address = match address {
            "*" => "0.0.0.0",
            "localhost" => "127.0.0.1",
            other => other,
        };
        match address.parse::<std::net::IpAddr>() {
            Ok(std::net::IpAddr::V6(_)) => format!("[{address}]:{port}"),
            Ok(std::net::IpAddr::V4(_)) => format!("{address}:{port}"),
            Err(_) => {
                self.note_setting("listen_addr", "a name is no address to listen on: 127.0.0.1 takes its place");
                format!("127.0.0.1:{port}")
            }
        }
    }
}

impl Listener {
    /// Takes up one more database, or all others.
    fn join(&mut self, database: Self) {
        self.databases.extend(database.databases);
        if database.others == Others::LetIn {
            (self.others, self.pool, self.pool_size) = (Others::LetIn, database.pool, database.pool_size);
            self.max_db_connections = database.max_db_connections;
        }
    }

    /// What holds for all other databases, or for those that were declared, where they have the same; the default otherwise.
    fn settle(&mut self, (mode, size, most): (Mode, u64, u64)) {
        if self.others == Others::Unknown {
            self.pool = common(self.databases.iter().map(|database| database.mode)).unwrap_or(mode);
            let lent = self.databases.iter().filter(|database| database.mode == Mode::Transaction);
            self.pool_size = common(lent.map(|database| database.pool_size)).unwrap_or(size);
            let bounds = self.databases.iter().map(|database| database.max_connections);
            self.max_db_connections = common(bounds).unwrap_or(most);
        }
    }
}

/// What all of them have.
fn common<T: PartialEq>(mut all: impl Iterator<Item = T>) -> Option<T> {
    let first = all.next()?;
    all.all(|other| other == first).then_some(first)
}

//! What `[databases]` becomes: listeners, with the servers behind them.

use super::connect;
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
        let most = Some(self.number("max_db_connections", 0)).filter(|most| *most > 0);
        let mut listeners: Vec<Listener> = Vec::new();
        for entry in databases {
            let Some(database) = self.database(entry, (default, size, most), given) else { continue };
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
        listeners.iter_mut().for_each(|listener| listener.settle(default, size));
        self.note_shared_bounds(&listeners, databases);
        self.note_patterns(&listeners, databases);
        listeners
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

    /// PgBouncer bounds each database by itself.
    fn note_shared_bounds(&mut self, listeners: &[Listener], databases: &[&Entry]) {
        let shares = |listener: &&Listener| listener.databases.len() > 1 || listener.others == Others::LetIn;
        for listener in listeners.iter().filter(shares) {
            let name = &listener.name;
            let advice = match listener.max_server_connections {
                Some(most) => format!(
                    "bounds each database with PgBouncer: max_server_connections of listener \"{name}\" bounds all of its databases together, by {most}"
                ),
                None => format!(
                    "bounds each database with PgBouncer, and nothing bounds those of listener \"{name}\" together, since one of them was unbounded: write max_server_connections there"
                ),
            };
            self.note_setting("max_db_connections", &advice);
            for entry in databases.iter().filter(|entry| listener.declares(&entry.key)) {
                let own = connect::parse(&entry.value).unwrap_or_default();
                if own.iter().any(|(key, most)| key == "max_db_connections" && most != "0") {
                    self.note_key(entry, &format!("{} max_db_connections", entry.key), &advice);
                }
            }
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
        }
        self.max_server_connections =
            self.max_server_connections.zip(database.max_server_connections).map(|(a, b)| a.saturating_add(b));
    }

    /// What holds for all other databases, or for those that were declared, where they have the same; the default otherwise.
    fn settle(&mut self, mode: Mode, size: u64) {
        if self.others == Others::Unknown {
            self.pool = common(self.databases.iter().map(|database| database.mode)).unwrap_or(mode);
            let lent = self.databases.iter().filter(|database| database.mode == Mode::Transaction);
            self.pool_size = common(lent.map(|database| database.pool_size)).unwrap_or(size);
        }
    }
}

/// What all of them have.
fn common<T: PartialEq>(mut all: impl Iterator<Item = T>) -> Option<T> {
    let first = all.next()?;
    all.all(|other| other == first).then_some(first)
}

//! What `[databases]` becomes: listeners, with the servers behind them.

use super::connect;
use super::declared::Given;
use super::ini::Entry;
use super::listener::{Listener, Others, Pool};
use super::pattern::{self, is_pattern};
use super::settings::Convert;

impl Convert<'_> {
    /// A listener for each group of servers and pool mode.
    pub(super) fn listeners(&mut self, databases: &[&Entry], given: Given<'_>) -> Vec<Listener> {
        let mode = self.text("pool_mode").unwrap_or("session").to_owned();
        let default = self.pool(None, &mode);
        let size = self.at_least_one("default_pool_size", 20, "since a pool needs a server");
        let most = Some(self.number("max_db_connections", 0)).filter(|most| *most > 0);
        let mut listeners: Vec<Listener> = Vec::new();
        for entry in databases {
            let Some(database) = self.database(entry, (default, size, most), given) else { continue };
            match listeners.iter_mut().find(|known| known.servers == database.servers && known.pool == database.pool) {
                None => {
                    let bind = self.bind(listeners.len(), entry);
                    let name =
                        if listeners.is_empty() { "main".to_owned() } else { format!("pool-{}", listeners.len() + 1) };
                    listeners.push(Listener { name, bind, ..database });
                }
                Some(known) => self.join(known, database, entry),
            }
        }
        listeners.iter_mut().for_each(|listener| listener.settle_size(size));
        self.note_shared_bounds(&listeners, databases);
        self.note_patterns(&listeners, databases);
        listeners
    }

    /// One more database of a listener.
    fn join(&mut self, known: &mut Listener, database: Listener, entry: &Entry) {
        known.databases.extend(database.databases);
        if known.pool == Pool::Session && known.pool_size != database.pool_size {
            let advice = "each session has a server, so pool_size is in [caps.client]: the largest was taken";
            self.note_key(entry, &format!("{} pool_size", entry.key), advice);
        }
        if database.others == Others::LetIn {
            known.others = Others::LetIn;
        }
        known.pool_size = match (known.pool, database.others) {
            (Pool::Session, _) => known.pool_size.max(database.pool_size),
            (Pool::Transaction, Others::LetIn) => database.pool_size,
            (Pool::Transaction, Others::Unknown) => known.pool_size,
        };
        known.max_server_connections =
            known.max_server_connections.zip(database.max_server_connections).map(|(a, b)| a.saturating_add(b));
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
            let Some(most) = listener.max_server_connections else { continue };
            let advice = format!(
                "bounds each database with PgBouncer: max_server_connections of listener \"{}\" bounds all of its databases together, by {most}",
                listener.name
            );
            self.note_setting("max_db_connections", &advice);
            for entry in databases.iter().filter(|entry| listener.declares(&entry.key)) {
                let own = connect::parse(&entry.value).unwrap_or_default();
                if own.iter().any(|(key, _)| key == "max_db_connections") {
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
                "other servers, or another pool_mode, than the databases before it: it has a listener of its own, on port {port}, and is let in nowhere else"
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
    /// Its size is that of all other databases, or that of those which were declared, where they have the same; `default` otherwise.
    fn settle_size(&mut self, default: u64) {
        if self.pool == Pool::Session || self.others == Others::LetIn {
            return;
        }
        let mut sizes = self.databases.iter().map(|database| database.sizes.pool_size.unwrap_or(default));
        let first = sizes.next().unwrap_or(default);
        self.pool_size = if sizes.all(|size| size == first) { first } else { default };
    }
}

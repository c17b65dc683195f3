//! What `[databases]` becomes: listeners, with the servers behind them.

use std::collections::HashSet;

use super::connect;
use super::convert::Convert;
use super::exception::Exception;
use super::ini::Entry;
use super::listener::{Database, Listener, Others, Pool};
use super::pattern::{self, is_pattern};

impl Convert<'_> {
    /// A listener for each group of servers and pool mode.
    pub(super) fn listeners(&mut self, databases: &[&Entry]) -> Vec<Listener> {
        let mode = self.text("pool_mode").unwrap_or("session").to_owned();
        let default = self.pool(None, &mode);
        let size = self.at_least_one("default_pool_size", 20, "since a pool needs a server");
        let most = Some(self.number("max_db_connections", 0)).filter(|most| *most > 0);
        let mut listeners: Vec<Listener> = Vec::new();
        for entry in databases {
            let Some(database) = self.database(entry, (default, size, most)) else { continue };
            match listeners.iter_mut().find(|known| known.servers == database.servers && known.pool == database.pool) {
                None => {
                    let bind = self.bind(listeners.len(), entry);
                    let name =
                        if listeners.is_empty() { "main".to_owned() } else { format!("pool-{}", listeners.len() + 1) };
                    listeners.push(Listener { name, bind, ..database });
                }
                Some(known) => {
                    known.databases.extend(database.databases);
                    if database.others == Others::LetIn {
                        known.others = Others::LetIn;
                    }
                    if known.pool_size != database.pool_size {
                        known.pool_size = known.pool_size.max(database.pool_size);
                        let advice =
                            "pool_size is of a listener: the larger one was taken for the databases of this server";
                        self.note_key(entry, &format!("{} pool_size", entry.key), advice);
                    }
                    known.max_server_connections = known
                        .max_server_connections
                        .zip(database.max_server_connections)
                        .map(|(a, b)| a.saturating_add(b));
                }
            }
        }
        self.note_shared_bounds(&listeners, databases);
        self.note_patterns(&listeners, databases);
        listeners
    }

    /// Databases that no `[[access]]` can name.
    fn note_patterns(&mut self, listeners: &[Listener], databases: &[&Entry]) {
        let declared = listeners.iter().filter(|listener| listener.others == Others::Unknown);
        let known = declared.flat_map(|listener| &listener.databases).filter(|database| is_pattern(&database.name));
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

    /// The listener that one database would have alone.
    fn database(&mut self, entry: &Entry, (pool, size, most): (Pool, u64, Option<u64>)) -> Option<Listener> {
        let Some(pairs) = connect::parse(&entry.value) else {
            self.note(entry, "is no connection string, so nothing was made of it");
            return None;
        };
        let is_rest = entry.key == "*";
        let mut found = Listener {
            name: String::new(),
            bind: String::new(),
            servers: Vec::new(),
            databases: Vec::new(),
            others: if is_rest { Others::LetIn } else { Others::Unknown },
            pool,
            pool_size: size,
            max_server_connections: most,
        };
        let (mut hosts, mut port, mut name, mut clients) = (String::new(), "5432".to_owned(), entry.key.clone(), None);
        for (key, value) in pairs {
            let number = value.parse::<u64>();
            match (key.as_str(), number) {
                ("host", _) => hosts = value,
                ("port", _) => port = value,
                ("pool_size", Ok(own @ 1..)) => found.pool_size = own,
                ("max_db_connections", Ok(own)) => found.max_server_connections = Some(own).filter(|most| *most > 0),
                ("pool_mode", _) => found.pool = self.pool(Some(entry), &value),
                ("dbname", _) if value == entry.key => {}
                ("auth_user", _) if self.asker.as_ref() == Some(&value) => {}
                ("max_db_client_connections", Ok(0)) => {}
                ("max_db_client_connections", Ok(most)) if !is_rest => clients = Some(most),
                (key, _) => {
                    self.note_key(entry, &format!("{} {key}", entry.key), of_database(key));
                    if key == "dbname" {
                        name = value;
                    }
                }
            }
        }
        if let Some(most) = clients {
            self.cap_database(entry, &name, most);
        }
        if !is_rest {
            found.databases.push(Database { key: entry.key.clone(), name });
        }
        found.servers = self.servers(entry, &hosts, &port);
        Some(found)
    }

    /// A cap for a database, by the name that its clients have to use here.
    fn cap_database(&mut self, entry: &Entry, name: &str, most: u64) {
        if is_pattern(name) {
            return self.note_key(entry, &format!("{} max_db_client_connections", entry.key), pattern::EXCEPTION);
        }
        self.exceptions.push(Exception::of_database(name, most));
    }

    fn servers(&mut self, entry: &Entry, hosts: &str, port: &str) -> Vec<String> {
        let key = format!("{} host", entry.key);
        let mut hosts: Vec<&str> = hosts.split(',').map(str::trim).filter(|host| !host.is_empty()).collect();
        // One that is named twice gets twice as many of PgBouncer's connections; a group has each once.
        let mut known = HashSet::new();
        hosts.retain(|host| known.insert(*host));
        if hosts.is_empty() {
            let folder = self.text("unix_socket_dir").unwrap_or("/tmp").to_owned();
            self.note_key(
                entry,
                &key,
                &format!("no host is the server's Unix socket: in {folder}, where PgBouncer looks"),
            );
            return vec![server(&folder, port)];
        }
        if hosts.iter().any(|host| host.starts_with('@')) {
            self.note_key(entry, &key, "there are no abstract sockets: 127.0.0.1 takes the place of the Unix socket");
            return vec![server("127.0.0.1", port)];
        }
        if hosts.len() > 1 {
            self.note_key(
                entry,
                &key,
                "several servers are one group here, of which the primary is dialled: no round robin",
            );
        }
        hosts.into_iter().map(|host| server(host, port)).collect()
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

/// A server as `servers` has it: a host, or the folder of a Unix socket, whose port may be left out.
fn server(host: &str, port: &str) -> String {
    match host {
        folder if folder.starts_with('/') && port == "5432" => folder.to_owned(),
        address if address.contains(':') => format!("[{address}]:{port}"),
        host => format!("{host}:{port}"),
    }
}

/// What to do instead of a key of a database.
fn of_database(key: &str) -> &'static str {
    match key {
        "dbname" => "databases have no other names here: clients have to name the server's own",
        "user" | "password" => "each client is itself at the server as well: let it log in as that user",
        "auth_user" | "auth_query" | "auth_dbname" => {
            "who asks for passwords is one for a listener: write auth and auth_query there"
        }
        "connect_query" | "client_encoding" | "datestyle" | "timezone" | "application_name" => {
            "settings of a database stand at the server: ALTER DATABASE … SET"
        }
        "reserve_pool" | "reserve_pool_size" => "there is no second pool: add it to pool_size",
        "min_pool_size" => "min_pool_size is of a listener: write it there",
        "max_db_client_connections" => "write a [[client]] that matches the database, with caps.max_connections",
        "server_lifetime" => "server_lifetime is of a listener: write it there",
        "query_wait_timeout" => "query_wait_timeout is of a listener: write it there",
        "pool_size" => "is no number above 0",
        "load_balance_hosts" => "several servers are one group here, of which the primary is dialled",
        _ => "has no equivalent for one database",
    }
}

//! What `[databases]` becomes: listeners, with the servers behind them.

use std::collections::HashSet;

use super::connect;
use super::convert::{Convert, LONGER_THAN_A_DAY};
use super::database::{Database, Role, RoleProof, Sizes};
use super::exception::{Exception, OF_SESSIONS, named};
use super::ini::Entry;
use super::listener::{Listener, Others, Pool};
use super::login::Login;
use super::pattern::{self, is_pattern};
use super::userlist::{Secret, User};

/// What stands in the connection string of a database.
#[derive(Debug)]
struct Own {
    hosts: String,
    port: String,
    at_server: Option<String>,
    user: Option<String>,
    password: Option<String>,
    clients: Option<u64>,
    sizes: Sizes,
}

impl Default for Own {
    fn default() -> Self {
        let port = "5432".to_owned();
        let (at_server, user, password, clients) = (None, None, None, None);
        Self { hosts: String::new(), port, at_server, user, password, clients, sizes: Sizes::default() }
    }
}

const DAY_SECONDS: u64 = 86_400;

/// What is known of logins.
#[derive(Debug, Clone, Copy)]
pub(super) struct Given<'a> {
    pub(super) login: &'a Login,
    pub(super) users: Option<&'a [User]>,
}

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

    /// The listener that one database would have alone.
    fn database(
        &mut self,
        entry: &Entry,
        (pool, size, most): (Pool, u64, Option<u64>),
        given: Given<'_>,
    ) -> Option<Listener> {
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
        let mut own = Own::default();
        for (key, value) in pairs {
            let number = value.parse::<u64>();
            match (key.as_str(), number) {
                ("host", _) => own.hosts = value,
                ("port", _) => own.port = value,
                ("pool_size", Ok(size @ 1..)) => own.sizes.pool_size = Some(size),
                ("max_db_connections", Ok(own)) => found.max_server_connections = Some(own).filter(|most| *most > 0),
                ("pool_mode", _) => found.pool = self.pool(Some(entry), &value),
                ("dbname", _) if value == entry.key => {}
                ("dbname", _) if !is_rest => own.at_server = Some(value),
                ("user", _) if !is_rest => own.user = Some(value),
                ("password", _) if !is_rest => own.password = Some(value),
                ("auth_user", _) if self.asker.as_ref() == Some(&value) => {}
                ("max_db_client_connections", Ok(0)) => {}
                ("max_db_client_connections", Ok(most)) if !is_rest => own.clients = Some(most),
                ("min_pool_size", Ok(least)) if !is_rest => own.sizes.min_pool_size = Some(least),
                ("server_lifetime", Ok(0)) => {}
                ("server_lifetime", Ok(seconds)) if !is_rest => {
                    own.sizes.server_lifetime = Some(self.day_at_most(entry, &key, seconds));
                }
                ("query_wait_timeout", Ok(seconds @ 1..)) if !is_rest => {
                    own.sizes.query_wait_timeout = Some(self.day_at_most(entry, &key, seconds));
                }
                (key, _) => self.note_key(entry, &format!("{} {key}", entry.key), of_database(key)),
            }
        }
        found.pool_size = own.sizes.pool_size.unwrap_or(size);
        found.servers = self.servers(entry, &own.hosts, &own.port);
        if let Some(most) = own.clients {
            self.cap_database(entry, most);
        }
        if !is_rest {
            let pool = if *given.login == Login::Relay { Pool::Session } else { found.pool };
            found.databases.push(self.declared(entry, own, pool, given));
        }
        Some(found)
    }

    pub(super) fn day_at_most(&mut self, entry: &Entry, key: &str, seconds: u64) -> u64 {
        if seconds > DAY_SECONDS {
            self.note_key(entry, &format!("{} {key}", entry.key), LONGER_THAN_A_DAY);
        }
        seconds.min(DAY_SECONDS)
    }

    fn declared(&mut self, entry: &Entry, own: Own, pool: Pool, given: Given<'_>) -> Database {
        let role = own.user.and_then(|user| self.role(entry, user, own.password, given));
        let mut sizes = own.sizes;
        if sizes != Sizes::default() && pool == Pool::Session {
            let beside = Sizes { pool_size: None, ..sizes };
            if beside != Sizes::default() {
                self.note(entry, OF_SESSIONS);
            }
            sizes = Sizes::default();
        } else if sizes != Sizes::default() && is_pattern(&entry.key) {
            self.note(entry, pattern::POOL);
            sizes = Sizes::default();
        }
        Database { key: entry.key.clone(), at_server: own.at_server, role, sizes }
    }

    /// As whom PgBouncer logs in for all clients of a database: with the password that stands beside, or in `auth_file`.
    fn role(&mut self, entry: &Entry, user: String, password: Option<String>, given: Given<'_>) -> Option<Role> {
        if *given.login == Login::Relay {
            let advice = "needs users of Floodwall's own: name a userlist as the second argument, or use auth_query";
            self.note_key(entry, &format!("{} user", entry.key), advice);
            return None;
        }
        let listed = given.users.and_then(|users| users.iter().rev().find(|known| known.name == user));
        let secret = password.map(Secret::Password).or_else(|| listed.map(|known| known.secret.clone()));
        let name = named("database", &entry.key);
        let proof = match secret {
            None | Some(Secret::None) if *given.login == Login::Users => RoleProof::Nothing,
            Some(Secret::Password(text)) => {
                let taken = self.passwords.iter().filter(|(file, _)| file.starts_with(&name)).count();
                let number = if taken == 0 { String::new() } else { format!("-{}", taken + 1) };
                let file = format!("{name}{number}.password");
                self.passwords.push((file.clone(), text));
                RoleProof::File(file)
            }
            None | Some(Secret::None | Secret::Md5(_) | Secret::Scram(_)) => {
                let variable = format!("FLOODWALL_{}_PASSWORD", variable(&user));
                let advice = format!(
                    "put the password of {user:?} into the environment as {variable}: a hash of it logs in nowhere"
                );
                self.note_key(entry, &format!("{} user", entry.key), &advice);
                RoleProof::Variable(variable)
            }
        };
        Some(Role { name: user, proof })
    }

    /// A cap for a database.
    fn cap_database(&mut self, entry: &Entry, most: u64) {
        if is_pattern(&entry.key) {
            return self.note_key(entry, &format!("{} max_db_client_connections", entry.key), pattern::EXCEPTION);
        }
        self.exceptions.push(Exception::of_database(&entry.key, most));
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

/// A name as variables have it.
fn variable(name: &str) -> String {
    let letter = |letter: char| if letter.is_ascii_alphanumeric() { letter.to_ascii_uppercase() } else { '_' };
    name.chars().map(letter).collect()
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
        "dbname" | "user" | "password" => {
            "write a [[database]] for each name that clients ask for: there is none for all"
        }
        "auth_user" | "auth_query" | "auth_dbname" => {
            "who asks for passwords is one for a listener: write auth and auth_query there"
        }
        "connect_query" | "client_encoding" | "datestyle" | "timezone" | "application_name" => {
            "settings of a database stand at the server: ALTER DATABASE … SET"
        }
        "reserve_pool" | "reserve_pool_size" => "there is no second pool: add it to pool_size",
        "min_pool_size" => "write it there: this entry is that of the listener",
        "max_db_client_connections" => "write a [[client]] that matches the database, with caps.max_connections",
        "server_lifetime" => "write it there: this entry is that of the listener",
        "query_wait_timeout" => {
            "no statement waits for ever, and what holds for all databases is of the listener: write it there"
        }
        "pool_size" => "is no number above 0",
        "load_balance_hosts" => "several servers are one group here, of which the primary is dialled",
        _ => "has no equivalent for one database",
    }
}

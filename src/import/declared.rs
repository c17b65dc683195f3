//! One entry of `[databases]`.

use std::collections::HashSet;

use super::connect;
use super::database::{Database, Role, RoleProof};
use super::exception::{OF_SESSIONS, named};
use super::ini::Entry;
use super::listener::{Listener, Others};
use super::login::Login;
use super::mode::Mode;
use super::pattern::{self, is_pattern};
use super::settings::{Convert, DAY_SECONDS, LONGER_THAN_A_DAY};
use super::sizes::Sizes;
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
    mode: Option<Mode>,
    sizes: Sizes,
}

impl Default for Own {
    fn default() -> Self {
        let port = "5432".to_owned();
        let (at_server, user, password, clients, mode) = (None, None, None, None, None);
        Self { hosts: String::new(), port, at_server, user, password, clients, mode, sizes: Sizes::default() }
    }
}

/// What is known of logins.
#[derive(Debug, Clone, Copy)]
pub(super) struct Given<'a> {
    pub(super) login: &'a Login,
    pub(super) users: Option<&'a [User]>,
}

impl Convert<'_> {
    /// The listener that one database would have alone.
    pub(super) fn database(
        &mut self,
        entry: &Entry,
        (pool, size, most): (Mode, u64, u64),
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
            max_db_connections: most,
            max_user_connections: 0,
            lends: false,
        };
        let mut own = Own::default();
        for (key, value) in pairs {
            let number = value.parse::<u64>();
            match (key.as_str(), number) {
                ("host", _) => own.hosts = value,
                ("port", _) => own.port = value,
                ("pool_size", Ok(size @ 1..)) => own.sizes.pool_size = Some(size),
                ("max_db_connections", Ok(own)) => found.max_db_connections = own,
                ("pool_mode", _) => own.mode = self.mode_of(entry, &value, given.login),
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
        found.pool = own.mode.unwrap_or(pool);
        found.servers = self.servers(entry, &own.hosts, &own.port);
        if !is_rest {
            let database = self.declared(entry, own, &found, given);
            found.databases.push(database);
        }
        Some(found)
    }

    pub(super) fn day_at_most(&mut self, entry: &Entry, key: &str, seconds: u64) -> u64 {
        if seconds > DAY_SECONDS {
            self.note_key(entry, &format!("{} {key}", entry.key), LONGER_THAN_A_DAY);
        }
        seconds.min(DAY_SECONDS)
    }

    fn declared(&mut self, entry: &Entry, own: Own, alone: &Listener, given: Given<'_>) -> Database {
        let Listener { pool: mode, pool_size, max_db_connections: max_connections, .. } = *alone;
        let role = own.user.and_then(|user| self.role(entry, user, own.password, given));
        let mut sizes = own.sizes;
        if mode == Mode::Session {
            let beside = Sizes { pool_size: None, ..sizes };
            if beside != Sizes::default() {
                self.note(entry, OF_SESSIONS);
            }
            sizes = Sizes::default();
        } else if sizes != Sizes::default() && is_pattern(&entry.key) {
            self.note(entry, pattern::POOL);
            sizes = Sizes::default();
        }
        let clients = own.clients.filter(|_| !is_pattern(&entry.key));
        if clients != own.clients {
            self.note_key(entry, &format!("{} max_db_client_connections", entry.key), pattern::EXCEPTION);
        }
        Database {
            key: entry.key.clone(),
            at_server: own.at_server,
            role,
            clients,
            mode,
            pool_size,
            max_connections,
            sizes,
        }
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
            // The hash is as good as the password, with a server that asks for md5.
            Some(Secret::Password(text) | Secret::Md5(text)) => {
                let taken = self.passwords.iter().filter(|(file, _)| file.starts_with(&name)).count();
                let number = if taken == 0 { String::new() } else { format!("-{}", taken + 1) };
                let file = format!("{name}{number}.password");
                self.passwords.push((file.clone(), text));
                RoleProof::File(file)
            }
            None | Some(Secret::None | Secret::Scram(_)) => {
                let variable = format!("FLOODWALL_{}_PASSWORD", variable(&user));
                let advice = format!(
                    "put the password of {user:?} into the environment as {variable}: with a verifier of it nobody logs in"
                );
                self.note_key(entry, &format!("{} user", entry.key), &advice);
                RoleProof::Variable(variable)
            }
        };
        Some(Role { name: user, proof })
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
}

/// A server as `servers` has it: a host, or the folder of a Unix socket, whose port may be left out.
fn server(host: &str, port: &str) -> String {
    match host {
        folder if folder.starts_with('/') && port == "5432" => folder.to_owned(),
        address if address.contains(':') => format!("[{address}]:{port}"),
        host => format!("{host}:{port}"),
    }
}

/// A name as variables have it.
fn variable(name: &str) -> String {
    let letter = |letter: char| if letter.is_ascii_alphanumeric() { letter.to_ascii_uppercase() } else { '_' };
    name.chars().map(letter).collect()
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

//! `[caps]`: how many may come in.

use super::connect;
use super::exception::UNBOUNDED;
use super::ini::Entry;
use super::listener::{Listener, Others};
use super::mode::Mode;
use super::settings::Convert;
use super::text::duration;

impl Convert<'_> {
    /// PgBouncer knows no bound for one client: what it may hold in all is all that one may hold.
    pub(super) fn caps(&mut self, listeners: &[Listener], databases: &[&Entry]) -> String {
        let most = self.at_least_one("max_client_conn", 100, "since nobody could come in");
        let login = self.seconds("client_login_timeout", 60.0).unwrap_or(60.0);
        let (waits, client) = match self.client_cap() {
            None if listeners.iter().all(|listener| !listener.lends) => {
                (self.waits(most, login), self.session_cap(listeners, databases))
            }
            own => {
                self.note_unbounded(listeners, databases);
                (String::new(), own.unwrap_or_else(|| format!("max_connections = {most}\n")))
            }
        };
        let login = duration(login);
        format!(
            "[caps]\nmax_clients = {most}\nlogin_timeout = {login}\n{waits}\n\
             # PgBouncer bounds no address. Lower these to what each may hold.\n\
             [caps.address]\nmax_connections = {most}\n\n[caps.client]\n{client}"
        )
    }

    /// Whoever waits for a server of a session waits for its login here.
    fn waits(&mut self, most: u64, login: f64) -> String {
        let wait = self.seconds("query_wait_timeout", 120.0).unwrap_or(login).min(login);
        format!("queue_length = {most}\nqueue_wait = {}\n", duration(wait))
    }

    /// Sessions of these listeners may have more servers than with PgBouncer.
    fn note_unbounded(&mut self, listeners: &[Listener], databases: &[&Entry]) {
        let key = if self.text("default_pool_size").is_some() { "default_pool_size" } else { "pool_mode" };
        let declared = listeners.iter().flat_map(|listener| &listener.databases);
        for database in declared.filter(|database| database.mode == Mode::Session) {
            for entry in databases.iter().filter(|entry| entry.key == database.key) {
                let own = connect::parse(&entry.value).unwrap_or_default();
                let told = own.iter().find(|(key, _)| key == "pool_size" || key == "pool_mode");
                told.into_iter().for_each(|(key, _)| self.note_key(entry, &format!("{} {key}", entry.key), UNBOUNDED));
            }
        }
        for listener in listeners.iter().filter(|listener| listener.pool == Mode::Session) {
            let instead = match (listener.max_db_connections, listener.max_user_connections) {
                (0, 0) => "write max_db_connections or max_user_connections there",
                _ => "max_db_connections and max_user_connections bound them",
            };
            let name = &listener.name;
            let advice =
                format!("pool_size bounds no server that sessions of listener \"{name}\" have, one each: {instead}");
            self.note_setting(key, &advice);
        }
    }

    /// What every user, or every database, may hold.
    fn client_cap(&mut self) -> Option<String> {
        let [of_user, of_database] =
            ["max_user_client_connections", "max_db_client_connections"].map(|key| self.number(key, 0));
        let (part, most) = match (of_user, of_database) {
            (0, 0) => return None,
            (0, most) => ("database", most),
            (most, other) => {
                if other > 0 {
                    self.note_setting(
                        "max_db_client_connections",
                        "one of the two stands in [caps.client], that of users: write a [[client]] with caps for each database",
                    );
                }
                ("user", most)
            }
        };
        Some(format!("key = [\"{part}\"]\nmax_connections = {most}\n"))
    }

    /// Each client has a server, so what bounds a pool bounds the clients of one user and database.
    fn session_cap(&mut self, listeners: &[Listener], databases: &[&Entry]) -> String {
        let sizes = listeners.iter().flat_map(Listener::sizes);
        let most = sizes.map(|(_, size)| size).max().unwrap_or(20);
        let less = listeners.iter().flat_map(Listener::sizes).filter(|(_, size)| *size != most);
        for (name, _) in less {
            for entry in databases.iter().filter(|entry| entry.key == name) {
                let advice = "each session has a server, so pool_size is in [caps.client]: the largest was taken";
                self.note_key(entry, &format!("{} pool_size", entry.key), advice);
            }
        }
        format!(
            "# PgBouncer's pool_size: each client has a server, and the next one waits for its login.\nmax_connections = {most}\n"
        )
    }
}

impl Listener {
    /// How many servers each of its pools had with PgBouncer, by the names of their entries.
    fn sizes(&self) -> impl Iterator<Item = (&str, u64)> {
        let rest = (self.others == Others::LetIn).then_some(("*", self.pool_size));
        self.databases.iter().map(|database| (&*database.key, database.pool_size)).chain(rest)
    }
}

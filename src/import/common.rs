//! What all listeners have in common: the life of servers, sockets and TLS.

use super::settings::Convert;
use super::text::duration;
use super::text::quoted;

/// What all listeners have in common, as lines of `key = value`.
#[derive(Debug, Clone, Default)]
pub(super) struct Common {
    pub(super) lines: Vec<String>,
    /// Those that only pools have.
    pub(super) of_pools: Vec<String>,
    /// Servers that a pool keeps, as far as it may have so many.
    pub(super) min_pool_size: u64,
}

impl Common {
    fn add(&mut self, key: &str, value: impl std::fmt::Display) {
        self.lines.push(format!("{key} = {value}"));
    }

    /// Lines of comment.
    fn remark(&mut self, lines: &str) {
        self.lines.push(lines.to_owned());
    }

    fn add_of_pools(&mut self, key: &str, value: impl std::fmt::Display) {
        self.of_pools.push(format!("{key} = {value}"));
    }
}

/// Where the file says nothing of a socket, PgBouncer has one; which, its package says.
const SOCKET: &str = "\
# PgBouncer has a Unix socket as well: in /tmp, or where its package has it (Debian: /var/run/postgresql). For clients that use it:
#unix_socket = \"/var/run/postgresql\"";

impl Convert<'_> {
    /// What the keys of `[pgbouncer]` say of all of them.
    pub(super) fn common(&mut self) -> Common {
        let mut common = Common::default();
        self.servers_of_pools(&mut common);
        if let Some(seconds) = self.seconds("client_idle_timeout", 0.0) {
            common.add("client_idle_timeout", duration(seconds));
        }
        if self.number("disable_pqexec", 0) > 0 {
            self.note_setting(
                "disable_pqexec",
                "the simple protocol cannot be switched off: each statement of a text is judged by the rules",
            );
        }
        if self.number("server_fast_close", 0) > 0 {
            self.note_setting(
                "server_fast_close",
                "with pool = \"session\" a session keeps its server until it ends: KILL CLIENT or KILL [db] ends those that are to move",
            );
        }
        if self.number("so_reuseport", 0) > 0 {
            self.note_setting(
                "so_reuseport",
                "one process uses all cores: run one in the place of several; reuse_port lets a new one take over from it",
            );
        }
        match self.text("unix_socket_dir") {
            Some(folder) if folder.starts_with('/') => common.add("unix_socket", quoted(folder)),
            Some(_) => {
                self.note_setting("unix_socket_dir", "a folder by its full path is wanted: there is no socket now")
            }
            None if self.settings.contains_key("unix_socket_dir") => {}
            None => common.remark(SOCKET),
        }
        self.tls(&mut common, "client_tls", "disable");
        self.tls(&mut common, "server_tls", "prefer");
        common
    }

    /// How long servers of pools live, who waits for them how long, and what they keep.
    fn servers_of_pools(&mut self, common: &mut Common) {
        common.min_pool_size = self.number("min_pool_size", 0);
        match self.seconds("server_lifetime", 3600.0) {
            Some(seconds) => common.add_of_pools("server_lifetime", duration(seconds)),
            None => self.note_setting(
                "server_lifetime",
                "a server connection for one use only is not possible: the default was taken",
            ),
        }
        match self.seconds("server_idle_timeout", 600.0) {
            Some(seconds) => common.add_of_pools("server_idle_timeout", duration(seconds)),
            None => {
                common.add_of_pools("server_idle_timeout", "\"1d\"");
                self.note_setting("server_idle_timeout", "idle servers are always closed in the end: after a day, now");
            }
        }
        match self.seconds("query_wait_timeout", 120.0) {
            Some(seconds) => common.add_of_pools("query_wait_timeout", duration(seconds)),
            None => {
                common.add_of_pools("query_wait_timeout", "\"1h\"");
                self.note_setting("query_wait_timeout", "no statement waits for ever: an hour, now");
            }
        }
        if let Some(seconds) = self.seconds("server_connect_timeout", 15.0) {
            common.add_of_pools("server_connect_timeout", duration(seconds));
        }
        let prepared =
            self.at_least_one("max_prepared_statements", 200, "prepared statements always follow their client");
        common.add_of_pools("max_prepared_statements", prepared);
    }

    fn tls(&mut self, common: &mut Common, side: &str, default: &str) {
        let key = format!("{side}_sslmode");
        let mut mode = self.text(&key).unwrap_or(default).to_owned();
        if mode == "allow" {
            "prefer".clone_into(&mut mode);
            self.note_setting(&key, "allow is prefer here");
        }
        let mut parts = vec![format!("mode = {}", quoted(&mode))];
        for file in ["ca_file", "cert_file", "key_file"] {
            let path = self.text(&format!("{side}_{file}")).map(quoted);
            parts.extend(path.filter(|_| mode != "disable").map(|path| format!("{file} = {path}")));
        }
        parts.extend(self.protocols(&format!("{side}_protocols")).map(|list| format!("protocols = [{list}]")));
        common.add(side, format!("{{ {} }}", parts.join(", ")));
    }

    /// One version of TLS where only that is wanted; `None` stands for 1.2 and 1.3.
    fn protocols(&mut self, key: &str) -> Option<&'static str> {
        let text = self.text(key).unwrap_or("secure").to_owned();
        let words: Vec<&str> = text.split(',').map(str::trim).collect();
        let has = |names: &[&str]| words.iter().any(|word| names.contains(word));
        if has(&["all", "legacy", "tlsv1.0", "tlsv1.1"]) {
            self.note_setting(key, "TLS 1.2 and 1.3 are spoken, nothing older");
        }
        let both = has(&["all", "legacy", "secure", "default"]);
        match (both || has(&["tlsv1.2"]), both || has(&["tlsv1.3"])) {
            (true, false) => Some("\"tlsv1.2\""),
            (false, true) => Some("\"tlsv1.3\""),
            _ => None,
        }
    }
}

//! A `[[client]]`: what holds for one user or one database alone.

use std::collections::HashMap;

use super::connect;
use super::database::Database;
use super::ini::Entry;
use super::listener::Listener;
use super::login::Login;
use super::mode::Mode;
use super::pattern::{EXCEPTION, is_pattern};
use super::settings::{Convert, DAY, LONGER_THAN_A_DAY, TIMEOUTS};
use super::sizes::Sizes;
use super::text::duration;
use super::text::quoted;

/// What one user or one database has of its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Exception {
    name: String,
    matches: String,
    max_connections: Option<u64>,
    rules: Vec<String>,
}

impl Exception {
    fn of_user(user: &str) -> Self {
        let matches = format!("user = {}", quoted(user));
        Self { name: named("user", user), matches, max_connections: None, rules: Vec::new() }
    }

    /// A database as it was declared.
    pub(super) fn of_database(database: &Database) -> Self {
        let Database { key, clients, .. } = database;
        let matches = format!("database = {}", quoted(key));
        Self { name: named("database", key), matches, max_connections: *clients, rules: Vec::new() }
    }

    /// As it stands in the file; `None` where nothing is other than for everybody.
    pub(super) fn text(&self) -> Option<String> {
        let mut lines = vec![
            "[[client]]".to_owned(),
            format!("name = {}", quoted(&self.name)),
            format!("match = {{ {} }}", self.matches),
        ];
        lines.extend(self.max_connections.map(|most| format!("caps = {{ max_connections = {most} }}")));
        if !self.rules.is_empty() {
            lines.push(format!("rules = {{ {} }}", self.rules.join(", ")));
        }
        (lines.len() > 3).then(|| lines.join("\n") + "\n")
    }
}

impl Convert<'_> {
    /// An entry of `[users]`, with what pools of that user have of their own.
    pub(super) fn of_user(&mut self, entry: &Entry, listeners: &[Listener], login: &Login) -> (Exception, Sizes) {
        let mut found = Exception::of_user(&entry.key);
        let mut sizes = Sizes::default();
        if is_pattern(&entry.key) {
            self.note(entry, EXCEPTION);
            return (found, sizes);
        }
        for (key, value) in connect::parse(&entry.value).unwrap_or_default() {
            let rule = TIMEOUTS.iter().find(|(theirs, _)| *theirs == key).map(|(_, rule)| *rule);
            match (key.as_str(), rule, value.parse::<f64>()) {
                ("max_user_client_connections", _, Ok(most)) if most >= 1.0 && most.fract() == 0.0 => {
                    found.max_connections = value.parse().ok();
                }
                (_, Some(rule), Ok(seconds)) if seconds > 0.0 && seconds.is_finite() => {
                    if seconds > DAY {
                        self.note_key(entry, &format!("{} {key}", entry.key), LONGER_THAN_A_DAY);
                    }
                    found
                        .rules
                        .push(format!("{rule} = {{ mode = \"enforce\", limit = {} }}", duration(seconds.min(DAY))));
                }
                // 0 is what everybody has.
                (_, Some(_), Ok(0.0)) | ("max_user_client_connections", _, Ok(0.0)) => {}
                ("pool_mode", ..) => {
                    let mode = self.mode_of(entry, &value, login);
                    sizes.mode = mode.filter(|mode| !is_everywhere(*mode, listeners));
                }
                ("max_user_connections", _, Ok(most)) if most >= 0.0 && most.fract() == 0.0 => {
                    sizes.max_user_connections = value.parse().ok();
                }
                ("pool_size", _, Ok(size)) if size >= 1.0 && size.fract() == 0.0 => {
                    sizes.pool_size = value.parse().ok()
                }
                ("query_wait_timeout", _, Ok(seconds)) if seconds >= 1.0 && seconds.fract() == 0.0 => {
                    sizes.query_wait_timeout = value.parse().ok().map(|seconds| self.day_at_most(entry, &key, seconds));
                }
                (key, ..) => self.note_key(entry, &format!("{} {key}", entry.key), instead(key)),
            }
        }
        let kept = match sizes.mode {
            None if is_everywhere(Mode::Session, listeners) => sizes.of_sessions(),
            _ => sizes.of_mode(),
        };
        if kept != sizes {
            self.note(entry, OF_SESSIONS);
        }
        if kept.mode == Some(Mode::Session) {
            self.note_key(entry, &format!("{} pool_mode", entry.key), UNBOUNDED);
        }
        (found, kept)
    }
}

/// Is this the mode of all databases?
fn is_everywhere(mode: Mode, listeners: &[Listener]) -> bool {
    listeners.iter().all(|listener| listener.modes().all(|other| other == mode))
}

/// Gives each a name of its own: the letters that made a difference may be gone.
pub(super) fn tell_apart(exceptions: &mut [Exception]) {
    let mut known = HashMap::<String, usize>::new();
    for exception in exceptions {
        let count = known.entry(exception.name.clone()).or_default();
        *count = count.saturating_add(1);
        if *count > 1 {
            exception.name = format!("{}-{count}", exception.name);
        }
    }
}

/// A name that logs and metrics take: other letters become `_`.
pub(super) fn named(kind: &str, name: &str) -> String {
    let fits = |letter: char| letter.is_alphanumeric() || "_-.@".contains(letter);
    format!("{kind}-{}", name.chars().map(|letter| if fits(letter) { letter } else { '_' }).collect::<String>())
}

/// What pools have and sessions have not.
pub(super) const OF_SESSIONS: &str =
    "sizes and times of a pool have no effect with pool = \"session\", where each client has a server";

/// Whoever has sessions may have more servers than with PgBouncer.
pub(super) const UNBOUNDED: &str = "each session has a server, which no pool_size bounds: write a [[client]] that matches them, with caps.max_connections";

/// What to do instead of a key of a user.
fn instead(key: &str) -> &'static str {
    match key {
        "pool_size" => "is no number above 0",
        "reserve_pool_size" => "there is no second pool: add it to pool_size",
        "max_user_connections" => "is no number",
        "client_idle_timeout" => "it is of a listener: give these users a listener of their own",
        "query_wait_timeout" => "no statement waits for ever: write a [[pool]] that matches the user, with a time",
        "query_timeout" | "transaction_timeout" | "idle_transaction_timeout" => "is no number of seconds",
        _ => "has no equivalent for one user",
    }
}

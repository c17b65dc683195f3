//! What each key becomes.

use std::collections::BTreeMap;

use super::database::{self, Sizes};
use super::databases::Given;
use super::doors;
use super::exception::{self, Exception};
use super::ini::Entry;
use super::keys::{self, Fate};
use super::listener::{Listener, Pool};
use super::login::{AUTH_PASSWORD, Known, Login};
use super::userlist::{Secret, User};
use super::users::{self, Found, Source, USERS};
use super::{Failed, Imported, Note, Place};

/// The keys of `[pgbouncer]`, the last of each, and what was noted.
pub(super) struct Convert<'a> {
    pub(super) settings: BTreeMap<String, &'a Entry>,
    notes: Vec<Note>,
    /// What single databases have of their own.
    pub(super) exceptions: Vec<Exception>,
    /// What pools of single users have of their own.
    pub(super) sizes_of_users: Vec<(String, Sizes)>,
    /// Files with the passwords of roles that are the same for all clients of a database.
    pub(super) passwords: Vec<(String, String)>,
    /// The `auth_user` of all databases, where that became the listeners'.
    pub(super) asker: Option<String>,
}

pub(super) fn convert(entries: &[Entry], source: &Source<'_>) -> Result<Imported, Failed> {
    let of = |section: &'static str| entries.iter().filter(move |entry| entry.section.eq_ignore_ascii_case(section));
    let settings = of("pgbouncer").filter(|entry| !entry.forgotten);
    let settings = settings.map(|entry| (entry.key.to_ascii_lowercase(), entry)).collect();
    let mut convert = Convert {
        settings,
        notes: Vec::new(),
        exceptions: Vec::new(),
        sizes_of_users: Vec::new(),
        passwords: Vec::new(),
        asker: None,
    };
    convert.note_fates();
    for entry in of("pgbouncer").filter(|entry| entry.forgotten) {
        convert.note(entry, "has no effect with PgBouncer: a later [pgbouncer] begins from the defaults again");
    }
    for entry in entries {
        if !["pgbouncer", "databases", "users"].iter().any(|known| entry.section.eq_ignore_ascii_case(known)) {
            convert.note(entry, "the section has no equivalent: processes with `reuse_port` and one `state_dir` pass cancel requests on by themselves");
        }
    }
    let found = source.users(convert.text("auth_file"))?;
    let users = convert.users(found);
    let databases: Vec<_> = of("databases").collect();
    let login = convert.login(users.as_deref(), &databases);
    let common = convert.common();
    let mut listeners = convert.listeners(&databases, Given { login: &login, users: users.as_deref() });
    if listeners.is_empty() {
        let place = Place { file: source.ini.to_owned(), line: 1 };
        let reason = "no database is declared, so there is no server to stand in front of".to_owned();
        return Err(Failed::Malformed { place, reason });
    }
    let caps = convert.caps(&listeners);
    if login == Login::Relay {
        listeners.iter_mut().for_each(|listener| listener.pool = Pool::Session);
    }
    let mut parts: Vec<String> = vec![HEAD.to_owned()];
    parts.extend(listeners.iter().map(|listener| listener.text(&login, &common)));
    parts.push(caps);
    let mut exceptions = std::mem::take(&mut convert.exceptions);
    exceptions.extend(of("users").map(|entry| convert.of_user(entry, &listeners)));
    exception::tell_apart(&mut exceptions);
    parts.extend(exceptions.iter().filter_map(Exception::text));
    parts.extend(listeners.iter().flat_map(|listener| {
        let name = (listeners.len() > 1).then_some(&*listener.name);
        listener.databases.iter().filter_map(move |database| database.text(name))
    }));
    let pooled: Vec<_> = listeners.iter().filter(|listener| listener.pool == Pool::Transaction).collect();
    parts.extend(database::pools(&pooled, &convert.sizes_of_users, common.min_pool_size));
    let known = Known { users: users.as_deref().unwrap_or_default(), all: users.is_some() && login == Login::Users };
    parts.extend(convert.access(&listeners, known, source));
    parts.push(REPLICATION.to_owned());
    parts.push(convert.rules());
    convert.notes.sort();
    convert.notes.dedup();
    let auth_password = login.auth_password(users.as_deref().unwrap_or_default());
    let users = users.filter(|_| login == Login::Users).map(|users| users::text(&users));
    let mut secrets = convert.passwords;
    secrets.extend(auth_password.map(|password| (AUTH_PASSWORD.to_owned(), password)));
    secrets.extend(users.map(|users| (USERS.to_owned(), users)));
    Ok(Imported { config: parts.join("\n"), secrets, notes: convert.notes })
}

/// PgBouncer's limits of time that are rules here.
pub(super) const TIMEOUTS: [(&str, &str); 3] = [
    ("query_timeout", "statement_timeout"),
    ("transaction_timeout", "transaction_timeout"),
    ("idle_transaction_timeout", "idle_transaction_timeout"),
];

/// The longest time that a key may have, in seconds.
pub(super) const DAY: f64 = 86_400.0;
pub(super) const LONGER_THAN_A_DAY: &str = "no time here is longer than a day: a day was taken";

/// PgBouncer asks nobody who wants one.
const REPLICATION: &str = "\
# Replication connections (pg_basebackup, logical replication), which PgBouncer lets in as any other, want an entry here:
#[[client]]
#name = \"replicas\"
#match = { user = \"replicator\" }
#replication = true
";

const HEAD: &str = "# Imported from PgBouncer. What had no equivalent was told when it was imported.\n";

impl Convert<'_> {
    pub(super) fn note(&mut self, entry: &Entry, advice: &str) {
        self.note_key(entry, &entry.key, advice);
    }

    pub(super) fn note_key(&mut self, entry: &Entry, key: &str, advice: &str) {
        self.notes.push(Note { place: entry.place.clone(), key: key.to_owned(), advice: advice.to_owned() });
    }

    /// Adds what was noted elsewhere.
    pub(super) fn tell(&mut self, notes: Vec<Note>) {
        self.notes.extend(notes);
    }

    /// Notes a key of `[pgbouncer]`, if it is there.
    pub(super) fn note_setting(&mut self, key: &str, advice: &str) {
        if let Some(&entry) = self.settings.get(key) {
            self.note(entry, advice);
        }
    }

    fn note_fates(&mut self) {
        for (key, entry) in self.settings.clone() {
            match keys::fate(&key) {
                Some(Fate::Taken | Fate::Idle) => {}
                Some(Fate::Gone(advice)) => self.note(entry, advice),
                None => self.note(entry, "no key of PgBouncer 1.26 or before, so nobody knows what it means"),
            }
        }
    }

    pub(super) fn text(&self, key: &str) -> Option<&str> {
        self.settings.get(key).map(|entry| entry.value.as_str()).filter(|value| !value.is_empty())
    }

    pub(super) fn number(&mut self, key: &str, default: u64) -> u64 {
        let Some(text) = self.text(key) else { return default };
        match text.parse() {
            Ok(number) => number,
            Err(_) => {
                self.note_setting(key, &format!("is no number: {default}, PgBouncer's default, was taken"));
                default
            }
        }
    }

    /// A number that has no 0 here.
    pub(super) fn at_least_one(&mut self, key: &str, default: u64, why: &str) -> u64 {
        let number = self.number(key, default);
        if number == 0 {
            self.note_setting(key, &format!("there is no 0 here, {why}: {default}, PgBouncer's default, was taken"));
        }
        if number == 0 { default } else { number }
    }

    /// Seconds, as far as they can be had here; `None` for 0.
    pub(super) fn seconds(&mut self, key: &str, default: f64) -> Option<f64> {
        let seconds = self.seconds_as_told(key, default)?;
        if seconds > DAY {
            self.note_setting(key, LONGER_THAN_A_DAY);
        }
        Some(seconds.min(DAY))
    }

    fn seconds_as_told(&mut self, key: &str, default: f64) -> Option<f64> {
        let seconds = match self.text(key).map(str::parse::<f64>) {
            None => default,
            Some(Ok(seconds)) if seconds.is_finite() && seconds >= 0.0 => seconds,
            Some(_) => {
                self.note_setting(key, &format!("is no number of seconds: {default}, PgBouncer's default, was taken"));
                default
            }
        };
        Some(seconds).filter(|seconds| *seconds > 0.0)
    }

    fn users(&mut self, found: Option<Found>) -> Option<Vec<User>> {
        match found? {
            Found::Users(users) => {
                // On trust nobody is asked for one, here as there.
                let trusted = self.text("auth_type") == Some("trust");
                if !trusted && users.iter().any(|user| user.secret == Secret::None) {
                    let advice =
                        "users without a password are left out: give each one in users.toml, for Floodwall's own login";
                    self.note_setting("auth_file", advice);
                }
                Some(users)
            }
            Found::Missing(path) => {
                let path = path.display();
                self.note_setting("auth_file", &format!("{path} cannot be read: name it as the second argument"));
                None
            }
        }
    }

    pub(super) fn pool(&mut self, entry: Option<&Entry>, mode: &str) -> Pool {
        match (mode, entry) {
            ("session", _) => Pool::Session,
            ("transaction", _) => Pool::Transaction,
            ("statement", entry) => {
                let advice = "transaction takes its place: transactions of several statements are not forbidden";
                match entry {
                    Some(entry) => self.note_key(entry, &format!("{} pool_mode", entry.key), advice),
                    None => self.note_setting("pool_mode", advice),
                }
                Pool::Transaction
            }
            _ => {
                self.note_setting("pool_mode", "no mode of PgBouncer: session, its default, was taken");
                Pool::Session
            }
        }
    }

    /// Who is let in where, and how.
    fn access(&mut self, listeners: &[Listener], known: Known<'_>, source: &Source<'_>) -> Vec<String> {
        if let Some(listed) = self.hba(source, listeners, known) {
            return listed;
        }
        doors::of_proofs(listeners, &self.proofs(known))
    }

    /// PgBouncer has no rules for statements: they only warn until somebody has read what they say. Its own timeouts hold.
    fn rules(&mut self) -> String {
        let mut text = "# PgBouncer refuses no statement. SHOW REPORT tells what these rules would refuse, and limits that fit; each can then\n\
                        # have mode = \"enforce\".\n[rules]\nmode = \"warn\"\n"
            .to_owned();
        for (key, rule) in TIMEOUTS {
            if let Some(seconds) = self.seconds(key, 0.0) {
                text.push_str(&format!("\n[rules.{rule}]\nmode = \"enforce\"\nlimit = {}\n", duration(seconds)));
            }
        }
        text
    }
}

/// A time as the configuration has it: nothing is shorter than a millisecond.
pub(super) fn duration(seconds: f64) -> String {
    if seconds.fract() == 0.0 { format!("\"{seconds:.0}s\"") } else { format!("\"{:.0}ms\"", (seconds * 1e3).max(1.0)) }
}

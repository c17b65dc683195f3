//! What each key becomes.

use super::access::Known;
use super::declared::Given;
use super::exception::{self, Exception};
use super::ini::Entry;
use super::keys::{self, Fate};
use super::login::{AUTH_PASSWORD, Login};
use super::mode::Mode;
use super::pools;
use super::settings::{Convert, TIMEOUTS};
use super::text::duration;
use super::userlist::{Secret, User};
use super::users::{self, Found, Source, USERS};
use super::{Failed, Imported, Place};

pub(super) fn convert(entries: &[Entry], source: &Source<'_>) -> Result<Imported, Failed> {
    let of = |section: &'static str| entries.iter().filter(move |entry| entry.section.eq_ignore_ascii_case(section));
    let settings = of("pgbouncer").filter(|entry| !entry.forgotten);
    let settings = settings.map(|entry| (entry.key.to_ascii_lowercase(), entry)).collect();
    let mut convert = Convert { settings, notes: Vec::new(), passwords: Vec::new(), asker: None };
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
    let of_users: Vec<_> = of("users").map(|entry| (entry, convert.of_user(entry, &listeners, &login))).collect();
    let lent_to_users = of_users.iter().any(|(_, (_, sizes))| sizes.mode == Some(Mode::Transaction));
    for listener in &mut listeners {
        listener.lends = lent_to_users || listener.modes().any(|mode| mode == Mode::Transaction);
    }
    let caps = convert.caps(&listeners, &databases);
    let mut parts: Vec<String> = vec![HEAD.to_owned()];
    parts.extend(listeners.iter().map(|listener| listener.text(&login, &common)));
    parts.push(caps);
    let declared = listeners.iter().flat_map(|listener| &listener.databases);
    let mut exceptions: Vec<_> = declared.map(Exception::of_database).collect();
    let mut sizes_of_users = Vec::new();
    for (entry, (exception, sizes)) in of_users {
        exceptions.push(exception);
        sizes_of_users.push((entry.key.clone(), sizes));
    }
    exception::tell_apart(&mut exceptions);
    parts.extend(exceptions.iter().filter_map(Exception::text));
    parts.extend(listeners.iter().flat_map(|listener| {
        let name = (listeners.len() > 1).then_some(&*listener.name);
        listener.databases.iter().filter_map(move |database| database.text(name))
    }));
    parts.extend(pools::entries(&listeners, &sizes_of_users, common.min_pool_size));
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
    fn note_fates(&mut self) {
        for (key, entry) in self.settings.clone() {
            match keys::fate(&key) {
                Some(Fate::Taken | Fate::Idle) => {}
                Some(Fate::Gone(advice)) => self.note(entry, advice),
                None => self.note(entry, "no key of PgBouncer 1.26 or before, so nobody knows what it means"),
            }
        }
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

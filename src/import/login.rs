//! Who checks passwords.

use super::connect;
use super::ini::Entry;
use super::settings::Convert;
use super::text::quoted;
use super::userlist::{Secret, User};
use super::users::USERS;

/// Who checks passwords.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Login {
    Relay,
    Users,
    Query { query: Option<String>, asker: Option<Asker>, database: Option<String> },
}

/// Who asks the server for passwords.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Asker {
    pub(super) user: String,
    proof: AskerProof,
}

/// With what it logs in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum AskerProof {
    /// With nothing: PgBouncer knew no password either.
    Nothing,
    /// With the password that stood in `auth_file`, which gets a file of its own.
    File,
    /// With one that nobody has told.
    Variable,
}

impl Asker {
    fn new(user: String, users: Option<&[User]>) -> Self {
        let known = users.map(|users| users.iter().find(|known| known.name == user).map(|known| &known.secret));
        let proof = match known {
            Some(None | Some(Secret::None)) => AskerProof::Nothing,
            Some(Some(Secret::Password(_))) => AskerProof::File,
            Some(Some(Secret::Md5(_) | Secret::Scram(_))) | None => AskerProof::Variable,
        };
        Self { user, proof }
    }

    /// A table of TOML.
    fn text(&self, database: Option<&str>) -> String {
        let proof = match self.proof {
            AskerProof::Nothing => String::new(),
            AskerProof::File => format!(", password_file = \"{AUTH_PASSWORD}\""),
            AskerProof::Variable => format!(", password_env = \"{AUTH_VARIABLE}\""),
        };
        let database = database.map(|name| format!(", database = {}", quoted(name))).unwrap_or_default();
        format!("{{ user = {}{proof}{database} }}", quoted(&self.user))
    }

    const fn advice(&self) -> Option<&'static str> {
        match self.proof {
            AskerProof::Nothing => Some("auth_file has no password of it: the server has to let it in without one"),
            AskerProof::File => None,
            AskerProof::Variable => Some("put its password into the environment as FLOODWALL_AUTH_PASSWORD"),
        }
    }
}

impl Login {
    pub(super) fn lines(&self) -> Vec<String> {
        match self {
            Self::Relay => vec!["login = \"relay\"".to_owned()],
            Self::Users => vec!["login = \"users\"".to_owned(), format!("users_file = \"{USERS}\"")],
            Self::Query { query, asker, database } => {
                let mut lines = vec!["login = \"query\"".to_owned()];
                lines.extend(query.as_deref().map(|query| format!("auth_query = {}", quoted(query))));
                lines.extend(asker.as_ref().map(|asker| format!("auth = {}", asker.text(database.as_deref()))));
                lines
            }
        }
    }

    /// The text of `auth.password`, where the user that asks has a password among these.
    pub(super) fn auth_password(&self, users: &[User]) -> Option<String> {
        let Self::Query { asker: Some(Asker { user, proof: AskerProof::File }), .. } = self else { return None };
        users.iter().find_map(|known| match &known.secret {
            Secret::Password(password) if known.name == *user => Some(password.clone()),
            _ => None,
        })
    }
}

const AUTH_VARIABLE: &str = "FLOODWALL_AUTH_PASSWORD";
pub(super) const AUTH_PASSWORD: &str = "auth.password";

/// Why a pool is none.
pub(super) const NEEDS_USERS: &str =
    "pool = \"transaction\" needs users: name a userlist as the second argument, or use auth_query";

/// The `auth_user` that every database names, if it is the same.
fn asker(databases: &[&Entry]) -> Option<String> {
    let of = |entry: &Entry| connect::parse(&entry.value)?.into_iter().rfind(|(key, _)| key == "auth_user");
    let mut named = databases.iter().map(|entry| of(entry).map(|(_, user)| user));
    let first = named.next()??;
    named.all(|user| user.as_ref() == Some(&first)).then_some(first)
}

impl Convert<'_> {
    /// Who checks passwords, with the users of `auth_file` where they are known.
    pub(super) fn login(&mut self, users: Option<&[User]>, databases: &[&Entry]) -> Login {
        let method = self.text("auth_type").unwrap_or("md5").to_owned();
        if matches!(method.as_str(), "pam" | "ldap" | "gss") {
            self.note_setting(
                "auth_type",
                "no such method here: SCRAM with login = \"users\" or \"query\" takes its place",
            );
        }
        if method == "any" {
            self.note_setting("auth_type", "every client as one user is no method here: each logs in as itself");
        }
        let text = |key: &str| self.text(key).map(str::to_owned);
        let (query, own, database) = (text("auth_query"), text("auth_user"), text("auth_dbname"));
        if own.is_none() && (query.is_some() || users.is_none()) {
            self.asker = asker(databases);
        }
        let user = own.or_else(|| self.asker.clone());
        if query.is_none() && user.is_none() {
            return if users.is_some() || self.text("auth_file").is_some() { Login::Users } else { self.relayed() };
        }
        let asker = user.map(|user| Asker::new(user, users));
        let advice = asker.as_ref().and_then(Asker::advice);
        if let (Some(_), Some(first)) = (&self.asker, databases.first()) {
            let advice = advice.map_or_else(String::new, |advice| format!(": {advice}"));
            self.note_key(first, &format!("{} auth_user", first.key), &format!("asks for all databases{advice}"));
        } else if asker.is_some() {
            if let Some(advice) = advice {
                self.note_setting("auth_user", advice);
            }
        } else {
            self.note_setting("auth_query", "without auth_user the monitor asks: give the listener a monitor, or auth");
        }
        if query.is_some() && database.is_none() {
            let advice = "PgBouncer asks in the database that the client wants; here it is asked in one, `postgres`: \
                          write another one into auth, where what it asks stands elsewhere";
            self.note_setting("auth_query", advice);
        }
        if users.is_some() {
            let advice = "with login = \"query\" the server knows all users: those of this file are not asked any more";
            self.note_setting("auth_file", advice);
        }
        Login::Query { query, asker, database }
    }

    /// Nobody here knows a password, so the server checks it; that takes a server for each client.
    fn relayed(&mut self) -> Login {
        if self.text("pool_mode").is_some_and(|mode| mode != "session") {
            self.note_setting("pool_mode", NEEDS_USERS);
        }
        Login::Relay
    }
}

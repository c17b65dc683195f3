//! Who checks the passwords of a listener's clients.

use std::path::PathBuf;

use super::super::context::Context;
use super::super::document::Section;
use super::super::problem::Fault;
use super::super::users::{self, User};
use super::super::{Secret, context, value};
use super::Monitor;

/// Who checks passwords.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Login {
    /// The server, through Floodwall.
    #[default]
    Relay,
    /// Floodwall, by a file of users.
    Users(Users),
    /// Floodwall, by what the server answers to a query.
    Query(AuthQuery),
}

impl Login {
    /// The word of the file.
    pub const fn label(&self) -> &'static str {
        match self {
            Self::Relay => "relay",
            Self::Users(_) => "users",
            Self::Query(_) => "query",
        }
    }
}

/// `login = "users"`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Users {
    /// The file.
    pub file: PathBuf,
    /// What it said when the configuration was read.
    pub users: Vec<User>,
}

/// `login = "query"`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuthQuery {
    /// What to ask, with `$1` for the user: name, hash and, if there is a third column, until when it is valid.
    pub query: String,
    /// Who asks.
    pub user: String,
    /// Its password, where one is configured.
    pub password: Option<Secret>,
    /// Where.
    pub database: String,
}

/// What is asked where the file does not say.
const QUERY: &str =
    "SELECT rolname, rolpassword, rolvaliduntil FROM pg_catalog.pg_authid WHERE rolname = $1 AND rolcanlogin";

/// Does the file say that the server checks the passwords?
pub(super) fn is_relay(section: &Section<'_>) -> bool {
    section.whole().get("login").is_none_or(|login| login.as_str() == Some("relay"))
}

/// The words of `login`.
#[derive(Clone, Copy, PartialEq)]
enum Word {
    Relay,
    Users,
    Query,
}

const WORDS: [(&str, Word); 3] = [("relay", Word::Relay), ("users", Word::Users), ("query", Word::Query)];

/// Reads the keys of a `[[listener]]` that belong here.
pub(super) fn resolve(section: &mut Section<'_>, context: &Context<'_>) -> Login {
    let word = section.read("login", |value| value::one_of(value, &WORDS)).unwrap_or(Word::Relay);
    let file = section.read("users_file", value::path).map(|path| context.folder.join(path));
    let query = section.read("auth_query", query);
    let account = section.has("auth").then(|| section.section("auth"));
    let account = match account {
        Some(account) => resolve_account(account, context),
        // Asked for all the same, so that a misspelt key can be told what it was meant to be.
        None => section.read("auth", |_| Ok(None)).flatten(),
    };
    for (key, of, word_of) in
        [("users_file", Word::Users, "users"), ("auth_query", Word::Query, "query"), ("auth", Word::Query, "query")]
    {
        if section.has(key) && word != of {
            let fault = Fault::new(format!("has no effect: it belongs to login = \"{word_of}\""));
            section.warn(key, fault.advise("with login = \"relay\" the server checks each password"));
        }
    }
    match (word, file) {
        (Word::Relay, _) => Login::Relay,
        (Word::Users, Some(file)) => {
            let users = users::read(&file, section, context);
            Login::Users(Users { file, users })
        }
        (Word::Users, None) => {
            if !section.has("users_file") {
                let fault = Fault::new("\"users\" needs a file of users");
                section.error("login", fault.advise("add users_file = \"users.toml\""));
            }
            Login::Relay
        }
        (Word::Query, _) => {
            let account = account.unwrap_or_else(nobody);
            Login::Query(AuthQuery { query: query.unwrap_or_else(|| QUERY.to_owned()), ..account })
        }
    }
}

/// The monitor asks where `auth` does not say who.
pub(super) fn complete(login: &mut Login, monitor: Option<&Monitor>, section: &Section<'_>) {
    let Login::Query(query) = login else { return };
    match monitor {
        _ if section.has("auth") => {}
        Some(Monitor { user, password, database }) => {
            query.user.clone_from(user);
            query.password.clone_from(password);
            query.database.clone_from(database);
        }
        None => {
            let fault = Fault::new("\"query\" needs a role that may ask the server for verifiers");
            section.error("login", fault.advise("add auth = { user = \"floodwall_auth\", password_env = \"…\" }"));
        }
    }
}

const fn nobody() -> AuthQuery {
    AuthQuery { query: String::new(), user: String::new(), password: None, database: String::new() }
}

fn resolve_account(mut section: Section<'_>, context: &Context<'_>) -> Option<AuthQuery> {
    let user = section.read("user", value::text);
    let database = section.read("database", value::text);
    let password = context::secret(&mut section, context);
    if section.is_given() && !section.has("user") {
        section.error("", Fault::new("auth needs a user").advise("write auth = { user = \"floodwall_auth\" }"));
    }
    section.finish();
    let database = database.unwrap_or_else(|| super::defaults::MONITOR_DATABASE.to_owned());
    Some(AuthQuery { user: user?, password, database, ..nobody() })
}

fn query(value: &toml::Value) -> Result<String, Fault> {
    let text = value::text(value)?;
    if !text.contains("$1") {
        return Err(Fault::new("names no user").advise("write $1 where the user's name belongs"));
    }
    Ok(text)
}

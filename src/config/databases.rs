//! `[[database]]`: names that clients ask for and the server does not have, and databases whose clients are all one role there.

use std::collections::BTreeMap;

use wildmatch::WildMatch;

use super::context::{Context, secret};
use super::document::{Document, Section};
use super::problem::Fault;
use super::{Config, Login, Secret, client, users, value};

/// `[[database]]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DatabaseRule {
    /// What clients ask for, and everything that is said of it here.
    pub name: String,
    /// Glob over the listener's name; `*` where not given.
    pub listener: String,
    /// The server's own name; `None`: the same.
    pub database: Option<String>,
    /// As whom all of its clients are at the server; `None`: each as itself.
    pub user: Option<ServerUser>,
}

/// A role that Floodwall itself logs in as.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerUser {
    /// Its name.
    pub name: String,
    /// Its password, where one is configured.
    pub password: Option<Secret>,
}

/// The databases of a listener that something is said of, by the name that clients use.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Databases(BTreeMap<String, DatabaseRule>);

impl Databases {
    fn of(rules: &[DatabaseRule], listener: &str) -> Self {
        let own = rules.iter().filter(|rule| WildMatch::new(&rule.listener).matches(listener));
        // Of two with one name the file is refused.
        Self(own.map(|rule| (rule.name.clone(), rule.clone())).collect())
    }

    /// All of them, by name.
    pub fn iter(&self) -> impl Iterator<Item = &DatabaseRule> {
        self.0.values()
    }

    /// The server's name of a database that clients call `name`. A name that stands for another one is not looked up again.
    pub fn at_server<'a>(&'a self, name: &'a str) -> &'a str {
        self.0.get(name).and_then(|rule| rule.database.as_deref()).unwrap_or(name)
    }

    /// As whom the clients of a database are at the server; `None`: each as itself.
    pub fn user(&self, name: &str) -> Option<&ServerUser> {
        self.0.get(name)?.user.as_ref()
    }

    /// The names that clients have for a database of the server; its own, unless that means another one.
    pub fn names_of<'a>(&'a self, at_server: &'a str) -> impl Iterator<Item = &'a str> {
        let others = self.0.keys().map(String::as_str).filter(move |name| *name != at_server);
        others.chain([at_server]).filter(move |name| self.at_server(name) == at_server)
    }

    /// The names that mean another database of the server than they do in `later`.
    pub fn changed<'a>(&'a self, later: &'a Self) -> impl Iterator<Item = &'a str> {
        let names = self.0.keys().chain(later.0.keys().filter(|name| !self.0.contains_key(*name)));
        names.map(String::as_str).filter(|name| self.at_server(name) != later.at_server(name))
    }
}

/// Reads one `[[database]]`.
pub(super) fn resolve(mut section: Section<'_>, context: &Context<'_>) -> Option<DatabaseRule> {
    let name = section.read("name", database_name);
    if !section.has("name") {
        section.error("", Fault::new("a [[database]] needs a name").advise("it is what clients ask for"));
    }
    let listener = section.read("listener", value::text).unwrap_or_else(|| "*".to_owned());
    let database = section.read("database", database_name);
    let role = section.read("user", users::name);
    let password = secret(&mut section, context);
    if password.is_some() && role.is_none() {
        section.error("", Fault::new("a password without a user").advise("write user = \"…\" as well"));
    }
    let says_nothing = database.is_none() && !section.has("database") && !section.has("user");
    if says_nothing && section.has("name") {
        let fault = Fault::new("has no effect: it names neither a database of the server nor a user there");
        section.warn("", fault.advise("clients may ask for every database of the server without an entry"));
    }
    section.finish();
    let user = role.map(|name| ServerUser { name, password });
    Some(DatabaseRule { name: name?, listener, database, user })
}

fn database_name(value: &toml::Value) -> Result<String, Fault> {
    let name = value::text(value)?;
    if name.len() > value::NAME_BYTES_MAX {
        return Err(Fault::new(format!("is longer than the {} bytes that a name may have", value::NAME_BYTES_MAX)));
    }
    let fault = Fault::new("is no name of a database");
    if name == "*" {
        return Err(fault.advise("every database that no entry names is the server's of that name"));
    }
    if !value::is_server_name(&name) {
        return Err(fault);
    }
    Ok(name)
}

/// Tells each listener of its databases.
pub(super) fn distribute(config: &mut Config) {
    for listener in &mut config.listeners {
        listener.databases = Databases::of(&config.databases, &listener.name);
    }
}

/// What only the whole file can show: names used twice, listeners that do not exist or can't log in as another role.
pub(super) fn check(config: &Config, document: &Document<'_>) {
    for (index, rule) in config.databases.iter().enumerate() {
        let path = |key: &str| ["database", &index.to_string(), key].map(str::to_owned);
        let listeners = client::listeners_of(config, &rule.listener);
        if listeners.is_empty() {
            document.warn(&path("listener"), client::no_listener(&rule.listener));
        }
        let shared = |earlier: &&DatabaseRule| {
            let glob = WildMatch::new(&earlier.listener);
            earlier.name == rule.name && listeners.iter().any(|listener| glob.matches(&listener.name))
        };
        if config.databases.iter().take(index).any(|earlier| shared(&earlier)) {
            let message = format!("\"{}\" is the name of an earlier database of the same listener", rule.name);
            document.error(&path("name"), Fault::new(message));
        }
        let relayed = listeners.iter().find(|listener| listener.login == Login::Relay);
        if let (Some(listener), Some(_)) = (relayed, &rule.user) {
            let message = format!(
                "is not possible on listener \"{}\", where the server checks the passwords of clients and knows them by their own names",
                listener.name
            );
            document.error(&path("user"), Fault::new(message).advise("take login = \"users\" or \"query\" there"));
        }
    }
}

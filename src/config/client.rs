//! `[[client]]`: what holds for some clients and not for others.

use ipnet::IpNet;
use wildmatch::WildMatch;

use super::context::{Context, RulesTable};
use super::document::{Document, Section};
use super::problem::Fault;
use super::{Config, Listener, value};

/// `[[client]]`: every entry that matches applies, all together.
#[derive(Debug, Clone, PartialEq)]
pub struct ClientRule {
    /// Name in logs, metrics, refusals and the console.
    pub name: String,
    /// Whom it matches.
    pub matches: ClientMatch,
    /// `caps.max_connections`, where given.
    pub max_connections: Option<usize>,
    /// `caps.new_connections_per_second`, where given.
    pub new_connections_per_second: Option<u32>,
    /// The raw `rules` override table; empty where not given.
    pub rules: toml::Table,
    /// May open replication connections.
    pub replication: bool,
}

/// `match = { … }`: all parts that are given must match. Globs know `*` and `?`.
#[derive(Debug, Clone, PartialEq)]
pub struct ClientMatch {
    /// Glob over the user; `*` where not given.
    pub user: String,
    /// Glob over the database.
    pub database: String,
    /// Glob over the application name.
    pub application_name: String,
    /// Networks; empty means any.
    pub addresses: Vec<IpNet>,
    /// Listener name glob.
    pub listener: String,
}

/// Reads one `[[client]]`.
pub(super) fn resolve(mut section: Section<'_>, context: &Context<'_>) -> ClientRule {
    let name = section.read("name", value::name);
    if !section.has("name") {
        section.error("", Fault::new("a [[client]] needs a name").advise("refusals and metrics name it"));
    }
    let matches = resolve_match(section.section("match"));
    let (max_connections, new_connections_per_second) = resolve_caps(section.section("caps"));
    let rules = section.section("rules");
    for error in (context.rules)(RulesTable::Override(&rules.whole())) {
        rules.error_below(&error.path, Fault::new(error.message));
    }
    let replication = section.read("replication", value::flag).unwrap_or(false);
    for key in ["rules", "replication"] {
        if matches.application_name != "*" && section.has(key) {
            section.error(key, chosen_by_the_client());
        }
    }
    let rules = rules.whole();
    section.finish();
    ClientRule {
        name: name.unwrap_or_default(),
        matches,
        max_connections,
        new_connections_per_second,
        rules,
        replication,
    }
}

/// A client writes its own application_name: what it can choose must not lift a limit.
fn chosen_by_the_client() -> Fault {
    Fault::new("is not possible where match names an application_name, since a client can choose that freely")
        .advise("match by user, database or address; an application_name may only tighten caps")
}

fn resolve_match(mut section: Section<'_>) -> ClientMatch {
    let default = ClientMatch::default();
    let matches = ClientMatch {
        user: section.read("user", value::text).unwrap_or(default.user),
        database: section.read("database", value::text).unwrap_or(default.database),
        application_name: section.read("application_name", value::text).unwrap_or(default.application_name),
        addresses: section.read("address", value::networks).unwrap_or(default.addresses),
        listener: section.read("listener", value::text).unwrap_or(default.listener),
    };
    section.finish();
    matches
}

fn resolve_caps(mut section: Section<'_>) -> (Option<usize>, Option<u32>) {
    let caps = (section.read("max_connections", value::count), section.read("new_connections_per_second", value::rate));
    section.finish();
    caps
}

/// The listeners whose names a glob matches.
pub(super) fn listeners_of<'c>(config: &'c Config, glob: &str) -> Vec<&'c Listener> {
    let glob = WildMatch::new(glob);
    config.listeners.iter().filter(|listener| glob.matches(&listener.name)).collect()
}

/// The warning of an entry of any kind that holds for none of them.
pub(super) fn no_listener(glob: &str) -> Fault {
    Fault::new(format!("no listener is called \"{glob}\", so this entry never applies"))
}

/// What only the whole file can show: names used twice, listeners that do not exist.
pub(super) fn check(config: &Config, document: &Document<'_>) {
    for (index, client) in config.clients.iter().enumerate() {
        let path = |steps: &[&str]| -> Vec<String> {
            let number = index.to_string();
            ["client", &number].iter().chain(steps).map(|step| (*step).to_owned()).collect()
        };
        if !client.name.is_empty() && config.clients.iter().take(index).any(|other| other.name == client.name) {
            let message = format!("\"{}\" is the name of an earlier client", client.name);
            document.error(&path(&["name"]), Fault::new(message));
        }
        if listeners_of(config, &client.matches.listener).is_empty() {
            document.warn(&path(&["match", "listener"]), no_listener(&client.matches.listener));
        }
    }
}

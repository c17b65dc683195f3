//! `[[listener]]`: one port for clients, and the server behind it.

mod entry;
mod login;
mod pool;
mod tls;

use std::net::SocketAddr;

use toml::Value;

pub use self::entry::Entry;
pub use self::login::{AuthQuery, Login, Users};
pub use self::pool::{Pool, PoolMode, UnknownTables};
pub use self::tls::Tls;
use super::context::{Context, secret};
use super::document::{Document, Section};
use super::problem::{Fault, not_yet};
use super::{Config, Secret, defaults, value};

/// `[[listener]]`.
#[derive(Debug, Clone, PartialEq)]
pub struct Listener {
    /// Name in logs, metrics and the console.
    pub name: String,
    /// Where it listens.
    pub bind: SocketAddr,
    /// `host:port` of the servers, resolved at each dial; the first is used in session mode.
    pub servers: Vec<String>,
    /// Server connections of this listener at any moment; `None`: learnt from the server.
    pub max_server_connections: Option<usize>,
    /// Let clients of other hosts in where the server asks Floodwall for no password.
    pub allow_trust: bool,
    /// How the catalogue is read; `None`: not at all.
    pub monitor: Option<Monitor>,
    /// How clients reach it, beside `bind`.
    pub entry: Entry,
    /// Who checks passwords.
    pub login: Login,
    /// How server connections are shared.
    pub pool: Pool,
    /// Encryption on either side.
    pub tls: Tls,
}

/// `monitor = { … }` of a listener.
#[derive(Debug, Clone, PartialEq)]
pub struct Monitor {
    /// Role to log in with.
    pub user: String,
    /// Its password, where one is configured.
    pub password: Option<Secret>,
    /// Database of the first connection.
    pub database: String,
}

/// Reads one `[[listener]]`.
pub(super) fn resolve(mut section: Section<'_>, context: &Context<'_>) -> Listener {
    let default = Listener::default();
    let name = section.read("name", value::name).unwrap_or(default.name);
    section.read("protocol", |value| value::only(value, "postgres", &["mysql"]));
    let bind = section.read("bind", value::bind).unwrap_or(default.bind);
    let servers = section.read("servers", servers).unwrap_or(default.servers);
    let entry = entry::resolve(&mut section, context);
    let mut login = login::resolve(&mut section, context);
    let pool = pool::resolve(&mut section, context, &login);
    let tls = tls::resolve(&mut section, context);
    let max_server_connections = section.read("max_server_connections", value::count);
    let allow_trust = section.read("allow_trust", value::flag).unwrap_or(default.allow_trust);
    let monitor = section.has("monitor").then(|| section.section("monitor"));
    let monitor = match monitor {
        Some(monitor) => resolve_monitor(monitor, context),
        // Asked for all the same, so that a misspelt key can be told what it was meant to be.
        None => section.read("monitor", |_| Ok(None)).flatten(),
    };
    login::complete(&mut login, monitor.as_ref(), &section);
    section.finish();
    Listener { name, bind, servers, max_server_connections, allow_trust, monitor, entry, login, pool, tls }
}

fn servers(value: &Value) -> Result<Vec<String>, Fault> {
    let example = "write a list of one server, as in [\"127.0.0.1:5432\"]";
    let items = value.as_array().ok_or_else(|| Fault::new("expected a list").advise(example))?;
    match items.as_slice() {
        [] => Err(Fault::new("must not be empty").advise(example)),
        [server] => Ok(vec![value::server(server)?]),
        _ => Err(not_yet("a list of several servers").advise("name one server, or give each its own [[listener]]")),
    }
}

fn resolve_monitor(mut section: Section<'_>, context: &Context<'_>) -> Option<Monitor> {
    let user = section.read("user", value::text);
    let database = section.read("database", value::text).unwrap_or_else(|| defaults::MONITOR_DATABASE.to_owned());
    let password = secret(&mut section, context);
    if !section.has("user") {
        section.error("", Fault::new("a monitor needs a user").advise("write monitor = { user = \"floodwall\" }"));
    }
    section.finish();
    Some(Monitor { user: user?, password, database })
}

/// What only all listeners together can show: names and addresses that meet.
pub(super) fn check(config: &Config, document: &Document<'_>) {
    for (index, listener) in config.listeners.iter().enumerate() {
        let path = |key: &str| ["listener", &index.to_string(), key].map(str::to_owned);
        let earlier = || config.listeners.iter().take(index);
        if earlier().any(|other| other.name == listener.name) {
            let message = format!("\"{}\" is the name of an earlier listener", listener.name);
            document.error(&path("name"), Fault::new(message).advise("names tell listeners apart in logs and metrics"));
        }
        if let Some(other) = earlier().find(|other| meet(other.bind, listener.bind)) {
            let message = format!("{} is taken by listener \"{}\"", listener.bind, other.name);
            document.error(&path("bind"), Fault::new(message));
        }
        let taken = [("admin.http", config.admin.http), ("admin.console", config.admin.console)];
        for (key, _) in taken.iter().filter(|(_, address)| address.is_some_and(|address| meet(address, listener.bind)))
        {
            document.error(&path("bind"), Fault::new(format!("{} is taken by {key}", listener.bind)));
        }
    }
    let admin = config.admin.http.zip(config.admin.console);
    if let Some((_, console)) = admin.filter(|(http, console)| meet(*http, *console)) {
        let path = ["admin", "console"].map(str::to_owned);
        document.error(&path, Fault::new(format!("{console} is taken by admin.http")));
    }
}

/// Two sockets cannot share a port on one address, nor one of them on all addresses. Port 0 is always another one.
fn meet(a: SocketAddr, b: SocketAddr) -> bool {
    let same_address = a.ip() == b.ip() || a.ip().is_unspecified() || b.ip().is_unspecified();
    a.port() != 0 && a.port() == b.port() && same_address
}

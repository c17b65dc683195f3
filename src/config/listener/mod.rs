//! `[[listener]]`: one port for clients, and the server behind it.

mod entry;
mod login;
mod pool;
mod servers;
mod tls;

use std::net::SocketAddr;
use std::time::Duration;

pub use self::entry::Entry;
pub use self::login::{AuthQuery, Login, Users};
pub(super) use self::pool::MODES;
pub use self::pool::{Pool, PoolMode, UnknownTables};
pub(super) use self::servers::CHECK_INTERVAL;
pub use self::tls::{Tls, TlsMode, TlsProtocols, TlsSide};
use super::context::{Context, secret};
use super::document::{Document, Section};
use super::problem::Fault;
use super::{Config, Databases, PoolRule, Secret, defaults, value};

/// `[[listener]]`.
#[derive(Debug, Clone, PartialEq)]
pub struct Listener {
    /// Name in logs, metrics and the console.
    pub name: String,
    /// Where it listens.
    pub bind: SocketAddr,
    /// The servers, each as `host:port`, resolved at each dial, or `/folder:port` of a Unix socket. Of several the primary is used.
    pub servers: Vec<String>,
    /// How often each of several servers is asked whether it is there and what it is.
    pub server_check_interval: Duration,
    /// Server connections of this listener at any moment; `None`: learnt from the server.
    pub max_server_connections: Option<usize>,
    /// A client that has been idle outside a transaction for so long is ended; `None`: it may stay.
    pub client_idle_timeout: Option<Duration>,
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
    /// What `[[database]]` says of its databases.
    pub databases: Databases,
    /// The `[[pool]]` entries that hold here, in their order.
    pub pools: Vec<PoolRule>,
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
    let servers = servers::names(&mut section, bind).unwrap_or(default.servers);
    let server_check_interval = servers::check_interval(&mut section);
    let entry = entry::resolve(&mut section, context);
    let mut login = login::resolve(&mut section, context);
    let pool = pool::resolve(&mut section, context, &login);
    let tls = tls::resolve(&mut section, context);
    let max_server_connections = section.read("max_server_connections", value::count);
    let client_idle_timeout = section.read("client_idle_timeout", value::timeout);
    let allow_trust = section.read("allow_trust", value::flag).unwrap_or(default.allow_trust);
    let monitor = section.has("monitor").then(|| section.section("monitor"));
    let monitor = match monitor {
        Some(monitor) => resolve_monitor(monitor, context),
        // Asked for all the same, so that a misspelt key can be told what it was meant to be.
        None => section.read("monitor", |_| Ok(None)).flatten(),
    };
    login::complete(&mut login, monitor.as_ref(), &section);
    section.finish();
    Listener {
        name,
        bind,
        servers,
        server_check_interval,
        max_server_connections,
        client_idle_timeout,
        allow_trust,
        monitor,
        entry,
        login,
        pool,
        tls,
        // Told when the whole file is read.
        databases: Databases::default(),
        pools: Vec::new(),
    }
}

fn resolve_monitor(mut section: Section<'_>, context: &Context<'_>) -> Option<Monitor> {
    let user = section.read("user", value::text);
    let database = section.read("database", value::text).unwrap_or_else(|| defaults::MONITOR_DATABASE.to_owned());
    let password = secret(&mut section, context);
    if section.is_given() && !section.has("user") {
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
        if let Some((other, server)) = beside(listener, earlier()) {
            let message =
                format!("listener \"{}\" has the server {server} as well, and each counts its own", other.name);
            let advice = "give both a max_server_connections that leaves the other its share";
            document.warn(&path("max_server_connections"), Fault::new(message).advise(advice));
        }
        for key in pool::OF_POOLS.iter().filter(|key| !listener.lends() && document.has(&path(key))) {
            document.warn(&path(key), pool::without_effect());
        }
    }
    let admin = config.admin.http.zip(config.admin.console);
    if let Some((_, console)) = admin.filter(|(http, console)| meet(*http, *console)) {
        let path = ["admin", "console"].map(str::to_owned);
        document.error(&path, Fault::new(format!("{console} is taken by admin.http")));
    }
}

/// The one earlier listener with one of the same servers, where one of the two takes all connections that it can get. Where there are
/// more, that has been said.
fn beside<'a>(listener: &'a Listener, earlier: impl Iterator<Item = &'a Listener>) -> Option<(&'a Listener, &'a str)> {
    let is_bounded = |listener: &Listener| listener.max_server_connections.is_some();
    let shared =
        |other: &'a Listener| Some((other, other.servers.iter().find(|server| listener.servers.contains(server))?));
    let mut shared = earlier.filter(|other| !is_bounded(other) || !is_bounded(listener)).filter_map(shared);
    let (other, server) = shared.next()?;
    shared.next().is_none().then_some((other, server.as_str()))
}

/// Two sockets cannot share a port on one address, nor one of them on all addresses. Port 0 is always another one.
fn meet(a: SocketAddr, b: SocketAddr) -> bool {
    let same_address = a.ip() == b.ip() || a.ip().is_unspecified() || b.ip().is_unspecified();
    a.port() != 0 && a.port() == b.port() && same_address
}

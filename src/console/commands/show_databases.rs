//! SHOW DATABASES: the databases that anybody uses, in PgBouncer's columns.

use std::collections::{BTreeMap, BTreeSet};

use super::{Asked, Def};
use crate::config::Role;
use crate::console::answer::{Answer, Failure, Row, Value, count, text};
use crate::console::bounds::Bounds;
use crate::console::pools::{Lent, Pools, Use};
use crate::control::Control;
use crate::telemetry::rows::{DatabaseRow, ListenerRow};
use crate::units::display_bytes;

pub(super) const DEF: Def = Def {
    name: "SHOW DATABASES",
    syntax: "SHOW DATABASES",
    summary: "the databases that are in use, with the server and the limits of their listeners, as PgBouncer tells them",
    role: Role::Read,
    columns: &[
        text("name"),
        text("host"),
        count("port"),
        text("database"),
        text("force_user"),
        count("pool_size"),
        count("min_pool_size"),
        count("reserve_pool_size"),
        count("server_lifetime"),
        text("pool_mode"),
        text("load_balance_hosts"),
        count("max_connections"),
        count("current_connections"),
        count("max_client_connections"),
        count("current_client_connections"),
        count("paused"),
        count("disabled"),
        text("listeners"),
    ],
    run,
};

/// What tells databases apart for exporters.
type Key = (String, String, u16, &'static str);

#[derive(Debug, Default)]
struct Database {
    at_server: Option<DatabaseRow>,
    listeners: BTreeSet<String>,
    bounds: Lent,
    /// Of the listeners.
    servers_most: u64,
    /// Its own, at each listener.
    parts_most: Bounds,
    servers: u64,
    clients_most: u64,
    clients: u64,
}

fn run(asked: &Asked<'_>) -> Result<Answer, Failure> {
    asked.nothing_more(&DEF)?;
    let mut databases = BTreeMap::<Key, Database>::new();
    for listener in (asked.sources.listeners)() {
        for pool in Pools::of_listener(asked.sources, &listener.listener).all() {
            let key = (pool.database.clone(), listener.host.clone(), listener.port, pool.mode());
            let most = (asked.sources.parts_most)(&listener.listener, &pool.user, &pool.database).database;
            let database = databases.entry(key).or_default();
            database.parts_most.note(&listener.listener, most);
            database.note(pool, &listener);
        }
    }
    let control = &asked.sources.control;
    Ok(Answer::rows(databases.into_iter().map(|(key, database)| row(key, database, control))))
}

impl Database {
    fn note(&mut self, pool: &Use, listener: &ListenerRow) {
        let at_server = || listener.databases.iter().find(|row| row.name == pool.database).cloned();
        self.at_server = self.at_server.take().or_else(at_server);
        self.servers = self.servers.saturating_add(pool.servers());
        self.clients = self.clients.saturating_add(pool.cl_active).saturating_add(pool.cl_waiting);
        if self.listeners.insert(listener.listener.clone()) {
            self.servers_most = self.servers_most.saturating_add(listener.max_server_connections.unwrap_or(0));
            self.clients_most = self.clients_most.saturating_add(listener.max_clients);
        }
        let gone = || if pool.lends() { common(listener) } else { Lent::default() };
        self.bounds = self.bounds.max(pool.lent.unwrap_or_else(gone));
    }

    /// The servers that it may have: as many as are its own, and no more than its listeners have in all. 0 is PgBouncer's word for any
    /// number.
    fn most(&self) -> u64 {
        match (self.parts_most.sum(), self.servers_most) {
            (None, all) => all,
            (Some(own), 0) => own,
            (Some(own), all) => own.min(all),
        }
    }
}

/// The bounds of a pool that is not there at the moment.
const fn common(listener: &ListenerRow) -> Lent {
    let ListenerRow { pool_size: size, min_pool_size: min_size, server_lifetime, .. } = *listener;
    Lent { size, min_size, server_lifetime }
}

fn row((name, host, port, mode): Key, database: Database, control: &Control) -> Row {
    let (paused, disabled) = (control.paused(&name), control.is_disabled(&name));
    let name = display_bytes(name.as_bytes());
    let servers_most = database.most();
    let at_server = database.at_server;
    let listeners: Vec<_> = database.listeners.into_iter().collect();
    vec![
        name.clone().into(),
        host.into(),
        u64::from(port).into(),
        at_server.as_ref().map_or(name, |row| row.database.clone()).into(),
        at_server.and_then(|row| row.user).into(),
        database.bounds.size.into(),
        database.bounds.min_size.into(),
        Value::Count(0),
        database.bounds.server_lifetime.as_secs().into(),
        mode.into(),
        Value::Null,
        servers_most.into(),
        database.servers.into(),
        database.clients_most.into(),
        database.clients.into(),
        u64::from(paused).into(),
        u64::from(disabled).into(),
        listeners.join(", ").into(),
    ]
}

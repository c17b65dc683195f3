//! A listener, its pools included.

use toml::{Table, Value};

use super::{MASK, Part, Shown, entry, note, number, pair, texts};
use crate::config::{Listener, Login, Monitor, Pool};
use crate::units::display_duration;

/// A `[[listener]]`.
pub(super) fn listener(listener: &Listener) -> Part {
    let max_server_connections = match listener.max_server_connections {
        Some(count) => number("max_server_connections", count),
        None => note("max_server_connections", "learnt from the server"),
    };
    let client_idle_timeout = match listener.client_idle_timeout {
        Some(limit) => pair("client_idle_timeout", display_duration(limit)),
        None => note("client_idle_timeout", "idle clients may stay"),
    };
    let monitor = match &listener.monitor {
        Some(monitor) => account("monitor", monitor),
        None => note("monitor", "none: the catalogue is not read"),
    };
    let mut keys = vec![
        pair("name", listener.name.as_str()),
        pair("protocol", "postgres"),
        pair("bind", listener.bind.to_string()),
        unix_socket(listener),
        proxies(listener),
        pair("reuse_port", listener.entry.reuse_port),
        pair("servers", listener.servers.clone()),
        pair("server_check_interval", display_duration(listener.server_check_interval)),
        pair("login", listener.login.label()),
        pair("pool", listener.pool.mode.label()),
        pair("client_tls", listener.tls.client.to_table()),
        pair("server_tls", listener.tls.server.to_table()),
        max_server_connections,
        bound("max_db_connections", listener.pool.max_db_connections),
        bound("max_user_connections", listener.pool.max_user_connections),
        client_idle_timeout,
        pair("allow_trust", listener.allow_trust),
        monitor,
    ];
    match &listener.login {
        Login::Relay => {}
        Login::Users(users) => keys.push(pair("users_file", users.file.display().to_string())),
        Login::Query(query) => {
            keys.push(pair("auth_query", query.query.as_str()));
            let asks = Monitor {
                user: query.user.clone(),
                password: query.password.clone(),
                database: query.database.clone(),
            };
            keys.push(account("auth", &asks));
        }
    }
    if listener.lends() {
        keys.extend(pool(&listener.pool));
    }
    entry("listener", &listener.name, keys)
}

/// Servers of some pools together.
fn bound(key: &str, most: Option<usize>) -> (String, Shown) {
    most.map_or_else(|| note(key, "any number"), |most| number(key, most))
}

fn unix_socket(listener: &Listener) -> (String, Shown) {
    match &listener.entry.unix_socket {
        Some(folder) => pair("unix_socket", folder.display().to_string()),
        None => note("unix_socket", "none"),
    }
}

fn proxies(listener: &Listener) -> (String, Shown) {
    let networks = &listener.entry.proxy_protocol_from;
    if networks.is_empty() {
        return note("proxy_protocol_from", "nowhere: every client comes directly");
    }
    pair("proxy_protocol_from", texts(networks))
}

/// What bounds pools.
pub(super) fn pool(pool: &Pool) -> Vec<(String, Shown)> {
    vec![
        number("pool_size", pool.size),
        number("min_pool_size", pool.min_size),
        number("min_guaranteed_pool_size", pool.min_guaranteed_size),
        number("max_server_logins", pool.max_server_logins),
        pair("server_connect_timeout", display_duration(pool.server_connect_timeout)),
        pair("server_idle_timeout", display_duration(pool.server_idle_timeout)),
        pair("server_lifetime", display_duration(pool.server_lifetime)),
        pair("query_wait_timeout", display_duration(pool.query_wait_timeout)),
        number("pool_queue_length", pool.queue_length),
        number("max_prepared_statements", pool.max_prepared_statements),
        number("max_client_prepared_statements", pool.max_client_prepared_statements),
        pair("prepare_unnamed", pool.prepare_unnamed),
        pair("unknown_tables", pool.unknown_tables.label().to_owned()),
    ]
}

/// As whom Floodwall itself asks a server.
fn account(key: &str, account: &Monitor) -> (String, Shown) {
    let password = account.password.as_ref().map(|_| ("password".to_owned(), Value::from(MASK)));
    let fields = [("user", &account.user), ("database", &account.database)];
    let named = fields.map(|(key, text)| (key.to_owned(), Value::from(text.as_str())));
    pair(key, named.into_iter().chain(password).collect::<Table>())
}

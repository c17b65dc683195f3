//! Who may come in: caps, entries of access, clients with settings of their own.

use toml::{Table, Value};

use super::{Part, entry, integer, narrow, number, pair, table, texts};
use crate::config::{AccessRule, Caps, ClientRule};
use crate::units::display_duration;

/// `[caps]` and what stands below it.
pub(super) fn caps(caps: &Caps) -> [Part; 3] {
    let key: Vec<_> = caps.client_key.iter().map(|part| part.label()).collect();
    let all = vec![
        number("max_clients", caps.max_clients),
        number("max_logins", caps.max_logins),
        number("max_logins_per_address", caps.max_logins_per_address),
        pair("login_timeout", display_duration(caps.login_timeout)),
        pair("over", caps.over.label()),
        number("queue_length", caps.queue_length),
        pair("queue_wait", display_duration(caps.queue_wait)),
    ];
    let client = vec![
        pair("key", key),
        number("max_connections", caps.client.max_connections),
        pair("new_connections_per_second", caps.client.new_connections_per_second),
    ];
    [
        table("caps", all),
        table("caps.address", vec![number("max_connections", caps.address_max_connections)]),
        table("caps.client", client),
    ]
}

/// An `[[access]]`.
pub(super) fn access(index: usize, rule: &AccessRule) -> Part {
    let named = [("listener", &rule.listener), ("user", &rule.user), ("database", &rule.database)];
    let mut keys: Vec<_> = named.into_iter().map(|(key, text)| pair(key, text.as_str())).collect();
    if !rule.addresses.is_empty() {
        keys.push(pair("address", texts(&rule.addresses)));
    }
    keys.extend(rule.tls.map(|tls| pair("tls", tls)));
    keys.push(pair("method", rule.method.label()));
    entry("access", &index.to_string(), keys)
}

/// A `[[client]]`.
pub(super) fn client(client: &ClientRule) -> Part {
    let mut keys = vec![pair("name", client.name.as_str()), pair("match", matches(client))];
    let connections = client.max_connections.map(|count| ("max_connections".to_owned(), integer(count)));
    let rate =
        client.new_connections_per_second.map(|rate| ("new_connections_per_second".to_owned(), Value::from(rate)));
    let caps: Table = connections.into_iter().chain(rate).collect();
    for (key, given) in [("caps", &caps), ("rules", &client.rules)] {
        if !given.is_empty() {
            keys.push(pair(key, given.clone()));
        }
    }
    if client.replication {
        keys.push(pair("replication", true));
    }
    entry("client", &client.name, keys)
}

/// Only what narrows the match: `*` and an empty list mean anybody.
fn matches(client: &ClientRule) -> Table {
    let matches = &client.matches;
    let globs = [
        ("user", &matches.user),
        ("database", &matches.database),
        ("application_name", &matches.application_name),
        ("listener", &matches.listener),
    ];
    let mut table = narrow(globs);
    if !matches.addresses.is_empty() {
        table.insert("address".to_owned(), texts(&matches.addresses).into());
    }
    table
}

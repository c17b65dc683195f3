//! What the console, the pages and the metrics are told of what runs.

use std::sync::Arc;
use std::time::Duration;

use wildmatch::WildMatch;

use crate::config::{ClientMatch, Config, DatabaseRule, KeyPart};
use crate::guard::{Guard, Measure, Mode, RuleDef, State};
use crate::server::pool;
use crate::session::house::House;
use crate::telemetry::rows::{
    CapRow, ConfigRow, DatabaseRow, LimitRow, ListenerRow, NodeRow, PartsBound, PoolRow, RuleRow, Standing, SurgeRow,
};
use crate::telemetry::{Metrics, Series};

pub(super) fn cap_rows(houses: &[Arc<House>]) -> Vec<CapRow> {
    houses.iter().flat_map(|house| house.admission.cap_rows()).map(Into::into).collect()
}

/// How many clients a user may have on all listeners together, where something bounds those of a user: an own `[[client]]`, or
/// `[caps.client]` where its key is the user alone.
pub(super) fn clients_most(config: &Config, user: &str) -> Option<u64> {
    let entries = || {
        let capped = config.clients.iter().filter_map(|client| Some((&client.matches, client.max_connections?)));
        capped.filter(|(matches, _)| WildMatch::new(&matches.user).matches(user))
    };
    let own = entries().filter(|(matches, _)| is_of_users(matches)).map(|(_, most)| most).min();
    let common = config.caps.client_key == [KeyPart::User] && entries().next().is_none();
    let most = own.or_else(|| common.then_some(config.caps.client.max_connections))?;
    Some((most as u64).saturating_mul(config.listeners.len() as u64))
}

/// Does an entry look at nothing but the user?
fn is_of_users(matches: &ClientMatch) -> bool {
    *matches == ClientMatch { user: matches.user.clone(), ..ClientMatch::default() }
}

/// What bounds the servers of this listener's database and role, in all of their pools.
pub(super) fn parts_most(houses: &[Arc<House>], listener: &str, role: &str, database: &str) -> PartsBound {
    let Some(house) = houses.iter().find(|house| *house.name == *listener) else { return PartsBound::default() };
    let settings = house.settings.load();
    let pool = settings.pools.of(role, database);
    let wide = |most: Option<usize>| most.map(|most| most as u64);
    PartsBound { database: wide(pool.max_db_connections), role: wide(pool.max_user_connections) }
}

pub(super) fn surge_rows(houses: &[Arc<House>]) -> Vec<SurgeRow> {
    houses.iter().flat_map(|house| house.admission.surge_rows()).map(Into::into).collect()
}

pub(super) fn node_rows(houses: &[Arc<House>]) -> Vec<NodeRow> {
    houses.iter().flat_map(|house| house.nodes.rows()).collect()
}

pub(super) fn pool_rows(houses: &[Arc<House>]) -> Vec<PoolRow> {
    let of = |house: &Arc<House>| {
        let listener = house.name.to_string();
        let row = |row: pool::PoolRow| PoolRow {
            listener: listener.clone(),
            database: row.key.database,
            user: row.key.user,
            size: row.limits.size as u64,
            min_size: row.limits.min as u64,
            server_lifetime: row.limits.lifetime,
            servers: row.servers,
            max_wait: row.maxwait,
        };
        house.lending.rows().into_iter().map(row).collect::<Vec<_>>()
    };
    houses.iter().flat_map(of).collect()
}

pub(super) fn listener_row(house: &Arc<House>) -> ListenerRow {
    let current = house.settings.load();
    let listener = &current.listener;
    let used = house.nodes.primary().server;
    // A path to a Unix socket has no port.
    let (host, port) = used.as_deref().map_or(("", 0), |server| match server.rsplit_once(':') {
        Some((host, port)) => (host, port.parse().unwrap_or_default()),
        None => (server, 0),
    });
    let lends = listener.lends();
    let most = listener.max_server_connections.or_else(|| house.catalog.max_server_connections());
    let lent = |number: usize| if lends { number as u64 } else { 0 };
    ListenerRow {
        listener: house.name.to_string(),
        host: host.to_owned(),
        port,
        pool_size: lent(listener.pool.size),
        min_pool_size: lent(listener.pool.min_size),
        server_lifetime: if lends { listener.pool.server_lifetime } else { Duration::ZERO },
        max_server_connections: most.map(|most| most as u64),
        max_clients: current.caps.max_clients as u64,
        databases: listener.databases.iter().map(database_row).collect(),
    }
}

fn database_row(rule: &DatabaseRule) -> DatabaseRow {
    DatabaseRow {
        name: rule.name.clone(),
        database: rule.database.as_ref().unwrap_or(&rule.name).clone(),
        user: rule.user.as_ref().map(|user| user.name.clone()),
    }
}

/// Whether each server answers, as far as anybody looks at it, and whether it is the one that is used.
pub(super) fn node_series(rows: &[NodeRow]) -> [Series; 2] {
    let labels = |row: &NodeRow| vec![row.listener.clone(), row.server.clone(), row.role.to_owned()];
    let number = |yes: bool| f64::from(u8::from(yes));
    let seen = rows.iter().filter(|row| row.state != "unknown");
    [
        seen.map(|row| (labels(row), number(row.state == "up"))).collect(),
        rows.iter().map(|row| (labels(row), number(row.used))).collect(),
    ]
}

/// How the servers of each listener's pools stand, and how long the client that waits longest for one has waited. Which pool that is
/// SHOW POOLS tells: users and databases come from the wire, and are no labels.
pub(super) fn pool_series(houses: &[Arc<House>]) -> [Series; 2] {
    let lends = |house: &&Arc<House>| house.settings.load().listener.lends();
    let (mut servers, mut waits) = (Series::new(), Series::new());
    for house in houses.iter().filter(lends) {
        let rows = pool_rows(std::slice::from_ref(house));
        let listener = house.name.to_string();
        let stand = |standing| rows.iter().map(|row| row.standing(standing)).fold(0, u64::saturating_add);
        servers.extend(
            Standing::ALL.map(|standing| (vec![listener.clone(), standing.label().to_owned()], stand(standing) as f64)),
        );
        let longest = rows.iter().map(|row| row.max_wait).max().unwrap_or_default();
        waits.push((vec![listener], longest.as_secs_f64()));
    }
    [servers, waits]
}

/// The common rules; overrides of single clients are in SHOW CONFIG. A rule that has failed on any listener shows as failed.
pub(super) fn rule_rows(houses: &[Arc<House>], metrics: &Metrics) -> Vec<RuleRow> {
    let Some(house) = houses.first() else { return Vec::new() };
    let current = house.settings.load();
    let guard = current.policies.base();
    let failed: Vec<&str> = houses.iter().flat_map(failed_rules).collect();
    let row = |(def, mode): (&'static RuleDef, Mode)| RuleRow {
        rule: def.name,
        mode: mode.label(),
        state: if failed.contains(&def.name) { State::Failed.label() } else { mode.label() },
        settings: guard.settings(def),
        enforced_total: metrics.verdicts(def.name, "enforce"),
        warned_total: metrics.verdicts(def.name, "warn"),
        lifted_total: metrics.lifted(def.name),
        limits: limit_rows(guard, def),
    };
    guard.modes().map(row).collect()
}

fn failed_rules(house: &Arc<House>) -> Vec<&'static str> {
    let current = house.settings.load();
    let failed = current.policies.base().states().filter(|(_, state)| *state == State::Failed);
    failed.map(|(def, _)| def.name).collect()
}

fn limit_rows(guard: &Guard, def: &RuleDef) -> Vec<LimitRow> {
    let measures = Measure::ALL.iter().filter(|measure| measure.rule() == def.name);
    let row = |measure: &Measure| LimitRow {
        setting: measure.setting(),
        unit: measure.unit(),
        slot: (*measure).into(),
        limit: guard.limit_of(*measure),
    };
    measures.map(row).collect()
}

pub(super) fn guard_states(houses: &[Arc<House>]) -> Series {
    let of = |house: &Arc<House>| {
        let current = house.settings.load();
        let states = current.policies.base().states();
        let series = |(def, state): (&RuleDef, State)| {
            (vec![house.name.to_string(), def.name.to_owned(), state.label().to_owned()], 1.0)
        };
        states.map(series).collect::<Series>()
    };
    houses.iter().flat_map(of).collect()
}

pub(super) fn config_rows(config: &Config) -> Vec<ConfigRow> {
    let defaults = Config::default_rows();
    let row = |(key, value): (String, String)| {
        let default = defaults.get(&*Config::common_key(&key)).cloned();
        let changeable = Config::is_reloadable(&key);
        ConfigRow { key, value, default, changeable }
    };
    config.rows().into_iter().map(row).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Process, read};

    #[test]
    fn a_user_has_the_bound_that_is_of_users_alone() {
        let entry = |matches: &str, most| {
            format!("[[client]]\nname = '{most}'\nmatch = {{ {matches} }}\ncaps.max_connections = {most}\n")
        };
        let entries =
            [entry("user = 'web*'", 40), entry("user = 'web'", 30), entry("user = 'cron', database = 'shop'", 5)]
                .concat();
        let most = |caps: &str, listeners: &str| {
            let text = format!("{caps}\n{listeners}\n{entries}");
            let config = read(&text, &Process::WithoutSecrets, &|_| Vec::new()).unwrap().config;
            ["web", "web2", "cron", "other"].map(|user| clients_most(&config, user))
        };
        let one = "[[listener]]";
        assert_eq!(most("", one), [Some(30), Some(40), None, None], "those of a user and database bound no user");
        let of_users = "[caps.client]\nkey = ['user']\nmax_connections = 7";
        assert_eq!(most(of_users, one), [Some(30), Some(40), None, Some(7)]);
        let two = "[[listener]]\n[[listener]]\nname = 'second'\nbind = '127.0.0.1:6433'";
        assert_eq!(most("", two)[0], Some(60), "each listener counts for itself");
    }
}

//! RELOAD and SIGHUP: a whole new configuration, or none.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::ArcSwap;

use super::certificates::{leave_old_way, untimely};
use super::listeners::{current, follow};
use super::{descriptors, herald};
use crate::config::{self, Config, Listener, Loaded, Process, RulesTable, SettingError};
use crate::console::Accounts;
use crate::guard::{self, Guard};
use crate::session::house::{Current, House};
use crate::telemetry::Metrics;
use crate::telemetry::log::Log;

/// The configuration in force, and everything that a new one changes.
#[derive(Debug)]
pub(super) struct Reloader {
    pub(super) path: PathBuf,
    pub(super) config: ArcSwap<Config>,
    /// What the process was started with: what a reload cannot change is still so.
    pub(super) started: Arc<Config>,
    pub(super) houses: Vec<Arc<House>>,
    pub(super) accounts: Arc<Accounts>,
    pub(super) metrics: Arc<Metrics>,
    pub(super) log: Arc<Log>,
    /// One reload at a time.
    pub(super) turn: Mutex<()>,
}

impl Reloader {
    /// Reads the file again and puts it in force, whole. A file with an error changes nothing.
    ///
    /// # Errors
    /// What is wrong with the file, each error with its key and line.
    pub(super) fn reload(&self, who: &str) -> Result<String, String> {
        let turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        herald::reloading();
        let told = self.read_and_swap();
        herald::ready();
        drop(turn);
        match &told {
            Ok(told) => tracing::warn!(who, "audit: reloaded: {told}"),
            Err(why) => {
                let why = why.lines().collect::<Vec<_>>().join("; ");
                tracing::error!(who, "audit: not reloaded, nothing changed: {why}");
            }
        }
        told
    }

    fn read_and_swap(&self) -> Result<String, String> {
        let loaded = config::load(&self.path, &Process::WithSecrets, &check_rules);
        let Loaded { mut config, warnings } = loaded.map_err(|problems| problems.to_string())?;
        descriptors::clamp(&mut config);
        let houses = self.houses.iter().filter_map(|house| prepare(house, &config).transpose());
        let houses: Vec<_> = houses.collect::<Result<_, String>>()?;
        self.log.set_level(&config.log.level).map_err(|error| error.to_string())?;
        let mut kept = Vec::new();
        for (house, current) in houses {
            for error in house.tls.reload(&current.listener.tls) {
                tracing::error!(listener = %house.name, %error, "new TLS files can't be used; the old ones are in force");
                kept.push(format!("listener \"{}\" keeps its old TLS files: {error}", house.name));
            }
            kept.extend(untimely(house));
            house.admission.reload(&config);
            house.nodes.reload(&current.listener);
            follow(&house.catalog, &house.nodes.primary(), &current.listener);
            house.lending.reload(&current.listener);
            house.logins.reload(&config, &current.listener);
            let before = house.settings.load();
            house.settings.swap(current);
            reconnect_renamed(house, &before.listener);
            leave_old_way(house);
        }
        self.accounts.replace(&config.admin.users);
        self.metrics.name_clients(config.clients.iter().map(|client| client.name.as_str()));
        let later = Config::needs_restart(&self.started, &config);
        self.config.store(Arc::new(config));
        let warnings = warnings.list.iter().map(ToString::to_string).chain(kept);
        Ok(summary(&later, &warnings.collect::<Vec<_>>()))
    }
}

/// Servers of pools whose database is another one from now on end with their transaction.
fn reconnect_renamed(house: &House, before: &Listener) {
    let current = house.settings.load();
    before.databases.changed(&current.listener.databases).for_each(|name| house.lending.register.reconnect(Some(name)));
}

/// The new settings of a listener; `None` where the file no longer names it: it keeps the old ones until a restart.
fn prepare<'h>(house: &'h Arc<House>, config: &Config) -> Result<Option<(&'h Arc<House>, Current)>, String> {
    let Some(listener) = config.listeners.iter().find(|listener| *listener.name == *house.name) else {
        return Ok(None);
    };
    current(config, listener).map(|current| Some((house, current))).map_err(|error| error.to_string())
}

fn summary(later: &[String], warnings: &[String]) -> String {
    let mut told = "the configuration is in force".to_owned();
    if !later.is_empty() {
        told.push_str(&format!("; these need a restart: {}", later.join(", ")));
    }
    for warning in warnings {
        told.push_str(&format!("; warning: {warning}"));
    }
    told
}

/// What the registry of rules says to a table of rules: the check behind `floodwall check`, the start and each reload.
pub fn check_rules(table: RulesTable<'_>) -> Vec<SettingError> {
    let checked = match table {
        RulesTable::Base(table) => Guard::build(table).map(drop),
        RulesTable::Override(table) => {
            Guard::build(&toml::Table::new()).and_then(|guard| guard.with_overrides(table)).map(drop)
        }
    };
    let error = |guard::SettingError { path, message }| SettingError { path, message };
    checked.err().unwrap_or_default().into_iter().map(error).collect()
}

//! Which rules apply to whom: the common ones, and what `[[client]]` entries change of them.
//!
//! An entry that matches by `application_name` changes nothing here, since a client chooses that name.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use toml::Table;

use crate::client::matching::Matcher;
use crate::config::Config;
use crate::guard::{Guard, SettingError};
use crate::roster::Identity;

/// The rules of one client.
#[derive(Debug)]
pub struct Policy {
    /// The rules with their settings.
    pub guard: Guard,
}

/// The rules of one version of the configuration, by client.
#[derive(Debug)]
pub struct Policies {
    base: Arc<Policy>,
    entries: Vec<Entry>,
    /// Made once for each set of entries that apply together.
    made: Mutex<HashMap<Vec<usize>, Arc<Policy>>>,
}

#[derive(Debug)]
struct Entry {
    matcher: Matcher,
    rules: Table,
    replication: bool,
}

impl Policies {
    /// Reads `[rules]` and the `[[client]]` entries.
    ///
    /// # Errors
    /// Settings that no rule knows, or values that they don't take.
    pub fn new(config: &Config) -> Result<Self, Vec<SettingError>> {
        let guard = Guard::build(&config.rules)?;
        for client in &config.clients {
            guard.with_overrides(&client.rules)?;
        }
        let entries = config.clients.iter().map(|client| Entry {
            matcher: Matcher::new(&client.matches),
            rules: client.rules.clone(),
            replication: client.replication,
        });
        Ok(Self {
            base: Arc::new(Policy { guard }),
            entries: entries.filter(|entry| !entry.matcher.by_application_name()).collect(),
            made: Mutex::default(),
        })
    }

    /// These rules for everybody.
    #[cfg(test)]
    pub(crate) fn all(guard: Guard) -> Self {
        Self { base: Arc::new(Policy { guard }), entries: Vec::new(), made: Mutex::default() }
    }

    /// The rules for those that no entry speaks of.
    pub fn base(&self) -> &Guard {
        &self.base.guard
    }

    /// The rules for a client: the common ones, changed by every entry that matches, in the order of the file.
    pub fn of(&self, identity: &Identity) -> Arc<Policy> {
        let changes = |(_, entry): &(usize, &Entry)| !entry.rules.is_empty() && entry.matcher.matches(identity);
        let matching: Vec<usize> = self.entries.iter().enumerate().filter(changes).map(|(at, _)| at).collect();
        if matching.is_empty() {
            return Arc::clone(&self.base);
        }
        let mut made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        let policy = made.entry(matching).or_insert_with_key(|matching| self.make(matching));
        Arc::clone(policy)
    }

    /// May this client open a replication connection?
    pub fn may_replicate(&self, identity: &Identity) -> bool {
        self.entries.iter().any(|entry| entry.replication && entry.matcher.matches(identity))
    }

    /// Overrides were checked one by one when the configuration was read. Should they not go together, the common rules hold,
    /// which nobody has loosened.
    fn make(&self, matching: &[usize]) -> Arc<Policy> {
        self.combine(matching).map_or_else(|_| Arc::clone(&self.base), |guard| Arc::new(Policy { guard }))
    }

    fn combine(&self, matching: &[usize]) -> Result<Guard, Vec<SettingError>> {
        let mut guard = self.base.guard.with_overrides(&Table::new())?;
        for entry in matching.iter().filter_map(|&at| self.entries.get(at)) {
            guard = guard.with_overrides(&entry.rules)?;
        }
        Ok(guard)
    }
}

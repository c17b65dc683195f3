//! From an identity to the caps that apply to it.
//!
//! Names are cut at 63 bytes first: the server does the same (`NAMEDATALEN`), so a longer name is the same role and must
//! not be a new client.

use std::sync::Arc;

use crate::client::matching::{Matcher, cut};
use crate::config::{ClientCaps, ClientRule, Config, KeyPart};
use crate::roster::Identity;
use crate::telemetry::rows::Label;

use super::address::AddressKey;

/// What a record is found by.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum RecordKey {
    /// Connections that share the parts of `[caps.client] key`, such as `django/shop`.
    Key(Arc<str>),
    /// All connections that match the `[[client]]` entry of that name.
    Named(Arc<str>),
}

impl RecordKey {
    #[cfg(test)]
    pub(super) fn key(text: &str) -> Self {
        Self::Key(text.into())
    }

    pub(super) fn label(&self) -> &Arc<str> {
        match self {
            Self::Key(label) | Self::Named(label) => label,
        }
    }

    /// Names from the configuration are few; keys are chosen by clients.
    pub(super) fn naming(&self) -> Label {
        match self {
            Self::Key(_) => Label::Free,
            Self::Named(_) => Label::Bounded,
        }
    }
}

/// One cap of an identity: where it is counted, and what its limits are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Part {
    pub(super) key: RecordKey,
    pub(super) max_connections: Option<usize>,
    pub(super) per_second: Option<u32>,
}

/// All caps of an identity.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Resolved {
    /// Name of the first matching entry that has one, else the key.
    pub(super) label: Arc<str>,
    /// The key without what a client may choose freely: proof is remembered for it.
    pub(super) base: RecordKey,
    /// The base first; never empty.
    pub(super) parts: Vec<Part>,
}

/// `[caps.client]` and the `[[client]]` entries, ready to match.
#[derive(Debug)]
pub(super) struct Identities {
    key: Vec<KeyPart>,
    default: ClientCaps,
    entries: Vec<Entry>,
}

impl Identities {
    pub(super) fn new(config: &Config) -> Self {
        let entries = config.clients.iter().enumerate().map(|(at, rule)| Entry::new(rule, at)).collect();
        Self { key: config.caps.client_key.clone(), default: config.caps.client, entries }
    }

    /// All caps that apply to an identity, together.
    ///
    /// The default of `[caps.client]` applies unless an entry says otherwise: an entry's own limit takes its place,
    /// whether it is lower or higher. An entry that looks at `application_name` can't do so, it only adds its cap,
    /// since a client chooses that name. For the same reason a key with `application_name` in it is capped
    /// once more without it.
    pub(super) fn resolve(&self, identity: &Identity) -> Resolved {
        let who = Who::new(identity);
        let matching: Vec<&Entry> = self.entries.iter().filter(|entry| entry.matcher.matches(identity)).collect();
        let trusted = || matching.iter().filter(|entry| !entry.matcher.by_application_name());
        let default_max =
            trusted().all(|entry| entry.max_connections.is_none()).then_some(self.default.max_connections);
        let default_rate =
            trusted().all(|entry| entry.per_second.is_none()).then_some(self.default.new_connections_per_second);
        let default = |key| Part { key, max_connections: default_max, per_second: default_rate };

        let base = RecordKey::Key(who.key(self.key.iter().filter(|part| **part != KeyPart::ApplicationName)));
        let full = RecordKey::Key(who.key(self.key.iter()));
        let named = matching.iter().find(|entry| entry.named).map(|entry| Arc::clone(&entry.name));
        let label = named.unwrap_or_else(|| Arc::clone(full.label()));
        let mut parts = vec![default(base.clone())];
        if full != base {
            parts.push(default(full));
        }
        parts.extend(matching.iter().map(|entry| entry.part()));
        Resolved { label, base, parts }
    }
}

/// One `[[client]]` entry.
#[derive(Debug)]
struct Entry {
    name: Arc<str>,
    named: bool,
    matcher: Matcher,
    max_connections: Option<usize>,
    per_second: Option<u32>,
}

impl Entry {
    fn new(rule: &ClientRule, at: usize) -> Self {
        let named = !rule.name.is_empty();
        Self {
            name: if named { rule.name.as_str().into() } else { format!("client {}", at.saturating_add(1)).into() },
            named,
            matcher: Matcher::new(&rule.matches),
            max_connections: rule.max_connections,
            per_second: rule.new_connections_per_second,
        }
    }

    fn part(&self) -> Part {
        Part {
            key: RecordKey::Named(Arc::clone(&self.name)),
            max_connections: self.max_connections,
            per_second: self.per_second,
        }
    }
}

/// An identity with its names cut as the server cuts them.
struct Who<'a> {
    identity: &'a Identity,
    user: &'a str,
    database: &'a str,
    application_name: &'a str,
}

impl<'a> Who<'a> {
    fn new(identity: &'a Identity) -> Self {
        Self {
            identity,
            user: cut(&identity.user),
            database: cut(&identity.database),
            application_name: cut(&identity.application_name),
        }
    }

    /// The parts with `/` between them. Escaping keeps `a/b` + `c` apart from `a` + `b/c`.
    fn key<'p>(&self, parts: impl Iterator<Item = &'p KeyPart>) -> Arc<str> {
        let mut key = String::new();
        for (n, part) in parts.enumerate() {
            if n > 0 {
                key.push('/');
            }
            match part {
                KeyPart::User => escape(self.user, &mut key),
                KeyPart::Database => escape(self.database, &mut key),
                KeyPart::ApplicationName => escape(self.application_name, &mut key),
                KeyPart::Address => key.push_str(&AddressKey::new(self.identity.address).to_string()),
            }
        }
        if key.is_empty() { "*".into() } else { key.into() }
    }
}

fn escape(name: &str, into: &mut String) {
    for c in name.chars() {
        match c {
            '/' | '\\' => into.extend(['\\', c]),
            c if c.is_control() => into.extend(c.escape_default()),
            c => into.push(c),
        }
    }
}

#[cfg(test)]
#[path = "identify_tests.rs"]
mod tests;

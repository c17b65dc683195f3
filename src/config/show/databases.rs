//! Databases with another name or another role at the server.

use super::{MASK, Part, entry, pair};
use crate::config::DatabaseRule;

/// A `[[database]]`.
pub(super) fn database(index: usize, rule: &DatabaseRule) -> Part {
    let mut keys = vec![pair("name", rule.name.as_str()), pair("listener", rule.listener.as_str())];
    keys.extend(rule.database.as_deref().map(|database| pair("database", database)));
    if let Some(user) = &rule.user {
        keys.push(pair("user", user.name.as_str()));
        keys.extend(user.password.as_ref().map(|_| pair("password", MASK)));
    }
    entry("database", &index.to_string(), keys)
}

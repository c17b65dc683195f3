//! The engine of `floodwall pass`: from what an operator asks for to a signed comment.

use std::time::Duration;

use crate::clock;
use crate::config::Secret;
use crate::guard::pass::{KEY_BYTES_MIN, Key, LIFETIME_SECONDS_MAX, Pass};
use crate::guard::rules;
use crate::units::{self, display_duration};

/// What an operator asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Order {
    /// Names of rules, as [`rule`] gives them.
    pub rules: Vec<&'static str>,
    /// Who may use the pass.
    pub user: String,
    /// In which database; `None`: in any.
    pub database: Option<String>,
    /// How long it holds from now on, as [`lifetime`] gives it.
    pub lifetime: Duration,
    /// Why, for the log.
    pub reason: String,
}

/// Why there is no pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unsigned {
    /// The configuration names no key.
    #[error("the configuration has no key: name its place in [break_glass] key_env or key_file")]
    NoKey,
    /// The key is too short to sign with.
    #[error("the key of [break_glass] is shorter than {KEY_BYTES_MIN} bytes")]
    ShortKey,
    /// The comment would be too long for anybody to look at.
    #[error("the comment would be too long: shorten --reason")]
    TooLong,
}

/// Signs a pass that begins to run out now: a comment to put before or behind a statement.
///
/// # Errors
/// There is no key, or the fields are too long.
pub fn sign(order: Order, key: Option<&Secret>) -> Result<String, Unsigned> {
    let key = Key::new(key.ok_or(Unsigned::NoKey)?.reveal().as_bytes()).ok_or(Unsigned::ShortKey)?;
    let Order { mut rules, user, database, lifetime, reason } = order;
    rules.sort_by_key(|name| rules::ALL.iter().position(|def| def.name == *name));
    rules.dedup();
    let until = clock::wall().saturating_add(lifetime).as_secs();
    Pass { rules, user, database, until, reason }.comment(&key).ok_or(Unsigned::TooLong)
}

/// The rule of that name.
///
/// # Errors
/// There is none: a sentence that lists them.
pub fn rule(name: &str) -> Result<&'static str, String> {
    let names = || rules::ALL.iter().map(|def| def.name);
    names()
        .find(|known| *known == name)
        .ok_or_else(|| format!("the rules are {}", names().collect::<Vec<_>>().join(", ")))
}

/// How long a pass may hold: from a second to a day.
///
/// # Errors
/// A sentence that says what to write instead.
pub fn lifetime(text: &str) -> Result<Duration, String> {
    let longest = Duration::from_secs(LIFETIME_SECONDS_MAX);
    let lifetime = units::parse_duration(text).map_err(|error| error.to_string())?;
    if lifetime < Duration::from_secs(1) || lifetime > longest {
        return Err(format!("write a time from 1s to {}", display_duration(longest)));
    }
    Ok(lifetime)
}

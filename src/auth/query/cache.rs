//! What a server said of its users, for a while.

use std::collections::HashMap;

use super::{DOUBT, FRESH, FRESH_NEGATIVE, Found, STALE};
use crate::clock::Instant;

/// Names that are kept: with their verifiers a few megabytes.
const NAMES_MAX: usize = 16_384;

/// What is kept, in a younger and an older half: when the younger one is full, the older one goes.
#[derive(Debug, Default)]
pub(super) struct Cache {
    young: HashMap<Box<str>, Entry>,
    old: HashMap<Box<str>, Entry>,
}

#[derive(Debug, Clone)]
struct Entry {
    found: Found,
    said: Instant,
    doubted: bool,
}

/// What was found, and whether it may be taken without asking again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Cached {
    pub(super) found: Found,
    pub(super) fresh: bool,
}

impl Cache {
    pub(super) fn get(&self, user: &str, now: Instant) -> Option<Cached> {
        let entry = self.young.get(user).or_else(|| self.old.get(user))?;
        let age = now.saturating_duration_since(entry.said);
        let lasts = if matches!(entry.found, Found::Account(_)) { FRESH } else { FRESH_NEGATIVE };
        let fresh = age < if entry.doubted { DOUBT } else { lasts };
        (age < STALE).then(|| Cached { found: entry.found.clone(), fresh })
    }

    pub(super) fn put(&mut self, user: &str, found: Found, now: Instant) {
        if self.young.len() >= NAMES_MAX / 2 {
            self.old = std::mem::take(&mut self.young);
        }
        self.old.remove(user);
        self.young.insert(user.into(), Entry { found, said: now, doubted: false });
    }

    /// From [`DOUBT`] after it was said on, this one is asked for again.
    pub(super) fn doubt(&mut self, user: &str) {
        if let Some(entry) = self.young.get_mut(user).or_else(|| self.old.get_mut(user)) {
            entry.doubted = true;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::auth::accounts::{Account, Credential};
    use crate::config::Secret;

    fn account() -> Found {
        let credential = Credential::Password(Secret::new("x"));
        Found::Account(Arc::new(Account { credential, valid_until: None }))
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_said_is_fresh_then_stale_then_gone() {
        let mut cache = Cache::default();
        let start = crate::clock::now();
        cache.put("app", account(), start);
        cache.put("nobody", Found::Nobody, start);
        let state = |cache: &Cache, user: &str, seconds: u64| {
            cache.get(user, start + std::time::Duration::from_secs(seconds)).map(|cached| cached.fresh)
        };
        for (seconds, app, nobody) in [
            (0, Some(true), Some(true)),
            (6, Some(true), Some(false)),
            (31, Some(false), Some(false)),
            (601, None, None),
        ] {
            assert_eq!((state(&cache, "app", seconds), state(&cache, "nobody", seconds)), (app, nobody), "{seconds}");
        }
        cache.doubt("app");
        assert_eq!((state(&cache, "app", 0), state(&cache, "app", 1)), (Some(true), Some(false)));
        cache.put("app", account(), start);
        assert_eq!(state(&cache, "app", 1), Some(true));
    }

    #[tokio::test(start_paused = true)]
    async fn names_are_bounded() {
        let mut cache = Cache::default();
        for number in 0..50_000 {
            cache.put(&number.to_string(), Found::Nobody, crate::clock::now());
        }
        assert!(cache.young.len() + cache.old.len() <= NAMES_MAX);
        assert!(cache.get("49999", crate::clock::now()).is_some());
    }
}

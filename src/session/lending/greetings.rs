//! What clients are greeted with before they have a server: what a server of their pool has said to somebody who asked for the same.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::server::pool::Key;
use crate::server::reported::Reported;
use crate::server::route::Route;
use crate::session::state::Settings;

/// Greetings of one pool that are kept: applications ask for few kinds of settings.
const OF_POOL_MAX: usize = 64;
/// Pools whose greetings are kept.
const POOLS_MAX: usize = 1024;

/// What a server of a pool says to whoever logs in.
#[derive(Debug, Clone)]
pub struct Greeting {
    /// Where it is.
    pub server: (Route, u64),
    /// What it reports.
    pub parameters: Arc<Reported>,
}

/// All that are known of a listener's pools, whichever worker learnt them: during a pause none could be learnt anew.
#[derive(Debug, Default)]
pub struct Greetings(Mutex<HashMap<Key, OfPool>>);

type OfPool = HashMap<Arc<Settings>, Greeting>;

impl Greetings {
    /// What a server of this pool reports with these settings; `None` where nobody has asked for them yet.
    pub fn find(&self, pool: &Key, settings: &Settings) -> Option<Greeting> {
        self.lock().get(pool)?.get(settings).cloned()
    }

    /// Notes what a server reports with these settings.
    pub fn note(&self, pool: &Key, settings: &Arc<Settings>, greeting: Greeting) {
        let mut pools = self.lock();
        if pools.len() >= POOLS_MAX && !pools.contains_key(pool) {
            pools.clear();
        }
        let of_pool = pools.entry(pool.clone()).or_default();
        if of_pool.len() >= OF_POOL_MAX {
            of_pool.clear();
        }
        of_pool.insert(Arc::clone(settings), greeting);
    }

    /// What was learnt of this pool may no longer hold.
    pub fn forget(&self, pool: &Key) {
        self.lock().remove(pool);
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Key, OfPool>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::address::Endpoint;

    #[test]
    fn greetings_are_kept_by_pool_and_their_number_is_bounded() {
        let greetings = Greetings::default();
        let key = |number: usize| Key { user: "app".to_owned(), database: format!("d{number}") };
        let settings = Arc::new(Settings::default());
        let address: std::net::SocketAddr = "127.0.0.1:5432".parse().unwrap();
        let greeting = Greeting { server: (Endpoint::from(address).into(), 0), parameters: Arc::default() };
        greetings.note(&key(0), &settings, greeting.clone());
        assert!(greetings.find(&key(0), &settings).is_some() && greetings.find(&key(1), &settings).is_none());
        greetings.forget(&key(0));
        assert!(greetings.find(&key(0), &settings).is_none());
        (0..2 * POOLS_MAX).for_each(|number| greetings.note(&key(number), &settings, greeting.clone()));
        assert!(greetings.lock().len() <= POOLS_MAX);
    }
}

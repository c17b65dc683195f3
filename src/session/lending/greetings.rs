//! What clients are greeted with before they have a server: what a server of their pool has said to somebody who asked for the same.
//!
//! Where nobody knows it yet, one client asks for all: of a crowd that comes to a cold pool, each would else want a server of its own.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rapidhash::fast::GlobalState;
use tokio::sync::watch;

use crate::server::pool::Key;
use crate::server::reported::Reported;
use crate::server::route::Route;
use crate::session::state::Settings;
use crate::wire::Refusal;

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
pub struct Greetings(Mutex<HashMap<Key, OfPool, GlobalState>>);

type OfPool = HashMap<Arc<Settings>, Entry, GlobalState>;

/// What a server made of these settings; `None`: whoever asked has not been told yet.
type Answer = Option<Result<Greeting, Box<Refusal>>>;

#[derive(Debug)]
enum Entry {
    Known(Greeting),
    Asked(watch::Receiver<Answer>),
}

/// What is known of a greeting.
#[derive(Debug)]
pub enum Found<'a> {
    /// All of it.
    Known(Greeting),
    /// Somebody has asked a server for it.
    Asked(Asked),
    /// Nothing: the caller is to ask a server, for everybody who comes meanwhile.
    Unknown(Asking<'a>),
}

/// A greeting that somebody has asked for.
#[derive(Debug)]
pub struct Asked(watch::Receiver<Answer>);

/// Asks for a greeting in the name of all who want the same. Dropped without an answer, the next one asks.
#[derive(Debug)]
pub struct Asking<'a> {
    greetings: &'a Greetings,
    pool: Key,
    settings: Arc<Settings>,
    tell: watch::Sender<Answer>,
}

impl Greetings {
    /// What a server of this pool reports with these settings, or whose turn it is to ask one.
    pub fn find(&self, pool: &Key, settings: &Arc<Settings>) -> Found<'_> {
        let mut pools = self.lock();
        match pools.get(pool).and_then(|of_pool| of_pool.get(settings)) {
            Some(Entry::Known(greeting)) => Found::Known(greeting.clone()),
            Some(Entry::Asked(answer)) => Found::Asked(Asked(answer.clone())),
            None => {
                let (tell, answer) = watch::channel(None);
                put(&mut pools, pool, settings, Entry::Asked(answer));
                Found::Unknown(Asking { greetings: self, pool: pool.clone(), settings: Arc::clone(settings), tell })
            }
        }
    }

    /// What was learnt of this pool may no longer hold.
    pub fn forget(&self, pool: &Key) {
        self.lock().remove(pool);
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Key, OfPool, GlobalState>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn put(pools: &mut HashMap<Key, OfPool, GlobalState>, pool: &Key, settings: &Arc<Settings>, entry: Entry) {
    if pools.len() >= POOLS_MAX && !pools.contains_key(pool) {
        pools.clear();
    }
    let of_pool = pools.entry(pool.clone()).or_default();
    if of_pool.len() >= OF_POOL_MAX && !of_pool.contains_key(settings) {
        of_pool.clear();
    }
    of_pool.insert(Arc::clone(settings), entry);
}

impl Asked {
    /// What the server said to whoever asked; `None`: nothing, since the asker has gone. Cancel-safe.
    pub async fn answer(mut self) -> Option<Result<Greeting, Box<Refusal>>> {
        self.0.wait_for(Option::is_some).await.ok()?.clone()
    }
}

impl Asking<'_> {
    /// Notes what the server reports, and tells everybody who waits for it.
    pub fn learnt(self, greeting: Greeting) {
        put(&mut self.greetings.lock(), &self.pool, &self.settings, Entry::Known(greeting.clone()));
        self.tell.send_replace(Some(Ok(greeting)));
    }

    /// Tells everybody who waits that they can't come in either. Whoever comes later asks anew.
    pub fn refused(self, refusal: &Refusal) {
        self.tell.send_replace(Some(Err(Box::new(refusal.clone()))));
    }
}

impl Drop for Asking<'_> {
    fn drop(&mut self) {
        let mut pools = self.greetings.lock();
        let Some(of_pool) = pools.get_mut(&self.pool) else { return };
        // What is known by now stays, and so does what somebody else has asked for after all was forgotten.
        if let Some(Entry::Asked(answer)) = of_pool.get(&self.settings)
            && answer.same_channel(&self.tell.subscribe())
        {
            of_pool.remove(&self.settings);
        }
        if of_pool.is_empty() {
            pools.remove(&self.pool);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::address::Endpoint;
    use crate::client::refuse;
    use futures::FutureExt as _;

    fn key(number: usize) -> Key {
        Key { user: "app".to_owned(), database: format!("d{number}") }
    }

    fn greeting() -> Greeting {
        let address: std::net::SocketAddr = "127.0.0.1:5432".parse().unwrap();
        Greeting { server: (Endpoint::from(address).into(), 0), parameters: Arc::default() }
    }

    fn asking<'a>(greetings: &'a Greetings, pool: &Key, settings: &Arc<Settings>) -> Asking<'a> {
        match greetings.find(pool, settings) {
            Found::Unknown(asking) => asking,
            found => panic!("{found:?}"),
        }
    }

    fn asked(greetings: &Greetings, pool: &Key, settings: &Arc<Settings>) -> Asked {
        match greetings.find(pool, settings) {
            Found::Asked(asked) => asked,
            found => panic!("{found:?}"),
        }
    }

    #[test]
    fn greetings_are_kept_by_pool_and_their_number_is_bounded() {
        let (greetings, settings) = (Greetings::default(), Arc::new(Settings::default()));
        asking(&greetings, &key(0), &settings).learnt(greeting());
        assert!(matches!(greetings.find(&key(0), &settings), Found::Known(_)));
        assert!(matches!(greetings.find(&key(1), &settings), Found::Unknown(_)));
        greetings.forget(&key(0));
        assert!(matches!(greetings.find(&key(0), &settings), Found::Unknown(_)));
        (0..2 * POOLS_MAX).for_each(|number| asking(&greetings, &key(number), &settings).learnt(greeting()));
        assert!(greetings.lock().len() <= POOLS_MAX);
    }

    #[tokio::test]
    async fn one_asks_for_all_who_want_the_same() {
        let (greetings, settings) = (Greetings::default(), Arc::new(Settings::default()));
        let asking_now = asking(&greetings, &key(0), &settings);
        let waiting: Vec<_> = (0..100).map(|_| asked(&greetings, &key(0), &settings).answer().boxed()).collect();
        drop(asking(&greetings, &key(1), &settings));
        asking_now.learnt(greeting());
        let told = futures::future::join_all(waiting).await;
        assert!(told.iter().all(|told| matches!(told, Some(Ok(_)))), "{told:?}");
        assert_eq!(greetings.lock().len(), 1, "nothing is left of who asked in vain");
    }

    #[tokio::test]
    async fn where_the_asker_goes_the_next_one_asks() {
        let (greetings, settings) = (Greetings::default(), Arc::new(Settings::default()));
        let first = asking(&greetings, &key(0), &settings);
        let (second, third) = (asked(&greetings, &key(0), &settings), asked(&greetings, &key(0), &settings));
        drop(first);
        assert!(second.answer().await.is_none() && third.answer().await.is_none());
        assert_eq!(greetings.lock().len(), 0);
        let second = asking(&greetings, &key(0), &settings);
        let third = asked(&greetings, &key(0), &settings);
        second.learnt(greeting());
        assert!(matches!(third.answer().await, Some(Ok(_))));
    }

    #[tokio::test]
    async fn a_refusal_reaches_all_who_wait_and_nobody_later() {
        let (greetings, settings) = (Greetings::default(), Arc::new(Settings::default()));
        let first = asking(&greetings, &key(0), &settings);
        let waiting = [(); 3].map(|()| asked(&greetings, &key(0), &settings).answer().boxed());
        first.refused(&refuse::server_gone());
        let told = futures::future::join_all(waiting).await;
        assert!(told.iter().all(|told| matches!(told, Some(Err(refusal)) if **refusal == refuse::server_gone())));
        asking(&greetings, &key(0), &settings).learnt(greeting());
    }

    #[test]
    fn who_asked_before_all_was_forgotten_takes_nothing_from_who_asked_after() {
        let (greetings, settings) = (Greetings::default(), Arc::new(Settings::default()));
        let before = asking(&greetings, &key(0), &settings);
        greetings.forget(&key(0));
        let after = asking(&greetings, &key(0), &settings);
        drop(before);
        drop(asked(&greetings, &key(0), &settings));
        after.learnt(greeting());
        assert!(matches!(greetings.find(&key(0), &settings), Found::Known(_)));
    }
}

//! Verifiers that the server is asked for: `login = "query"`.
//!
//! One connection of its own asks, statement behind statement. What comes back is kept, so that a storm of logins costs the server one
//! question a name and not one a login; while the server cannot be asked, what was known lasts for a while. What clients send goes into
//! a bound value and nowhere else, and the connection's `search_path` is pinned, so that no client's start-up parameter and no schema
//! can put another table in the place of the catalogue.

mod cache;
mod link;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwapOption;
use futures::StreamExt as _;
use futures::stream::FuturesUnordered;
use tokio::sync::{mpsc, oneshot};

use self::cache::{Cache, Cached};
use self::link::Link;
use super::accounts::Account;
use crate::clock;
use crate::config::AuthQuery;
use crate::net::stream::Stream;
use crate::telemetry::{Gate, Pass};

/// For so long what the server said is taken without asking again.
pub const FRESH: Duration = Duration::from_secs(30);
/// The same where it said that there is no such user.
pub const FRESH_NEGATIVE: Duration = Duration::from_secs(5);
/// For so long what it said holds while it cannot be asked.
pub const STALE: Duration = Duration::from_secs(600);
/// PostgreSQL's insufficient_privilege, as the reason tells it.
const DENIED: &str = "(42501)";
/// After a wrong login the server is asked again, for each name once in this time.
const DOUBT: Duration = Duration::from_secs(1);
/// Questions that wait to be asked, and that are under way.
const WAITING_MAX: usize = 1024;
const UNDER_WAY_MAX: usize = 64;

/// What is known of a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Found {
    /// What proves that somebody is this user.
    Account(Arc<Account>),
    /// There is no such user, or none with a password.
    Nobody,
    /// The server could not be asked, and nothing is known.
    Unavailable,
}

/// Asks a server for verifiers and keeps them.
#[derive(Debug)]
pub struct Lookup {
    listener: Box<str>,
    settings: ArcSwapOption<AuthQuery>,
    cache: Mutex<Cache>,
    asks: mpsc::Sender<Ask>,
    inbox: Mutex<Option<mpsc::Receiver<Ask>>>,
    gate: Gate,
}

#[derive(Debug)]
struct Ask {
    user: Box<str>,
    tell: oneshot::Sender<Found>,
}

impl Lookup {
    /// Asks nobody before it runs. `None`: there is nothing to ask for.
    pub fn new(listener: &str, settings: Option<AuthQuery>) -> Self {
        let (asks, inbox) = mpsc::channel(WAITING_MAX);
        Self {
            listener: listener.into(),
            settings: ArcSwapOption::from_pointee(settings),
            cache: Mutex::default(),
            asks,
            inbox: Mutex::new(Some(inbox)),
            gate: Gate::default(),
        }
    }

    /// Takes other settings; where they differ, everything is asked for again.
    pub fn reload(&self, settings: Option<AuthQuery>) {
        if self.settings.load().as_deref() != settings.as_ref() {
            self.settings.store(settings.map(Arc::new));
            *self.cache() = Cache::default();
        }
    }

    /// True where the server is to be asked.
    pub fn is_used(&self) -> bool {
        self.settings.load().is_some()
    }

    /// What is known of a user. Cancel-safe.
    pub async fn find(&self, user: &str) -> Found {
        if let Some(Cached { found, fresh: true }) = self.cache().get(user, clock::now()) {
            return found;
        }
        let (tell, told) = oneshot::channel();
        if self.asks.try_send(Ask { user: user.into(), tell }).is_err() {
            return self.stale(user);
        }
        told.await.unwrap_or(Found::Unavailable)
    }

    /// A login with what is known of a user failed: perhaps the server knows better by now.
    pub fn doubt(&self, user: &str) {
        self.cache().doubt(user);
    }

    fn stale(&self, user: &str) -> Found {
        self.cache().get(user, clock::now()).map_or(Found::Unavailable, |cached| cached.found)
    }

    fn cache(&self) -> MutexGuard<'_, Cache> {
        self.cache.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Asks until dropped; `dial` connects to the server. A second call returns at once.
    pub async fn run<D>(&self, dial: impl Fn() -> D)
    where
        D: Future<Output = Result<Stream, String>>,
    {
        let taken = self.inbox.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(mut inbox) = taken else { return };
        let link = Link::default();
        let mut waiting: HashMap<Box<str>, Vec<oneshot::Sender<Found>>> = HashMap::new();
        let mut under_way = FuturesUnordered::new();
        loop {
            tokio::select! {
                Some(ask) = inbox.recv(), if under_way.len() < UNDER_WAY_MAX => {
                    // Whoever asks for the same name waits for the same answer.
                    let askers = waiting.entry(ask.user.clone()).or_default();
                    if askers.is_empty() {
                        under_way.push(self.ask(&link, ask.user, &dial));
                    }
                    askers.push(ask.tell);
                }
                Some((user, found)) = under_way.next(), if !under_way.is_empty() => {
                    for asker in waiting.remove(&user).unwrap_or_default() {
                        drop(asker.send(found.clone()));
                    }
                }
            }
        }
    }

    async fn ask<D>(&self, link: &Link, user: Box<str>, dial: &impl Fn() -> D) -> (Box<str>, Found)
    where
        D: Future<Output = Result<Stream, String>>,
    {
        // Another may have asked between the look into the cache and now.
        if let Some(Cached { found, fresh: true }) = self.cache().get(&user, clock::now()) {
            return (user, found);
        }
        let Some(settings) = self.settings.load_full() else { return (user, Found::Unavailable) };
        let found = match link.ask(&settings, &user, dial).await {
            Ok(found) => {
                self.cache().put(&user, found.clone(), clock::now());
                found
            }
            Err(why) => {
                if let Pass::Write { suppressed } = self.gate.pass("auth_query") {
                    let advice =
                        if why.contains(DENIED) { "; config.toml has the function that lets a role ask" } else { "" };
                    tracing::error!(
                        listener = &*self.listener,
                        why,
                        suppressed,
                        "auth_query failed; what is known lasts for {STALE:?}{advice}"
                    );
                }
                self.stale(&user)
            }
        };
        (user, found)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;
    use crate::auth::accounts::Credential;
    use crate::config::Secret;

    fn settings() -> AuthQuery {
        let text = |text: &str| text.to_owned();
        AuthQuery { query: text("SELECT $1"), user: text("asker"), password: None, database: text("postgres") }
    }

    fn account() -> Found {
        let credential = Credential::Password(Secret::new("x"));
        Found::Account(Arc::new(Account { credential, valid_until: None }))
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_known_lasts_for_a_while_without_the_server() {
        let lookup = Lookup::new("main", Some(settings()));
        lookup.cache().put("app", account(), clock::now());
        let dials = AtomicUsize::new(0);
        let dial = || async {
            dials.fetch_add(1, Ordering::Relaxed);
            Err("it is down".to_owned())
        };
        let asked = async {
            assert_eq!(lookup.find("app").await, account());
            assert_eq!(dials.load(Ordering::Relaxed), 0, "fresh");
            assert_eq!(lookup.find("other").await, Found::Unavailable);
            assert_eq!(dials.load(Ordering::Relaxed), 1);
            // A server that is down is not dialled for each login.
            assert_eq!(lookup.find("another").await, Found::Unavailable);
            assert_eq!(dials.load(Ordering::Relaxed), 1);
            tokio::time::advance(FRESH).await;
            assert_eq!(lookup.find("app").await, account(), "stale");
            assert_eq!(dials.load(Ordering::Relaxed), 2);
            tokio::time::advance(STALE).await;
            assert_eq!(lookup.find("app").await, Found::Unavailable);
        };
        tokio::select! {
            () = lookup.run(dial) => panic!("it ended"),
            () = asked => {}
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_reload_with_other_settings_forgets_and_one_with_the_same_does_not() {
        let lookup = Lookup::new("main", Some(settings()));
        lookup.cache().put("app", account(), clock::now());
        lookup.reload(Some(settings()));
        assert_eq!(lookup.find("app").await, account());
        lookup.reload(Some(AuthQuery { user: "other".to_owned(), ..settings() }));
        assert!(lookup.cache().get("app", clock::now()).is_none());
        lookup.reload(None);
        assert!(!lookup.is_used());
    }
}

//! What the guard knows of a server's tables: read through a monitor connection, swapped whole, never awaited on the
//! data path.
//!
//! One [`Catalog`] for each listener. A session asks for the schema of its database and gets what is there, or nothing
//! yet; asking is what makes a database known. [`Catalog::run`] reads in the background, every ten seconds and soon
//! after a touch.
//!
//! The monitor's connections are no clients of the listener and count against no client's cap. On the server they
//! are ordinary connections: one that stays, and at most one more while another database is read. The five that
//! [`limit::learnt`] leaves free are for them, for cancels and for the operator.

mod columns;
mod database;
pub mod limit;
mod monitor;
mod paths;
mod picture;
mod read;
mod tables;

use std::collections::HashMap;
use std::future::Future;
use std::future::pending;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use arc_swap::{ArcSwap, ArcSwapOption};
use tokio::sync::Notify;

use crate::clock;
use crate::config::Listener;
use crate::net::tls::Live;
use crate::sql::schema::Schema;

pub use self::picture::Sight;

use self::database::Database;
use self::monitor::Reader;

/// What is known of the databases behind one listener.
#[derive(Debug)]
pub struct Catalog {
    reader: ArcSwapOption<Reader>,
    /// Another reader is in place.
    replaced: Notify,
    databases: ArcSwap<Databases>,
    /// Held while the map is replaced, never while it is read.
    change: Mutex<()>,
    generation: AtomicU64,
    /// Without a monitor nothing is ever known, and nobody need look.
    monitored: AtomicBool,
    server_limit: AtomicUsize,
    wake: Notify,
    tls: OnceLock<Arc<Live>>,
}

type Databases = HashMap<Box<str>, Arc<Database>>;

impl Catalog {
    /// The catalogue of a listener; without a `monitor` it stays empty. Nothing is read before [`Self::run`].
    pub fn new(listener: &Listener) -> Arc<Self> {
        let reader = Reader::new(listener);
        Arc::new(Self {
            monitored: AtomicBool::new(reader.is_some()),
            reader: ArcSwapOption::new(reader.map(Arc::new)),
            replaced: Notify::new(),
            databases: ArcSwap::default(),
            change: Mutex::new(()),
            generation: AtomicU64::new(0),
            server_limit: AtomicUsize::new(0),
            wake: Notify::new(),
            tls: OnceLock::new(),
        })
    }

    /// From here on the monitor dials by the listener's `server_tls`. Only the first call counts.
    pub fn secure(&self, tls: Arc<Live>) {
        drop(self.tls.set(tls));
    }

    /// Does anybody read it? Otherwise nothing is ever known.
    pub fn is_monitored(&self) -> bool {
        self.monitored.load(Ordering::Relaxed)
    }

    /// What is known of a database now, as a session sees it; `None` where nothing is yet. Cheap once the database is known: no lock, and no
    /// allocation. Call it again where [`Self::generation`] has changed.
    pub fn schema(&self, database: &str, sight: Sight<'_>) -> Option<Arc<Schema>> {
        if !self.is_monitored() {
            return None;
        }
        let databases = self.databases.load();
        match databases.get(database) {
            Some(known) => {
                let now_ms = clock::uptime_ms();
                if known.is_stale(now_ms) {
                    self.touch(database);
                }
                known.schema(sight, now_ms)
            }
            None => {
                self.add(database, clock::uptime_ms().max(database::NEVER_SEEN_MS + 1));
                None
            }
        }
    }

    /// Changes whenever the schema of any database does. Small changes of row counts don't count.
    pub fn generation(&self) -> u64 {
        self.generation.load(Ordering::Acquire)
    }

    /// Says that the tables of a database have changed: it is read again soon, at most once a second.
    pub fn touch(&self, database: &str) {
        if let Some(known) = self.databases.load().get(database)
            && known.touch(clock::uptime_ms())
        {
            self.wake.notify_one();
        }
    }

    /// Says that tables of these names were made, dropped, emptied or renamed: nothing is known of them until they have been read
    /// again, so that nobody is refused for the size of a table that is gone.
    pub fn doubt(&self, database: &str, names: &[Box<str>]) {
        // First the touch: what is doubted stays so until the reads that it asks for are done.
        self.touch(database);
        if let Some(known) = self.databases.load().get(database)
            && known.doubt(names)
        {
            self.generation.fetch_add(1, Ordering::AcqRel);
        }
    }

    /// Connections that the server has room for, as far as it has told.
    pub fn max_server_connections(&self) -> Option<usize> {
        Some(self.server_limit.load(Ordering::Relaxed)).filter(|limit| *limit > 0)
    }

    /// Reads in the background until `shutdown` is done. A server that can't be read is tried again, ever more
    /// rarely; nobody waits for it. Cancel safe: what was read stays.
    pub async fn run(self: Arc<Self>, shutdown: impl Future<Output = ()>) {
        let mut shutdown = pin!(shutdown);
        loop {
            let reader = self.reader.load_full();
            let read = async {
                match &reader {
                    Some(reader) => reader.run(&self).await,
                    None => pending().await,
                }
            };
            tokio::select! {
                () = shutdown.as_mut() => return,
                () = self.replaced.notified() => {}
                () = read => {}
            }
        }
    }

    /// Takes up a listener's new settings. What is known of another server is forgotten.
    pub fn reload(&self, listener: &Listener) {
        let (old, new) = (self.reader.load_full(), Reader::new(listener).map(Arc::new));
        if old == new {
            return;
        }
        let guard = self.change.lock().unwrap_or_else(PoisonError::into_inner);
        let same_server = old.zip(new.as_ref().map(Arc::clone)).is_some_and(|(old, new)| old.is_same_server(&new));
        self.monitored.store(new.is_some(), Ordering::Relaxed);
        self.reader.store(new);
        if !same_server {
            self.databases.store(Arc::default());
            self.server_limit.store(0, Ordering::Relaxed);
            self.generation.fetch_add(1, Ordering::AcqRel);
        }
        drop(guard);
        self.replaced.notify_one();
    }

    /// Makes a database known before anybody asked for it, where there is room.
    fn expect(&self, database: &str) {
        let databases = self.databases.load();
        if databases.len() < DATABASES_MAX && !databases.contains_key(database) {
            self.add(database, database::NEVER_SEEN_MS);
        }
    }

    /// Makes a database known; the one seen least recently makes room.
    fn add(&self, database: &str, seen_ms: u64) {
        if self.reader.load().is_none() {
            return;
        }
        let guard = self.change.lock().unwrap_or_else(PoisonError::into_inner);
        let mut databases = Databases::clone(&self.databases.load());
        if databases.len() >= DATABASES_MAX
            && let Some(oldest) =
                databases.iter().min_by_key(|(_, known)| known.seen_ms()).map(|(name, _)| name.clone())
        {
            databases.remove(&oldest);
        }
        databases.entry(database.into()).or_insert_with(|| Arc::new(Database::new(database, seen_ms)));
        self.databases.store(Arc::new(databases));
        drop(guard);
        self.wake.notify_one();
    }
}

/// Databases that are read; each costs a few MiB at most, usually some KiB.
const DATABASES_MAX: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Monitor;

    fn listener(monitor: Option<Monitor>) -> Listener {
        Listener {
            bind: ([127, 0, 0, 1], 0).into(),
            servers: vec!["127.0.0.1:1".into()],
            monitor,
            ..Listener::default()
        }
    }

    fn monitored() -> Listener {
        listener(Some(Monitor { user: "floodwall".into(), password: None, database: "postgres".into() }))
    }

    #[test]
    fn asking_makes_a_database_known_and_their_number_is_bounded() {
        let catalog = Catalog::new(&monitored());
        for n in 0..500 {
            assert!(catalog.schema(&format!("db{n}"), Sight::Changed).is_none());
            assert!(catalog.databases.load().len() <= DATABASES_MAX);
        }
        assert!(catalog.databases.load().contains_key("db499"));
        assert_eq!(catalog.generation(), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn the_database_seen_least_recently_makes_room() {
        let catalog = Catalog::new(&monitored());
        for n in 0..DATABASES_MAX {
            catalog.schema(&format!("db{n}"), Sight::Changed);
            tokio::time::advance(std::time::Duration::from_millis(1)).await;
        }
        catalog.schema("db0", Sight::Changed);
        tokio::time::advance(std::time::Duration::from_millis(1)).await;
        catalog.schema("one more", Sight::Changed);
        let databases = catalog.databases.load();
        assert!(databases.contains_key("db0") && !databases.contains_key("db1"));
    }

    #[test]
    fn a_reload_keeps_what_is_known_of_the_same_server_only() {
        let catalog = Catalog::new(&monitored());
        catalog.schema("shop", Sight::Changed);
        let mut changed = monitored();
        changed.monitor = changed.monitor.map(|monitor| Monitor { user: "other".into(), ..monitor });
        catalog.reload(&changed);
        assert!(catalog.databases.load().contains_key("shop"));
        changed.servers = vec!["127.0.0.1:2".into()];
        catalog.reload(&changed);
        assert!(catalog.databases.load().is_empty());
        assert_eq!(catalog.generation(), 1);
        catalog.reload(&listener(None));
        assert!(catalog.schema("shop", Sight::Changed).is_none() && catalog.databases.load().is_empty());
    }

    #[tokio::test]
    async fn without_a_monitor_it_stays_empty_and_ends_with_the_shutdown() {
        let catalog = Catalog::new(&listener(None));
        assert!(catalog.schema("shop", Sight::Changed).is_none());
        assert!(catalog.databases.load().is_empty());
        assert_eq!(catalog.max_server_connections(), None);
        catalog.run(std::future::ready(())).await;
    }
}

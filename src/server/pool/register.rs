//! All pools of one listener.

use std::collections::{BTreeSet, HashMap};
use std::fmt::Debug;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use tokio::time::sleep;

use super::bounds::WithoutLeast;
use super::mail::{Note, Post};
use super::rooms::Rooms;
use super::rows::PoolRow;
use super::shared::Shared;
use super::{Bounds, Key, Limits};
use crate::clock::{self, Instant};
use crate::units;

/// How often idle servers are looked at. Nothing that a client waits for waits for it.
pub(super) const TICK: Duration = Duration::from_secs(1);

/// All pools of one listener.
#[derive(Debug)]
pub struct Register<A> {
    bounds: Mutex<Arc<dyn Bounds>>,
    pub(super) post: Vec<Post<A>>,
    all: Mutex<All<A>>,
    /// Pools below their guarantee that wait for a place.
    pub(super) rooms: Rooms,
    epoch: Instant,
}

#[derive(Debug)]
pub(super) struct All<A> {
    pub(super) pools: HashMap<Key, Arc<Shared<A>>>,
    held: Held,
}

/// Whose pools are paused.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Held {
    /// Everybody's.
    pub all: bool,
    /// Those of these databases.
    pub databases: BTreeSet<String>,
}

impl Held {
    pub(super) fn holds(&self, database: &str) -> bool {
        self.all || self.databases.contains(database)
    }
}

impl<A: Debug + Send + 'static> Register<A> {
    /// Without a pool yet, for so many workers.
    pub fn new(bounds: impl Bounds + 'static, workers: usize) -> Arc<Self> {
        Arc::new(Self {
            bounds: Mutex::new(Arc::new(bounds)),
            post: (0..workers.max(1)).map(|_| Post::default()).collect(),
            all: Mutex::new(All { pools: HashMap::new(), held: Held::default() }),
            rooms: Rooms::default(),
            epoch: clock::now(),
        })
    }

    /// Has every worker look at its idle servers and its waiters once a second, for as long as the register lives. A timer in a worker's
    /// own runtime would make it ask for the time, and the system arm a timer, at each of its turns. Cancel-safe.
    pub async fn keep_time(register: Weak<Self>) {
        loop {
            sleep(TICK).await;
            let Some(register) = register.upgrade() else { return };
            register.post.iter().for_each(Post::tick);
        }
    }

    /// The limits in force of the pool of that key, whether there is one or not.
    pub fn limits_of(&self, key: &Key) -> Limits {
        self.bounds().of(key)
    }

    /// Puts bounds in force. Servers beyond a smaller size are closed when they are given back; whoever waits hears of a larger one.
    pub fn set_bounds(&self, bounds: impl Bounds + 'static) {
        // First, since a pool that begins meanwhile asks for them.
        *self.lock_bounds() = Arc::new(bounds);
        let bounds = self.bounds();
        for pool in self.lock().pools.values() {
            pool.set_limits(bounds.of(&pool.key));
            pool.look();
        }
    }

    /// From now on nothing is kept that nobody waits for.
    pub fn keep_no_least(&self) {
        self.set_bounds(WithoutLeast(self.bounds()));
    }

    fn bounds(&self) -> Arc<dyn Bounds> {
        Arc::clone(&self.lock_bounds())
    }

    fn lock_bounds(&self) -> MutexGuard<'_, Arc<dyn Bounds>> {
        self.bounds.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Pauses the pools that `held` names, and no others: their idle servers are closed, those that clients have when they are given
    /// back, and nobody gets one until the pause is over. `held` is asked while no other change can come in between.
    pub fn hold(&self, held: impl FnOnce() -> Held) {
        let mut all = self.lock();
        all.held = held();
        let All { pools, held } = &*all;
        for pool in pools.values().filter(|pool| pool.is_paused() != held.holds(&pool.key.database)) {
            pool.turn(1);
        }
    }

    /// Closes the servers of a database, or all: idle ones now, those that clients have when they are given back.
    pub fn reconnect(&self, database: Option<&str>) {
        let all = self.lock();
        let fits = |pool: &&Arc<Shared<A>>| database.is_none_or(|database| pool.key.database == database);
        all.pools.values().filter(fits).for_each(|pool| pool.turn(2));
    }

    /// The same for one pool.
    pub fn renew(&self, key: &Key) {
        if let Some(pool) = self.lock().pools.get(key) {
            pool.turn(2);
        }
    }

    /// How many servers there are, with those that are being made or closed.
    pub fn open(&self) -> usize {
        self.lock().pools.values().map(|pool| pool.open()).sum()
    }

    /// The pool of that key, which is made where there is none.
    pub(super) fn pool(self: &Arc<Self>, key: &Key) -> Arc<Shared<A>> {
        let All { pools, held } = &mut *self.lock();
        Arc::clone(pools.entry(key.clone()).or_insert_with(|| Shared::new(self, key, held)))
    }

    /// Forgets a pool that has nothing and that nobody uses. False where somebody still does.
    pub(super) fn forget(&self, key: &Key) -> bool {
        let pools = &mut self.lock().pools;
        if pools.get(key).is_some_and(|pool| Arc::strong_count(pool) == 1) {
            return pools.remove(key).is_some();
        }
        false
    }

    /// A row for each pool.
    pub fn rows(&self) -> Vec<PoolRow> {
        let mut rows: Vec<_> = self.lock().pools.values().map(|pool| pool.row()).collect();
        rows.sort_unstable_by(|a, b| a.key.cmp(&b.key));
        rows
    }

    pub(super) fn send(&self, worker: usize, note: Note<A>) {
        if let Some(post) = self.post.get(worker) {
            post.send(note);
        }
    }

    /// Microseconds since the register was made, and one more: zero means never.
    pub(super) fn micros(&self, at: Instant) -> u64 {
        units::micros(at.saturating_duration_since(self.epoch)).saturating_add(1)
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, All<A>> {
        self.all.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

//! What the workers know of each other's part of a pool, and the counts that only all of them together can keep.
//!
//! Each worker writes its own lane; others read it. The order matters in one place: a worker that puts a server on its idle stack first
//! publishes it and then looks for waiters elsewhere; a worker that queues a waiter first publishes it and then looks for idle servers
//! elsewhere. Both sides are sequentially consistent, so one of them sees the other.

use std::collections::HashMap;
use std::fmt::Debug;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use tokio::time::sleep;

use super::mail::{Note, Post};
use super::{Key, Limits, NotMade};
use crate::clock::{self, Instant};

/// How often idle servers are looked at. Nothing that a client waits for waits for it.
pub(super) const TICK: Duration = Duration::from_secs(1);
/// The first pause after a server could not be made.
const PAUSE_FIRST: Duration = Duration::from_millis(100);
/// The longest one.
const PAUSE_MAX: Duration = Duration::from_secs(2);

/// All pools of one listener.
#[derive(Debug)]
pub struct Register<A> {
    limits: Mutex<Limits>,
    size: AtomicUsize,
    pub(super) post: Vec<Post<A>>,
    pools: Mutex<HashMap<Key, Arc<Shared<A>>>>,
    /// Pools below their guarantee that wait for a place.
    starving: AtomicUsize,
    epoch: Instant,
}

impl<A: Debug + Send + 'static> Register<A> {
    /// Without a pool yet, for so many workers.
    pub fn new(limits: Limits, workers: usize) -> Arc<Self> {
        Arc::new(Self {
            size: AtomicUsize::new(limits.size),
            limits: Mutex::new(limits),
            post: (0..workers.max(1)).map(|_| Post::default()).collect(),
            pools: Mutex::default(),
            starving: AtomicUsize::new(0),
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

    /// The limits in force.
    pub fn limits(&self) -> Limits {
        *self.limits.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts limits in force. Servers beyond a smaller size are closed when they are given back; who waits gets those that a larger one
    /// allows.
    pub fn set_limits(&self, limits: Limits) {
        self.size.store(limits.size, Ordering::Relaxed);
        *self.limits.lock().unwrap_or_else(PoisonError::into_inner) = limits;
        self.lock().values().for_each(|pool| pool.tell_waiters());
    }

    /// The pool of that key, which is made where there is none.
    pub(super) fn pool(self: &Arc<Self>, key: &Key) -> Arc<Shared<A>> {
        let make = || {
            Arc::new(Shared {
                register: Arc::clone(self),
                key: key.clone(),
                lanes: self.post.iter().map(|_| Lane::default()).collect(),
                open: AtomicUsize::new(0),
                trouble: Mutex::default(),
                placing: AtomicBool::new(false),
                canceled: AtomicUsize::new(0),
            })
        };
        Arc::clone(self.lock().entry(key.clone()).or_insert_with(make))
    }

    /// Forgets a pool that has nothing and that nobody uses.
    pub(super) fn forget(&self, key: &Key) {
        let mut pools = self.lock();
        if pools.get(key).is_some_and(|pool| Arc::strong_count(pool) == 1) {
            pools.remove(key);
        }
    }

    /// A row for each pool.
    pub fn rows(&self) -> Vec<PoolRow> {
        let mut rows: Vec<_> = self.lock().values().map(|pool| pool.row()).collect();
        rows.sort_unstable_by(|a, b| a.key.cmp(&b.key));
        rows
    }

    /// Asks for the idle server of another pool to be closed, so that this one may have its place. The pool with the most servers
    /// beyond its guarantee is asked first. True where one is asked.
    pub(super) fn evict(&self, for_whom: &Key) -> bool {
        let limits = self.limits();
        let kept = limits.min.max(limits.guaranteed);
        let pools = self.lock();
        let spare = |pool: &&Arc<Shared<A>>| pool.key != *for_whom && pool.open() > kept && pool.idle() > 0;
        let Some(pool) = pools.values().filter(spare).max_by_key(|pool| pool.open()) else { return false };
        let Some(worker) = pool.lanes.iter().position(|lane| lane.idle.load(Ordering::SeqCst) > 0) else {
            return false;
        };
        self.send(worker, Note::Evict(pool.key.clone()));
        true
    }

    pub(super) fn send(&self, worker: usize, note: Note<A>) {
        if let Some(post) = self.post.get(worker) {
            post.send(note);
        }
    }

    /// Microseconds since the register was made, and one more: zero means never.
    pub(super) fn micros(&self, at: Instant) -> u64 {
        u64::try_from(at.saturating_duration_since(self.epoch).as_micros()).unwrap_or(u64::MAX).saturating_add(1)
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Key, Arc<Shared<A>>>> {
        self.pools.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One pool as all workers see it.
#[derive(Debug)]
pub(super) struct Shared<A> {
    pub(super) register: Arc<Register<A>>,
    pub(super) key: Key,
    pub(super) lanes: Vec<Lane>,
    /// Servers, with those that are being made.
    open: AtomicUsize,
    trouble: Mutex<Trouble>,
    /// Somebody waits for a place of the listener in this pool's name.
    placing: AtomicBool,
    /// Servers that no client has, while a cancel is on its way to them.
    canceled: AtomicUsize,
}

/// One worker's part. Apart from the others in memory, since each is written all the time.
#[derive(Debug, Default)]
#[repr(align(128))]
pub(super) struct Lane {
    pub(super) waiting: AtomicUsize,
    pub(super) idle: AtomicUsize,
    pub(super) servers: AtomicUsize,
    /// When the oldest waiter came, in microseconds; 0: nobody waits.
    pub(super) head: AtomicU64,
    /// A server is on its way here that nobody asked for.
    pub(super) coming: AtomicBool,
}

/// Why the pool cannot grow for a moment.
#[derive(Debug, Default)]
struct Trouble {
    last: Option<NotMade>,
    pause: Duration,
    until: Option<Instant>,
}

/// The numbers of one pool, as they are told to people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PoolRow {
    /// Whose it is.
    pub key: Key,
    /// Clients that wait for a server.
    pub cl_waiting: usize,
    /// Servers that a client has.
    pub sv_active: usize,
    /// Servers that no client has, and that a cancel on its way keeps from the others.
    pub sv_being_canceled: usize,
    /// Servers that wait for a client.
    pub sv_idle: usize,
    /// Servers that are being made.
    pub sv_login: usize,
    /// How long the oldest waiter has waited.
    pub maxwait: Duration,
}

impl<A: Debug + Send + 'static> Shared<A> {
    /// Servers, with those that are being made.
    pub(super) fn open(&self) -> usize {
        self.open.load(Ordering::SeqCst)
    }

    /// Servers that are made.
    pub(super) fn servers(&self) -> usize {
        self.lanes.iter().map(|lane| lane.servers.load(Ordering::SeqCst)).sum()
    }

    /// Who waits, on all workers.
    pub(super) fn waiting(&self) -> usize {
        self.lanes.iter().map(|lane| lane.waiting.load(Ordering::Relaxed)).sum()
    }

    pub(super) fn idle(&self) -> usize {
        self.lanes.iter().map(|lane| lane.idle.load(Ordering::SeqCst)).sum()
    }

    /// True where it has its size.
    pub(super) fn is_full(&self) -> bool {
        self.open() >= self.register.size.load(Ordering::Relaxed)
    }

    /// A place in the pool's count; `None`: it has its size.
    pub(super) fn reserve(self: &Arc<Self>, most: usize) -> Option<Slot> {
        // Whoever waits for a place of the listener comes first.
        if self.placing.load(Ordering::SeqCst) {
            return None;
        }
        let more = |open: usize| (open < most).then(|| open.saturating_add(1));
        self.open.fetch_update(Ordering::SeqCst, Ordering::SeqCst, more).ok()?;
        Some(Slot { of: Arc::clone(self) as Arc<dyn Count>, worker: None })
    }

    /// Is a server that is given back one too many, or is its place due to a pool that has too few?
    pub(super) fn is_over(&self) -> bool {
        let register = &self.register;
        let open = self.open.load(Ordering::Relaxed);
        open > register.size.load(Ordering::Relaxed)
            || (register.starving.load(Ordering::Relaxed) > 0 && open > register.limits().guaranteed.max(1))
    }

    /// The worker that needs a server of worker `mine` more than the waiters there, of which there are `waiting`.
    ///
    /// A worker without any server comes first. Otherwise a server moves where the waiters for each server are more than they will
    /// be here afterwards: that evens waiting times out and comes to rest.
    pub(super) fn neediest(&self, mine: usize, waiting: usize) -> Option<usize> {
        let servers = self.lanes.get(mine)?.servers.load(Ordering::Relaxed).saturating_sub(1);
        let needs = |(worker, lane): (usize, &Lane)| {
            let theirs = lane.waiting.load(Ordering::SeqCst);
            if theirs == 0 || worker == mine || lane.coming.load(Ordering::Relaxed) {
                return None;
            }
            let have = lane.servers.load(Ordering::Relaxed);
            let more =
                theirs.saturating_mul(servers) > waiting.saturating_add(1).saturating_mul(have.saturating_add(1));
            (waiting == 0 || have == 0 || more).then(|| (worker, theirs.saturating_mul(1024) / have.saturating_add(1)))
        };
        let most = self.lanes.iter().enumerate().filter_map(needs).max_by_key(|(_, need)| *need);
        most.map(|(worker, _)| worker)
    }

    /// A worker with an idle server, which is counted as taken.
    pub(super) fn claim_idle(&self, mine: usize) -> Option<usize> {
        let less = |idle: usize| idle.checked_sub(1);
        let claim = |lane: &Lane| lane.idle.fetch_update(Ordering::SeqCst, Ordering::SeqCst, less).is_ok();
        self.lanes.iter().enumerate().find_map(|(worker, lane)| (worker != mine && claim(lane)).then_some(worker))
    }

    /// A server could not be made: until when no other is tried.
    pub(super) fn failed(&self, why: &NotMade) -> Instant {
        let mut trouble = self.trouble();
        let now = clock::now();
        // Those that were under way together fail together, and count once.
        match trouble.until {
            Some(until) if until > now => {}
            _ => {
                trouble.pause = (trouble.pause * 2).clamp(PAUSE_FIRST, PAUSE_MAX);
                trouble.until = Some(now + trouble.pause);
            }
        }
        trouble.last = Some(why.clone());
        trouble.until.unwrap_or(now)
    }

    /// One was made.
    pub(super) fn went_well(&self) {
        *self.trouble() = Trouble::default();
    }

    /// Until when no server is to be made.
    pub(super) fn paused_until(&self) -> Option<Instant> {
        self.trouble().until.filter(|until| *until > clock::now())
    }

    /// What went wrong last, where nothing has gone well since.
    pub(super) fn last_trouble(&self) -> Option<NotMade> {
        self.trouble().last.clone()
    }

    /// The pool has fewer servers than it is due, or none at all.
    pub(super) fn is_below_guarantee(&self) -> bool {
        self.servers() < self.register.limits().guaranteed.max(1)
    }

    /// There may be room for another server.
    fn tell_waiters(&self) {
        for (worker, lane) in self.lanes.iter().enumerate() {
            if lane.waiting.load(Ordering::SeqCst) > 0 {
                self.register.send(worker, Note::Grow(self.key.clone()));
            }
        }
    }

    fn row(&self) -> PoolRow {
        let sum = |what: fn(&Lane) -> &AtomicUsize| -> usize {
            self.lanes.iter().map(|lane| what(lane).load(Ordering::Relaxed)).sum()
        };
        let (servers, idle) = (sum(|lane| &lane.servers), sum(|lane| &lane.idle));
        let heads = self.lanes.iter().map(|lane| lane.head.load(Ordering::Relaxed)).filter(|&head| head > 0);
        let now = self.register.micros(clock::now());
        let canceled = self.canceled.load(Ordering::Relaxed).min(servers.saturating_sub(idle));
        PoolRow {
            key: self.key.clone(),
            cl_waiting: sum(|lane| &lane.waiting),
            sv_active: servers.saturating_sub(idle).saturating_sub(canceled),
            sv_being_canceled: canceled,
            sv_idle: idle,
            sv_login: self.open().saturating_sub(servers),
            maxwait: heads.min().map_or(Duration::ZERO, |head| Duration::from_micros(now.saturating_sub(head))),
        }
    }

    fn trouble(&self) -> MutexGuard<'_, Trouble> {
        self.trouble.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A pool's count, whatever its servers are.
trait Count: Debug + Send + Sync {
    fn moved(&self, from: Option<usize>, to: Option<usize>);
    fn freed(&self);
    fn wait_for_place(&self) -> Result<Need, AlreadyWaiting>;
    fn ask_again(&self, before: Need) -> Need;
    fn waited_for_place(&self, need: Need);
    fn canceled(&self) -> &AtomicUsize;
}

impl<A: Debug + Send + 'static> Count for Shared<A> {
    fn moved(&self, from: Option<usize>, to: Option<usize>) {
        if let Some(lane) = from.and_then(|worker| self.lanes.get(worker)) {
            lane.servers.fetch_sub(1, Ordering::SeqCst);
        }
        if let Some(lane) = to.and_then(|worker| self.lanes.get(worker)) {
            lane.servers.fetch_add(1, Ordering::SeqCst);
        }
    }

    fn freed(&self) {
        self.open.fetch_sub(1, Ordering::SeqCst);
        self.tell_waiters();
    }

    fn wait_for_place(&self) -> Result<Need, AlreadyWaiting> {
        if self.placing.swap(true, Ordering::SeqCst) {
            return Err(AlreadyWaiting);
        }
        Ok(self.ask_again(Need::Growth))
    }

    fn ask_again(&self, before: Need) -> Need {
        let asked = self.register.evict(&self.key);
        let need = if !asked && self.is_below_guarantee() { Need::Guarantee } else { Need::Growth };
        match (before, need) {
            (Need::Growth, Need::Guarantee) => self.register.starving.fetch_add(1, Ordering::SeqCst),
            (Need::Guarantee, Need::Growth) => self.register.starving.fetch_sub(1, Ordering::SeqCst),
            _ => 0,
        };
        need
    }

    fn waited_for_place(&self, need: Need) {
        if need == Need::Guarantee {
            self.register.starving.fetch_sub(1, Ordering::SeqCst);
        }
        self.placing.store(false, Ordering::SeqCst);
        self.tell_waiters();
    }

    fn canceled(&self) -> &AtomicUsize {
        &self.canceled
    }
}

/// What a pool wants a place of the listener for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Need {
    /// For more servers than it is due, or another pool has been asked for its place.
    Growth,
    /// It has less than it is due, and no other pool has a server idle.
    Guarantee,
}

/// A place in a pool's count: given back on drop.
#[derive(Debug)]
#[must_use = "dropping it gives the place back"]
pub struct Slot {
    of: Arc<dyn Count>,
    worker: Option<usize>,
}

/// Another one of the same pool waits for a place of the listener already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AlreadyWaiting;

/// A pool waits for a place of the listener: told for as long as this lives.
#[derive(Debug)]
pub struct Placing {
    of: Arc<dyn Count>,
    need: Need,
}

/// A server that no client has is kept from the others by a cancel: told for as long as this lives.
#[derive(Debug)]
pub struct BeingCanceled(Arc<dyn Count>);

impl Drop for BeingCanceled {
    fn drop(&mut self) {
        self.0.canceled().fetch_sub(1, Ordering::Relaxed);
    }
}

impl Slot {
    /// Its server waits for the end of a cancel.
    pub fn being_canceled(&self) -> BeingCanceled {
        self.of.canceled().fetch_add(1, Ordering::Relaxed);
        BeingCanceled(Arc::clone(&self.of))
    }

    /// The server is on this worker now; `None`: on none.
    pub(super) fn set_worker(&mut self, worker: Option<usize>) {
        let from = std::mem::replace(&mut self.worker, worker);
        self.of.moved(from, worker);
    }

    /// The listener has no place for this server now: asks other pools to make room, until the result is dropped.
    ///
    /// # Errors
    /// Another server of this pool waits already, and one is enough: the pool looks again when that one got through.
    pub fn wait_for_place(&self) -> Result<Placing, AlreadyWaiting> {
        let need = self.of.wait_for_place()?;
        Ok(Placing { of: Arc::clone(&self.of), need })
    }
}

impl Placing {
    /// Asks once more: something may have become idle meanwhile.
    pub fn ask_again(&mut self) {
        self.need = self.of.ask_again(self.need);
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.set_worker(None);
        self.of.freed();
    }
}

impl Drop for Placing {
    fn drop(&mut self) {
        self.of.waited_for_place(self.need);
    }
}

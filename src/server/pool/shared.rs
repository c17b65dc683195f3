//! What the workers know of each other's part of a pool, and the counts that only all of them together can keep.
//!
//! Each worker writes its own lane; others read it. The order matters in one place: a worker that puts a server on its idle stack first
//! publishes it and then looks for waiters elsewhere; a worker that queues a waiter first publishes it and then looks for idle servers
//! elsewhere. Both sides are sequentially consistent, so one of them sees the other.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt::Debug;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use tokio::time::sleep;

use super::mail::{Note, Post};
use super::rows::PoolRow;
use super::slot::{AlreadyWaiting, Count, Need, Overtaken, Slot};
use super::standing::Record;
use super::starving::Starving;
use super::{Key, Limits, NotMade};
use crate::clock::{self, Instant};
use crate::telemetry::rows::{ServerRow, Standing};

/// How often idle servers are looked at. Nothing that a client waits for waits for it.
pub(super) const TICK: Duration = Duration::from_secs(1);
/// How long a pool without any server waits at least before others that are at work give it their last one: each turn costs a login.
const TURN: Duration = Duration::from_millis(100);
/// The same while other pools have more than one, which they give as soon as a transaction ends.
const TURN_OF_MORE: Duration = Duration::from_secs(1);
/// A pool whose servers were lent within so many milliseconds is at work; that is known to the second.
const AT_WORK_MS: u64 = 2_000;
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
    all: Mutex<All<A>>,
    /// Pools below their guarantee that wait for a place.
    pub(super) starving: Starving,
    epoch: Instant,
}

#[derive(Debug)]
struct All<A> {
    pools: HashMap<Key, Arc<Shared<A>>>,
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
    fn holds(&self, database: &str) -> bool {
        self.all || self.databases.contains(database)
    }
}

impl<A: Debug + Send + 'static> Register<A> {
    /// Without a pool yet, for so many workers.
    pub fn new(limits: Limits, workers: usize) -> Arc<Self> {
        Arc::new(Self {
            size: AtomicUsize::new(limits.size),
            limits: Mutex::new(limits),
            post: (0..workers.max(1)).map(|_| Post::default()).collect(),
            all: Mutex::new(All { pools: HashMap::new(), held: Held::default() }),
            starving: Starving::default(),
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

    /// Puts limits in force. Servers beyond a smaller size are closed when they are given back; whoever waits hears of a larger one.
    pub fn set_limits(&self, limits: Limits) {
        self.size.store(limits.size, Ordering::Relaxed);
        *self.limits.lock().unwrap_or_else(PoisonError::into_inner) = limits;
        self.lock().pools.values().for_each(|pool| pool.look());
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

    /// How many servers there are, with those that are being made or closed.
    pub fn open(&self) -> usize {
        self.lock().pools.values().map(|pool| pool.open()).sum()
    }

    /// The pool of that key, which is made where there is none.
    pub(super) fn pool(self: &Arc<Self>, key: &Key) -> Arc<Shared<A>> {
        let mut house = self.lock();
        let is_held = house.held.holds(&key.database);
        let make = || {
            Arc::new(Shared {
                register: Arc::clone(self),
                key: key.clone(),
                lanes: self.post.iter().map(|_| Lane::default()).collect(),
                open: AtomicUsize::new(0),
                making: AtomicUsize::new(0),
                trouble: Mutex::default(),
                placing: AtomicBool::new(false),
                era: AtomicU64::new(u64::from(is_held)),
                records: Mutex::default(),
                numbers: AtomicU64::new(0),
            })
        };
        Arc::clone(house.pools.entry(key.clone()).or_insert_with(make))
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

    /// Asks for the idle server of another pool to be closed, so that this one may have its place. The pool with the most servers
    /// beyond its guarantee is asked first; one that is at work keeps its last while others have more. True where one is asked.
    pub(super) fn evict(&self, for_whom: &Key) -> bool {
        let limits = self.limits();
        let kept = limits.min.max(limits.guaranteed);
        let pools = &self.lock().pools;
        let mut others = pools.values().filter(|pool| pool.key != *for_whom);
        let some_have_more = others.any(|pool| pool.expected() > kept.max(1));
        let is_last = |pool: &Arc<Shared<A>>| some_have_more && pool.expected() <= 1 && pool.is_at_work();
        let spare =
            |pool: &&Arc<Shared<A>>| pool.key != *for_whom && pool.open() > kept && pool.idle() > 0 && !is_last(pool);
        let Some(pool) = pools.values().filter(spare).max_by_key(|pool| pool.open()) else { return false };
        // Counted as taken, so that nobody else asks for the same one.
        let Some(worker) = pool.claim_idle(None) else { return false };
        self.send(worker, Note::Evict(pool.key.clone()));
        true
    }

    /// Has any pool more servers than it is due?
    fn any_has_more(&self, due: usize) -> bool {
        self.lock().pools.values().any(|pool| pool.expected() > due)
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

    fn lock(&self) -> MutexGuard<'_, All<A>> {
        self.all.lock().unwrap_or_else(PoisonError::into_inner)
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
    /// Servers that are being made and have a place of the listener.
    making: AtomicUsize,
    trouble: Mutex<Trouble>,
    /// Somebody waits for a place of the listener in this pool's name.
    placing: AtomicBool,
    /// Counts what closes all servers: PAUSE, RESUME and RECONNECT. Odd while the pool is paused. A server of an earlier era is closed
    /// as soon as no client has it.
    era: AtomicU64,
    /// Each server, for people.
    records: Mutex<BTreeMap<u64, Arc<Record>>>,
    numbers: AtomicU64,
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

/// Whether somebody has had a server already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Turn {
    /// It was just made.
    Begun,
    /// It is given back.
    Taken,
}

/// Why the pool cannot grow for a moment.
#[derive(Debug, Default)]
struct Trouble {
    last: Option<NotMade>,
    pause: Duration,
    until: Option<Instant>,
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

    /// Are as many servers being made as there are, or one where there is none?
    ///
    /// A login at the server costs it far more than most statements, so a crowd of waiters is no reason to begin one for each: the first
    /// servers may have served them all by then. Where they have not, the pool doubles with each round of logins.
    pub(super) fn is_doubling(&self) -> bool {
        let records = self.records();
        let making = records.values().filter(|record| record.standing() == Standing::Login).count();
        making >= self.servers().max(1)
    }

    /// A place in the pool's count; `None`: it has its size.
    pub(super) fn reserve(self: &Arc<Self>, most: usize) -> Option<Slot> {
        // Whoever waits for a place of the listener comes first.
        let era = self.era();
        if is_pause(era) || self.placing.load(Ordering::SeqCst) {
            return None;
        }
        let more = |open: usize| (open < most).then(|| open.saturating_add(1));
        self.open.fetch_update(Ordering::SeqCst, Ordering::SeqCst, more).ok()?;
        let record = Arc::new(Record::new(self.numbers.fetch_add(1, Ordering::Relaxed).wrapping_add(1), era));
        self.records().insert(record.number, Arc::clone(&record));
        Some(Slot::new(Arc::clone(self) as Arc<dyn Count>, record))
    }

    /// Is a server that is given back one too many?
    pub(super) fn is_over(&self) -> bool {
        self.open.load(Ordering::Relaxed) > self.register.size.load(Ordering::Relaxed)
    }

    /// Marks an idle server as closing where it is one too many. All workers look at the same moment, and each may hold one.
    pub(super) fn retires(&self, slot: &Slot) -> bool {
        let records = self.records();
        let stay = records.values().filter(|record| record.standing() != Standing::Closing).count();
        let is_over = stay > self.register.size.load(Ordering::Relaxed);
        if is_over {
            slot.stands(Standing::Closing);
        }
        is_over
    }

    /// Is the place of a server at hand due to a pool that has too few? Where it is, it has been promised.
    ///
    /// A pool that has more than it is due gives what is beyond. One that has no more than that gives its last one too, unless that is
    /// guaranteed: at once where nobody waits for it, else in turn, when all are served that came before the other pool did. Only servers
    /// that are made count: whoever closed one because others are still being made would serve nobody. While other pools have more than
    /// they are due, it is theirs to give for a while.
    pub(super) fn owes(&self, turn: Turn) -> bool {
        let Register { starving, .. } = &*self.register;
        let Some(next) = starving.next() else { return false };
        let limits = self.register.limits();
        let servers = self.servers();
        let beyond = servers > limits.guaranteed.max(1);
        let last = || {
            let kept = servers <= limits.guaranteed.max(limits.min) || !self.is_turn_of(next, turn);
            !kept && (self.has_passed(next, TURN_OF_MORE) || !self.register.any_has_more(limits.guaranteed.max(1)))
        };
        (beyond || last()) && starving.promise()
    }

    /// Has the turn come of a pool that has waited since then?
    fn is_turn_of(&self, since: u64, turn: Turn) -> bool {
        let Some(head) = self.head() else { return true };
        turn == Turn::Taken && since < head && self.has_passed(since, TURN)
    }

    /// Has so much time passed since that microsecond?
    fn has_passed(&self, since: u64, time: Duration) -> bool {
        let until = since.saturating_add(u64::try_from(time.as_micros()).unwrap_or(u64::MAX));
        until <= self.register.micros(clock::now())
    }

    /// Servers that are made, and those that have a place and are being made.
    fn expected(&self) -> usize {
        self.servers().saturating_add(self.making.load(Ordering::SeqCst))
    }

    /// Has a client had one of its servers within the last moments?
    fn is_at_work(&self) -> bool {
        let since = clock::uptime_ms().saturating_sub(AT_WORK_MS);
        self.records().values().any(|record| record.lent_since(since))
    }

    /// When the oldest waiter came, in microseconds; `None`: nobody waits.
    pub(super) fn head(&self) -> Option<u64> {
        self.lanes.iter().map(|lane| lane.head.load(Ordering::Relaxed)).filter(|&head| head > 0).min()
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

    /// A worker with an idle server, which is counted as taken; not `mine`.
    pub(super) fn claim_idle(&self, mine: Option<usize>) -> Option<usize> {
        let less = |idle: usize| idle.checked_sub(1);
        let claim = |lane: &Lane| lane.idle.fetch_update(Ordering::SeqCst, Ordering::SeqCst, less).is_ok();
        self.lanes.iter().enumerate().find_map(|(worker, lane)| (Some(worker) != mine && claim(lane)).then_some(worker))
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

    /// The pool has fewer servers than it is due, or none for those who wait.
    fn is_in_need(&self) -> bool {
        self.would_be_in_need(self.expected())
    }

    fn would_be_in_need(&self, servers: usize) -> bool {
        servers < self.register.limits().guaranteed || (servers == 0 && self.waiting() > 0)
    }

    /// Asks for a place for a pool that needed it so far for `before`.
    fn ask(&self, before: Need) -> Need {
        let starving = &self.register.starving;
        let starves = !self.register.evict(&self.key) && self.is_in_need();
        match before {
            Need::Asked if starves => {
                let since = self.register.micros(clock::now());
                starving.join(since);
                Need::Guarantee(since)
            }
            Need::Guarantee(since) if !starves => {
                starving.leave(since);
                Need::Asked
            }
            Need::Growth | Need::Asked | Need::Guarantee(_) => before,
        }
    }

    /// There may be room for another server.
    pub(super) fn tell_waiters(&self) {
        for (worker, lane) in self.lanes.iter().enumerate() {
            if lane.waiting.load(Ordering::SeqCst) > 0 {
                self.register.send(worker, Note::Grow(self.key.clone()));
            }
        }
    }

    /// Counts what closes all servers.
    pub(super) fn era(&self) -> u64 {
        self.era.load(Ordering::Relaxed)
    }

    pub(super) fn is_paused(&self) -> bool {
        is_pause(self.era())
    }

    /// Another era begins.
    fn turn(&self, by: u64) {
        self.era.fetch_add(by, Ordering::SeqCst);
        self.look();
    }

    /// Every worker is to look at its part: something has changed for the pool as a whole.
    fn look(&self) {
        (0..self.lanes.len()).for_each(|worker| self.register.send(worker, Note::Look(self.key.clone())));
    }

    /// A row for each server, oldest first.
    pub(super) fn server_rows(&self) -> Vec<ServerRow> {
        let era = self.era();
        self.records().values().map(|record| record.row(era)).collect()
    }

    fn records(&self) -> MutexGuard<'_, BTreeMap<u64, Arc<Record>>> {
        self.records.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn trouble(&self) -> MutexGuard<'_, Trouble> {
        self.trouble.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Eras that are odd are pauses.
const fn is_pause(era: u64) -> bool {
    era % 2 == 1
}

impl<A: Debug + Send + 'static> Count for Shared<A> {
    fn has_place(&self) {
        self.making.fetch_add(1, Ordering::SeqCst);
    }

    fn lost_place(&self) {
        self.making.fetch_sub(1, Ordering::SeqCst);
    }

    fn moved(&self, from: Option<usize>, to: Option<usize>) {
        if let Some(lane) = from.and_then(|worker| self.lanes.get(worker)) {
            lane.servers.fetch_sub(1, Ordering::SeqCst);
        }
        if let Some(lane) = to.and_then(|worker| self.lanes.get(worker)) {
            lane.servers.fetch_add(1, Ordering::SeqCst);
        }
    }

    fn kept_promise(&self) {
        self.register.starving.kept_promise();
    }

    fn freed(&self, number: u64) {
        self.records().remove(&number);
        self.open.fetch_sub(1, Ordering::SeqCst);
        self.tell_waiters();
    }

    fn is_due(&self) -> bool {
        // Without this one.
        let making = self.making.load(Ordering::SeqCst).saturating_sub(1);
        self.would_be_in_need(self.servers().saturating_add(making)) || self.register.starving.oldest().is_none()
    }

    fn wait_for_place(&self) -> Result<Need, AlreadyWaiting> {
        if self.placing.swap(true, Ordering::SeqCst) {
            return Err(AlreadyWaiting);
        }
        Ok(self.ask(if self.is_in_need() { Need::Asked } else { Need::Growth }))
    }

    fn ask_again(&self, before: Need) -> Result<Need, Overtaken> {
        if before == Need::Growth && self.is_in_need() { Err(Overtaken) } else { Ok(self.ask(before)) }
    }

    fn is_next(&self, need: Need) -> bool {
        need != Need::Growth || self.register.starving.oldest().is_none()
    }

    fn waited_for_place(&self, need: Need) {
        if let Need::Guarantee(since) = need {
            self.register.starving.leave(since);
        }
        self.placing.store(false, Ordering::SeqCst);
        self.tell_waiters();
    }
}

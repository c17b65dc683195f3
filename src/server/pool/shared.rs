//! What the workers know of each other's part of a pool, and the counts that only all of them together can keep.
//!
//! Each worker writes its own lane; others read it. The order matters in one place: a worker that puts a server on its idle stack first
//! publishes it and then looks for waiters elsewhere; a worker that queues a waiter first publishes it and then looks for idle servers
//! elsewhere. Both sides are sequentially consistent, so one of them sees the other.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::mail::Note;
use super::register::{Held, Register};
use super::rooms::Lines;
use super::slot::{Count, Slot};
use super::standing::Record;
use super::{Key, Limits, NotMade};
use crate::clock::{self, Instant};
use crate::telemetry::rows::{ServerRow, Standing};

/// The first pause after a server could not be made.
const PAUSE_FIRST: Duration = Duration::from_millis(100);
/// The longest one.
const PAUSE_MAX: Duration = Duration::from_secs(2);

/// One pool as all workers see it.
#[derive(Debug)]
pub(super) struct Shared<A> {
    pub(super) register: Arc<Register<A>>,
    pub(super) key: Key,
    pub(super) lanes: Vec<Lane>,
    /// Who starves where it has places.
    pub(super) lines: Lines,
    limits: Mutex<Limits>,
    /// That of the limits, to be read without a lock.
    size: AtomicUsize,
    /// Servers, with those that are being made.
    pub(super) open: AtomicUsize,
    /// Servers that are being made and have a place of the listener.
    pub(super) making: AtomicUsize,
    trouble: Mutex<Trouble>,
    /// Somebody waits for a place in this pool's name.
    pub(super) placing: AtomicBool,
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
    /// Servers that are being made here.
    pub(super) opening: AtomicUsize,
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
    /// One that has nothing yet; paused from its beginning where its database is.
    pub(super) fn new(register: &Arc<Register<A>>, key: &Key, held: &Held) -> Arc<Self> {
        let limits = register.limits_of(key);
        Arc::new(Self {
            register: Arc::clone(register),
            key: key.clone(),
            lines: register.rooms.of(key),
            lanes: register.post.iter().map(|_| Lane::default()).collect(),
            limits: Mutex::new(limits),
            size: AtomicUsize::new(limits.size),
            open: AtomicUsize::new(0),
            making: AtomicUsize::new(0),
            trouble: Mutex::default(),
            placing: AtomicBool::new(false),
            era: AtomicU64::new(u64::from(held.holds(&key.database))),
            records: Mutex::default(),
            numbers: AtomicU64::new(0),
        })
    }

    /// The limits in force.
    pub(super) fn limits(&self) -> Limits {
        *self.limits.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn set_limits(&self, limits: Limits) {
        self.size.store(limits.size, Ordering::Relaxed);
        *self.limits.lock().unwrap_or_else(PoisonError::into_inner) = limits;
    }

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

    /// Servers that other workers make and that nobody waits for there: they go to whoever waits when they are made.
    pub(super) fn to_spare(&self, mine: usize) -> usize {
        let others = self.lanes.iter().enumerate().filter(|(worker, _)| *worker != mine);
        let spare =
            |lane: &Lane| lane.opening.load(Ordering::SeqCst).saturating_sub(lane.waiting.load(Ordering::SeqCst));
        others.map(|(_, lane)| spare(lane)).sum()
    }

    /// True where it has its size.
    pub(super) fn is_full(&self) -> bool {
        self.open() >= self.size.load(Ordering::Relaxed)
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
        self.open.load(Ordering::Relaxed) > self.size.load(Ordering::Relaxed)
    }

    /// Marks an idle server as closing where there are more than `most` that stay. All workers look at the same moment, and each may hold
    /// some.
    pub(super) fn retires(&self, slot: &Slot, most: usize) -> bool {
        let records = self.records();
        let stay = records.values().filter(|record| record.standing() != Standing::Closing).count();
        let is_over = stay > most;
        if is_over {
            slot.stands(Standing::Closing);
        }
        is_over
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

    /// There may be room for another server, or a reason to make one.
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
    pub(super) fn turn(&self, by: u64) {
        self.era.fetch_add(by, Ordering::SeqCst);
        self.look();
    }

    /// Every worker is to look at its part: something has changed for the pool as a whole.
    pub(super) fn look(&self) {
        (0..self.lanes.len()).for_each(|worker| self.register.send(worker, Note::Look(self.key.clone())));
    }

    /// A row for each server, oldest first.
    pub(super) fn server_rows(&self) -> Vec<ServerRow> {
        let era = self.era();
        self.records().values().map(|record| record.row(era)).collect()
    }

    pub(super) fn records(&self) -> MutexGuard<'_, BTreeMap<u64, Arc<Record>>> {
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

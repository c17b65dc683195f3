//! Statement shapes with what they cost: the rows of `SHOW STATEMENTS`.
//!
//! A shape is a statement's text without its literals. The table is bounded; when it is full, shapes that no session holds
//! any more make room, and what they counted moves to `other`. Nothing is ever lost from the sums.

use std::collections::HashMap;
use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::worker::StatementKind;
use crate::clock;

/// Shapes with an entry of their own.
const SHAPES_MAX: usize = 8192;
/// Bytes kept of a shape's text.
const TEXT_BYTES_MAX: usize = 2048;
/// Time between two attempts to make room, so that a flood of new shapes costs no scan each.
const SWEEP_EVERY_MS: u64 = 10_000;

/// How a statement ended, for its shape.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// The server completed it.
    Completed,
    /// The server answered with an error.
    Failed,
}

/// What to order shapes by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum By {
    /// Most frequent first.
    Count,
    /// Most total time first.
    Time,
}

/// What one shape cost so far. Sessions hold it and count without a look-up.
#[derive(Debug)]
pub struct ShapeStat {
    text: Box<[u8]>,
    kind: StatementKind,
    count: AtomicU64,
    total_us: AtomicU64,
    longest_us: AtomicU64,
    failed: AtomicU64,
    refused: AtomicU64,
}

impl ShapeStat {
    fn new(text: &[u8], kind: StatementKind) -> Self {
        Self {
            text: text.get(..TEXT_BYTES_MAX).unwrap_or(text).into(),
            kind,
            count: AtomicU64::new(0),
            total_us: AtomicU64::new(0),
            longest_us: AtomicU64::new(0),
            failed: AtomicU64::new(0),
            refused: AtomicU64::new(0),
        }
    }

    /// Counts a statement that ran. Two atomic additions as a rule.
    pub fn record(&self, us: u64, outcome: Outcome) {
        self.count.fetch_add(1, Ordering::Relaxed);
        self.total_us.fetch_add(us, Ordering::Relaxed);
        if us > self.longest_us.load(Ordering::Relaxed) {
            self.longest_us.fetch_max(us, Ordering::Relaxed);
        }
        if outcome == Outcome::Failed {
            self.failed.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Counts a statement that was refused.
    pub fn refused(&self) {
        self.refused.fetch_add(1, Ordering::Relaxed);
    }

    /// Takes over what another shape counted.
    fn absorb(&self, other: &Self) {
        let add = |to: &AtomicU64, from: &AtomicU64| to.fetch_add(from.load(Ordering::Relaxed), Ordering::Relaxed);
        add(&self.count, &other.count);
        add(&self.total_us, &other.total_us);
        add(&self.failed, &other.failed);
        add(&self.refused, &other.refused);
        self.longest_us.fetch_max(other.longest_us.load(Ordering::Relaxed), Ordering::Relaxed);
    }

    fn row(&self) -> ShapeRow {
        ShapeRow {
            text: self.text.clone(),
            kind: self.kind,
            count: self.count.load(Ordering::Relaxed),
            total_us: self.total_us.load(Ordering::Relaxed),
            longest_us: self.longest_us.load(Ordering::Relaxed),
            failed: self.failed.load(Ordering::Relaxed),
            refused: self.refused.load(Ordering::Relaxed),
        }
    }
}

/// One shape at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShapeRow {
    /// The shape, cut at 2 KiB: bytes as the client sent them, so escape before showing.
    pub text: Box<[u8]>,
    /// What it does.
    pub kind: StatementKind,
    /// Statements that ran.
    pub count: u64,
    /// Their time in all, in microseconds.
    pub total_us: u64,
    /// The longest, in microseconds.
    pub longest_us: u64,
    /// How many ended in an error of the server.
    pub failed: u64,
    /// How many were refused and never ran.
    pub refused: u64,
}

/// All shapes of the process.
#[derive(Debug)]
pub struct Shapes {
    /// Keyed by a seeded hash of the whole text: the text itself may be longer than what is kept.
    seeds: (RandomState, RandomState),
    table: Mutex<Table>,
    other: Arc<ShapeStat>,
}

#[derive(Debug, Default)]
struct Table {
    shapes: HashMap<u128, Arc<ShapeStat>>,
    swept_ms: Option<u64>,
}

impl Default for Shapes {
    fn default() -> Self {
        Self {
            seeds: (RandomState::new(), RandomState::new()),
            table: Mutex::default(),
            other: Arc::new(ShapeStat::new(b"other", StatementKind::Other)),
        }
    }
}

impl Shapes {
    /// The entry of a shape, made where it is new. Takes a lock and hashes the text: call it when a shape is first met and
    /// hold what it returns.
    pub fn entry(&self, shape_text: &[u8], kind: StatementKind) -> Arc<ShapeStat> {
        let key = self.key(shape_text);
        let mut table = self.lock();
        if let Some(found) = table.shapes.get(&key) {
            return Arc::clone(found);
        }
        if table.shapes.len() >= SHAPES_MAX {
            table.make_room(&self.other, clock::uptime_ms());
        }
        if table.shapes.len() >= SHAPES_MAX {
            return Arc::clone(&self.other);
        }
        let stat = Arc::new(ShapeStat::new(shape_text, kind));
        table.shapes.insert(key, Arc::clone(&stat));
        stat
    }

    /// The first `count` shapes in that order, `other` among them where it counted anything.
    pub fn top(&self, count: usize, by: By) -> Vec<ShapeRow> {
        let mut all: Vec<Arc<ShapeStat>> = self.lock().shapes.values().cloned().collect();
        all.push(Arc::clone(&self.other));
        // Rows only of what is shown: texts are copied, and there may be 16 MiB of them.
        let weight = |stat: &ShapeStat| match by {
            By::Count => (stat.count.load(Ordering::Relaxed), stat.refused.load(Ordering::Relaxed)),
            By::Time => (stat.total_us.load(Ordering::Relaxed), stat.count.load(Ordering::Relaxed)),
        };
        all.sort_by_cached_key(|stat| std::cmp::Reverse(weight(stat)));
        let rows = all.iter().map(|stat| stat.row()).filter(|row| row.count > 0 || row.refused > 0);
        rows.take(count).collect()
    }

    /// Shapes with an entry of their own.
    pub fn len(&self) -> usize {
        self.lock().shapes.len()
    }

    /// True where no statement was seen yet.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn key(&self, text: &[u8]) -> u128 {
        // 128 bits of two secret seeds: a client cannot make its shape count as another.
        u128::from(self.seeds.0.hash_one(text)) << 64 | u128::from(self.seeds.1.hash_one(text))
    }

    fn lock(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Table {
    /// Retires the least used eighth of the shapes that nobody holds.
    fn make_room(&mut self, other: &ShapeStat, now_ms: u64) {
        if self.swept_ms.is_some_and(|swept_ms| now_ms.saturating_sub(swept_ms) < SWEEP_EVERY_MS) {
            return;
        }
        self.swept_ms = Some(now_ms);
        // New holders only come through the lock that the caller has, so a count of one stays one.
        let idle = self.shapes.iter().filter(|(_, stat)| Arc::strong_count(stat) == 1);
        let mut idle: Vec<_> = idle.map(|(key, stat)| (stat.count.load(Ordering::Relaxed), *key)).collect();
        idle.sort_unstable();
        for (_, key) in idle.into_iter().take(SHAPES_MAX / 8) {
            if let Some(stat) = self.shapes.remove(&key) {
                other.absorb(&stat);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_shape_has_one_entry() {
        let shapes = Shapes::default();
        shapes.entry(b"select $1", StatementKind::Select).record(10, Outcome::Completed);
        shapes.entry(b"select $1", StatementKind::Select).record(30, Outcome::Failed);
        let rows = shapes.top(10, By::Count);
        assert_eq!(rows.len(), 1);
        assert_eq!((rows[0].count, rows[0].total_us, rows[0].longest_us, rows[0].failed), (2, 40, 30, 1));
    }

    #[test]
    fn order_is_by_count_or_by_time() {
        let shapes = Shapes::default();
        let (often, slow) = (shapes.entry(b"a", StatementKind::Select), shapes.entry(b"b", StatementKind::Update));
        (0..5).for_each(|_| often.record(1, Outcome::Completed));
        slow.record(1_000, Outcome::Completed);
        assert_eq!(&*shapes.top(1, By::Count)[0].text, b"a");
        assert_eq!(&*shapes.top(1, By::Time)[0].text, b"b");
    }

    #[test]
    fn texts_are_cut_and_still_told_apart() {
        let shapes = Shapes::default();
        let mut long = vec![b'x'; 10_000];
        shapes.entry(&long, StatementKind::Select).record(1, Outcome::Completed);
        long.push(b'y');
        shapes.entry(&long, StatementKind::Select).record(1, Outcome::Completed);
        let rows = shapes.top(10, By::Count);
        assert_eq!(rows.len(), 2);
        assert!(rows.iter().all(|row| row.text.len() == TEXT_BYTES_MAX));
    }

    #[test]
    fn a_full_table_counts_as_other_and_loses_nothing() {
        let shapes = Shapes::default();
        let held: Vec<_> = (0..SHAPES_MAX + 100)
            .map(|n| shapes.entry(format!("select {n}").as_bytes(), StatementKind::Select))
            .collect();
        held.iter().for_each(|stat| stat.record(1, Outcome::Completed));
        assert_eq!(shapes.len(), SHAPES_MAX);
        assert_eq!(shapes.top(1, By::Count)[0].count, 100);
        assert_eq!(&*shapes.top(1, By::Count)[0].text, b"other");
    }

    #[test]
    fn idle_shapes_make_room() {
        let shapes = Shapes::default();
        for n in 0..SHAPES_MAX + 10 {
            shapes.entry(format!("select {n}").as_bytes(), StatementKind::Select).record(1, Outcome::Completed);
        }
        assert_eq!(shapes.len(), SHAPES_MAX - SHAPES_MAX / 8 + 10);
        let sum: u64 = shapes.top(usize::MAX, By::Count).iter().map(|row| row.count).sum();
        assert_eq!(sum as usize, SHAPES_MAX + 10);
    }
}

//! One database: what is known of it, and when it is to be read next.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicU32, AtomicU64, Ordering};

use arc_swap::ArcSwapOption;

use crate::sql::schema::Schema;

use super::picture::{Described, Picture, Reading, Sight};

/// One database. Sessions read it, the reader writes it; all of it without a lock.
#[derive(Debug)]
pub(super) struct Database {
    pub(super) name: Box<str>,
    picture: ArcSwapOption<Picture>,
    columns: ArcSwapOption<Described>,
    /// When a session last asked for it; [`NEVER_SEEN_MS`]: none has.
    seen_ms: AtomicU64,
    touched_ms: AtomicU64,
    /// Reads that are due to the last touch.
    owed: AtomicU8,
    /// When it was read last, or tried; 0: never.
    tried_ms: AtomicU64,
    /// The last try that went well.
    read_ms: AtomicU64,
    /// Names of tables that may be other ones than those that were read.
    doubted: ArcSwapOption<Vec<Box<str>>>,
    /// Failures in a row.
    failures: AtomicU32,
}

/// Why a database is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Why {
    /// It is time.
    Due,
    /// Somebody changed its tables.
    Touched,
}

impl Database {
    pub(super) fn new(name: &str, seen_ms: u64) -> Self {
        Self {
            name: name.into(),
            picture: ArcSwapOption::empty(),
            columns: ArcSwapOption::empty(),
            seen_ms: AtomicU64::new(seen_ms),
            touched_ms: AtomicU64::new(0),
            owed: AtomicU8::new(0),
            tried_ms: AtomicU64::new(0),
            read_ms: AtomicU64::new(0),
            doubted: ArcSwapOption::empty(),
            failures: AtomicU32::new(0),
        }
    }

    pub(super) fn schema(&self, sight: Sight<'_>, now_ms: u64) -> Option<Arc<Schema>> {
        self.seen_ms.store(now_ms.max(NEVER_SEEN_MS + 1), Ordering::Relaxed);
        let schema = self.picture.load().as_ref().map(|picture| picture.schema(sight))?;
        Some(match &*self.doubted.load() {
            Some(names) => Arc::new(schema.doubting(names)),
            None => schema,
        })
    }

    /// Says that tables of these names may be other ones by now: nothing is known of them until the reads are done that a touch
    /// asks for. True where that is news.
    pub(super) fn doubt(&self, names: &[Box<str>]) -> bool {
        let news = |known: &[Box<str>]| names.iter().filter(|name| !known.contains(name)).cloned().collect::<Vec<_>>();
        let known = self.doubted.load_full();
        let fresh = news(known.as_deref().map_or(&[], Vec::as_slice));
        if fresh.is_empty() {
            return false;
        }
        self.doubted.rcu(|known| {
            let mut all = known.as_deref().cloned().unwrap_or_default();
            all.extend(news(&all).into_iter().take(DOUBTED_MAX.saturating_sub(all.len())));
            Some(Arc::new(all))
        });
        true
    }

    /// Nothing is doubted any more, unless reads are still due. True where something was.
    fn trust(&self) -> bool {
        self.owed.load(Ordering::Acquire) == 0 && self.doubted.swap(None).is_some()
    }

    /// The columns that were read last, where they may be taken again for a read that nobody asked for by a touch.
    pub(super) fn columns(&self, why: Why, now_ms: u64) -> Option<Arc<Described>> {
        let known = self.columns.load_full()?;
        let fresh = known.read_ms.saturating_add(COLUMNS_MS) > now_ms;
        (why == Why::Due && known.mark != 0 && fresh).then_some(known)
    }

    pub(super) fn seen_ms(&self) -> u64 {
        self.seen_ms.load(Ordering::Relaxed)
    }

    /// Asks for two reads: one soon, and one a second later, since the change may not be committed yet. True where
    /// nobody had asked already.
    pub(super) fn touch(&self, now_ms: u64) -> bool {
        let first = self.owed.swap(READS_OWED, Ordering::AcqRel) == 0;
        if first {
            // Only the first: touches that never cease must not put the read off for ever.
            self.touched_ms.store(now_ms, Ordering::Relaxed);
        }
        first
    }

    /// When it is to be read next.
    pub(super) fn due_ms(&self) -> u64 {
        let tried = self.tried_ms.load(Ordering::Relaxed);
        let failures = self.failures.load(Ordering::Relaxed);
        if tried == 0 {
            return 0;
        }
        if failures > 0 {
            let pause = PAUSE_MIN_MS.saturating_mul(1_u64.checked_shl(failures.min(16)).unwrap_or(u64::MAX) / 2);
            return tried.saturating_add(pause.min(PAUSE_MAX_MS));
        }
        if self.owed.load(Ordering::Acquire) > 0 {
            let settled = self.touched_ms.load(Ordering::Relaxed).saturating_add(SETTLE_MS);
            return settled.max(tried.saturating_add(TOUCH_PAUSE_MS));
        }
        let seen = self.seen_ms();
        let wanted = seen != NEVER_SEEN_MS && seen.saturating_add(WANTED_MS) > tried;
        tried.saturating_add(if wanted { REFRESH_MS } else { REFRESH_UNWANTED_MS })
    }

    /// Was it read so long ago that whoever asks for it now should have it read again?
    pub(super) fn is_stale(&self, now_ms: u64) -> bool {
        let tried = self.tried_ms.load(Ordering::Relaxed);
        tried > 0 && self.failures.load(Ordering::Relaxed) == 0 && tried.saturating_add(REFRESH_MS * 2) < now_ms
    }

    /// Notes that it is being read now, and says why.
    pub(super) fn begin(&self, now_ms: u64) -> Why {
        // Before the read, so that a touch during it is not lost.
        let paid = |owed: u8| owed.checked_sub(1);
        let owed = self.owed.fetch_update(Ordering::AcqRel, Ordering::Acquire, paid);
        self.tried_ms.store(now_ms.max(1), Ordering::Relaxed);
        if owed.is_ok() { Why::Touched } else { Why::Due }
    }

    /// Notes what was read; true where it differs from what was known by more than noise.
    pub(super) fn succeed(&self, reading: Reading) -> bool {
        self.failures.store(0, Ordering::Relaxed);
        self.read_ms.store(self.tried_ms.load(Ordering::Relaxed), Ordering::Relaxed);
        self.columns.store(Some(Arc::clone(&reading.columns)));
        let trusted = self.trust();
        if self.picture.load().as_ref().is_some_and(|known| known.is_like(&reading)) {
            return trusted;
        }
        self.picture.store(Some(Arc::new(Picture::new(reading))));
        true
    }

    /// Notes a failure; true where something is known no more. Sizes stay: they are estimates anyway. What was certain is
    /// so no longer once nobody has seen for a minute whether it still is.
    pub(super) fn fail(&self, now_ms: u64) -> bool {
        self.failures.fetch_add(1, Ordering::Relaxed);
        let stale = self.read_ms.load(Ordering::Relaxed).saturating_add(CERTAIN_MS) < now_ms;
        let known = self.picture.load_full().filter(|_| stale);
        let Some(sizes) = known.and_then(|picture| picture.sizes_alone()) else { return false };
        self.picture.store(Some(Arc::new(sizes)));
        self.columns.store(None);
        true
    }
}

/// Of a database that no session has asked for yet: it is read once, and after that as rarely as one that nobody wants any more.
pub(super) const NEVER_SEEN_MS: u64 = 0;
/// Between two reads of a database that nobody touched.
const REFRESH_MS: u64 = 10_000;
/// How long a database counts as wanted after a session asked for it.
const WANTED_MS: u64 = 60_000;
/// Between two reads of a database that nobody wants at the moment.
const REFRESH_UNWANTED_MS: u64 = 60_000;
/// Between two reads of a database that is touched all the time.
const TOUCH_PAUSE_MS: u64 = 1_000;
/// How long columns are taken for unchanged at the most, whatever the server's counters say.
const COLUMNS_MS: u64 = 300_000;
/// How long keys and paths count as certain without having been read again.
const CERTAIN_MS: u64 = 60_000;
/// From a touch to the read: the statement that caused it is still running.
const SETTLE_MS: u64 = 200;
/// Reads that a touch asks for.
const READS_OWED: u8 = 2;
/// Names of one database that are doubted at a time; the tables of more keep their old size until they are read.
const DOUBTED_MAX: usize = 256;
/// Pauses after failures: doubled each time.
const PAUSE_MIN_MS: u64 = 1_000;
const PAUSE_MAX_MS: u64 = 60_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_database_is_due_at_once_then_every_ten_seconds() {
        let database = Database::new("shop", 5);
        assert_eq!(database.due_ms(), 0);
        database.begin(100);
        assert!(database.succeed(Reading::default()));
        assert_eq!(database.due_ms(), 10_100);
    }

    #[test]
    fn a_touch_brings_two_reads_a_second_apart() {
        let database = Database::new("shop", 5);
        database.begin(100);
        database.succeed(Reading::default());
        assert!(database.touch(5_000));
        assert!(!database.touch(5_050), "one wish is enough");
        assert_eq!(database.due_ms(), 5_200);
        database.begin(5_200);
        assert_eq!(database.due_ms(), 6_200);
        database.begin(6_200);
        assert_eq!(database.due_ms(), 16_200);
    }

    #[test]
    fn a_table_that_was_made_again_is_unknown_until_both_reads_are_done() {
        use crate::catalog::tables::{TableKind, TableRow};
        use crate::sql::schema::{Effects, Estimate, TableName};

        let reading = || {
            let row = |name: &str| {
                let kind = TableKind::Table;
                TableRow {
                    schema: "public".into(),
                    name: name.into(),
                    kind,
                    rows: Some(7),
                    columns: None,
                    effects: Effects::Plain,
                }
            };
            Reading { rows: vec![row("t"), row("u")], ..Reading::default() }
        };
        let database = Database::new("shop", 5);
        database.begin(100);
        database.succeed(reading());
        let rows = |name: &TableName| database.schema(Sight::Changed, 0).unwrap().rows(name);
        let (t, qualified) = (TableName::new("t"), TableName::qualified("public", "t"));
        database.touch(5_000);
        assert!(database.doubt(&["t".into()]) && !database.doubt(&["t".into()]));
        assert_eq!(
            [rows(&t), rows(&qualified), rows(&TableName::new("u"))],
            [Estimate::Unknown, Estimate::Unknown, Estimate::Known(7)]
        );
        database.begin(5_200);
        assert!(!database.succeed(reading()), "the change may not have been committed yet");
        assert_eq!(rows(&t), Estimate::Unknown);
        database.begin(6_200);
        assert!(database.succeed(reading()), "sessions have to ask again");
        assert_eq!(rows(&t), Estimate::Known(7));
        assert!((0..1000).all(|n| database.doubt(&[format!("t{n}").into()]) || n >= DOUBTED_MAX));
        assert_eq!(database.doubted.load().as_ref().unwrap().len(), DOUBTED_MAX);
    }

    #[test]
    fn touches_all_the_time_bring_one_read_a_second() {
        let database = Database::new("shop", 5);
        let mut reads = 0;
        for now in (1_000..11_000).step_by(10) {
            database.touch(now);
            if database.due_ms() <= now {
                database.begin(now);
                database.succeed(Reading::default());
                reads += 1;
            }
        }
        assert!((9..=11).contains(&reads), "{reads}");
    }

    #[test]
    fn what_was_certain_is_forgotten_after_a_minute_of_failures() {
        use crate::catalog::tables::{TableKind, TableRow};
        use crate::sql::schema::{Effects, Estimate, TableName};

        let columns = Some(Arc::default());
        let (kind, effects) = (TableKind::Table, Effects::Plain);
        let row = TableRow { schema: "public".into(), name: "t".into(), kind, rows: Some(7), columns, effects };
        let database = Database::new("shop", 5);
        database.begin(1_000);
        database.succeed(Reading { rows: vec![row], ..Reading::default() });
        let name = TableName::new("t");
        let has_columns = || {
            let schema = database.schema(Sight::Changed, 0).unwrap();
            assert_eq!(schema.rows(&name), Estimate::Known(7), "its size stays");
            schema.table(&name).unwrap().columns.is_some()
        };
        assert!(!database.fail(61_000) && has_columns());
        assert!(database.fail(61_001) && !has_columns());
        assert!(!database.fail(70_000), "there is no more to forget");
    }

    #[test]
    fn failures_space_the_tries_out_to_a_minute() {
        let database = Database::new("shop", 5);
        let mut pauses = Vec::new();
        for _ in 0..9 {
            database.begin(1_000);
            database.fail(1_000);
            pauses.push((database.due_ms() - 1_000) / 1_000);
        }
        assert_eq!(pauses, [1, 2, 4, 8, 16, 32, 60, 60, 60]);
        database.succeed(Reading::default());
        assert_eq!(database.due_ms(), 11_000);
    }
}

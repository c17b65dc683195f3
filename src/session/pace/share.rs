//! How much of the time logins take.
//!
//! Up to half of it while they are few: then it makes no difference to anybody else. A crowd gets a small part, which grows the longer it
//! has to wait and shrinks again while it need not: thousands that dial at once get by with little of the time, and if so many come all day,
//! they soon have the part that they need.

use std::cell::Cell;
use std::sync::Arc;
use std::time::Duration;

use super::waits::Waits;
use crate::clock::Instant;

/// Logins under way that are no crowd yet.
pub(super) const FEW: usize = 20;
/// Thousandths of the time that a crowd may take where it had not to wait.
pub(super) const LEAST: u32 = 25;
/// The same where it has waited for all of its patience, and of few logins.
pub(super) const MOST: u32 = 500;
/// The longest patience: by then a crowd has had the time that several thousands need.
pub(super) const PATIENCE_MAX: Duration = Duration::from_secs(18);
/// What logins may take at once before their share counts: those who come alone never wait.
const BURST: Duration = Duration::from_millis(2);
/// The longest pause: who has just come is looked at in between.
pub(super) const PAUSE_MAX: Duration = Duration::from_millis(20);
/// What is made up for at most: one step that took long, as one may on a busy machine, does not stop all others.
const DEBT_MAX: Duration = Duration::from_millis(50);

/// Who wants to log in.
#[derive(Debug, Clone, Copy)]
pub(super) struct Crowd {
    /// Logins under way.
    pub(super) logins: usize,
    /// How long they may wait before they get all that logins may take.
    pub(super) patience: Duration,
}

/// What logins have taken of the time.
#[derive(Debug)]
pub(super) struct Share {
    /// Thousandths of the time that a crowd may take where it had not to wait.
    least: u32,
    /// Work that is more than the share of the time that has passed since.
    debt: Cell<Duration>,
    /// When it was counted.
    counted: Cell<Option<Instant>>,
    /// How long they had to wait.
    waits: Arc<Waits>,
}

impl Default for Share {
    fn default() -> Self {
        Self { least: LEAST, debt: Cell::default(), counted: Cell::default(), waits: Arc::default() }
    }
}

impl Share {
    /// A share that grows by what all who have these `waits` had to wait.
    pub(super) fn of(waits: Arc<Waits>) -> Self {
        Self { waits, ..Self::default() }
    }

    /// The same of one thread's time, as half of what so many workers would give of theirs.
    pub(super) fn for_half_of(self, workers: usize) -> Self {
        let workers = u32::try_from(workers).unwrap_or(u32::MAX);
        Self { least: LEAST.saturating_mul(workers).div_ceil(2).clamp(LEAST, MOST), ..self }
    }

    /// One of the crowd has made a step that took so long, and has just ended.
    pub(super) fn charge(&self, now: Instant, took: Duration, crowd: Crowd) {
        self.count(now, crowd);
        self.debt.update(|debt| debt.saturating_add(took).min(DEBT_MAX));
    }

    /// How long the next step has to wait.
    pub(super) fn pause(&self, now: Instant, crowd: Crowd) -> Duration {
        self.count(now, crowd);
        self.until_paid(crowd).min(PAUSE_MAX)
    }

    fn count(&self, now: Instant, crowd: Crowd) {
        let then = self.counted.replace(Some(now)).unwrap_or(now);
        let pause = self.until_paid(crowd);
        if !pause.is_zero() {
            self.waits.note(now.min(then + pause));
        }
        let passed = now.saturating_duration_since(then).min(Duration::from_secs(1));
        self.debt.update(|debt| debt.saturating_sub(passed.saturating_mul(self.thousandths(crowd)) / 1_000));
        self.waits.count(now, crowd.patience);
    }

    /// How long it takes to make up for what is more than they may take at once.
    fn until_paid(&self, crowd: Crowd) -> Duration {
        self.debt.get().saturating_sub(BURST).saturating_mul(1_000) / self.thousandths(crowd)
    }

    /// Thousandths of the time that so many logins may take now. Of a crowd it grows by the fourth power of what it has waited: little for most
    /// of its patience, and then fast, since nobody is to wait longer.
    fn thousandths(&self, Crowd { logins, patience }: Crowd) -> u32 {
        let waited = self.waits.waited();
        if logins <= FEW || waited >= patience {
            return MOST;
        }
        let part = waited.as_secs_f64() / patience.as_secs_f64();
        self.least.saturating_add((f64::from(MOST - self.least) * part.powi(4)) as u32)
    }
}

//! What sessions moved in the last minute or so, for the `avg_` columns.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crate::clock::{self, Instant};
use crate::roster::Roster;
use crate::traffic::{ByDatabase, Totals};

/// A span of time over which averages are taken: PgBouncer's `stats_period`.
pub(super) const PERIOD: Duration = Duration::from_secs(60);

/// Totals as they were at two moments.
#[derive(Debug)]
pub struct Averages(Mutex<Span>);

#[derive(Debug, Clone)]
struct Span {
    from: (Instant, ByDatabase),
    /// `None` in the first span, which lasts until now.
    to: Option<(Instant, ByDatabase)>,
}

/// What grew in a span of time.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Grown {
    pub(super) totals: Totals,
    pub(super) time: Duration,
}

impl Averages {
    /// Begins now.
    pub fn new(roster: &Roster) -> Self {
        Self(Mutex::new(Span { from: (clock::now(), roster.traffic()), to: None }))
    }

    /// The end of a span.
    pub(super) fn turn(&self, roster: &Roster) {
        let mut span = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let now = (clock::now(), roster.traffic());
        if let Some(to) = span.to.replace(now) {
            span.from = to;
        }
    }

    /// What a database has grown by in the last span; `now` is what it has.
    pub(super) fn of(&self, database: &str, now: &Totals) -> Grown {
        let span = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let at = |sums: &ByDatabase| sums.get(database).copied().unwrap_or_default();
        let (since, before) = (span.from.0, at(&span.from.1));
        let (until, after) = span.to.as_ref().map_or_else(|| (clock::now(), *now), |(until, sums)| (*until, at(sums)));
        Grown { totals: after.since(&before), time: until.saturating_duration_since(since) }
    }
}

impl Grown {
    /// Adds what grew elsewhere in the same time.
    pub(super) fn add(&mut self, other: &Self) {
        self.totals.add(&other.totals);
        self.time = other.time;
    }

    /// So much each second.
    pub(super) fn each_second(&self, much: u64) -> u64 {
        let micros = self.time.as_micros().max(1);
        u64::try_from(u128::from(much).saturating_mul(1_000_000) / micros).unwrap_or(u64::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn averages_are_by_second() {
        let grown = Grown { totals: Totals::default(), time: Duration::from_secs(60) };
        assert_eq!((grown.each_second(600), grown.each_second(59)), (10, 0));
        let at_once = Grown { totals: Totals::default(), time: Duration::ZERO };
        assert_eq!(at_once.each_second(0), 0);
    }
}

//! Whether another server is worth its login.
//!
//! Nobody knows whether the next server is given back in a moment or after a long transaction, and a login costs the server more than most
//! statements do. So those who wait decide it: once they have waited together for as long as a login takes, one is begun. However long
//! the others go on, that costs at most twice as much as to have known it (ski rental: Karlin, Manasse, Rudolph and Sleator, "Competitive
//! snoopy caching", Algorithmica 3, 1988).

use std::time::Duration;

use crate::clock::Instant;

/// What a login costs PostgreSQL, about: a process, its caches, the proof.
const LOGIN: Duration = Duration::from_millis(5);

/// How long clients have waited, all together, since the last server was begun for them.
#[derive(Debug)]
pub(super) struct Waited {
    together: Duration,
    /// So many wait since then.
    waiting: u32,
    since: Instant,
}

impl Waited {
    pub(super) const fn new(now: Instant) -> Self {
        Self { together: Duration::ZERO, waiting: 0, since: now }
    }

    /// How many wait, since the last count.
    pub(super) const fn waiting(&self) -> u32 {
        self.waiting
    }

    /// So many wait from now on.
    pub(super) fn count(&mut self, waiting: u32, now: Instant) {
        let time = now.saturating_duration_since(self.since).saturating_mul(self.waiting);
        *self = Self { together: self.together.saturating_add(time), waiting, since: now };
    }

    /// When another server is worth its login, if all go on waiting; a moment that has passed where it is already.
    pub(super) fn worth_at(&self) -> Instant {
        self.since + LOGIN.saturating_sub(self.together) / self.waiting.max(1)
    }

    /// One is begun.
    pub(super) const fn pay(&mut self) {
        self.together = self.together.saturating_sub(LOGIN);
    }

    /// Called once a second: what was waited long ago says little of what is to come.
    pub(super) fn forget(&mut self) {
        self.together /= 2;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    #[test]
    fn the_more_wait_the_sooner_a_server_is_worth_it() {
        let begin = crate::clock::now();
        let mut waited = Waited::new(begin);
        waited.count(1, begin);
        assert_eq!(waited.worth_at(), begin + LOGIN);
        waited.count(4, begin + 1 * MS);
        assert_eq!(waited.worth_at(), begin + 2 * MS);
        waited.count(0, begin + 2 * MS);
        assert_eq!(waited.worth_at(), begin + 2 * MS);
        waited.pay();
        waited.count(1, begin + 9 * MS);
        assert_eq!(waited.worth_at(), begin + 9 * MS + LOGIN);
    }

    #[test]
    fn short_waits_add_up_and_are_forgotten() {
        let begin = crate::clock::now();
        let mut waited = Waited::new(begin);
        waited.count(1, begin);
        waited.count(0, begin + 4 * MS);
        waited.forget();
        waited.count(1, begin + 1_000 * MS);
        assert_eq!(waited.worth_at(), begin + 1_003 * MS);
    }
}

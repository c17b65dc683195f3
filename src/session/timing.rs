//! Time limits of statements and transactions, without a timer for each.
//!
//! A session notes when something began that may not take for ever. Its worker looks at those sessions, and at no others,
//! ten times a second, and wakes one whose time is up. A limit is therefore kept to within `BEAT`.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::spawn_local;

use super::beat::Beat;
use crate::clock::{self, Instant};
use crate::guard::Limits;
use crate::guard::limits::TimeLimit;
use crate::roster::{Entry, Seat};
use crate::wire::Transaction;

/// What may not take for ever.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Timed {
    /// A statement that runs.
    Statement,
    /// A transaction that is open.
    Transaction,
    /// A transaction that is open, with nothing to do.
    IdleTransaction,
}

impl Timed {
    const ALL: [Self; 3] = [Self::Statement, Self::Transaction, Self::IdleTransaction];

    const fn index(self) -> usize {
        match self {
            Self::Statement => 0,
            Self::Transaction => 1,
            Self::IdleTransaction => 2,
        }
    }

    const fn of(self, limits: &Limits) -> Option<&TimeLimit> {
        match self {
            Self::Statement => limits.statement.as_ref(),
            Self::Transaction => limits.transaction.as_ref(),
            Self::IdleTransaction => limits.idle_transaction.as_ref(),
        }
    }
}

/// The sessions of one worker that something may become too late for.
#[derive(Debug, Default)]
pub struct Timings {
    beat: Arc<Beat>,
    listed: RefCell<Vec<Rc<Times>>>,
    looking: Cell<Looking>,
}

/// Whether a worker's look-out runs: only while there is somebody to look at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Looking {
    #[default]
    No,
    Yes,
}

/// One session's times. Nobody looks at a session whose `Timing` was dropped.
#[derive(Debug)]
pub struct Timing {
    worker: Rc<Timings>,
    /// Made when something begins that has a limit.
    times: Option<Rc<Times>>,
}

/// What a session's times are held to as they begin, and whom to wake.
#[derive(Debug, Clone, Copy)]
pub struct Held<'a> {
    /// Limits of the rules in force.
    pub limits: &'a Limits,
    /// The session.
    pub who: &'a Seat,
}

/// What a session notes and its worker looks at.
#[derive(Debug)]
struct Times {
    /// How long each of [`Timed`] may take; `None`: for ever.
    limits: Cell<[Option<Duration>; 3]>,
    /// Whether each of [`Timed`] goes on.
    going: Cell<[Going; 3]>,
    due: Cell<Option<Timed>>,
    place: Cell<Place>,
    /// Whom to wake.
    who: Arc<Entry>,
}

/// Whether something goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Going {
    #[default]
    Not,
    Since(Instant),
    /// It does, for too long, and that was told.
    Told,
}

/// Whether a session is among those that are looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Listed,
    Unlisted,
}

impl Timing {
    /// The times of a session of this worker, of which none has begun.
    pub fn new(worker: &Rc<Timings>) -> Self {
        Self { worker: Rc::clone(worker), times: None }
    }

    /// A request went to the server.
    pub fn begins(&mut self, now: Instant, held: Held<'_>) {
        self.stop(Timed::IdleTransaction);
        if self.going(Timed::Statement) == Going::Not {
            self.start(Timed::Statement, now, held);
        }
    }

    /// A request that opens a transaction went to the server. Its boundary may be far: other statements may stand behind the BEGIN.
    pub fn opens(&mut self, now: Instant, held: Held<'_>) {
        if self.going(Timed::Transaction) == Going::Not {
            self.start(Timed::Transaction, now, held);
        }
    }

    /// The server has answered a request that began at `began`, and owes nothing.
    pub fn rests(&mut self, transaction: Transaction, began: Instant, now: Instant, held: Held<'_>) {
        self.ends(transaction, began, held);
        if transaction != Transaction::None {
            return self.start(Timed::IdleTransaction, now, held);
        }
        self.stop(Timed::IdleTransaction);
        // Where nobody looks at them any more, an idle session need not keep them.
        self.times.take_if(|times| times.place.get() == Place::Unlisted);
    }

    /// The server has answered a request that began at `began`, and may owe more.
    pub fn ends(&mut self, transaction: Transaction, began: Instant, held: Held<'_>) {
        self.stop(Timed::Statement);
        match transaction {
            Transaction::None => self.stop(Timed::Transaction),
            Transaction::Open | Transaction::Failed => self.opens(began, held),
        }
    }

    /// What has taken too long: told once for each beginning. One cell is read where nothing has.
    pub fn take_due(&self) -> Option<Timed> {
        self.times.as_ref()?.due.take()
    }

    fn going(&self, what: Timed) -> Going {
        self.times.as_ref().map_or(Going::Not, |times| times.going(what))
    }

    fn stop(&self, what: Timed) {
        if let Some(times) = &self.times {
            times.stop(what);
        }
    }

    fn start(&mut self, what: Timed, now: Instant, Held { limits, who }: Held<'_>) {
        let Some(TimeLimit { limit, .. }) = what.of(limits) else { return };
        let times = self.times.get_or_insert_with(|| Rc::new(Times::of(who)));
        times.set_limit(what, *limit);
        times.set(what, Going::Since(now));
        if times.place.replace(Place::Listed) == Place::Unlisted {
            self.worker.list(Rc::clone(times));
        }
    }
}

impl Drop for Timing {
    fn drop(&mut self) {
        if let Some(times) = &self.times {
            times.going.set([Going::Not; 3]);
            times.due.set(None);
        }
    }
}

impl Times {
    fn of(who: &Seat) -> Self {
        Self {
            limits: Cell::default(),
            going: Cell::default(),
            due: Cell::new(None),
            place: Cell::new(Place::Unlisted),
            who: who.entry(),
        }
    }

    fn set_limit(&self, what: Timed, limit: Duration) {
        let mut all = self.limits.get();
        if let Some(slot) = all.get_mut(what.index()) {
            *slot = Some(limit);
        }
        self.limits.set(all);
    }

    fn limit(&self, what: Timed) -> Option<Duration> {
        self.limits.get().get(what.index()).copied().flatten()
    }

    fn going(&self, what: Timed) -> Going {
        self.going.get().get(what.index()).copied().unwrap_or_default()
    }

    fn set(&self, what: Timed, going: Going) {
        let mut all = self.going.get();
        if let Some(slot) = all.get_mut(what.index()) {
            *slot = going;
        }
        self.going.set(all);
    }

    /// It is over, so it is not late any more.
    fn stop(&self, what: Timed) {
        self.set(what, Going::Not);
        if self.due.get() == Some(what) {
            self.due.set(None);
        }
    }

    fn is_late(&self, what: Timed, now: Instant) -> bool {
        match (self.going(what), self.limit(what)) {
            (Going::Since(since), Some(limit)) => now.saturating_duration_since(since) >= limit,
            _ => false,
        }
    }

    /// Notes what is too late by now, and wakes the session. False where nothing goes on, so that there is nothing to look at.
    fn look(&self, now: Instant) -> bool {
        if self.due.get().is_none()
            && let Some(what) = Timed::ALL.into_iter().find(|&what| self.is_late(what, now))
        {
            self.set(what, Going::Told);
            self.due.set(Some(what));
            self.who.wake();
        }
        self.going.get().iter().any(|going| matches!(going, Going::Since(_))) || self.due.get().is_some()
    }
}

impl Timings {
    /// Nobody is looked at yet; later, with each beat.
    pub fn new(beat: Arc<Beat>) -> Self {
        Self { beat, ..Self::default() }
    }

    fn list(self: &Rc<Self>, times: Rc<Times>) {
        self.listed.borrow_mut().push(times);
        if self.looking.replace(Looking::Yes) == Looking::No {
            spawn_local(Rc::clone(self).look_out());
        }
    }

    async fn look_out(self: Rc<Self>) {
        let listener = self.beat.listen();
        loop {
            listener.next().await;
            let now = clock::now();
            let mut listed = self.listed.borrow_mut();
            listed.retain(|times| {
                let stays = times.look(now);
                if !stays {
                    times.place.set(Place::Unlisted);
                }
                stays
            });
            if listed.is_empty() {
                // A storm of sessions must not leave its memory behind.
                *listed = Vec::new();
                self.looking.set(Looking::No);
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::guard::Guard;
    use crate::session::beat::BEAT;
    use crate::session::judge::tests::{house, seat};
    use tokio::task::LocalSet;
    use tokio::time::advance;

    const RULES: &str = "statement_timeout = { mode = 'enforce', limit = '2s' }\n\
                         transaction_timeout = { mode = 'warn', limit = '10s' }\n\
                         idle_transaction_timeout = { mode = 'warn', limit = '4s' }";

    /// A session with its rules.
    struct Session {
        timing: Timing,
        guard: Guard,
        seat: Seat,
    }

    impl Session {
        fn begins(&mut self) {
            let Self { timing, guard, seat } = self;
            timing.begins(clock::now(), Held { limits: guard.limits(), who: seat });
        }

        fn opens(&mut self) {
            let Self { timing, guard, seat } = self;
            timing.opens(clock::now(), Held { limits: guard.limits(), who: seat });
        }

        fn ends(&mut self, transaction: Transaction) {
            let Self { timing, guard, seat } = self;
            timing.ends(transaction, clock::now(), Held { limits: guard.limits(), who: seat });
        }

        fn rests(&mut self, transaction: Transaction) {
            let Self { timing, guard, seat } = self;
            let now = clock::now();
            timing.rests(transaction, now, now, Held { limits: guard.limits(), who: seat });
        }

        fn take_due(&self) -> Option<Timed> {
            self.timing.take_due()
        }
    }

    fn timing(rules: &str) -> Session {
        let beat = Arc::new(Beat::default());
        let beats = Arc::clone(&beat);
        spawn_local(async move { beats.run().await });
        let timing = Timing::new(&Rc::new(Timings::new(beat)));
        let guard = Guard::build(&rules.parse().unwrap()).unwrap();
        let house = house(Guard::build(&rules.parse().unwrap()).unwrap());
        Session { timing, guard, seat: seat(&house) }
    }

    async fn pass(time: Duration) {
        let mut left = time;
        while !left.is_zero() {
            let step = left.min(BEAT);
            advance(step).await;
            tokio::task::yield_now().await;
            left -= step;
        }
    }

    fn run(test: impl Future<Output = ()>) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
        runtime.block_on(LocalSet::new().run_until(test));
    }

    #[test]
    fn a_statement_that_runs_too_long_is_told_once() {
        run(async {
            let mut timing = timing(RULES);
            timing.begins();
            pass(Duration::from_millis(1_900)).await;
            assert_eq!(timing.take_due(), None);
            pass(Duration::from_millis(300)).await;
            assert_eq!(timing.take_due(), Some(Timed::Statement));
            pass(Duration::from_secs(5)).await;
            assert_eq!(timing.take_due(), None);
            timing.rests(Transaction::None);
            pass(Duration::from_secs(1)).await;
            assert!(timing.timing.worker.listed.borrow().is_empty(), "nobody is looked at where nothing goes on");
            timing.begins();
            timing.rests(Transaction::None);
            pass(Duration::from_secs(1)).await;
            timing.rests(Transaction::None);
            assert!(timing.timing.times.is_none(), "and an idle session keeps no times");
        });
    }

    #[test]
    fn a_statement_that_ended_in_time_is_not_late() {
        run(async {
            let mut timing = timing(RULES);
            for _ in 0..5 {
                timing.begins();
                pass(Duration::from_millis(1_500)).await;
                timing.rests(Transaction::None);
            }
            assert_eq!(timing.take_due(), None);
        });
    }

    #[test]
    fn a_transaction_is_late_as_a_whole_and_when_idle() {
        run(async {
            let mut timing = timing(RULES);
            timing.begins();
            timing.rests(Transaction::Open);
            pass(Duration::from_millis(4_200)).await;
            assert_eq!(timing.take_due(), Some(Timed::IdleTransaction));
            timing.begins();
            pass(Duration::from_secs(1)).await;
            timing.rests(Transaction::Failed);
            pass(Duration::from_millis(3_500)).await;
            assert_eq!(timing.take_due(), None, "idle counts anew after a statement");
            pass(Duration::from_secs(2)).await;
            assert_eq!(timing.take_due(), Some(Timed::IdleTransaction));
            pass(BEAT).await;
            assert_eq!(timing.take_due(), Some(Timed::Transaction), "one after the other");
            timing.begins();
            timing.rests(Transaction::None);
            pass(Duration::from_secs(20)).await;
            assert_eq!(timing.take_due(), None);
        });
    }

    #[test]
    fn a_transaction_is_as_old_as_its_begin() {
        run(async {
            let mut timing = timing(RULES);
            timing.begins();
            timing.opens();
            pass(Duration::from_millis(2_200)).await;
            assert_eq!(timing.take_due(), Some(Timed::Statement));
            pass(Duration::from_millis(6_000)).await;
            // The server owes more: only some of what was sent is done.
            timing.ends(Transaction::Open);
            timing.begins();
            timing.opens();
            pass(Duration::from_millis(1_900)).await;
            assert_eq!(
                timing.take_due(),
                Some(Timed::Transaction),
                "neither the boundary nor a second BEGIN begins anew"
            );
            timing.ends(Transaction::None);
            timing.rests(Transaction::Open);
            pass(Duration::from_millis(9_800)).await;
            assert_eq!(timing.take_due(), Some(Timed::IdleTransaction));
            pass(Duration::from_millis(400)).await;
            assert_eq!(timing.take_due(), Some(Timed::Transaction), "the next one counts for itself");
        });
    }

    #[test]
    fn without_limits_nobody_is_looked_at() {
        run(async {
            let mut timing = timing("mode = 'off'");
            timing.begins();
            timing.rests(Transaction::Open);
            assert!(timing.timing.worker.listed.borrow().is_empty());
            assert_eq!(timing.timing.worker.looking.get(), Looking::No);
        });
    }
}

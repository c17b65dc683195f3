//! What a session notes of its times, and what its worker looks at.

use std::cell::Cell;
use std::sync::Arc;
use std::time::Duration;

use crate::clock::Instant;
use crate::guard::Limits;
use crate::guard::limits::TimeLimit;
use crate::roster::{Entry, Seat};

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

    pub(super) const fn of(self, limits: &Limits) -> Option<&TimeLimit> {
        match self {
            Self::Statement => limits.statement.as_ref(),
            Self::Transaction => limits.transaction.as_ref(),
            Self::IdleTransaction => limits.idle_transaction.as_ref(),
        }
    }
}

/// What a session notes and its worker looks at.
#[derive(Debug)]
pub(super) struct Times {
    /// How long each of [`Timed`] may take; `None`: for ever.
    limits: Cell<[Option<Duration>; 3]>,
    /// Whether each of [`Timed`] goes on.
    going: Cell<[Going; 3]>,
    due: Cell<Option<Timed>>,
    pub(super) place: Cell<Place>,
    /// Whom to wake.
    who: Arc<Entry>,
}

/// Whether something goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Going {
    #[default]
    Not,
    Since(Instant),
    /// It does, for too long, and that was told.
    Told,
}

/// Whether a session is among those that are looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    Listed,
    Unlisted,
}

impl Times {
    pub(super) fn of(who: &Seat) -> Self {
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

    pub(super) fn going(&self, what: Timed) -> Going {
        self.going.get().get(what.index()).copied().unwrap_or_default()
    }

    fn set(&self, what: Timed, going: Going) {
        let mut all = self.going.get();
        if let Some(slot) = all.get_mut(what.index()) {
            *slot = going;
        }
        self.going.set(all);
    }

    /// It begins, and may take so long.
    pub(super) fn start(&self, what: Timed, now: Instant, limit: Duration) {
        self.set_limit(what, limit);
        self.set(what, Going::Since(now));
    }

    /// It is over, so it is not late any more.
    pub(super) fn stop(&self, what: Timed) {
        self.set(what, Going::Not);
        if self.due.get() == Some(what) {
            self.due.set(None);
        }
    }

    /// All of it is over: the session ends.
    pub(super) fn end(&self) {
        self.going.set([Going::Not; 3]);
        self.due.set(None);
    }

    /// What has become too late: told once.
    pub(super) fn take_due(&self) -> Option<Timed> {
        self.due.take()
    }

    fn is_late(&self, what: Timed, now: Instant) -> bool {
        match (self.going(what), self.limit(what)) {
            (Going::Since(since), Some(limit)) => now.saturating_duration_since(since) >= limit,
            _ => false,
        }
    }

    /// Notes what is too late by now, and wakes the session. False where nothing goes on, so that there is nothing to look at.
    pub(super) fn look(&self, now: Instant) -> bool {
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

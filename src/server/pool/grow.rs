//! How a pool gets more servers, and what happens where it cannot.

use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::spawn_local;
use tokio::time::sleep_until;

use super::local::Inner;
use super::mail::Note;
use super::shared::Turn;
use super::{Make, Member, NotMade, Pool, Slot, Standing, Unserved};
use crate::clock::{self, Instant};

/// Timers are no finer than this.
const GRAIN: Duration = Duration::from_millis(1);

impl<M: Make> Pool<M> {
    /// Looks for a server for each waiter that none is on its way to: an idle one of another worker, or a new one.
    pub(super) fn grow(&self) {
        while self.lacks() && !self.shared.is_paused() {
            if let Some(worker) = self.shared.claim_idle(Some(self.worker)) {
                let mut inner = self.inner.borrow_mut();
                inner.asked = inner.asked.saturating_add(1);
                self.count_waiting(&mut inner);
                self.shared.register.send(worker, Note::Please(self.shared.key.clone(), self.worker));
            } else if self.shared.is_full() {
                return;
            } else if let Some(until) = self.shared.paused_until() {
                return self.retry_at(until);
            } else if self.shared.is_doubling() {
                return;
            } else if let Some(until) = self.not_worth_until() {
                return self.retry_at(until);
            } else if let Some(slot) = self.shared.reserve(self.shared.limits().size) {
                self.inner.borrow_mut().waited.pay();
                self.open(slot);
            } else {
                return;
            }
        }
    }

    fn lacks(&self) -> bool {
        let inner = self.inner.borrow();
        let (expected, waiting) = (inner.opening.saturating_add(inner.asked), inner.queue.waiting());
        expected < waiting && expected.saturating_add(self.shared.to_spare(self.worker)) < waiting
    }

    /// Counts those who wait for another server than is on its way. Where the pool has its size, nothing is to be decided.
    pub(super) fn count_waiting(&self, inner: &mut Inner<M::Server>) {
        let expected = inner.opening.saturating_add(inner.asked);
        let waiting = if self.shared.is_full() { 0 } else { inner.queue.waiting().saturating_sub(expected) };
        let waiting = u32::try_from(waiting).unwrap_or(u32::MAX);
        if waiting != inner.waited.waiting() {
            inner.waited.count(waiting, clock::now());
        }
    }

    /// Until when another server is not worth its login; `None`: it is, or the pool has not even what it is due.
    fn not_worth_until(&self) -> Option<Instant> {
        let inner = &mut *self.inner.borrow_mut();
        self.count_waiting(inner);
        let is_due = self.shared.expected() < self.shared.limits().guaranteed.max(1);
        (!is_due).then(|| inner.waited.worth_at()).filter(|until| *until > clock::now())
    }

    fn count_opening(&self, count: impl FnOnce(usize) -> usize) {
        let mut inner = self.inner.borrow_mut();
        inner.opening = count(inner.opening);
        self.count_waiting(&mut inner);
        self.publish_opening(&inner);
    }

    /// Makes a server, whoever gets it then.
    pub(super) fn open(&self, slot: Slot) {
        let Some(pool) = self.me.upgrade() else { return };
        pool.count_opening(|opening| opening.saturating_add(1));
        spawn_local(async move {
            let made = pool.make.make(slot).await;
            pool.count_opening(|opening| opening.saturating_sub(1));
            match made {
                Ok(mut server) => {
                    pool.shared.went_well();
                    server.slot_mut().set_worker(Some(pool.worker));
                    pool.deliver(server, Turn::Begun);
                    // Others may have waited for this one to get through, here and elsewhere.
                    pool.grow();
                    pool.shared.tell_waiters();
                }
                Err(NotMade::InLine) => {}
                Err(why) => pool.failed(&why),
            }
        });
    }

    fn failed(&self, why: &NotMade) {
        let until = self.shared.failed(why);
        // Where there are servers, one of them will be free.
        let told = matches!(why, NotMade::Failed(_) | NotMade::Denied { .. });
        if told && self.shared.servers() == 0 && !self.shared.is_paused() {
            let mut inner = self.inner.borrow_mut();
            inner.queue.refuse(clock::now(), |_| Unserved::NotMade(why.clone()));
            self.publish_queue(&mut inner);
        }
        self.retry_at(until);
    }

    /// Looks again at that time, unless that is to be done about then or earlier.
    fn retry_at(&self, until: Instant) {
        let Some(pool) = self.me.upgrade() else { return };
        if pool.inner.borrow().retry.is_some_and(|earlier| earlier <= until + GRAIN) {
            return;
        }
        pool.inner.borrow_mut().retry = Some(until);
        spawn_local(async move {
            sleep_until(until).await;
            // One that was to be later is nobody's any more, and looks all the same.
            pool.inner.borrow_mut().retry.take_if(|next| *next == until);
            pool.grow();
        });
    }

    /// Once a second: what is idle for too long or broken goes, and what is always to be there comes.
    pub(super) fn tick(&self) {
        let limits = self.shared.limits();
        let now = clock::now();
        let mut gone = Vec::new();
        let mut inner = self.inner.borrow_mut();
        inner.now = now;
        inner.now_ms = clock::uptime_ms_at(now);
        inner.waited.forget();
        let is_over = self.shared.is_over();
        let idle = std::mem::take(&mut inner.idle);
        for mut idle in idle {
            if !idle.server.is_sound() {
                continue;
            }
            let unused = now.saturating_duration_since(idle.since) >= limits.idle_timeout;
            let (wanted, slot) = (idle.server.is_wanted(now), idle.server.slot());
            if !wanted {
                slot.stands(Standing::Closing);
            }
            let retires = |most| self.shared.retires(slot, most);
            if !wanted || (unused && retires(limits.min)) || (is_over && retires(limits.size)) {
                gone.push(idle.server);
            } else {
                inner.idle.push(idle);
            }
        }
        self.publish_idle(&inner);
        drop(inner);
        self.watch_deadlines();
        gone.into_iter().for_each(Member::close);
        self.keep_least(limits.min.min(limits.size));
    }

    /// Begins what is always to be there: one at a time where the last one could not be made, and none where the server lets nobody of this
    /// pool in. The database may be gone for good, and whoever comes next asks again.
    fn keep_least(&self, least: usize) {
        let trouble = self.shared.last_trouble();
        if matches!(trouble, Some(NotMade::Denied { .. })) || self.shared.paused_until().is_some() {
            return;
        }
        let most = if trouble.is_some() { 1 } else { least };
        for slot in std::iter::from_fn(|| self.shared.reserve(least)).take(most) {
            self.open(slot);
        }
    }

    /// Closes the idle server that was used longest ago: another pool is to have its place.
    pub(super) fn evict(&self) {
        let mut inner = self.inner.borrow_mut();
        let oldest = if inner.idle.is_empty() { None } else { Some(inner.idle.remove(0)) };
        self.publish_idle(&inner);
        drop(inner);
        if let Some(idle) = oldest {
            idle.server.close();
        }
    }

    /// Something has changed for the pool as a whole: closes what is idle of an earlier era, and grows.
    pub(super) fn look(&self) {
        let era = self.shared.era();
        let mut inner = self.inner.borrow_mut();
        let idle = std::mem::take(&mut inner.idle);
        let (past, idle): (Vec<_>, Vec<_>) = idle.into_iter().partition(|idle| self.is_past(&idle.server));
        inner.idle = idle;
        self.publish_idle(&inner);
        let before = std::mem::replace(&mut inner.era, era);
        drop(inner);
        // Whoever logs in during a pause is still told what was learnt before it.
        if before != era && !self.shared.is_paused() {
            self.make.forget();
        }
        past.into_iter().for_each(|idle| idle.server.close());
        self.grow();
    }

    /// Nothing is here, and nobody but the map knows this part. In a pause it stays: what was learnt of the pool is told to whoever logs in
    /// meanwhile, since nobody could learn it anew.
    pub(super) fn is_unused(&self) -> bool {
        let inner = self.inner.borrow();
        let empty = inner.idle.is_empty() && inner.queue.waiting() == 0 && inner.opening == 0 && inner.asked == 0;
        empty && self.me.strong_count() == 1 && self.shared.open() == 0 && !self.shared.is_paused()
    }

    /// Nobody uses this part any more. The last part takes the pool with it.
    pub(super) fn end(self: Rc<Self>) {
        let (register, key) = (Arc::clone(&self.shared.register), self.shared.key.clone());
        let Some(Self { shared, make, .. }) = Rc::into_inner(self) else { return };
        drop(shared);
        if register.forget(&key) {
            make.forget();
        }
    }
}

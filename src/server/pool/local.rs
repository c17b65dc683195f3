//! One worker's part of a pool: its idle servers and its waiters.

use std::cell::RefCell;
use std::rc::{Rc, Weak};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::task::spawn_local;
use tokio::time::sleep_until;

use super::idle::{Idle, choose};
use super::mail::{Cause, Note};
use super::queue::{Queue, Waiter};
use super::register::TICK;
use super::shared::{Lane, Shared, Turn};
use super::worth::Waited;
use super::{Make, Member, Standing, Unserved};
use crate::clock::{self, Instant};

/// A deadline that is further off is seen by a later tick.
const NEAR: Duration = TICK.saturating_mul(3);

/// What a maker's servers are on their way.
pub(super) type Away<M> = <<M as Make>::Server as Member>::Away;

/// One worker's part of a pool.
#[derive(Debug)]
pub struct Pool<M: Make> {
    pub(super) shared: Arc<Shared<Away<M>>>,
    pub(super) worker: usize,
    pub(super) make: M,
    pub(super) inner: RefCell<Inner<M::Server>>,
    pub(super) me: Weak<Self>,
}

#[derive(Debug)]
pub(super) struct Inner<S> {
    /// The one used last is on top.
    pub(super) idle: Vec<Idle<S>>,
    pub(super) queue: Queue<S>,
    /// Servers that are being made here.
    pub(super) opening: usize,
    /// Servers that other workers were asked for.
    pub(super) asked: usize,
    /// Somebody waits for the next deadline.
    pub(super) timing: bool,
    /// When the pool is looked at next, if nothing happens before.
    pub(super) retry: Option<Instant>,
    /// How long the waiters here have waited.
    pub(super) waited: Waited,
    /// The time at the last tick: near enough for what lasts minutes.
    pub(super) now: Instant,
    /// The same, for people.
    pub(super) now_ms: u64,
    /// The pool's era when it was last looked at.
    pub(super) era: u64,
}

impl<M: Make> Pool<M> {
    pub(super) fn new(shared: Arc<Shared<Away<M>>>, worker: usize, make: M) -> Rc<Self> {
        let now = clock::now();
        let inner = Inner {
            idle: Vec::new(),
            queue: Queue::default(),
            opening: 0,
            asked: 0,
            timing: false,
            retry: None,
            waited: Waited::new(now),
            now,
            now_ms: clock::uptime_ms_at(now),
            era: shared.era(),
        };
        Rc::new_cyclic(|me| Self { shared, worker, make, inner: RefCell::new(inner), me: Weak::clone(me) })
    }

    /// A server that is idle, if possible one that `suits`. There is none while anybody waits.
    pub(super) fn take(&self, suits: impl Fn(&M::Server) -> bool) -> Option<Box<M::Server>> {
        let mut inner = self.inner.borrow_mut();
        loop {
            let now = inner.now;
            let mut server = choose(&mut inner.idle, now, &suits)?;
            self.publish_idle(&inner);
            if self.is_past(&server) || !server.is_wanted(now) {
                server.close();
            } else if server.is_sound() {
                server.slot().lend(inner.now_ms);
                return Some(server);
            }
            // Otherwise it is gone already, and so is its slot.
        }
    }

    /// Takes back a server that is clean.
    pub(super) fn give(&self, server: Box<M::Server>) {
        self.deliver(server, Turn::Taken);
    }

    /// Brings a server to whoever needs it most: here, on another worker, or in another pool.
    pub(super) fn deliver(&self, mut server: Box<M::Server>, turn: Turn) {
        let retired = self.shared.is_over() || !server.is_wanted(self.inner.borrow().now);
        if retired {
            return server.close();
        }
        if let Some(room) = self.shared.owes(turn) {
            server.slot_mut().promise(room);
            return server.close();
        }
        let waiting = self.inner.borrow().queue.waiting();
        match self.shared.neediest(self.worker, waiting) {
            Some(worker) => self.send_needed(worker, server),
            None => self.place(server),
        }
    }

    /// Is it of an earlier era, so that nobody is to get it any more?
    pub(super) fn is_past(&self, server: &M::Server) -> bool {
        server.slot().era() != self.shared.era()
    }

    /// Gives a server to the oldest waiter, or puts it on the stack.
    pub(super) fn place(&self, server: Box<M::Server>) {
        if self.is_past(&server) {
            return server.close();
        }
        let mut inner = self.inner.borrow_mut();
        let since = inner.now;
        match inner.queue.waiting() {
            0 => server.slot().stands(Standing::Idle),
            _ => server.slot().lend(inner.now_ms),
        }
        match inner.queue.serve(server) {
            None => self.publish_queue(&mut inner),
            Some(server) => {
                inner.idle.push(Idle { server, since });
                self.publish_idle(&inner);
                // A waiter elsewhere may have looked just before.
                if let Some(worker) = self.shared.neediest(self.worker, 0)
                    && let Some(Idle { server, .. }) = inner.idle.pop()
                {
                    self.publish_idle(&inner);
                    drop(inner);
                    self.send_needed(worker, server);
                }
            }
        }
    }

    fn send_needed(&self, worker: usize, server: Box<M::Server>) {
        if let Some(lane) = self.shared.lanes.get(worker) {
            lane.coming.store(true, Ordering::Relaxed);
        }
        if !self.send(worker, server, Cause::Needed)
            && let Some(lane) = self.shared.lanes.get(worker)
        {
            lane.coming.store(false, Ordering::Relaxed);
        }
    }

    /// Sends a server to another worker. False where it broke.
    fn send(&self, worker: usize, mut server: Box<M::Server>, cause: Cause) -> bool {
        server.slot_mut().set_worker(None);
        let Some(away) = server.leave() else { return false };
        self.shared.register.send(worker, Note::Server(self.shared.key.clone(), away, cause));
        true
    }

    /// Another worker has a waiter and asks for an idle server, which is looked at here: there nobody knows yet whether it still lives.
    pub(super) fn asked(&self, worker: usize) {
        // Whoever gets it looks at it no more: what broke while it was idle is not even known over there.
        let idle = self.take(|_| true);
        // The asker has counted one as taken, and where there was none that count was wrong.
        self.publish_idle(&self.inner.borrow());
        if !idle.is_some_and(|server| self.send(worker, server, Cause::Asked)) {
            self.shared.register.send(worker, Note::Sorry(self.shared.key.clone()));
        }
    }

    /// A server came from another worker.
    pub(super) fn arrived(&self, away: Away<M>, cause: Cause) {
        match cause {
            Cause::Asked => self.answered(),
            Cause::Needed => self.lane(|lane| lane.coming.store(false, Ordering::Relaxed)),
        }
        match M::Server::arrive(away) {
            Some(mut server) => {
                server.slot_mut().set_worker(Some(self.worker));
                self.place(server);
            }
            None => self.grow(),
        }
    }

    /// Another worker has answered.
    pub(super) fn answered(&self) {
        let mut inner = self.inner.borrow_mut();
        inner.asked = inner.asked.saturating_sub(1);
        self.count_waiting(&mut inner);
    }

    /// Puts somebody into the queue.
    pub(super) fn join(&self, waiter: &Rc<Waiter<M::Server>>) -> Result<(), Unserved> {
        let limits = self.shared.limits();
        let waiting = self.shared.waiting();
        if waiting >= limits.queue_length {
            return Err(Unserved::QueueFull(waiting));
        }
        let mut inner = self.inner.borrow_mut();
        inner.queue.join(waiter, clock::now());
        self.publish_queue(&mut inner);
        drop(inner);
        if limits.query_wait_timeout <= NEAR {
            self.watch_deadlines();
        }
        self.grow();
        Ok(())
    }

    /// Takes somebody out of the queue. A server that was just handed to it goes to the next.
    pub(super) fn leave(&self, waiter: &Waiter<M::Server>) {
        let mut inner = self.inner.borrow_mut();
        let served = inner.queue.leave(waiter);
        self.publish_queue(&mut inner);
        drop(inner);
        if let Some(server) = served {
            self.give(server);
        }
    }

    /// Who waits too long is told so. All wait equally long, so the oldest is always the next: one timer is enough, and none while that is
    /// far off, since ticks see it come.
    pub(super) fn watch_deadlines(&self) {
        if self.inner.borrow().timing || self.next_deadline().is_none() {
            return;
        }
        let Some(pool) = self.me.upgrade() else { return };
        spawn_local(async move {
            while let Some(deadline) = pool.next_deadline() {
                sleep_until(deadline).await;
                pool.expire();
            }
        });
    }

    fn next_deadline(&self) -> Option<Instant> {
        let mut inner = self.inner.borrow_mut();
        let timeout = self.shared.limits().query_wait_timeout;
        let near = clock::now() + NEAR;
        let deadline = inner.queue.oldest().map(|since| since + timeout).filter(|deadline| *deadline <= near);
        inner.timing = deadline.is_some();
        deadline
    }

    fn expire(&self) {
        let timeout = self.shared.limits().query_wait_timeout;
        let now = clock::now();
        let Some(until) = now.checked_sub(timeout) else { return };
        let trouble = self.shared.last_trouble();
        let mut inner = self.inner.borrow_mut();
        inner.queue.refuse(until, |since| Unserved::TooLong(now.saturating_duration_since(since), trouble.clone()));
        self.publish_queue(&mut inner);
    }

    pub(super) fn publish_idle(&self, inner: &Inner<M::Server>) {
        self.lane(|lane| lane.idle.store(inner.idle.len(), Ordering::SeqCst));
    }

    pub(super) fn publish_opening(&self, inner: &Inner<M::Server>) {
        self.lane(|lane| lane.opening.store(inner.opening, Ordering::SeqCst));
    }

    pub(super) fn publish_queue(&self, inner: &mut Inner<M::Server>) {
        let head = inner.queue.oldest().map_or(0, |since| self.shared.register.micros(since));
        self.lane(|lane| {
            lane.head.store(head, Ordering::Relaxed);
            lane.waiting.store(inner.queue.waiting(), Ordering::SeqCst);
        });
        self.count_waiting(inner);
    }

    fn lane(&self, tell: impl FnOnce(&Lane)) {
        if let Some(lane) = self.shared.lanes.get(self.worker) {
            tell(lane);
        }
    }
}

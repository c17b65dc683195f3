//! One client's hold on a pool: nothing, a place in the queue, or a server.

use std::rc::Rc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll};

use super::queue::Waiter;
use super::{Make, Member, Pool, Unserved};

/// One client's hold on a pool. Dropped, it leaves the queue; a server that it still has is closed, since nobody has said that it is
/// clean.
#[derive(Debug)]
pub struct Lease<M: Make> {
    pool: Rc<Pool<M>>,
    server: Option<Box<M::Server>>,
    /// Made when the client first waits.
    waiter: Option<Rc<Waiter<M::Server>>>,
}

impl<M: Make> Lease<M> {
    /// Holds nothing yet.
    pub fn new(pool: Rc<Pool<M>>) -> Self {
        Self { pool, server: None, waiter: None }
    }

    /// The server at hand.
    pub fn server(&mut self) -> Option<&mut M::Server> {
        self.server.as_deref_mut()
    }

    /// The same, to be looked at.
    pub fn at_hand(&self) -> Option<&M::Server> {
        self.server.as_deref()
    }

    /// Is there one at hand?
    pub fn is_here(&self) -> bool {
        self.server.is_some()
    }

    /// Is neither a server at hand nor a place in the queue?
    pub fn holds_nothing(&self) -> bool {
        self.server.is_none() && self.waiter.as_ref().is_none_or(|waiter| waiter.is_out())
    }

    /// Takes an idle server, where there is one: then nobody waits. One that `suits` comes first. True where one is at hand.
    pub fn try_take(&mut self, suits: impl Fn(&M::Server) -> bool) -> bool {
        if self.server.is_none() {
            self.server = self.pool.take(suits);
        }
        self.server.is_some()
    }

    /// Waits for a server, behind those who came before: whether it `suits` counts only where one is idle after all. Cancel-safe:
    /// [`Lease::leave`] gives the place up.
    ///
    /// # Errors
    /// Why there is none.
    pub fn poll_take(
        &mut self,
        cx: &mut Context<'_>,
        suits: impl Fn(&M::Server) -> bool,
    ) -> Poll<Result<(), Unserved>> {
        let waiter = self.waiter.get_or_insert_default();
        if waiter.is_out() {
            // In between one may have become idle.
            if self.server.is_none() {
                self.server = self.pool.take(suits);
            }
            if self.server.is_some() {
                return Poll::Ready(Ok(()));
            }
            self.pool.join(waiter)?;
        }
        let Poll::Ready(served) = waiter.poll(cx) else { return Poll::Pending };
        self.server = Some(served?);
        Poll::Ready(Ok(()))
    }

    /// Leaves the queue.
    pub fn leave(&mut self) {
        if let Some(waiter) = &self.waiter {
            self.pool.leave(waiter);
        }
    }

    /// Gives the server at hand back, which is clean.
    pub fn give(&mut self) {
        if let Some(server) = self.server.take() {
            self.pool.give(server);
        }
    }

    /// Takes the server at hand out of here: it comes back by [`Pool::give_back`], or never.
    pub fn release(&mut self) -> Option<Box<M::Server>> {
        self.server.take()
    }

    /// The pool.
    pub fn pool(&self) -> &Rc<Pool<M>> {
        &self.pool
    }
}

impl<M: Make> Pool<M> {
    /// Has an operator paused it?
    pub fn is_paused(&self) -> bool {
        self.shared.is_paused()
    }

    /// Has it no server yet, while one is being made?
    pub fn is_beginning(&self) -> bool {
        self.shared.servers() == 0 && self.shared.making.load(Ordering::Relaxed) > 0
    }

    /// Does one of its servers wait for a place under the caps?
    pub fn is_placing(&self) -> bool {
        self.shared.placing.load(Ordering::Relaxed)
    }

    /// What makes its servers.
    pub fn maker(&self) -> &M {
        &self.make
    }

    /// Takes back a server that is clean, from whoever cleaned it. One that broke meanwhile is closed: nobody may have listened to it.
    pub fn give_back(&self, mut server: Box<M::Server>) {
        if server.is_sound() { self.give(server) } else { server.close() }
    }
}

impl<M: Make> Drop for Lease<M> {
    fn drop(&mut self) {
        self.leave();
        if let Some(server) = self.server.take() {
            server.close();
        }
    }
}

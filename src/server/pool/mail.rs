//! What workers send each other.

use std::sync::{Mutex, PoisonError};

use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use super::Key;

/// One message. There are at most as many as waiters and servers, and one for each second in which the worker has not come to read.
#[derive(Debug)]
pub(super) enum Note<A> {
    /// A server moves here.
    Server(Key, A, Cause),
    /// The server that was asked for could not come.
    Sorry(Key),
    /// That worker has a waiter and would like an idle server.
    Please(Key, usize),
    /// The pool has room for another server.
    Grow(Key),
    /// Something has changed for the pool as a whole: its era, or its size.
    Look(Key),
    /// An idle server is to make room for another pool.
    Evict(Key),
    /// Another second has gone by.
    Tick,
}

/// Why a server moves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cause {
    /// It was asked for.
    Asked,
    /// It is needed more there.
    Needed,
}

/// One worker's box.
#[derive(Debug)]
pub(super) struct Post<A> {
    sender: UnboundedSender<Note<A>>,
    receiver: Mutex<Option<UnboundedReceiver<Note<A>>>>,
}

impl<A> Default for Post<A> {
    #[expect(
        clippy::disallowed_methods,
        reason = "notes are bounded by waiters and servers, and a lost one would be a lost server"
    )]
    fn default() -> Self {
        let (sender, receiver) = unbounded_channel();
        Self { sender, receiver: Mutex::new(Some(receiver)) }
    }
}

impl<A> Post<A> {
    /// Never waits. What nobody reads any more is dropped.
    pub(super) fn send(&self, note: Note<A>) {
        drop(self.sender.send(note));
    }

    /// Tells whoever reads here that a second has gone by; nobody may, since the worker has no pool.
    pub(super) fn tick(&self) {
        if self.receiver.lock().unwrap_or_else(PoisonError::into_inner).is_none() {
            self.send(Note::Tick);
        }
    }

    /// The reading end: for the first who asks.
    pub(super) fn take(&self) -> Option<UnboundedReceiver<Note<A>>> {
        self.receiver.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

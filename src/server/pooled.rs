//! A PostgreSQL connection in a pool.

use std::fmt::Debug;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::Poll;
use std::time::Duration;

use bytes::{Buf, BytesMut};
use tokio::io::AsyncWriteExt;
use tokio::task::spawn_local;
use tokio::time::timeout;

use super::backend::Registered;
use super::pool::{Member, Slot};
use super::reported::Reported;
use crate::clock::Instant;
use crate::net::detached::Detached;
use crate::net::socket;
use crate::net::stream::Stream;
use crate::wire::pg::code::server;
use crate::wire::pg::errand::GOODBYE;
use crate::wire::pg::frame;
use crate::wire::pg::reply;

/// How long a server may take to close once it was told goodbye. Its place is free only then, since it counts the connection until
/// then.
const CLOSING: Duration = Duration::from_secs(10);
/// The same for one that is not used any more: its places are those of another server, which others wait for.
const LEAVING: Duration = Duration::from_secs(1);
/// The most that an idle server may say between two looks.
const SAID_MAX: usize = 64 * 1024;

/// A connection that is logged in and idle whenever its pool has it. `H` is what it holds while it lasts: its places under the caps.
#[derive(Debug)]
pub struct Server<H> {
    /// Its stream.
    pub stream: Stream,
    /// Its process.
    pub process: Registered,
    /// What it reports of its session's parameters.
    pub parameters: Arc<Reported>,
    /// When it is to be closed.
    pub expires: Instant,
    /// The choice among several servers that it goes by.
    pub choice: Chosen,
    /// Its place in the pool.
    pub slot: Slot,
    /// What it holds.
    pub hold: H,
}

/// The same on its way to another worker.
#[derive(Debug)]
pub struct Away<H> {
    stream: Detached,
    process: Registered,
    parameters: Arc<Reported>,
    expires: Instant,
    choice: Chosen,
    slot: Slot,
    hold: H,
}

/// A choice among several servers, and the one that is in force now.
#[derive(Debug)]
pub struct Chosen {
    /// The number of this one.
    pub generation: u64,
    /// The number of the one in force.
    pub current: Arc<AtomicU64>,
}

impl Chosen {
    /// True while it is in force.
    pub fn holds(&self) -> bool {
        self.current.load(Ordering::Relaxed) == self.generation
    }
}

impl<H: Debug + Send + 'static> Member for Server<H> {
    type Away = Away<H>;

    fn is_wanted(&self, now: Instant) -> bool {
        self.choice.holds() && self.expires > now
    }

    fn is_sound(&mut self) -> bool {
        let mut said = BytesMut::new();
        loop {
            match read(&mut self.stream, &mut said) {
                // A message that is half there would have to be waited for.
                Poll::Pending => return said.is_empty(),
                Poll::Ready(Ok(1..)) if said.len() <= SAID_MAX && self.hear(&mut said) => {}
                Poll::Ready(_) => return false,
            }
        }
    }

    fn slot(&self) -> &Slot {
        &self.slot
    }

    fn slot_mut(&mut self) -> &mut Slot {
        &mut self.slot
    }

    fn leave(self: Box<Self>) -> Option<Away<H>> {
        let Self { stream, process, parameters, expires, choice, slot, hold } = *self;
        Some(Away { stream: stream.detach().ok()?, process, parameters, expires, choice, slot, hold })
    }

    fn arrive(away: Away<H>) -> Option<Box<Self>> {
        let Away { stream, process, parameters, expires, choice, slot, hold } = away;
        Some(Box::new(Self { stream: stream.attach().ok()?, process, parameters, expires, choice, slot, hold }))
    }

    fn close(self: Box<Self>) {
        let Self { mut stream, process, mut slot, hold, choice, .. } = *self;
        let patience = if choice.holds() { CLOSING } else { LEAVING };
        slot.closes();
        spawn_local(async move {
            let goodbye = async {
                if stream.write_all(&GOODBYE).await.is_ok() {
                    socket::close(stream).await;
                }
            };
            drop(timeout(patience, goodbye).await);
            drop((process, slot, hold));
        });
    }
}

impl<H> Server<H> {
    /// Takes in what the server said while nobody asked it anything. False where that ends the connection, or should not be.
    fn hear(&mut self, said: &mut BytesMut) -> bool {
        loop {
            let Ok(head) = frame::server_head(said) else { return false };
            let Some(head) = head else { return true };
            let size = usize::try_from(head.size).unwrap_or(usize::MAX);
            let Some(message) = said.get(..size) else { return true };
            match head.code {
                server::PARAMETER_STATUS => self.note(message),
                // Whoever listens has the server to itself, so nobody waits for these.
                server::NOTICE | server::NOTIFICATION => {}
                _ => return false,
            }
            said.advance(size);
        }
    }

    /// Takes in what the server reports of a parameter.
    pub fn note(&mut self, message: &[u8]) {
        if let Some(news) = reply::parameter(message) {
            Arc::make_mut(&mut self.parameters).take(news);
        }
    }
}

/// Reads what is there without asking the system where nothing is known to be.
fn read(stream: &mut Stream, said: &mut BytesMut) -> Poll<std::io::Result<usize>> {
    let mut bytes = [0; 256];
    let Poll::Ready(outcome) = stream.try_read(&mut bytes) else { return Poll::Pending };
    said.extend_from_slice(outcome.as_ref().ok().and_then(|&count| bytes.get(..count)).unwrap_or_default());
    Poll::Ready(outcome)
}

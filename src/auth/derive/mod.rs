//! Keys of passwords, made on threads of their own.
//!
//! A key costs thousands of rounds of a hash: about a millisecond. A worker that did that would hold up every session it carries,
//! so all of it happens here. Whoever asks is served in turns, one order of each asker at a time, so that a flood of logins of one
//! user or address makes the others wait for one order and not for the flood. What was made is kept, so that a configured password
//! costs this once and not at each login.

mod cache;
mod queue;

use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;

use tokio::sync::oneshot;

use self::cache::{Cache, Fingerprint};
use self::queue::Queue;
use super::saslprep::prepare;
use super::scram::{ClientKeys, ITERATIONS_MAX};

/// Orders that may wait in all, and of one asker.
const WAITING_MAX: usize = 1024;
const WAITING_OF_ONE_MAX: usize = 128;

/// Which keys to make.
pub struct Order {
    password: Box<[u8]>,
    salt: Box<[u8]>,
    iterations: u32,
}

impl std::fmt::Debug for Order {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Order").field("iterations", &self.iterations).finish_non_exhaustive()
    }
}

impl Order {
    /// The keys of a password, which is prepared first, with that salt.
    pub fn new(password: &str, salt: &[u8], iterations: u32) -> Self {
        Self { password: prepare(password).as_bytes().into(), salt: salt.into(), iterations }
    }
}

/// Why no keys were made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotDerived {
    /// Too many orders wait already.
    #[error("too many logins wait for their keys to be derived")]
    Crowded,
    /// More rounds than are made for anybody.
    #[error("more than {ITERATIONS_MAX} iterations")]
    Iterations,
    /// The threads are gone.
    #[error("the threads that derive keys are gone")]
    Gone,
}

/// The threads. They end when this is dropped.
#[derive(Debug)]
pub struct Deriver {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    state: Mutex<State>,
    more: Condvar,
}

#[derive(Debug)]
struct State {
    queue: Queue<Job>,
    cache: Cache,
    open: bool,
}

#[derive(Debug)]
struct Job {
    order: Order,
    print: Fingerprint,
    tell: oneshot::Sender<ClientKeys>,
}

impl Deriver {
    /// Starts `threads` of them, one at the least.
    ///
    /// # Errors
    /// A thread could not be made, or the system has no random numbers.
    pub fn start(threads: usize) -> io::Result<Arc<Self>> {
        let cache = Cache::new().map_err(io::Error::other)?;
        let state = State { queue: Queue::new(WAITING_MAX, WAITING_OF_ONE_MAX), cache, open: true };
        let shared = Arc::new(Shared { state: Mutex::new(state), more: Condvar::new() });
        // Made first, so that the threads that could be started end if another could not.
        let deriver = Self { shared };
        for number in 0..threads.max(1) {
            let shared = Arc::clone(&deriver.shared);
            thread::Builder::new().name(format!("derive-{number}")).spawn(move || shared.work())?;
        }
        Ok(Arc::new(deriver))
    }

    /// Makes keys, or finds those that were made before. `who` takes turns with others. Cancel-safe.
    ///
    /// # Errors
    /// See [`NotDerived`].
    pub async fn derive(&self, who: &str, order: Order) -> Result<ClientKeys, NotDerived> {
        if order.iterations > ITERATIONS_MAX {
            return Err(NotDerived::Iterations);
        }
        let made = {
            let mut state = self.shared.lock();
            let print = state.cache.print(&order.password, &order.salt, order.iterations);
            if let Some(keys) = state.cache.get(&print) {
                return Ok(keys);
            }
            let (tell, made) = oneshot::channel();
            // Who has gone since needs no keys and holds no place.
            state.queue.forget(who, |job| job.tell.is_closed());
            state.queue.push(who, Job { order, print, tell }).map_err(|_| NotDerived::Crowded)?;
            made
        };
        self.shared.more.notify_one();
        made.await.map_err(|_| NotDerived::Gone)
    }

    /// Orders that wait.
    pub fn waiting(&self) -> usize {
        self.shared.lock().queue.len()
    }
}

impl Drop for Deriver {
    fn drop(&mut self) {
        let mut state = self.shared.lock();
        state.open = false;
        state.queue.clear();
        drop(state);
        self.shared.more.notify_all();
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn work(&self) {
        while let Some(job) = self.next() {
            if job.tell.is_closed() {
                continue;
            }
            let Order { password, salt, iterations } = &job.order;
            // Others may have asked for the same while this order waited.
            let known = self.lock().cache.get(&job.print);
            let keys = known.unwrap_or_else(|| ClientKeys::derive(password, salt, *iterations));
            self.lock().cache.put(job.print, keys.clone());
            drop(job.tell.send(keys));
        }
    }

    /// The next order; `None` when there will be none.
    fn next(&self) -> Option<Job> {
        let mut state = self.lock();
        loop {
            if let Some(job) = state.queue.pop() {
                return Some(job);
            }
            if !state.open {
                return None;
            }
            state = self.more.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn order(password: &str, iterations: u32) -> Order {
        Order::new(password, b"salt", iterations)
    }

    #[tokio::test]
    async fn keys_are_made_once() {
        let deriver = Deriver::start(2).unwrap();
        let first = deriver.derive("a", order("pencil", 20)).await.unwrap();
        assert_eq!(first, ClientKeys::derive(b"pencil", b"salt", 20));
        assert_eq!(deriver.derive("b", order("pencil", 20)).await, Ok(first.clone()));
        assert_ne!(deriver.derive("b", order("pen", 20)).await, Ok(first.clone()));
        assert_ne!(deriver.derive("b", order("pencil", 21)).await, Ok(first));
        assert_eq!(deriver.waiting(), 0);
        assert_eq!(deriver.derive("a", order("x", ITERATIONS_MAX + 1)).await, Err(NotDerived::Iterations));
    }

    #[tokio::test]
    async fn a_flood_is_refused_and_others_are_served_meanwhile() {
        let deriver = Deriver::start(1).unwrap();
        let slow = |number: usize| deriver.derive("flood", order(&format!("p{number}"), 60_000));
        let mut flood: Vec<_> = (0..WAITING_OF_ONE_MAX + 20).map(|number| Box::pin(slow(number))).collect();
        let mut refused = 0;
        for asked in &mut flood {
            if let std::task::Poll::Ready(told) = futures::poll!(asked.as_mut()) {
                assert_eq!(told, Err(NotDerived::Crowded));
                refused += 1;
            }
        }
        assert!((18..=20).contains(&refused), "{refused}");
        deriver.derive("other", order("mine", 1)).await.unwrap();
        assert!(deriver.waiting() > WAITING_OF_ONE_MAX / 2, "served in turns: {}", deriver.waiting());
        drop(flood);
        // Who has gone leaves the place to the next.
        deriver.derive("flood", order("again", 1)).await.unwrap();
        assert_eq!(deriver.waiting(), 0);
    }
}

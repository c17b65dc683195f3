//! Keys of passwords, made on threads of their own.
//!
//! A key costs thousands of rounds of a hash: about a millisecond. A worker that did that would hold up every session it carries,
//! so all of it happens here. Whoever asks is served in turns, one order of each asker at a time, so that a flood of logins of one
//! user or address makes the others wait for one order and not for the flood. What was made is kept, so that a configured password
//! costs this once and not at each login.

mod cache;
mod queue;

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;

use rustix::process::setpriority_process;
use tokio::sync::oneshot;

use self::cache::{Cache, Fingerprint};
use self::queue::Queue;
use super::saslprep::prepare;
use super::scram::{ClientKeys, ITERATIONS_MAX};

/// How nice the threads are: keys have time, and what is being served at the same moment has not.
const NICE: i32 = 10;
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
    /// There are no threads.
    #[error("there is no thread that derives keys")]
    Gone,
}

/// The threads. They begin with the first order and end when this is dropped.
#[derive(Debug)]
pub struct Deriver {
    shared: Arc<Shared>,
    threads: usize,
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
    started: usize,
    open: bool,
}

#[derive(Debug)]
struct Job {
    order: Order,
    print: Fingerprint,
    tell: oneshot::Sender<ClientKeys>,
}

impl Deriver {
    /// At most `threads` of them, one at the least.
    ///
    /// # Errors
    /// The system has no random numbers.
    pub fn new(threads: usize) -> Result<Arc<Self>, getrandom::Error> {
        let queue = Queue::new(WAITING_MAX, WAITING_OF_ONE_MAX);
        let state = State { queue, cache: Cache::new()?, started: 0, open: true };
        let shared = Arc::new(Shared { state: Mutex::new(state), more: Condvar::new() });
        Ok(Arc::new(Self { shared, threads: threads.max(1) }))
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
            self.start(&mut state)?;
            // Who has gone since needs no keys and holds no place.
            state.queue.forget(who, |job| job.tell.is_closed());
            state.queue.push(who, Job { order, print, tell }).map_err(|_| NotDerived::Crowded)?;
            made
        };
        self.shared.more.notify_one();
        made.await.map_err(|_| NotDerived::Gone)
    }

    /// One thread more, as long as there are fewer than there may be.
    fn start(&self, state: &mut State) -> Result<(), NotDerived> {
        if state.started >= self.threads {
            return Ok(());
        }
        let shared = Arc::clone(&self.shared);
        let name = format!("derive-{}", state.started);
        match thread::Builder::new().name(name).spawn(move || shared.work()) {
            Ok(_) => state.started = state.started.saturating_add(1),
            Err(_) if state.started == 0 => return Err(NotDerived::Gone),
            Err(_) => {}
        }
        Ok(())
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
        // Of this thread alone, on Linux.
        if let Err(error) = setpriority_process(None, NICE) {
            tracing::debug!(%error, "keys are derived as urgently as all else is done");
        }
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
        let deriver = Deriver::new(2).unwrap();
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
        let deriver = Deriver::new(1).unwrap();
        let slow = |number: usize| deriver.derive("flood", order(&format!("p{number}"), 60_000));
        let mut flood: Vec<_> = (0..WAITING_OF_ONE_MAX + 20).map(|number| Box::pin(slow(number))).collect();
        let mut refused = 0;
        for asked in &mut flood {
            if let std::task::Poll::Ready(told) = futures::poll!(asked.as_mut()) {
                assert_eq!(told, Err(NotDerived::Crowded));
                refused += 1;
            }
        }
        // Fewer than the twenty too many where some are made while the others ask.
        assert!((1..=20).contains(&refused), "{refused}");
        deriver.derive("other", order("mine", 1)).await.unwrap();
        assert!(deriver.waiting() > WAITING_OF_ONE_MAX / 2, "served in turns: {}", deriver.waiting());
        drop(flood);
        // Who has gone leaves the place to the next.
        deriver.derive("flood", order("again", 1)).await.unwrap();
        assert_eq!(deriver.waiting(), 0);
    }
}

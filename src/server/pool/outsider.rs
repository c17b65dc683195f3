//! Places of the listener for whoever has no pool: a session with a server of its own, or a bound that has become lower.

use std::fmt::Debug;
use std::sync::Arc;
use std::time::Duration;

use super::register::Register;
use crate::clock;

/// How often pools are asked for room.
pub const ASK_AGAIN: Duration = Duration::from_millis(250);

/// Wants the place of a server of some pool, as a pool does that has none: an idle one's, else the next one's that is given back and that
/// its pool can do without. For as long as this lives.
#[derive(Debug)]
pub struct Outsider<A: Debug + Send + 'static> {
    register: Arc<Register<A>>,
    /// Since when no pool has had a server idle.
    starves: Option<u64>,
}

impl<A: Debug + Send + 'static> Outsider<A> {
    /// Has asked nobody yet.
    pub const fn new(register: Arc<Register<A>>) -> Self {
        Self { register, starves: None }
    }

    /// Asks, and once more after [`ASK_AGAIN`]: something may have become idle meanwhile.
    pub fn ask(&mut self) {
        if self.register.evict(None) {
            self.leave();
        } else if self.starves.is_none() {
            let since = self.register.micros(clock::now());
            self.register.starving.join(since);
            self.starves = Some(since);
        }
    }

    fn leave(&mut self) {
        if let Some(since) = self.starves.take() {
            self.register.starving.leave(since);
        }
    }
}

impl<A: Debug + Send + 'static> Drop for Outsider<A> {
    fn drop(&mut self) {
        self.leave();
    }
}

/// The servers that a listener has beyond its bound, since that has become lower: pools give them up.
#[derive(Debug)]
pub struct Excess<A: Debug + Send + 'static> {
    register: Arc<Register<A>>,
    outsiders: Vec<Outsider<A>>,
}

impl<A: Debug + Send + 'static> Excess<A> {
    /// None yet.
    pub const fn new(register: Arc<Register<A>>) -> Self {
        Self { register, outsiders: Vec::new() }
    }

    /// There are so many now: asks for each of them. To be told once in [`ASK_AGAIN`].
    pub fn is(&mut self, over: usize) {
        self.outsiders.resize_with(over, || Outsider::new(Arc::clone(&self.register)));
        self.outsiders.iter_mut().for_each(Outsider::ask);
    }
}

//! How many servers a pool may have, and how long anybody waits for one.

use std::fmt::Debug;
use std::time::Duration;

use super::Key;

/// The bounds of one pool.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Servers at the most, those that are being made included.
    pub size: usize,
    /// Servers that are kept though nobody uses them.
    pub min: usize,
    /// With fewer it gets the next server that the listener can spare.
    pub guaranteed: usize,
    /// Waiters at the most.
    pub queue_length: usize,
    /// How long one may wait.
    pub query_wait_timeout: Duration,
    /// A server that was idle for so long is closed.
    pub idle_timeout: Duration,
    /// A server is closed after about so long: whoever makes one sees to that.
    pub lifetime: Duration,
}

/// The bounds of each pool of a listener.
pub trait Bounds: Debug + Send + Sync {
    /// Those of this one.
    fn of(&self, key: &Key) -> Limits;
}

/// The same for all.
impl Bounds for Limits {
    fn of(&self, _: &Key) -> Limits {
        *self
    }
}

/// The same, but nothing is kept that nobody waits for.
#[derive(Debug)]
pub(super) struct WithoutLeast<B>(pub(super) B);

impl<B: AsRef<dyn Bounds> + Debug + Send + Sync> Bounds for WithoutLeast<B> {
    fn of(&self, key: &Key) -> Limits {
        Limits { min: 0, guaranteed: 0, ..self.0.as_ref().of(key) }
    }
}

//! Server connections that many clients share, one after the other.
//!
//! ```text
//!   worker 0: Pools -> Pool (idle stack, queue of waiters) --+                      +-- Pool <- Pools :worker 1
//!                        |  take, give: a RefCell borrow     |                      |
//!                        +-- lane of atomics --> Shared: count of the pool, lanes --+
//!                                                   |
//!                        mail between workers <-- Register: all pools of one listener
//! ```
//!
//! A server stays on the worker that uses it: taking and giving back touch no lock there. Whoever takes one may say what suits it
//! (`idle`). A server that is given back serves the oldest waiter of its worker, unless another worker needs it more ([`shared`]), or
//! another pool its place; then it moves. A pool grows when somebody waits and neither an idle server of another worker nor one that is
//! being made is in sight ([`grow`]), as soon as those who wait have waited long enough together (`worth`); no tick is waited for.
//!
//! PAUSE, RESUME and RECONNECT begin another *era* of a pool: servers of an earlier one are closed as soon as no client has them.
//!
//! What a server is, and how one is made, stands elsewhere: see [`Member`] and [`Make`].

mod bounds;
pub mod grow;
mod idle;
pub mod lease;
pub mod local;
pub mod mail;
pub mod outsider;
mod place;
pub mod pools;
pub mod queue;
pub mod register;
pub mod rooms;
pub mod rows;
pub mod shared;
pub mod slot;
mod standing;
mod starving;
#[cfg(test)]
mod tests;
mod worth;

use std::fmt::Debug;
use std::time::Duration;

pub use self::bounds::{Bounds, Limits};
pub use self::lease::Lease;
pub use self::local::Pool;
pub use self::outsider::{ASK_AGAIN, Excess, Outsider};
pub use self::pools::Pools;
pub use self::register::{Held, Register};
pub use self::rooms::Room;
pub use self::rows::PoolRow;
pub use self::slot::Slot;
use crate::clock::Instant;
pub use crate::telemetry::rows::Standing;

/// Whose servers a pool has.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Key {
    /// Role that they are logged in as.
    pub user: String,
    /// Database.
    pub database: String,
}

/// A server connection as a pool sees it.
pub trait Member: Debug + 'static {
    /// The same on its way to another worker.
    type Away: Debug + Send + 'static;

    /// Is an idle server still usable? Takes in what it said meanwhile, without waiting.
    fn is_sound(&mut self) -> bool;

    /// May it be used again at `now`? Its time may be over, or another server has been chosen.
    fn is_wanted(&self, now: Instant) -> bool;

    /// Its place in the pool's count.
    fn slot(&self) -> &Slot;

    /// The same, to be changed.
    fn slot_mut(&mut self) -> &mut Slot;

    /// Leaves this worker; `None`: it broke, and is gone.
    fn leave(self: Box<Self>) -> Option<Self::Away>;

    /// Arrives at this worker; `None`: it broke, and is gone.
    fn arrive(away: Self::Away) -> Option<Box<Self>>;

    /// Says goodbye. Its slot is free once the server has closed.
    fn close(self: Box<Self>);
}

/// Makes servers for one pool.
pub trait Make: Debug + 'static {
    /// What it makes.
    type Server: Member;

    /// Makes one: waits for a place under the caps, connects, logs in. Dropped with the pool's runtime only.
    ///
    /// # Errors
    /// See [`NotMade`].
    fn make(&self, slot: Slot) -> impl Future<Output = Result<Box<Self::Server>, NotMade>>;

    /// All servers of the pool are being closed: what was learnt from them may no longer hold.
    fn forget(&self) {}
}

/// Why a server was not made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotMade {
    /// The server or a cap has no room. That says nothing about the server's health: waiters go on waiting.
    #[error("{0}")]
    Full(String),
    /// No connection, or no login. Waiters of a pool without any server are told.
    #[error("{0}")]
    Failed(String),
    /// The server lets nobody of this pool in, whatever its health: there is no such database, say. Waiters of a pool without any server are
    /// told in its own words.
    #[error("the server refused the login ({sqlstate}): {message}")]
    Denied {
        /// The server's.
        sqlstate: &'static str,
        /// The server's.
        message: String,
    },
    /// Another one of this pool waits for a place, and one is enough.
    #[error("another one is waiting")]
    InLine,
}

/// Why a waiter got no server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unserved {
    /// So many wait already.
    QueueFull(usize),
    /// None was free for so long. What hindered the pool from growing, where it is known.
    TooLong(Duration, Option<NotMade>),
    /// None could be made, and there is none.
    NotMade(NotMade),
}

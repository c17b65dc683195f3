//! What an operator changed at run time: pauses, databases without newcomers, drain, shutdown. Pure state with expiry; each change leaves an audit line.
//!
//! `console` writes, the data path reads. Nothing here reaches into a session: `app` runs [`Control::watch_pauses`] and
//! wakes sessions through the roster when a pause ends.
//!
//! ```text
//! pause     who holds sessions back, and until when
//! disabled  databases that take no newcomers
//! life      from starting to the shutdown that was asked for
//! ```

mod disabled;
mod life;
mod pause;

use std::collections::BTreeSet;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64};

use tokio::sync::watch;

pub use self::life::{Readiness, Shutdown};
pub use self::pause::{PAUSE_DEFAULT, PAUSE_MAX, Pause, Pauses};

/// The state that operators change.
#[derive(Debug)]
pub struct Control {
    /// 0 while nothing is paused, else the moment at which the last pause ends. Mirrors `pauses`, for one cheap load.
    paused_until_ms: AtomicU64,
    pauses: Mutex<Pauses>,
    /// Counts changes of the pauses.
    changes: watch::Sender<u64>,
    /// Databases that take no newcomers.
    disabled: Mutex<BTreeSet<String>>,
    started: AtomicBool,
    shutdown: watch::Sender<Shutdown>,
}

impl Default for Control {
    fn default() -> Self {
        Self {
            paused_until_ms: AtomicU64::new(0),
            pauses: Mutex::default(),
            changes: watch::Sender::new(0),
            disabled: Mutex::default(),
            started: AtomicBool::new(false),
            shutdown: watch::Sender::new(Shutdown::No),
        }
    }
}

//! When a cancel of a client's own may hit what it does.

use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

/// How long after it was answered a cancel may hit where the weather is rough: its connection may be cut when its request has passed.
const LATE: Duration = Duration::from_secs(3);

/// The cancels of one client.
#[derive(Debug, Clone, Default)]
pub(crate) struct Landings(Arc<Mutex<Sent>>);

#[derive(Debug, Default)]
struct Sent {
    under_way: usize,
    answered: Option<Instant>,
}

/// One that is under way until this is dropped.
#[derive(Debug)]
pub(crate) struct UnderWay(Landings);

impl Landings {
    pub(crate) fn begin(&self) -> UnderWay {
        self.lock().under_way += 1;
        UnderWay(self.clone())
    }

    /// Was one under way at any moment since then? The connection of a cancel is closed when the server has taken it, so what a client
    /// begins later is not hit.
    pub(crate) fn may_hit_since(&self, then: Instant) -> bool {
        let sent = self.lock();
        sent.under_way > 0 || sent.answered.is_some_and(|answered| answered >= then)
    }

    /// The same in rough weather.
    pub(crate) fn may_hit_late(&self) -> bool {
        let sent = self.lock();
        sent.under_way > 0 || sent.answered.is_some_and(|answered| answered.elapsed() < LATE)
    }

    fn lock(&self) -> MutexGuard<'_, Sent> {
        self.0.lock().unwrap()
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        let mut sent = self.0.lock();
        sent.under_way -= 1;
        sent.answered = Some(Instant::now());
    }
}

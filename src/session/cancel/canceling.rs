//! Cancel requests of clients that are under way, for people.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::Target;
use crate::telemetry::rows::CancelRow;

/// All of them. Each has a connection of its own, so there are at most as many as wait in the lobby and in the lanes for cancels.
#[derive(Debug, Default)]
pub struct Canceling(Mutex<All>);

#[derive(Debug, Default)]
struct All {
    last: u64,
    requests: BTreeMap<u64, CancelRow>,
}

/// One request: forgotten when dropped.
#[derive(Debug)]
pub struct CancelRequest {
    of: Arc<Canceling>,
    number: u64,
}

impl Canceling {
    /// A request has found its session, and waits for its turn.
    pub fn begin(self: &Arc<Self>, target: &Target) -> CancelRequest {
        let mut all = self.lock();
        all.last = all.last.wrapping_add(1);
        let number = all.last;
        all.requests.insert(number, CancelRow { session: target.session(), is_sent: false });
        CancelRequest { of: Arc::clone(self), number }
    }

    /// A row for each.
    pub fn rows(&self) -> Vec<CancelRow> {
        self.lock().requests.values().copied().collect()
    }

    fn lock(&self) -> MutexGuard<'_, All> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl CancelRequest {
    /// It is its turn.
    pub fn is_sent(&self) {
        if let Some(row) = self.of.lock().requests.get_mut(&self.number) {
            row.is_sent = true;
        }
    }
}

impl Drop for CancelRequest {
    fn drop(&mut self) {
        self.of.lock().requests.remove(&self.number);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::cancel::Keys;
    use crate::wire::pg::startup::Version;

    #[test]
    fn a_request_is_told_until_it_is_over() {
        let keys = Arc::new(Keys::default());
        let key = keys.invent(Version::V3_2).unwrap();
        key.target().register(std::task::Waker::noop(), 7);
        let canceling = keys.canceling();
        let (one, other) = (canceling.begin(&key.target()), canceling.begin(&key.target()));
        one.is_sent();
        let row = |is_sent| CancelRow { session: 7, is_sent };
        assert_eq!(canceling.rows(), [row(true), row(false)]);
        drop(one);
        assert_eq!(canceling.rows(), [row(false)]);
        drop(other);
        assert_eq!(canceling.rows(), []);
    }
}

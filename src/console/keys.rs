//! Cancel keys of the console's connections: they end what a command waits for.

use std::collections::HashMap;
use std::sync::atomic::{AtomicI32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use subtle::ConstantTimeEq;

/// The keys of all connections.
#[derive(Debug, Default)]
pub(super) struct Keys {
    last: AtomicI32,
    keys: Mutex<HashMap<i32, Lock>>,
}

#[derive(Debug)]
struct Lock {
    secret: i32,
    cancels: Arc<AtomicU64>,
}

/// One connection's key: gone when dropped.
pub(super) struct Key {
    keys: Arc<Keys>,
    pid: i32,
    secret: i32,
    cancels: Arc<AtomicU64>,
}

impl Keys {
    /// A key for a connection.
    pub(super) fn issue(self: &Arc<Self>) -> Result<Key, getrandom::Error> {
        let secret = getrandom::u32()?.cast_signed();
        let pid = self.last.fetch_add(1, Ordering::Relaxed).wrapping_add(1);
        let cancels = Arc::new(AtomicU64::new(0));
        self.lock().insert(pid, Lock { secret, cancels: Arc::clone(&cancels) });
        Ok(Key { keys: Arc::clone(self), pid, secret, cancels })
    }

    /// A cancel request. Secrets are compared in constant time.
    pub(super) fn cancel(&self, pid: i32, secret: i32) {
        if let Some(lock) = self.lock().get(&pid)
            && bool::from(lock.secret.ct_eq(&secret))
        {
            lock.cancels.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<i32, Lock>> {
        self.keys.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Key {
    /// What the client is told: a process id and a secret.
    pub(super) const fn told(&self) -> (i32, i32) {
        (self.pid, self.secret)
    }

    /// How many cancel requests have come for it.
    pub(super) fn cancels(&self) -> u64 {
        self.cancels.load(Ordering::Relaxed)
    }
}

impl Drop for Key {
    fn drop(&mut self) {
        self.keys.lock().remove(&self.pid);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_right_secret_cancels_and_a_key_ends_with_its_connection() {
        let keys = Arc::new(Keys::default());
        let (one, other) = (keys.issue().unwrap(), keys.issue().unwrap());
        let (pid, secret) = one.told();
        keys.cancel(pid, secret ^ 1);
        keys.cancel(pid + 7, secret);
        assert_eq!((one.cancels(), other.cancels()), (0, 0));
        keys.cancel(pid, secret);
        assert_eq!((one.cancels(), other.cancels()), (1, 0));
        drop((one, other));
        assert!(keys.lock().is_empty());
    }
}

//! The keys of all sessions.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rapidhash::fast::GlobalState;
use subtle::ConstantTimeEq;

use super::Target;
use super::canceling::Canceling;
use super::keyring::{Same, Secret};
use crate::server::backend::{Backends, Registered};
use crate::server::route::Route;
use crate::wire::pg::startup::{Cancel, Version};

/// The keys of all live sessions.
#[derive(Debug, Default)]
pub struct Keys {
    targets: Mutex<HashMap<i32, Same<Target>, GlobalState>>,
    backends: Arc<Backends>,
    canceling: Arc<Canceling>,
}

/// A session's key: gone when dropped.
#[derive(Debug)]
pub struct Key {
    keys: Arc<Keys>,
    target: Arc<Target>,
    /// The server's process, where the session has one for life.
    _own: Option<Registered>,
}

/// No process has a higher number. Source: Linux, `PID_MAX_LIMIT` (`include/linux/threads.h`); other systems stay below.
const PROCESS_MAX: i32 = 1 << 22;

impl Keys {
    /// Makes a secret of so many bytes (see [`Version::secret_bytes`]), for a session that has this process for life.
    ///
    /// # Errors
    /// The system gave no random bytes.
    pub fn issue(
        self: &Arc<Self>,
        server: impl Into<Route>,
        pid: i32,
        server_secret: &[u8],
        secret_bytes: usize,
    ) -> Result<Key, getrandom::Error> {
        let own = self.backends.register(server.into(), pid, server_secret);
        self.insert(pid, secret_bytes, Some(own))
    }

    /// Makes a key for a session whose servers are lent. Its process id is invented, and the same for no other session; nor can it be
    /// that of a process, which whoever gives it to `pg_terminate_backend` would hit.
    ///
    /// # Errors
    /// The system gave no random bytes.
    pub fn invent(self: &Arc<Self>, version: Version) -> Result<Key, getrandom::Error> {
        loop {
            let pid = i32::try_from(getrandom::u32()? >> 1).unwrap_or_default();
            if pid > PROCESS_MAX && !self.lock().contains_key(&pid) {
                return self.insert(pid, version.secret_bytes(), None);
            }
        }
    }

    fn insert(self: &Arc<Self>, pid: i32, length: usize, own: Option<Registered>) -> Result<Key, getrandom::Error> {
        let secret = Secret::random(length)?;
        let own_process = own.as_ref().map(|own| &**own.backend());
        let target = Arc::new(Target::new(pid, secret, own_process, &self.backends));
        let mut targets = self.lock();
        let same = match targets.remove(&pid) {
            Some(same) => same.and(Arc::clone(&target)),
            None => Same::One(Arc::clone(&target)),
        };
        targets.insert(pid, same);
        drop(targets);
        Ok(Key { keys: Arc::clone(self), target, _own: own })
    }

    /// The session that this request means. Secrets are compared in constant time.
    pub fn find(&self, cancel: &Cancel) -> Option<Arc<Target>> {
        let targets = self.lock();
        let candidates = targets.get(&cancel.pid)?.all();
        candidates.iter().find(|target| bool::from(target.secret().ct_eq(&cancel.secret))).cloned()
    }

    /// The processes that may be cancelled.
    pub fn backends(&self) -> &Arc<Backends> {
        &self.backends
    }

    /// The cancel requests that are under way.
    pub fn canceling(&self) -> &Arc<Canceling> {
        &self.canceling
    }

    /// How many sessions have a key.
    pub fn len(&self) -> usize {
        self.lock().values().map(|same| same.all().len()).sum()
    }

    /// True where no session has one.
    pub fn is_empty(&self) -> bool {
        self.lock().is_empty()
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<i32, Same<Target>, GlobalState>> {
        self.targets.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Key {
    /// The process id that the client is given.
    pub fn pid(&self) -> i32 {
        self.target.pid()
    }

    /// The secret that the client is given.
    pub fn secret(&self) -> &[u8] {
        self.target.secret()
    }

    /// Where this key leads, where a cancel wants to know what runs there.
    pub fn asked(&self) -> Option<&Arc<Target>> {
        Some(&self.target).filter(|target| target.is_asked_for_work())
    }

    /// Where this key leads.
    pub fn target(&self) -> Arc<Target> {
        Arc::clone(&self.target)
    }
}

impl Drop for Key {
    fn drop(&mut self) {
        let mut targets = self.keys.lock();
        let pid = self.target.pid();
        if let Some(rest) = targets.remove(&pid).and_then(|same| same.without(&self.target)) {
            targets.insert(pid, rest);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::address::Endpoint;

    fn server() -> Endpoint {
        "127.0.0.1:5432".parse::<std::net::SocketAddr>().unwrap().into()
    }

    #[test]
    fn no_process_has_the_number_of_a_session_whose_servers_are_lent() {
        let keys = Arc::new(Keys::default());
        let lowest = (0..5_000).map(|_| keys.invent(Version::V3_0).unwrap().pid()).min();
        assert!(lowest > Some(PROCESS_MAX), "{lowest:?}");
    }

    #[test]
    fn only_the_right_secret_finds_a_session() {
        let keys = Arc::new(Keys::default());
        let key = keys.issue(server(), 7, b"abcd", 4).unwrap();
        let other = keys.issue(server(), 7, &[1; 32], 32).unwrap();
        let ask = |pid, secret: &[u8]| keys.find(&Cancel { pid, secret: secret.to_vec() });
        assert_eq!((key.secret().len(), other.secret().len()), (4, 32));
        assert!(Arc::ptr_eq(&ask(7, key.secret()).unwrap(), &key.target()));
        assert!(Arc::ptr_eq(&ask(7, other.secret()).unwrap(), &other.target()));
        assert!(ask(7, b"abcd").is_none(), "the server's own secret is not ours");
        assert!(ask(8, key.secret()).is_none());
        drop(key);
        assert_eq!(keys.len(), 1);
        drop(other);
        assert!(keys.is_empty());
        assert!(keys.backends().is_empty());
    }
}

//! Cancel requests: whose they are, and the way to the server.
//!
//! A client is given its server's process id with a secret of our own, so that it can cancel its own statement and nothing
//! else, and so that the server's secret never leaves us. A cancel needs no slot at the server: PostgreSQL's postmaster
//! handles it before it counts connections.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use subtle::ConstantTimeEq;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::timeout;

use crate::server::route::Route;
use crate::wire::pg::startup::{Cancel, cancel_request};

/// A cancel that the server has not taken by then is given up.
const PATIENCE: Duration = Duration::from_secs(5);

/// Where a session's statements run and what cancels them.
pub struct Target {
    secret: Box<[u8]>,
    server: Route,
    pid: i32,
    server_secret: Box<[u8]>,
}

impl std::fmt::Debug for Target {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Target").field("server", self.server.address()).field("pid", &self.pid).finish_non_exhaustive()
    }
}

/// The keys of all live sessions.
#[derive(Debug, Default)]
pub struct Keys {
    /// Two servers may give the same process id.
    targets: Mutex<HashMap<i32, Vec<Arc<Target>>>>,
}

/// A session's key: gone when dropped.
#[derive(Debug)]
pub struct Key {
    keys: Arc<Keys>,
    target: Arc<Target>,
}

impl Keys {
    /// Makes a secret as long as the server's and notes where it leads.
    ///
    /// # Errors
    /// The system gave no random bytes.
    pub fn issue(
        self: &Arc<Self>,
        server: impl Into<Route>,
        pid: i32,
        server_secret: &[u8],
    ) -> Result<Key, getrandom::Error> {
        let mut secret = vec![0; server_secret.len()].into_boxed_slice();
        getrandom::fill(&mut secret)?;
        let target = Arc::new(Target { secret, server: server.into(), pid, server_secret: server_secret.into() });
        self.lock().entry(pid).or_default().push(Arc::clone(&target));
        Ok(Key { keys: Arc::clone(self), target })
    }

    /// The session that this request means. Secrets are compared in constant time.
    pub fn find(&self, cancel: &Cancel) -> Option<Arc<Target>> {
        let targets = self.lock();
        let candidates = targets.get(&cancel.pid)?;
        candidates.iter().find(|target| bool::from(target.secret.ct_eq(&cancel.secret))).cloned()
    }

    /// How many sessions have a key.
    pub fn len(&self) -> usize {
        self.lock().values().map(Vec::len).sum()
    }

    /// True where no session has one.
    pub fn is_empty(&self) -> bool {
        self.lock().is_empty()
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<i32, Vec<Arc<Target>>>> {
        self.targets.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Key {
    /// The process id that the client is given: the server's own.
    pub fn pid(&self) -> i32 {
        self.target.pid
    }

    /// The secret that the client is given.
    pub fn secret(&self) -> &[u8] {
        &self.target.secret
    }

    /// Where this key leads.
    pub fn target(&self) -> Arc<Target> {
        Arc::clone(&self.target)
    }
}

impl Drop for Key {
    fn drop(&mut self) {
        let mut targets = self.keys.lock();
        if let Some(same) = targets.get_mut(&self.target.pid) {
            same.retain(|target| !Arc::ptr_eq(target, &self.target));
            if same.is_empty() {
                targets.remove(&self.target.pid);
            }
        }
    }
}

impl Target {
    /// Sends the cancel and waits until the server has taken it, which it shows by closing. True where it did.
    pub async fn cancel(&self) -> bool {
        timeout(PATIENCE, self.send()).await.is_ok_and(|sent| sent.is_ok())
    }

    async fn send(&self) -> std::io::Result<()> {
        let mut stream = self.server.dial().await?;
        stream.write_all(&cancel_request(self.pid, &self.server_secret)).await?;
        stream.flush().await?;
        let mut byte = [0];
        // A server that closes without the goodbye of TLS has taken it all the same.
        while stream.read(&mut byte).await.is_ok_and(|count| count > 0) {}
        Ok(())
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
    fn only_the_right_secret_finds_a_session() {
        let keys = Arc::new(Keys::default());
        let key = keys.issue(server(), 7, b"abcd").unwrap();
        let other = keys.issue(server(), 7, &[1; 32]).unwrap();
        let ask = |pid, secret: &[u8]| keys.find(&Cancel { pid, secret: secret.to_vec() });
        assert_eq!(key.secret().len(), 4);
        assert!(Arc::ptr_eq(&ask(7, key.secret()).unwrap(), &key.target()));
        assert!(Arc::ptr_eq(&ask(7, other.secret()).unwrap(), &other.target()));
        assert!(ask(7, b"abcd").is_none(), "the server's own secret is not ours");
        assert!(ask(8, key.secret()).is_none());
        drop(key);
        assert_eq!(keys.len(), 1);
        drop(other);
        assert!(keys.is_empty());
    }
}

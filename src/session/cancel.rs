//! Cancel requests: whose they are, and the way to the server.
//!
//! A client is given a secret of our own, so that it can cancel its own statement and nothing else, and so that the server's secret
//! never leaves us. A key leads to whatever server its session has at the moment; where it has none, a cancel does nothing, and where
//! it waits for one, it stops waiting. A cancel needs no slot at the server: PostgreSQL's postmaster handles it before it counts
//! connections.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::task::Waker;

use subtle::ConstantTimeEq;

use super::canceling::Canceling;
use super::keyring::{Same, Secret};
use crate::server::backend::{Backend, Backends, Registered};
use crate::server::route::Route;
use crate::wire::pg::startup::Cancel;

/// The session has no server.
const NONE: u64 = 0;
/// It waits for one.
const WAITING: u64 = 1;
/// It waits for one, and was told to wait no more.
const TOLD: u64 = u64::MAX;

/// A session, as its cancel key sees it.
pub struct Target {
    pid: i32,
    secret: Secret,
    /// Number of the process that the session has, or one of the above.
    at: AtomicU64,
    owner: OnceLock<Owner>,
    backends: Arc<Backends>,
}

/// The session behind a key.
struct Owner {
    waker: Waker,
    /// Its number in the roster.
    session: u64,
}

impl std::fmt::Debug for Target {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Target").field("pid", &self.pid).field("at", &self.at).finish_non_exhaustive()
    }
}

/// What became of a cancel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cancelled {
    /// The server has taken it.
    Forwarded,
    /// The server could not be reached in time.
    Unreachable,
    /// The session was waiting for a server, and waits no more.
    Queued,
    /// The session had no statement under way.
    Idle,
}

impl Cancelled {
    /// Metric label.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Forwarded => "forwarded",
            Self::Unreachable => "server_unreachable",
            Self::Queued => "queued",
            Self::Idle => "idle",
        }
    }
}

/// The keys of all live sessions.
#[derive(Debug, Default)]
pub struct Keys {
    targets: Mutex<HashMap<i32, Same<Target>>>,
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

impl Keys {
    /// Makes a secret as long as the server's, for a session that has this process for life.
    ///
    /// # Errors
    /// The system gave no random bytes.
    pub fn issue(
        self: &Arc<Self>,
        server: impl Into<Route>,
        pid: i32,
        server_secret: &[u8],
    ) -> Result<Key, getrandom::Error> {
        let own = self.backends.register(server.into(), pid, server_secret);
        self.insert(pid, server_secret.len(), Some(own))
    }

    /// Makes a key for a session whose servers are lent. Its process id is invented, and the same for no other session.
    ///
    /// # Errors
    /// The system gave no random bytes.
    pub fn invent(self: &Arc<Self>) -> Result<Key, getrandom::Error> {
        loop {
            let pid = i32::try_from(getrandom::u32()? >> 1).unwrap_or_default();
            if pid > 0 && !self.lock().contains_key(&pid) {
                return self.insert(pid, Secret::SHORT, None);
            }
        }
    }

    fn insert(self: &Arc<Self>, pid: i32, length: usize, own: Option<Registered>) -> Result<Key, getrandom::Error> {
        let secret = Secret::random(length)?;
        let at = own.as_ref().map_or(NONE, |own| own.backend().number());
        let target = Arc::new(Target {
            pid,
            secret,
            at: AtomicU64::new(at),
            owner: OnceLock::new(),
            backends: Arc::clone(&self.backends),
        });
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
        candidates.iter().find(|target| bool::from(target.secret.bytes().ct_eq(&cancel.secret))).cloned()
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

    fn lock(&self) -> MutexGuard<'_, HashMap<i32, Same<Target>>> {
        self.targets.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Key {
    /// The process id that the client is given.
    pub fn pid(&self) -> i32 {
        self.target.pid
    }

    /// The secret that the client is given.
    pub fn secret(&self) -> &[u8] {
        self.target.secret.bytes()
    }

    /// Where this key leads.
    pub fn target(&self) -> Arc<Target> {
        Arc::clone(&self.target)
    }
}

impl Drop for Key {
    fn drop(&mut self) {
        let mut targets = self.keys.lock();
        let pid = self.target.pid;
        if let Some(rest) = targets.remove(&pid).and_then(|same| same.without(&self.target)) {
            targets.insert(pid, rest);
        }
    }
}

impl Target {
    /// Cancels what the session does now. Waits until the server has taken the cancel.
    pub async fn cancel(&self) -> Cancelled {
        let at = self.at.load(Ordering::SeqCst);
        // In one step, so that it is this wait that ends, and no later one.
        if at == WAITING && self.at.compare_exchange(WAITING, TOLD, Ordering::SeqCst, Ordering::SeqCst).is_ok() {
            if let Some(owner) = self.owner.get() {
                owner.waker.wake_by_ref();
            }
            return Cancelled::Queued;
        }
        let Some(cancelling) = self.backends.begin(at) else { return Cancelled::Idle };
        // It may have been given back just before it was counted.
        if self.at.load(Ordering::SeqCst) != at {
            return Cancelled::Idle;
        }
        if cancelling.send().await { Cancelled::Forwarded } else { Cancelled::Unreachable }
    }

    /// Whose it is: whom to wake where a cancel finds the session waiting, and its number in the roster. Only the first call counts.
    pub fn register(&self, waker: &Waker, session: u64) {
        drop(self.owner.set(Owner { waker: waker.clone(), session }));
    }

    /// The session's number in the roster; 0, which is nobody's, before its login has ended.
    pub fn session(&self) -> u64 {
        self.owner.get().map_or(0, |owner| owner.session)
    }

    /// The session waits for a server from now on, or waits on.
    pub fn waits(&self) {
        self.at.compare_exchange(NONE, WAITING, Ordering::SeqCst, Ordering::SeqCst).ok();
    }

    /// Was it told to wait no more? Told once.
    pub fn take_cancelled(&self) -> bool {
        self.at.compare_exchange(TOLD, NONE, Ordering::SeqCst, Ordering::SeqCst).is_ok()
    }

    /// The session has this process now. False where it was told meanwhile to wait no more: the process is to be given back.
    pub fn takes(&self, backend: &Backend) -> bool {
        self.at.swap(backend.number(), Ordering::SeqCst) != TOLD
    }

    /// The session has none now, and waits for none. True where it was told meanwhile to wait no more, and nobody has taken that in.
    pub fn lets_go(&self) -> bool {
        self.at.swap(NONE, Ordering::SeqCst) == TOLD
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
        assert!(keys.backends().is_empty());
    }

    #[tokio::test]
    async fn a_key_leads_to_what_its_session_has_at_the_moment() {
        let keys = Arc::new(Keys::default());
        let key = keys.invent().unwrap();
        let target = key.target();
        assert!(key.pid() > 0);
        assert_eq!(target.cancel().await, Cancelled::Idle);
        target.waits();
        assert_eq!(target.cancel().await, Cancelled::Queued);
        assert!(target.take_cancelled() && !target.take_cancelled());
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let process = keys.backends().register(Endpoint::from(listener.local_addr().unwrap()).into(), 7, b"abcd");
        target.waits();
        assert_eq!(target.cancel().await, Cancelled::Queued);
        assert!(!target.takes(process.backend()), "the wait that was cancelled is this one");
        assert!(!target.take_cancelled(), "and no later one");
        assert!(!target.lets_go());
        target.waits();
        assert_eq!(target.cancel().await, Cancelled::Queued);
        assert!(target.lets_go() && !target.lets_go(), "who loses a server while it waits still hears of it, once");
        assert!(target.takes(process.backend()));
        let cancel = tokio::spawn({
            let target = Arc::clone(&target);
            async move { target.cancel().await }
        });
        let (socket, _) = listener.accept().await.unwrap();
        // It is on its way: whoever gives the process back has to wait.
        assert!(!target.lets_go());
        assert!(process.backend().is_cancelled());
        let mut quiet = std::pin::pin!(process.backend().quiet());
        assert!(futures::poll!(quiet.as_mut()).is_pending());
        drop(socket);
        quiet.await;
        assert!(matches!(cancel.await.unwrap(), Cancelled::Forwarded | Cancelled::Unreachable));
        assert_eq!(target.cancel().await, Cancelled::Idle);
    }
}

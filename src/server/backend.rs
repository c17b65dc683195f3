//! Server processes of the sessions and pools, by a number of our own, and the cancels that are on their way to them.
//!
//! A server that is shared must not serve somebody else while a cancel is on its way to it. Who sends a cancel first counts it at the
//! process and then looks whether the session still has that process; who gives a server back first lets go of it and then looks at the
//! count. Both are sequentially consistent, so a cancel that is sent is always seen. One of which nobody can tell whether it has landed may
//! still land at any time: its process serves nobody else.

use std::collections::HashMap;
use std::io::ErrorKind;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::Notify;
use tokio::time::timeout;

use super::route::Route;
use crate::wire::pg::startup::cancel_request;

/// A cancel that the server has not taken by then is given up.
const PATIENCE: Duration = Duration::from_secs(5);

/// One process of a server.
pub struct Backend {
    number: u64,
    route: Route,
    pid: i32,
    secret: Box<[u8]>,
    cancels: AtomicUsize,
    landed: Notify,
    doubtful: AtomicBool,
}

impl std::fmt::Debug for Backend {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Backend").field("server", self.route.address()).field("pid", &self.pid).finish_non_exhaustive()
    }
}

/// All processes that somebody may cancel.
#[derive(Debug, Default)]
pub struct Backends {
    last: AtomicU64,
    all: Mutex<HashMap<u64, Arc<Backend>>>,
    looked: Notify,
}

/// A process while its connection lasts: gone when dropped.
#[derive(Debug)]
pub struct Registered {
    of: Arc<Backends>,
    backend: Arc<Backend>,
}

/// A cancel that counts at a process until it has landed.
#[derive(Debug)]
pub struct Cancelling(Arc<Backend>);

impl Backends {
    /// Notes a process. Its number is never used again, and never 0 or 1.
    pub fn register(self: &Arc<Self>, route: Route, pid: i32, secret: &[u8]) -> Registered {
        let number = self.last.fetch_add(1, Ordering::Relaxed).wrapping_add(2);
        let (secret, cancels, landed) = (secret.into(), AtomicUsize::new(0), Notify::new());
        let backend = Backend { number, route, pid, secret, cancels, landed, doubtful: AtomicBool::new(false) };
        let backend = Arc::new(backend);
        self.lock().insert(number, Arc::clone(&backend));
        Registered { of: Arc::clone(self), backend }
    }

    /// Counts a cancel at the process of that number, where there is one.
    pub fn begin(&self, number: u64) -> Option<Cancelling> {
        let backend = self.lock().get(&number).map(Arc::clone)?;
        backend.cancels.fetch_add(1, Ordering::SeqCst);
        Some(Cancelling(backend))
    }

    /// Told whenever a session without a process has looked what there is to cancel: one for all, since that is rare.
    pub const fn looked(&self) -> &Notify {
        &self.looked
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.lock().len()
    }

    /// True where there is none.
    pub fn is_empty(&self) -> bool {
        self.lock().is_empty()
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<u64, Arc<Backend>>> {
        self.all.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Registered {
    /// The process.
    pub fn backend(&self) -> &Arc<Backend> {
        &self.backend
    }
}

impl Drop for Registered {
    fn drop(&mut self) {
        self.of.lock().remove(&self.backend.number);
    }
}

impl Backend {
    /// Its number, unique while we run.
    pub fn number(&self) -> u64 {
        self.number
    }

    /// Its process id.
    pub fn pid(&self) -> i32 {
        self.pid
    }

    /// The way to it.
    pub const fn route(&self) -> &Route {
        &self.route
    }

    /// Is a cancel on its way? Asked behind letting go of it.
    pub fn is_cancelled(&self) -> bool {
        self.cancels.load(Ordering::SeqCst) > 0
    }

    /// May a cancel that was sent still land? Asked where none is on its way; once true, for good.
    pub fn is_doubtful(&self) -> bool {
        self.doubtful.load(Ordering::SeqCst)
    }

    /// Returns once no cancel is on its way. Cancel-safe.
    pub async fn quiet(&self) {
        loop {
            let mut landed = std::pin::pin!(self.landed.notified());
            landed.as_mut().enable();
            if !self.is_cancelled() {
                return;
            }
            landed.await;
        }
    }
}

impl Cancelling {
    /// Sends the cancel and waits until the server has taken it, which it shows by closing. True where it did.
    pub async fn send(self) -> bool {
        let Self(backend) = &self;
        let mut doubt = Doubt { backend, is_there: false };
        let taken = timeout(PATIENCE, deliver(&mut doubt)).await.is_ok_and(|sent| sent.is_ok());
        doubt.is_there &= !taken;
        taken
    }
}

/// Is there a request of which nobody can tell what became of it? Whoever gives up here leaves it so.
struct Doubt<'a> {
    backend: &'a Backend,
    is_there: bool,
}

impl Drop for Doubt<'_> {
    fn drop(&mut self) {
        if self.is_there {
            self.backend.doubtful.store(true, Ordering::SeqCst);
        }
    }
}

async fn deliver(doubt: &mut Doubt<'_>) -> std::io::Result<()> {
    let Backend { route, pid, secret, .. } = doubt.backend;
    let mut stream = route.dial().await?;
    doubt.is_there = true;
    stream.write_all(&cancel_request(*pid, secret)).await?;
    stream.flush().await?;
    let mut byte = [0];
    loop {
        match stream.read(&mut byte).await {
            Ok(0) => return Ok(()),
            Ok(_) => {}
            // It closed without the goodbye of TLS, as PostgreSQL does.
            Err(error) if error.kind() == ErrorKind::UnexpectedEof => return Ok(()),
            Err(error) => return Err(error),
        }
    }
}

impl Drop for Cancelling {
    fn drop(&mut self) {
        if self.0.cancels.fetch_sub(1, Ordering::SeqCst) == 1 {
            self.0.landed.notify_waiters();
        }
    }
}

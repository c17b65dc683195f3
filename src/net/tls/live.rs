//! Both sides of one listener, as they are now.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::ArcSwapOption;
use rustls::pki_types::UnixTime;
use tokio::sync::{Semaphore, SemaphorePermit};

use super::acceptor::Acceptor;
use super::connector::Connector;
use super::material::{Material, Unusable};
use crate::config::{Tls, TlsMode, TlsSide};

/// Clients' handshakes in progress. Each costs a fraction of a millisecond of a worker; the sessions that it carries get their turns in
/// between.
const HANDSHAKES_MAX: usize = 64;

/// Both sides of one listener.
pub struct Live {
    client: ArcSwapOption<Acceptor>,
    server: ArcSwapOption<Connector>,
    handshakes: Semaphore,
    /// What the server's side was made of.
    made_of: Mutex<TlsSide>,
    /// Servers are met in another way than before, and nobody was told yet.
    other_way: AtomicBool,
}

impl std::fmt::Debug for Live {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Live").field("client", &self.client).field("server", &self.server).finish_non_exhaustive()
    }
}

/// When a certificate of ours ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Expiry {
    /// To whom it is shown: `client` or `server`.
    pub side: &'static str,
    /// Seconds since 1970.
    pub not_after: i64,
}

impl Expiry {
    /// Seconds until the end; below 0 since then.
    pub fn left(self) -> i64 {
        left(self.not_after)
    }
}

/// By the clock that `rustls` goes by as well.
fn left(not_after: i64) -> i64 {
    not_after.saturating_sub(i64::try_from(UnixTime::now().as_secs()).unwrap_or(i64::MAX))
}

impl Default for Live {
    /// No TLS on either side.
    fn default() -> Self {
        Self {
            client: ArcSwapOption::empty(),
            server: ArcSwapOption::empty(),
            handshakes: Semaphore::new(HANDSHAKES_MAX),
            made_of: Mutex::default(),
            other_way: AtomicBool::new(false),
        }
    }
}

impl Live {
    /// Reads the files. Blocks on them.
    ///
    /// # Errors
    /// Of each side whose files can't be used, the first of them.
    pub fn open(tls: &Tls) -> Result<Self, Vec<Unusable>> {
        let live = Self::default();
        let unusable = live.reload(tls);
        // There was no way before.
        live.other_way.store(false, Ordering::Relaxed);
        if unusable.is_empty() { Ok(live) } else { Err(unusable) }
    }

    /// Reads the files again. A side whose files say what they said before stays as it is, and so does one whose files can't be used, or
    /// whose new certificate has ended where the old one has not: those are returned. Blocks on the files.
    pub fn reload(&self, tls: &Tls) -> Vec<Unusable> {
        let client = renew(("client_tls", &tls.client), &self.client, Acceptor::new);
        let server = renew(("server_tls", &tls.server), &self.server, Connector::new);
        if server.is_ok() {
            let mut made_of = self.made_of.lock().unwrap_or_else(PoisonError::into_inner);
            self.other_way.fetch_or(*made_of != tls.server, Ordering::Relaxed);
            made_of.clone_from(&tls.server);
        }
        [client, server].into_iter().filter_map(Result::err).collect()
    }

    /// How clients are met; `None`: without TLS.
    pub fn client(&self) -> Option<Arc<Acceptor>> {
        self.client.load_full()
    }

    /// How servers are met; `None`: without TLS.
    pub fn server(&self) -> Option<Arc<Connector>> {
        self.server.load_full()
    }

    /// Has the configuration, not merely the content of a file, changed how servers are met? Told once.
    pub fn takes_other_way(&self) -> bool {
        self.other_way.swap(false, Ordering::Relaxed)
    }

    /// A place for one handshake of a client, in order of arrival. Cancel-safe.
    pub async fn handshake(&self) -> Option<SemaphorePermit<'_>> {
        self.handshakes.acquire().await.ok()
    }

    /// Our certificates.
    pub fn expiries(&self) -> Vec<Expiry> {
        let client = self.client.load().as_ref().and_then(|side| side.not_after);
        let server = self.server.load().as_ref().and_then(|side| side.not_after);
        let ends = [("client", client), ("server", server)];
        ends.into_iter().filter_map(|(side, end)| end.map(|not_after| Expiry { side, not_after })).collect()
    }
}

/// What both sides tell of their files.
trait Made {
    /// Of all that they are made of.
    fn digest(&self) -> [u8; 32];
    /// When our certificate ends, in seconds since 1970.
    fn not_after(&self) -> Option<i64>;
}

impl Made for Acceptor {
    fn digest(&self) -> [u8; 32] {
        self.digest
    }

    fn not_after(&self) -> Option<i64> {
        self.not_after
    }
}

impl Made for Connector {
    fn digest(&self) -> [u8; 32] {
        self.digest
    }

    fn not_after(&self) -> Option<i64> {
        self.not_after
    }
}

fn has_ended(made: &impl Made) -> bool {
    made.not_after().is_some_and(|end| left(end) < 0)
}

fn renew<T: Made>(
    (name, side): (&'static str, &TlsSide),
    current: &ArcSwapOption<T>,
    make: impl Fn(&Material) -> Result<T, Unusable>,
) -> Result<(), Unusable> {
    if side.mode == TlsMode::Disable {
        current.store(None);
        return Ok(());
    }
    let material = Material::read(name, side)?;
    let old = current.load();
    if old.as_ref().is_some_and(|old| old.digest() == material.digest()) {
        return Ok(());
    }
    let new = make(&material)?;
    if has_ended(&new) && old.as_ref().is_some_and(|old| old.not_after().is_some() && !has_ended(&**old)) {
        return Err(material.ended());
    }
    current.store(Some(Arc::new(new)));
    Ok(())
}

//! Both sides of one listener, as they are now.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::ArcSwapOption;
use tokio::sync::{Semaphore, SemaphorePermit};

use super::acceptor::Acceptor;
use super::certificate::Validity;
use super::connector::Connector;
use super::material::{Material, Unusable, Why};
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

/// When a certificate of ours holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Expiry {
    /// To whom it is shown: `client` or `server`.
    pub side: &'static str,
    /// From when to when.
    pub validity: Validity,
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
    /// whose new certificate has ended or begins later where the old one holds: those are returned. Blocks on the files.
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
        let client = self.client.load().as_ref().and_then(|side| side.validity);
        let server = self.server.load().as_ref().and_then(|side| side.validity);
        let sides = [("client", client), ("server", server)];
        sides.into_iter().filter_map(|(side, validity)| validity.map(|validity| Expiry { side, validity })).collect()
    }
}

/// What both sides tell of their files.
trait Made {
    /// Of all that they are made of.
    fn digest(&self) -> [u8; 32];
    /// When our certificate holds, as far as that can be read.
    fn validity(&self) -> Option<Validity>;
}

impl Made for Acceptor {
    fn digest(&self) -> [u8; 32] {
        self.digest
    }

    fn validity(&self) -> Option<Validity> {
        self.validity
    }
}

impl Made for Connector {
    fn digest(&self) -> [u8; 32] {
        self.digest
    }

    fn validity(&self) -> Option<Validity> {
        self.validity
    }
}

/// Why a certificate is not to take the place of one that holds.
fn untimely(validity: Validity) -> Option<Why> {
    match (validity.ahead(), validity.left()) {
        (_, ..0) => Some(Why::Ended),
        (1.., _) => Some(Why::Early),
        _ => None,
    }
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
    let holds = |old: &Arc<T>| old.validity().is_some_and(|validity| untimely(validity).is_none());
    if let Some(why) = new.validity().and_then(untimely).filter(|_| old.as_ref().is_some_and(holds)) {
        return Err(material.untimely(why));
    }
    current.store(Some(Arc::new(new)));
    Ok(())
}

//! One live session, as others see it.

use std::net::IpAddr;
use std::sync::atomic::{AtomicI32, AtomicU8, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::task::Waker;
use std::time::Duration;

use super::{Activity, Signal};
use crate::address::Endpoint;
use crate::clock;
use crate::traffic::{Count, Traffic};

/// Who a client is: as named in the start-up packet, fixed for the life of the session.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Identity {
    /// Name of the `[[listener]]`.
    pub listener: Arc<str>,
    /// User of the start-up packet.
    pub user: String,
    /// Database of the start-up packet; the user's name where it gives none.
    pub database: String,
    /// As whom it is at the server, where that is not the same.
    pub role: Option<Box<str>>,
    /// `application_name` of the start-up packet; empty where it gives none.
    pub application_name: String,
    /// Peer address.
    pub address: IpAddr,
}

impl Identity {
    /// As whom it is at the server.
    pub fn role(&self) -> &str {
        self.role.as_deref().unwrap_or(&self.user)
    }
}

/// What a session tells when it joins.
#[derive(Debug)]
pub struct Newcomer {
    /// Who it is.
    pub identity: Identity,
    /// Its bounded label.
    pub client: Arc<str>,
    /// Peer socket.
    pub peer: Endpoint,
    /// The server it uses.
    pub server: Endpoint,
    /// Which choice of server it goes by; `None` where its servers are lent.
    pub server_generation: Option<u64>,
}

/// Why a server of a pool stays with one session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pin {
    /// What it left there, in words.
    pub why: String,
    /// `clock::uptime_ms` when that began.
    pub since_ms: u64,
}

/// One live session.
#[derive(Debug)]
pub struct Entry {
    /// Number for `KILL CLIENT`, unique in the life of the process.
    pub number: u64,
    /// Who it is; shared by all sessions of the same.
    pub identity: Arc<Identity>,
    /// Label of the client (`[[client]]` name or the key): bounded, so fit for a metric.
    pub client: Arc<str>,
    /// Peer socket, with the port.
    pub peer: Endpoint,
    /// The server that it uses.
    pub server: Endpoint,
    server_generation: AtomicU64,
    /// Its servers are lent for a transaction each.
    lent: bool,
    /// `clock::uptime_ms` at the login.
    pub since_ms: u64,
    server_pid: AtomicI32,
    activity: AtomicU8,
    activity_since_ms: AtomicU64,
    /// What it has moved. Only the session itself adds to it.
    pub traffic: Traffic,
    signal: AtomicU8,
    /// Index into [`TLS_VERSIONS`].
    tls: AtomicU8,
    /// Why a server of its pool is its own for now. Written where that changes, which is seldom.
    pin: Mutex<Option<Box<Pin>>>,
    /// The task's waker, which stays the same for its life.
    waker: OnceLock<Waker>,
}

/// Versions of TLS as people read them.
const TLS_VERSIONS: [&str; 4] = ["", "TLS", "TLSv1.2", "TLSv1.3"];

/// TLS of a version that has no name here.
const UNKNOWN_TLS: u8 = 1;

/// Stands for no choice of server.
const NONE: u64 = u64::MAX;

impl Entry {
    /// Of a session that logs in now.
    pub(super) fn new(
        number: u64,
        (identity, client): (Arc<Identity>, Arc<str>),
        (peer, server): (Endpoint, Endpoint),
        server_generation: Option<u64>,
    ) -> Self {
        let now_ms = clock::uptime_ms();
        let (lent, traffic) = (server_generation.is_none(), Traffic::default());
        if !lent {
            // It has its server for life.
            traffic.add(Count::Assignments, 1);
        }
        Self {
            number,
            identity,
            client,
            peer,
            server,
            server_generation: AtomicU64::new(server_generation.unwrap_or(NONE)),
            lent,
            since_ms: now_ms,
            server_pid: AtomicI32::new(0),
            activity: AtomicU8::new(Activity::Login as u8),
            activity_since_ms: AtomicU64::new(now_ms),
            traffic,
            signal: AtomicU8::new(Signal::None as u8),
            tls: AtomicU8::new(0),
            pin: Mutex::new(None),
            waker: OnceLock::new(),
        }
    }

    /// Which choice of server the server goes by that it has now; `None` while it has none.
    pub fn server_generation(&self) -> Option<u64> {
        Some(self.server_generation.load(Ordering::Relaxed)).filter(|generation| *generation != NONE)
    }

    /// Notes the choice of the server that it has been lent; `None` where it gives it back.
    pub fn set_server_generation(&self, generation: Option<u64>) {
        self.server_generation.store(generation.unwrap_or(NONE), Ordering::Relaxed);
    }

    /// True where its servers are lent for a transaction each.
    pub const fn is_lent(&self) -> bool {
        self.lent
    }

    /// Process id of the server connection; 0 until the server has told it.
    pub fn server_pid(&self) -> i32 {
        self.server_pid.load(Ordering::Relaxed)
    }

    /// Notes the server's process id.
    pub fn set_server_pid(&self, pid: i32) {
        self.server_pid.store(pid, Ordering::Relaxed);
    }

    /// What the session is doing.
    pub fn activity(&self) -> Activity {
        Activity::from_u8(self.activity.load(Ordering::Relaxed))
    }

    /// `clock::uptime_ms` when it began to do so.
    pub fn activity_since_ms(&self) -> u64 {
        self.activity_since_ms.load(Ordering::Relaxed)
    }

    /// Notes what the session does now; cheap where it did the same before.
    pub fn set_activity(&self, activity: Activity, now_ms: u64) {
        if self.activity.load(Ordering::Relaxed) != activity as u8 {
            self.activity.store(activity as u8, Ordering::Relaxed);
            self.activity_since_ms.store(now_ms, Ordering::Relaxed);
        }
    }

    /// Has it waited for its client, outside a transaction, for as long as `limit`?
    pub fn is_idle_for(&self, limit: Duration, now_ms: u64) -> bool {
        let idle_ms = u128::from(now_ms.saturating_sub(self.activity_since_ms()));
        self.activity() == Activity::Idle && idle_ms >= limit.as_millis()
    }

    /// Version of the client's TLS; empty without.
    pub fn tls(&self) -> &'static str {
        TLS_VERSIONS.get(usize::from(self.tls.load(Ordering::Relaxed))).copied().unwrap_or_default()
    }

    /// Notes the version of the client's TLS, as `Stream::tls_version` has it; empty without.
    pub fn set_tls(&self, version: &str) {
        let index = TLS_VERSIONS.iter().position(|known| *known == version).and_then(|index| u8::try_from(index).ok());
        self.tls.store(index.unwrap_or(UNKNOWN_TLS), Ordering::Relaxed);
    }

    /// Why a server of its pool stays with it; `None`: none does.
    pub fn pin(&self) -> Option<Pin> {
        self.pin.lock().unwrap_or_else(PoisonError::into_inner).as_deref().cloned()
    }

    /// Notes why a server stays with it: what began earlier, for whatever reason, keeps its time.
    pub fn set_pin(&self, why: Option<String>, now_ms: u64) {
        let mut pin = self.pin.lock().unwrap_or_else(PoisonError::into_inner);
        let since_ms = pin.as_ref().map_or(now_ms, |pin| pin.since_ms);
        *pin = why.map(|why| Box::new(Pin { why, since_ms }));
    }

    /// Statements so far.
    pub fn statements(&self) -> u64 {
        self.traffic.totals().get(Count::Statements)
    }

    /// Counts a statement. Only the owning session calls it, so no read-modify-write is needed.
    pub fn count_statement(&self) {
        self.traffic.add(Count::Statements, 1);
    }

    /// Asks something of the session and wakes it. A weaker signal never replaces a stronger one.
    pub fn signal(&self, signal: Signal) {
        self.signal.fetch_max(signal as u8, Ordering::AcqRel);
        self.wake();
    }

    /// Wakes the session without asking anything: its surroundings changed (RESUME).
    pub fn wake(&self) {
        if let Some(waker) = self.waker.get() {
            waker.wake_by_ref();
        }
    }

    /// The strongest signal so far.
    pub fn signalled(&self) -> Signal {
        match self.signal.load(Ordering::Acquire) {
            0 => Signal::None,
            1 => Signal::Idle,
            2 => Signal::Outdated,
            3 => Signal::Drain,
            4 => Signal::Lose,
            5 => Signal::Kill,
            _ => Signal::Shutdown,
        }
    }

    /// The session has lost its server, or has another one by now, and goes on.
    pub fn has_lost(&self) {
        let (lose, none) = (Signal::Lose as u8, Signal::None as u8);
        let _ = self.signal.compare_exchange(lose, none, Ordering::AcqRel, Ordering::Acquire);
    }

    /// The session's task registers itself here, before it first looks at its signals. Only the first call counts.
    pub fn register(&self, waker: &Waker) {
        drop(self.waker.set(waker.clone()));
    }
}

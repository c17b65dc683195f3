//! What people are told of each server of a pool. Whoever has a server writes here, with plain stores; the operator's lane reads.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};

use crate::address::Endpoint;
use crate::clock;
use crate::telemetry::rows::{ProcessRow, ServerRow, Standing};

/// One server of a pool.
#[derive(Debug)]
pub(super) struct Record {
    /// Counts the pool's servers from the first one on.
    pub(super) number: u64,
    /// The pool's era when it was begun.
    pub(super) era: u64,
    standing: AtomicU8,
    /// `clock::uptime_ms` when a client last got it, to the second.
    lent_ms: AtomicU64,
    process: OnceLock<ProcessRow>,
}

impl Record {
    pub(super) const fn new(number: u64, era: u64) -> Self {
        Self {
            number,
            era,
            standing: AtomicU8::new(Standing::Login as u8),
            lent_ms: AtomicU64::new(0),
            process: OnceLock::new(),
        }
    }

    pub(super) fn standing(&self) -> Standing {
        Standing::from_u8(self.standing.load(Ordering::Relaxed))
    }

    pub(super) fn stands(&self, standing: Standing) {
        self.standing.store(standing as u8, Ordering::Relaxed);
    }

    pub(super) fn lend(&self, now_ms: u64) {
        self.stands(Standing::Active);
        self.lent_ms.store(now_ms, Ordering::Relaxed);
    }

    /// Has a client got it since then, or about then?
    pub(super) fn lent_since(&self, uptime_ms: u64) -> bool {
        let lent = self.lent_ms.load(Ordering::Relaxed);
        lent > 0 && lent >= uptime_ms
    }

    pub(super) fn logged_in(&self, address: &Endpoint, pid: i32) {
        let (server, host, port) = (address.to_string(), address.host(), address.port());
        drop(self.process.set(ProcessRow { server, host, port, pid, since_ms: clock::uptime_ms() }));
    }

    /// As people see it in a pool that is in this era now.
    pub(super) fn row(&self, era: u64) -> ServerRow {
        ServerRow {
            number: self.number,
            standing: self.standing(),
            process: self.process.get().cloned(),
            lent_ms: self.lent_ms.load(Ordering::Relaxed),
            close_needed: self.era != era,
        }
    }
}

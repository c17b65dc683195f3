//! The end: nobody comes in any more, sessions end with their transactions, the rest is cut off.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{sleep, timeout};

use super::{App, Job, herald};
use crate::client::door::Sharing;
use crate::clock;
use crate::control::Shutdown;
use crate::roster::{Activity, Entry, Signal};
use crate::server::pool::Held;
use crate::session::house::{Common, House};
use crate::shutdown::Signals;
use crate::worker::Workers;

/// In a hand-over: how long a session that has only just begun is left alone, so that a client that comes for one statement and was
/// accepted here sees nothing of it.
const SETTLING: Duration = Duration::from_secs(2);
/// How long sessions have to say goodbye once the time of the drain is over.
const FAREWELL: Duration = Duration::from_secs(1);
/// How often a drain looks whether everybody has left.
const DRAIN_LOOK: Duration = Duration::from_millis(20);
/// The same where clients leave when they want to, which may take hours.
const VACANCY_LOOK: Duration = Duration::from_millis(200);

impl App {
    /// Clients that are left to go by themselves have gone, or a stronger shutdown was asked for. Until then they are served as ever.
    pub(super) async fn vacated(&self) {
        let mut shutdowns = self.common.control.shutdowns();
        if *shutdowns.borrow_and_update() != Shutdown::Clients {
            return;
        }
        tracing::info!(sessions = self.common.roster.len(), "waiting for the last client to leave");
        let vacant = async {
            while self.workers.load() > 0 {
                sleep(VACANCY_LOOK).await;
            }
        };
        tokio::select! {
            () = vacant => {}
            _ = shutdowns.wait_for(|how| *how >= Shutdown::Drain) => {}
        }
    }

    /// Takes nobody in any more and waits for sessions to reach the end of their transactions; then ends the rest.
    pub(super) async fn drain(self, mut signals: Signals) {
        let Self { common, open, workers, reloader } = self;
        let grace = if open.iter().any(|open| open.sharing == Sharing::HandOver) { SETTLING } else { Duration::ZERO };
        drop(open);
        reloader.houses.iter().for_each(|house| house.lending.retire());
        herald::stopping();
        let patience = reloader.config.load().drain_timeout;
        let mut shutdowns = common.control.shutdowns();
        let sessions = common.roster.len();
        match common.control.shutdown() {
            Shutdown::Now => tracing::info!(sessions, "ending at once: no transaction is waited for"),
            _ => tracing::info!(sessions, timeout = ?patience, "draining"),
        }
        tokio::select! {
            () = emptied(&workers, &common, Signal::Drain, grace) => {}
            () = sleep(patience) => {}
            _ = shutdowns.wait_for(|how| *how == Shutdown::Now) => {}
            () = signals.watch(&common.control, || {}) => {}
        }
        if timeout(FAREWELL, emptied(&workers, &common, Signal::Shutdown, Duration::ZERO)).await.is_err() {
            tracing::warn!(sessions = common.roster.len(), "sessions were cut off");
        }
        // Servers that nobody uses hear a goodbye too.
        drop(timeout(FAREWELL, closed(&reloader.houses)).await);
    }
}

/// Closes the servers of all pools.
async fn closed(houses: &[Arc<House>]) {
    let all = || Held { all: true, ..Held::default() };
    for house in houses {
        house.lending.register.hold(all);
        while house.lending.register.open() > 0 {
            sleep(DRAIN_LOOK).await;
        }
    }
}

/// Does it wait for the end of a pause? That may take longer than anybody has, and nothing of its statement has been sent.
fn is_held(entry: &Entry, common: &Common) -> bool {
    matches!(entry.activity(), Activity::Waiting | Activity::Paused) && common.control.paused(&entry.identity.database)
}

/// Signals every session that has been there for `grace`, also those that were only just logging in, until none is left.
async fn emptied(workers: &Workers<Job>, common: &Common, signal: Signal, grace: Duration) {
    let grace_ms = u64::try_from(grace.as_millis()).unwrap_or(u64::MAX);
    while workers.load() > 0 {
        let joined_by_ms = clock::uptime_ms().saturating_sub(grace_ms);
        let sessions = common.roster.list();
        let sessions = sessions.iter().filter(|entry| entry.since_ms <= joined_by_ms);
        sessions.for_each(|entry| entry.signal(if is_held(entry, common) { Signal::Shutdown } else { signal }));
        sleep(DRAIN_LOOK).await;
    }
}

//! Tells the service manager where we stand (`NOTIFY_SOCKET`, as of systemd). Without one nothing is told.

use std::future::pending;
use std::time::Duration;

use sd_notify::NotifyState;
use tokio::time::sleep;

use super::Job;
use crate::worker::Workers;

/// Newcomers are welcome, with the configuration in force.
pub(super) fn ready() {
    tell(&[NotifyState::Ready]);
}

/// The configuration is read again; [`ready`] follows.
pub(super) fn reloading() {
    match NotifyState::monotonic_usec_now() {
        Ok(now) => tell(&[NotifyState::Reloading, now]),
        Err(error) => tracing::debug!(%error, "no monotonic time for the service manager"),
    }
}

/// Nobody is let in any more.
pub(super) fn stopping() {
    tell(&[NotifyState::Stopping]);
}

/// Says that the main thread is alive and the worker that accepts as well, twice as often as the service manager wants to hear it. Never
/// returns.
pub(super) async fn watchdog(workers: &Workers<Job>) {
    let Some(within) = sd_notify::watchdog_enabled() else { return pending().await };
    let pause = (within / 2).max(Duration::from_millis(1));
    loop {
        if workers.answers().await {
            tell(&[NotifyState::Watchdog]);
        }
        sleep(pause).await;
    }
}

fn tell(states: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(states) {
        tracing::debug!(%error, "the service manager could not be told");
    }
}

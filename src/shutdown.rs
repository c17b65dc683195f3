//! Signals: SIGTERM and SIGINT drain, a second one ends at once; SIGHUP reads the configuration again.

use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::control::{Control, Shutdown};

/// Turns signals into shutdown wishes. Never returns.
pub async fn watch(control: &Control) {
    let (Some(mut terminate), Some(mut interrupt)) = (listen(SignalKind::terminate()), listen(SignalKind::interrupt()))
    else {
        return std::future::pending().await;
    };
    loop {
        let who = tokio::select! {
            _ = terminate.recv() => "SIGTERM",
            _ = interrupt.recv() => "SIGINT",
        };
        let how = if control.draining() { Shutdown::Now } else { Shutdown::Drain };
        control.shut_down(how, who);
    }
}

/// Calls `reload` at each SIGHUP. Never returns.
pub async fn watch_hangups(reload: impl Fn()) {
    let Some(mut hangup) = listen(SignalKind::hangup()) else { return std::future::pending().await };
    while hangup.recv().await.is_some() {
        reload();
    }
}

fn listen(kind: SignalKind) -> Option<Signal> {
    signal(kind).map_err(|error| tracing::error!(%error, "signals can't be read")).ok()
}

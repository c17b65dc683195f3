//! Signals: SIGTERM and SIGINT drain, a second one ends at once; SIGHUP reads the configuration again.

use std::io;

use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::control::{Control, Shutdown};

/// Signals from here on: none of them does what the system would do by itself, and none is lost.
#[derive(Debug)]
pub struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hangup: Signal,
}

impl Signals {
    /// Begins to listen. To be called within a runtime, before anybody can believe that the process is ready.
    ///
    /// # Errors
    /// The system does not let us.
    pub fn listen() -> io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hangup: signal(SignalKind::hangup())?,
        })
    }

    /// Turns signals into shutdown wishes, and calls `reload` at each SIGHUP. Never returns. Cancel-safe.
    pub async fn watch(&mut self, control: &Control, reload: impl Fn()) {
        loop {
            let who = tokio::select! {
                _ = self.terminate.recv() => "SIGTERM",
                _ = self.interrupt.recv() => "SIGINT",
                _ = self.hangup.recv() => {
                    reload();
                    continue;
                }
            };
            let how = if control.draining() { Shutdown::Now } else { Shutdown::Drain };
            control.shut_down(how, who);
        }
    }
}

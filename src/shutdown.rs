//! Signals, as PgBouncer has them: SIGTERM and SIGINT drain, a second one or SIGQUIT ends at once; SIGHUP reads the configuration
//! again; SIGUSR1 is PAUSE, SIGUSR2 RESUME.

use std::io;

use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::control::{Control, PAUSE_DEFAULT, Shutdown};

/// Signals from here on: none of them does what the system would do by itself, and none is lost.
#[derive(Debug)]
pub struct Signals {
    terminate: Signal,
    interrupt: Signal,
    quit: Signal,
    hangup: Signal,
    pause: Signal,
    resume: Signal,
}

impl Signals {
    /// Begins to listen. To be called within a runtime, before anybody can believe that the process is ready.
    ///
    /// # Errors
    /// The system does not let us.
    pub fn listen() -> io::Result<Self> {
        // A file that may not grow any more (LimitFSIZE) is an error of whoever writes it, not the end of the process: what is listened for
        // once stays so.
        drop(signal(SignalKind::from_raw(FILE_SIZE.as_raw()))?);
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            quit: signal(SignalKind::quit())?,
            hangup: signal(SignalKind::hangup())?,
            pause: signal(SignalKind::user_defined1())?,
            resume: signal(SignalKind::user_defined2())?,
        })
    }

    /// Turns signals into what they ask for, and calls `reload` at each SIGHUP. Never returns. Cancel-safe.
    pub async fn watch(&mut self, control: &Control, reload: impl Fn()) {
        loop {
            tokio::select! {
                _ = self.terminate.recv() => end(control, "SIGTERM"),
                _ = self.interrupt.recv() => end(control, "SIGINT"),
                _ = self.quit.recv() => drop(control.shut_down(Shutdown::Now, "SIGQUIT")),
                _ = self.hangup.recv() => reload(),
                _ = self.pause.recv() => drop(control.pause(None, PAUSE_DEFAULT, "SIGUSR1")),
                _ = self.resume.recv() => drop(control.resume(None, "SIGUSR2")),
            }
        }
    }
}

/// What the system sends to whoever writes beyond the largest size of a file.
const FILE_SIZE: rustix::process::Signal = rustix::process::Signal::XFSZ;

/// The first signal drains, also where clients were left to go by themselves; the second ends at once.
fn end(control: &Control, who: &str) {
    let how = if control.shutdown() >= Shutdown::Drain { Shutdown::Now } else { Shutdown::Drain };
    control.shut_down(how, who);
}

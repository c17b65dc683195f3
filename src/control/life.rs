//! From starting to the shutdown that was asked for.

use std::sync::atomic::Ordering;

use tokio::sync::watch;

use super::Control;

/// A shutdown as far as it was asked for; it only ever gets stronger.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Shutdown {
    /// Nobody asked.
    #[default]
    No,
    /// Take nobody in, and wait until the last client has left by itself.
    Clients,
    /// Let sessions end at their next quiet moment, up to the drain's deadline.
    Drain,
    /// End at once.
    Now,
}

/// Whether a load balancer should send clients here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Readiness {
    /// Listeners are not open yet.
    Starting,
    /// Clients are served.
    Ready,
    /// Nobody new is taken in.
    Draining,
}

impl Readiness {
    /// The word that `/readyz` answers.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Starting => "starting",
            Self::Ready => "ready",
            Self::Draining => "draining",
        }
    }
}

impl Control {
    /// The listeners are open.
    pub fn started(&self) {
        self.started.store(true, Ordering::Relaxed);
    }

    /// Whether a load balancer should send clients here. Never depends on a server: taking every proxy out of the balance
    /// because a server is slow turns a slow server into an outage.
    pub fn readiness(&self) -> Readiness {
        if self.draining() {
            Readiness::Draining
        } else if self.started.load(Ordering::Relaxed) {
            Readiness::Ready
        } else {
            Readiness::Starting
        }
    }

    /// Whether nobody new is taken in any more.
    pub fn draining(&self) -> bool {
        self.shutdown() != Shutdown::No
    }

    /// The shutdown that was asked for.
    pub fn shutdown(&self) -> Shutdown {
        *self.shutdown.borrow()
    }

    /// Asks for a shutdown; a weaker wish than the one that stands changes nothing. True where it changed something.
    pub fn shut_down(&self, how: Shutdown, who: &str) -> bool {
        let stronger = self.shutdown.send_if_modified(|now| {
            let stronger = how > *now;
            *now = how.max(*now);
            stronger
        });
        if stronger {
            tracing::warn!(who, how = ?how, "audit: shutdown asked for");
        }
        stronger
    }

    /// Tells of every shutdown wish, the one that stands included.
    pub fn shutdowns(&self) -> watch::Receiver<Shutdown> {
        self.shutdown.subscribe()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shutdown_only_gets_stronger() {
        let control = Control::default();
        assert_eq!(control.readiness(), Readiness::Starting);
        control.started();
        assert_eq!(control.readiness(), Readiness::Ready);
        assert!(control.shut_down(Shutdown::Clients, "sre"));
        assert_eq!(control.readiness(), Readiness::Draining);
        assert!(control.shut_down(Shutdown::Drain, "sre"));
        assert!(!control.shut_down(Shutdown::Clients, "sre"));
        assert_eq!(control.shutdown(), Shutdown::Drain);
        assert!(control.shut_down(Shutdown::Now, "sre"));
        assert!(!control.shut_down(Shutdown::Drain, "sre"));
        assert_eq!(*control.shutdowns().borrow(), Shutdown::Now);
    }
}

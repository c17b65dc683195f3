//! What an operator changed at run time: pause, drain, shutdown. Pure state with expiry; each change leaves an audit line.
//!
//! `console` writes, the data path reads. Nothing here reaches into a session: `app` runs [`Control::watch_pauses`] and
//! wakes sessions through the roster when a pause ends.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::watch;

use crate::clock;
use crate::units::display_duration;

/// How long PAUSE lasts where nobody says: a pause that is forgotten is an outage.
pub const PAUSE_DEFAULT: Duration = Duration::from_secs(600);
/// The longest pause that is accepted.
pub const PAUSE_MAX: Duration = Duration::from_secs(24 * 3600);

/// A shutdown as far as it was asked for; it only ever gets stronger.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Shutdown {
    /// Nobody asked.
    #[default]
    No,
    /// Let sessions end at their next quiet moment, up to the drain's deadline.
    Drain,
    /// End at once.
    Now,
}

/// A pause that holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pause {
    /// Who asked for it.
    pub who: String,
    /// `clock::uptime_ms` at which it ends by itself.
    pub until_ms: u64,
}

/// Whether a load balancer should send clients here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Readiness {
    /// Listeners are not open yet.
    Starting,
    /// Clients are served.
    Ready,
    /// Sessions are asked to end.
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

/// The state that operators change.
#[derive(Debug)]
pub struct Control {
    /// 0 while not paused, else the moment at which the pause ends. Mirrors `pause`, for one cheap load.
    paused_until_ms: AtomicU64,
    pause: Mutex<Option<Pause>>,
    /// Counts changes of the pause.
    pauses: watch::Sender<u64>,
    started: AtomicBool,
    shutdown: watch::Sender<Shutdown>,
}

impl Default for Control {
    fn default() -> Self {
        Self {
            paused_until_ms: AtomicU64::new(0),
            pause: Mutex::new(None),
            pauses: watch::Sender::new(0),
            started: AtomicBool::new(false),
            shutdown: watch::Sender::new(Shutdown::No),
        }
    }
}

// === pause ===

impl Control {
    /// Holds sessions back at their next quiet moment, for this long at the most ([`PAUSE_MAX`] bounds it). A second pause
    /// replaces the first. Returns how long it will last.
    pub fn pause(&self, time: Duration, who: &str) -> Duration {
        let time = time.clamp(Duration::from_millis(1), PAUSE_MAX);
        let until_ms = clock::uptime_ms().saturating_add(millis(time)).max(1);
        self.set_pause(Some(Pause { who: who.to_owned(), until_ms }));
        tracing::warn!(who, time = %display_duration(time), "audit: paused");
        time
    }

    /// Ends a pause. False where there was none.
    pub fn resume(&self, who: &str) -> bool {
        let was_paused = self.set_pause(None);
        if was_paused {
            tracing::warn!(who, "audit: resumed");
        }
        was_paused
    }

    /// Whether sessions are to wait. One relaxed load while nothing is paused; a pause that is over no longer holds, even
    /// before anybody has noticed.
    pub fn paused(&self) -> bool {
        let until_ms = self.paused_until_ms.load(Ordering::Relaxed);
        until_ms != 0 && clock::uptime_ms() < until_ms
    }

    /// The pause that holds, for people.
    pub fn pause_now(&self) -> Option<Pause> {
        self.lock().clone().filter(|pause| clock::uptime_ms() < pause.until_ms)
    }

    /// Waits until nothing is paused. Cancel-safe.
    pub async fn resumed(&self) {
        let mut changes = self.pauses.subscribe();
        while let Some(pause) = self.pause_now() {
            let left = Duration::from_millis(pause.until_ms.saturating_sub(clock::uptime_ms()));
            tokio::select! {
                _ = changes.changed() => {}
                () = tokio::time::sleep(left) => {}
            }
        }
    }

    /// Calls `on_resume` each time a pause ends, by an operator or by its expiry. Never returns; run it as a task.
    pub async fn watch_pauses(&self, on_resume: impl Fn()) {
        let mut changes = self.pauses.subscribe();
        loop {
            // Seen before the state is read: a change in between is met in the next round.
            changes.borrow_and_update();
            let pause = self.lock().clone();
            match pause {
                None => {
                    on_resume();
                    if changes.changed().await.is_err() {
                        return;
                    }
                }
                Some(pause) => {
                    let left = Duration::from_millis(pause.until_ms.saturating_sub(clock::uptime_ms()));
                    tokio::select! {
                        _ = changes.changed() => {}
                        () = tokio::time::sleep(left) => self.expire(&pause),
                    }
                }
            }
        }
    }

    fn expire(&self, pause: &Pause) {
        if clock::uptime_ms() < pause.until_ms || self.lock().as_ref() != Some(pause) {
            return;
        }
        self.set_pause(None);
        tracing::warn!(who = pause.who, "audit: pause expired");
    }

    /// True where one held before.
    fn set_pause(&self, pause: Option<Pause>) -> bool {
        let mut held = self.lock();
        self.paused_until_ms.store(pause.as_ref().map_or(0, |pause| pause.until_ms), Ordering::Relaxed);
        let before = std::mem::replace(&mut *held, pause);
        drop(held);
        self.pauses.send_modify(|changes| *changes = changes.wrapping_add(1));
        before.is_some()
    }

    fn lock(&self) -> MutexGuard<'_, Option<Pause>> {
        self.pause.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

// === life ===

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

    /// Whether sessions are asked to end.
    pub fn draining(&self) -> bool {
        *self.shutdown.borrow() != Shutdown::No
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

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::AtomicUsize;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_pause_holds_until_resumed() {
        let control = Control::default();
        assert!(!control.paused());
        control.pause(PAUSE_DEFAULT, "sre");
        assert!(control.paused());
        assert_eq!(control.pause_now().unwrap().who, "sre");
        assert!(control.resume("sre"));
        assert!(!control.paused());
        assert!(!control.resume("sre"));
        assert_eq!(control.pause_now(), None);
    }

    #[tokio::test(start_paused = true)]
    async fn a_pause_ends_by_itself() {
        let control = Control::default();
        control.pause(Duration::from_secs(30), "sre");
        tokio::time::advance(Duration::from_millis(29_990)).await;
        assert!(control.paused());
        tokio::time::advance(Duration::from_millis(20)).await;
        assert!(!control.paused());
        assert_eq!(control.pause(Duration::from_secs(1 << 40), "sre"), PAUSE_MAX);
    }

    /// Counts how often sessions would be woken; the watcher calls once as it starts.
    fn watched() -> (Arc<Control>, Arc<AtomicUsize>) {
        let (control, woken) = (Arc::new(Control::default()), Arc::new(AtomicUsize::new(0)));
        let (watched, count) = (Arc::clone(&control), Arc::clone(&woken));
        tokio::spawn(async move {
            let count = || {
                count.fetch_add(1, Ordering::Relaxed);
            };
            watched.watch_pauses(count).await;
        });
        (control, woken)
    }

    async fn settle() {
        for _ in 0..10 {
            tokio::task::yield_now().await;
        }
    }

    #[tokio::test(start_paused = true)]
    async fn sessions_are_woken_by_resume_and_by_expiry() {
        let (control, woken) = watched();
        settle().await;
        let start = woken.load(Ordering::Relaxed);
        control.pause(Duration::from_secs(30), "sre");
        settle().await;
        assert_eq!(woken.load(Ordering::Relaxed), start);
        control.resume("sre");
        settle().await;
        assert_eq!(woken.load(Ordering::Relaxed), start + 1);
        control.pause(Duration::from_secs(30), "sre");
        tokio::time::sleep(Duration::from_secs(31)).await;
        assert_eq!(woken.load(Ordering::Relaxed), start + 2);
        assert_eq!(control.pause_now(), None);
    }

    #[tokio::test(start_paused = true)]
    async fn a_longer_pause_replaces_the_first() {
        let (control, woken) = watched();
        settle().await;
        let start = woken.load(Ordering::Relaxed);
        control.pause(Duration::from_secs(30), "a");
        settle().await;
        control.pause(Duration::from_secs(60), "b");
        tokio::time::sleep(Duration::from_secs(45)).await;
        assert!(control.paused());
        assert_eq!(woken.load(Ordering::Relaxed), start);
        tokio::time::sleep(Duration::from_secs(16)).await;
        assert_eq!(woken.load(Ordering::Relaxed), start + 1);
    }

    #[test]
    fn shutdown_only_gets_stronger() {
        let control = Control::default();
        assert_eq!(control.readiness(), Readiness::Starting);
        control.started();
        assert_eq!(control.readiness(), Readiness::Ready);
        assert!(control.shut_down(Shutdown::Drain, "sre"));
        assert_eq!(control.readiness(), Readiness::Draining);
        assert!(control.shut_down(Shutdown::Now, "sre"));
        assert!(!control.shut_down(Shutdown::Drain, "sre"));
        assert_eq!(*control.shutdowns().borrow(), Shutdown::Now);
    }
}

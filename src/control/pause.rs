//! Pauses: whose sessions are held back, and until when.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;
use std::sync::{MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::sleep;

use super::Control;
use crate::clock;
use crate::units::display_duration;

/// How long PAUSE lasts where nobody says: a pause that is forgotten is an outage.
pub const PAUSE_DEFAULT: Duration = Duration::from_secs(600);
/// The longest pause that is accepted.
pub const PAUSE_MAX: Duration = Duration::from_secs(24 * 3600);

/// A pause that holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pause {
    /// Who asked for it.
    pub who: String,
    /// `clock::uptime_ms` at which it ends by itself.
    pub until_ms: u64,
}

/// Pauses by the database that they hold; `None`: all of them.
pub type Pauses = BTreeMap<Option<String>, Pause>;

impl Control {
    /// Holds sessions of a database back, or of all, for this long at the most ([`PAUSE_MAX`] bounds it). A second pause of the same
    /// replaces the first. Returns how long it will last.
    pub fn pause(&self, database: Option<&str>, time: Duration, who: &str) -> Duration {
        let time = time.clamp(Duration::from_millis(1), PAUSE_MAX);
        let until_ms = clock::uptime_ms().saturating_add(millis(time)).max(1);
        let pause = Pause { who: who.to_owned(), until_ms };
        self.change(|pauses| pauses.insert(database.map(str::to_owned), pause).is_some());
        tracing::warn!(who, database, time = %display_duration(time), "audit: paused");
        time
    }

    /// Ends the pause of a database, or the one of all; others hold on. False where there was none.
    pub fn resume(&self, database: Option<&str>, who: &str) -> bool {
        let now_ms = clock::uptime_ms();
        let before = self.change(|pauses| pauses.remove(&database.map(str::to_owned)));
        let was_paused = before.is_some_and(|pause| now_ms < pause.until_ms);
        if was_paused {
            tracing::warn!(who, database, "audit: resumed");
        }
        was_paused
    }

    /// Whether sessions of a database are to wait. One relaxed load while nothing is paused; a pause that is over no longer holds,
    /// even before anybody has noticed.
    pub fn paused(&self, database: &str) -> bool {
        let until_ms = self.paused_until_ms.load(Ordering::Relaxed);
        until_ms != 0 && clock::uptime_ms() < until_ms && self.pause_of(database).is_some()
    }

    /// The pauses that hold.
    pub fn pauses(&self) -> Pauses {
        let now_ms = clock::uptime_ms();
        let pauses = self.lock();
        let held = pauses.iter().filter(|(_, pause)| now_ms < pause.until_ms);
        held.map(|(database, pause)| (database.clone(), pause.clone())).collect()
    }

    /// The pause that holds a database: of those that do, the one that lasts longest.
    fn pause_of(&self, database: &str) -> Option<Pause> {
        let now_ms = clock::uptime_ms();
        let pauses = self.lock();
        let holds = |held: &Option<String>| held.as_ref().is_none_or(|held| held == database);
        let held = pauses.iter().filter(|(held, pause)| holds(held) && now_ms < pause.until_ms);
        held.map(|(_, pause)| pause).max_by_key(|pause| pause.until_ms).cloned()
    }

    /// Waits until a database is not paused. Cancel-safe.
    pub async fn resumed(&self, database: &str) {
        let mut changes = self.changes.subscribe();
        while let Some(pause) = self.pause_of(database) {
            tokio::select! {
                _ = changes.changed() => {}
                () = sleep(left(pause.until_ms)) => {}
            }
        }
    }

    /// Calls `on_change` each time a pause begins or ends, by an operator or by its expiry, and once at first. Never returns; run it as
    /// a task.
    pub async fn watch_pauses(&self, on_change: impl Fn()) {
        let mut changes = self.changes.subscribe();
        loop {
            // Seen before the state is read: a change in between is met in the next round.
            changes.borrow_and_update();
            on_change();
            let first = self.lock().values().map(|pause| pause.until_ms).min();
            let expiry = async {
                match first {
                    Some(until_ms) => sleep(left(until_ms)).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                changed = changes.changed() => if changed.is_err() {
                    return;
                },
                () = expiry => self.expire(),
            }
        }
    }

    fn expire(&self) {
        let now_ms = clock::uptime_ms();
        let over: Pauses = self.change(|pauses| {
            let all = std::mem::take(pauses);
            let (over, left) = all.into_iter().partition(|(_, pause)| now_ms >= pause.until_ms);
            *pauses = left;
            over
        });
        for (database, pause) in over {
            tracing::warn!(who = pause.who, database, "audit: pause expired");
        }
    }

    fn change<T>(&self, change: impl FnOnce(&mut Pauses) -> T) -> T {
        let mut pauses = self.lock();
        let changed = change(&mut pauses);
        let until_ms = pauses.values().map(|pause| pause.until_ms).max().unwrap_or(0);
        self.paused_until_ms.store(until_ms, Ordering::Relaxed);
        drop(pauses);
        self.changes.send_modify(|changes| *changes = changes.wrapping_add(1));
        changed
    }

    fn lock(&self) -> MutexGuard<'_, Pauses> {
        self.pauses.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn left(until_ms: u64) -> Duration {
    Duration::from_millis(until_ms.saturating_sub(clock::uptime_ms()))
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
        assert!(!control.paused("shop"));
        control.pause(None, PAUSE_DEFAULT, "sre");
        assert!(control.paused("shop"));
        assert_eq!(control.pauses()[&None].who, "sre");
        assert!(control.resume(None, "sre"));
        assert!(!control.paused("shop"));
        assert!(!control.resume(None, "sre"));
        assert!(control.pauses().is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn a_pause_ends_by_itself() {
        let control = Control::default();
        control.pause(None, Duration::from_secs(30), "sre");
        tokio::time::advance(Duration::from_millis(29_990)).await;
        assert!(control.paused("shop"));
        tokio::time::advance(Duration::from_millis(20)).await;
        assert!(!control.paused("shop"));
        assert_eq!(control.pause(None, Duration::from_secs(1 << 40), "sre"), PAUSE_MAX);
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
        control.pause(None, Duration::from_secs(30), "sre");
        settle().await;
        assert_eq!(woken.load(Ordering::Relaxed), start + 1);
        control.resume(None, "sre");
        settle().await;
        assert_eq!(woken.load(Ordering::Relaxed), start + 2);
        control.pause(None, Duration::from_secs(30), "sre");
        sleep(Duration::from_secs(31)).await;
        assert_eq!(woken.load(Ordering::Relaxed), start + 4);
        assert!(control.pauses().is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn a_longer_pause_replaces_the_first() {
        let (control, woken) = watched();
        settle().await;
        let start = woken.load(Ordering::Relaxed);
        control.pause(None, Duration::from_secs(30), "a");
        settle().await;
        control.pause(None, Duration::from_secs(60), "b");
        sleep(Duration::from_secs(45)).await;
        assert!(control.paused("shop"));
        assert_eq!(woken.load(Ordering::Relaxed), start + 2);
        sleep(Duration::from_secs(16)).await;
        assert_eq!(woken.load(Ordering::Relaxed), start + 3);
    }

    #[tokio::test(start_paused = true)]
    async fn the_pause_of_a_database_is_no_others() {
        let control = Control::default();
        control.pause(Some("shop"), Duration::from_secs(30), "a");
        assert!(control.paused("shop") && !control.paused("bank"));
        assert!(!control.resume(None, "b") && control.paused("shop"));
        control.pause(None, Duration::from_secs(10), "b");
        assert!(control.paused("bank"));
        control.resumed("bank").await;
        assert!(control.paused("shop") && !control.paused("bank"));
        control.pause(None, Duration::from_secs(300), "b");
        assert!(control.resume(Some("shop"), "a") && control.paused("shop"), "all are paused");
        assert!(control.resume(None, "b") && !control.paused("shop"));
    }
}

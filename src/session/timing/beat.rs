//! A pulse for whoever looks at something now and then.
//!
//! A timer in a worker's own runtime would make it ask for the time, and look through its timers, at each of its turns. So the main
//! thread beats for all of them, and only as long as somebody listens.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::sleep;

use crate::clock::{self, Instant};

/// The time between two beats.
pub const BEAT: Duration = Duration::from_millis(100);

/// The pulse.
#[derive(Debug, Default)]
pub struct Beat {
    beaten: Notify,
    listeners: AtomicUsize,
    /// Somebody has begun to listen.
    wanted: Notify,
}

/// Somebody who listens, until it is dropped.
#[derive(Debug)]
pub struct Listener {
    beat: Arc<Beat>,
}

impl Beat {
    /// A pulse that beats for as long as the runtime of the caller lives, which must be one of `tokio`.
    pub fn start() -> Arc<Self> {
        let beat = Arc::new(Self::default());
        let beats = Arc::clone(&beat);
        tokio::spawn(async move { beats.run().await });
        beat
    }

    /// Beats for ever. Cancel-safe; while nobody runs this, nobody hears anything.
    pub async fn run(&self) {
        loop {
            while self.listeners.load(Ordering::Acquire) == 0 {
                self.wanted.notified().await;
            }
            sleep(BEAT).await;
            self.beaten.notify_waiters();
        }
    }

    /// Returns at the first beat that is not before `until`. Cancel-safe.
    pub async fn reach(self: Arc<Self>, until: Instant) {
        let listener = self.listen();
        while clock::now() < until {
            listener.next().await;
        }
    }

    /// Begins to listen.
    pub fn listen(self: &Arc<Self>) -> Listener {
        self.listeners.fetch_add(1, Ordering::AcqRel);
        self.wanted.notify_one();
        Listener { beat: Arc::clone(self) }
    }
}

impl Listener {
    /// The next beat from now on. Cancel-safe.
    pub async fn next(&self) {
        self.beat.beaten.notified().await;
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.beat.listeners.fetch_sub(1, Ordering::AcqRel);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::time::timeout;

    #[tokio::test(start_paused = true)]
    async fn everybody_who_listens_hears_each_beat() {
        let beat = Beat::start();
        let (a, b) = (beat.listen(), beat.listen());
        let began = Instant::now();
        for _ in 0..3 {
            tokio::join!(a.next(), b.next());
        }
        assert_eq!(began.elapsed(), 3 * BEAT);
        drop((a, b));
        assert_eq!(beat.listeners.load(Ordering::Acquire), 0);
        let late = beat.listen();
        assert!(timeout(3 * BEAT, late.next()).await.is_ok(), "it beats again after a pause");
    }

    #[tokio::test(start_paused = true)]
    async fn a_time_is_reached_within_a_beat_and_whoever_stops_waiting_listens_no_more() {
        let beat = Beat::start();
        let began = Instant::now();
        let until = began + 5 * BEAT / 2;
        assert!(timeout(BEAT, Arc::clone(&beat).reach(until)).await.is_err());
        assert_eq!(beat.listeners.load(Ordering::Acquire), 0);
        Arc::clone(&beat).reach(until).await;
        assert!((5 * BEAT / 2..=4 * BEAT).contains(&began.elapsed()), "{:?}", began.elapsed());
        assert_eq!(beat.listeners.load(Ordering::Acquire), 0);
    }
}

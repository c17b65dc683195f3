//! When servers were ended: who loses its connection then is excused, who loses it in calm weather is not.

use std::sync::Mutex;
use std::time::{Duration, Instant};

/// How long after a storm something may still come of it.
const AFTERMATH: Duration = Duration::from_millis(1_000);

#[derive(Debug, Default)]
pub(crate) struct Weather(Mutex<Sky>);

#[derive(Debug, Default)]
struct Sky {
    storms: usize,
    cleared: Option<Instant>,
    latest: Duration,
}

/// A storm lasts until this is dropped.
#[derive(Debug)]
pub(crate) struct Storm<'a>(&'a Weather);

impl Weather {
    pub(crate) fn storm(&self) -> Storm<'_> {
        self.0.lock().unwrap().storms += 1;
        Storm(self)
    }

    /// Is no storm left, and has none been for so long?
    pub(crate) fn was_calm_for(&self, time: Duration) -> bool {
        let sky = self.0.lock().unwrap();
        sky.storms == 0 && sky.cleared.is_none_or(|cleared| cleared.elapsed() >= time)
    }

    /// Was there a storm at any moment since then, or little before?
    pub(crate) fn was_rough_since(&self, then: Instant) -> bool {
        let mut sky = self.0.lock().unwrap();
        if sky.storms > 0 {
            return true;
        }
        let Some(late) = sky.cleared.map(|cleared| then.saturating_duration_since(cleared)) else { return false };
        if late > AFTERMATH {
            return false;
        }
        sky.latest = sky.latest.max(late);
        true
    }

    /// The longest time from the end of a storm to the beginning of what failed, and was excused.
    pub(crate) fn latest(&self) -> Duration {
        self.0.lock().unwrap().latest
    }
}

impl Drop for Storm<'_> {
    fn drop(&mut self) {
        let mut sky = self.0.0.lock().unwrap();
        sky.storms -= 1;
        sky.cleared = Some(Instant::now());
    }
}

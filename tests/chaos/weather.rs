//! When servers were ended: who loses its connection then is excused, who loses it in calm weather is not.

use std::sync::Mutex;
use std::time::{Duration, Instant};

/// How long after a storm something may still come of it: all that was ended has ended, and the end is on its way through the strait and the
/// proxy, which a busy machine makes wait. Nothing takes longer by its nature: a pool that could not make a server pauses, up to two seconds,
/// but whoever comes meanwhile waits for it and is not refused.
const AFTERMATH: Duration = Duration::from_millis(1_000);

#[derive(Debug, Default)]
pub(crate) struct Weather(Mutex<Sky>);

#[derive(Debug, Default)]
struct Sky {
    storms: usize,
    cleared: Option<Instant>,
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

    /// How long it had been calm at that moment, where something may still come of the storm before; nothing at all where there was one
    /// since. `None`: whoever has trouble since then has no excuse.
    pub(crate) fn calm_before(&self, then: Instant) -> Option<Duration> {
        let sky = self.0.lock().unwrap();
        if sky.storms > 0 {
            return Some(Duration::ZERO);
        }
        let calm = then.saturating_duration_since(sky.cleared?);
        (calm <= AFTERMATH).then_some(calm)
    }
}

impl Drop for Storm<'_> {
    fn drop(&mut self) {
        let mut sky = self.0.0.lock().unwrap();
        sky.storms -= 1;
        sky.cleared = Some(Instant::now());
    }
}

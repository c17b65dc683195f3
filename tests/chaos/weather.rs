//! When servers were ended: who loses its connection then is excused, who loses it in calm weather is not.

use std::sync::Mutex;
use std::time::{Duration, Instant};

/// How long after a storm something may still come of it.
const AFTERMATH: Duration = Duration::from_millis(3_500);

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

    /// Was there a storm at any moment since then?
    pub(crate) fn was_rough_since(&self, then: Instant) -> bool {
        let sky = self.0.lock().unwrap();
        sky.storms > 0 || sky.cleared.is_some_and(|cleared| cleared + AFTERMATH >= then)
    }
}

impl Drop for Storm<'_> {
    fn drop(&mut self) {
        let mut sky = self.0.0.lock().unwrap();
        sky.storms -= 1;
        sky.cleared = Some(Instant::now());
    }
}

//! The surge signal of one client: pure arithmetic over its number of connections, time given.
//!
//! Two moving averages (5 s and 5 min), the growth over the last 10 s with the time to full that follows from it, the step
//! between the averages, and a CUSUM for growth too slow for a step.

use std::time::Duration;

/// What the growth of a client amounts to, from harmless to grave.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum SurgeState {
    /// Nothing to see.
    #[default]
    Calm,
    /// It has been growing, slowly, for minutes.
    Creep,
    /// It is well above its own five minutes.
    Step,
    /// It is above 80 % of its limit, or will be full within a minute at this growth.
    Filling,
    /// It is at its limit.
    Full,
}

impl SurgeState {
    /// The word that log, metrics and console use.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Calm => "calm",
            Self::Creep => "creep",
            Self::Step => "step",
            Self::Filling => "filling",
            Self::Full => "full",
        }
    }
}

/// One look at a client.
#[derive(Debug, Clone, Copy)]
pub(super) struct Look {
    /// Time since any fixed moment, the same for all looks.
    pub(super) at: Duration,
    /// Connections now.
    pub(super) connections: usize,
    /// What it may hold.
    pub(super) limit: Option<usize>,
}

/// The memory of the signal: a few numbers.
#[derive(Debug, Default)]
pub(super) struct Surge {
    last: Option<Duration>,
    began: Duration,
    fast: f64,
    slow: f64,
    /// Mean square distance from `slow`, over the same 5 minutes.
    variance: f64,
    /// The CUSUM, its unit being one connection times one step of [`CUSUM_STEP`].
    cusum: f64,
    cusum_at: Duration,
    /// Connections at each of the last seconds, a ring.
    seconds: [u32; RING],
    second: u64,
    per_second: f64,
    to_full: Option<f64>,
    state: SurgeState,
}

impl Surge {
    /// Takes one look; says which state it is now, and which it was.
    pub(super) fn observe(&mut self, look: Look) -> (SurgeState, SurgeState) {
        let x = count(look.connections);
        let passed = self.last.map_or(Duration::ZERO, |last| look.at.saturating_sub(last)).as_secs_f64();
        if self.last.is_none() {
            self.start(look);
        }
        self.last = Some(look.at);
        self.average(x, passed, self.age(look));
        self.grow(look);
        self.sum(look);
        let before = self.state;
        self.state = self.judge(look);
        (self.state, before)
    }

    /// True where nobody is connected and nothing is left in the averages: such a client needs no look.
    pub(super) fn is_settled(&self) -> bool {
        self.state == SurgeState::Calm && self.fast < 0.01 && self.slow < 0.01 && self.per_second.abs() < 0.01
    }

    pub(super) fn state(&self) -> SurgeState {
        self.state
    }

    pub(super) fn fast(&self) -> f64 {
        self.fast
    }

    pub(super) fn slow(&self) -> f64 {
        self.slow
    }

    /// Connections a second over the last ten.
    pub(super) fn per_second(&self) -> f64 {
        self.per_second
    }

    /// Seconds to the limit at the growth of the last ten; `None` where it doesn't grow.
    pub(super) fn seconds_to_full(&self) -> Option<f64> {
        self.to_full
    }

    /// A client that was not there before began at zero, so its first connections count as growth.
    fn start(&mut self, look: Look) {
        self.began = look.at;
        self.second = look.at.as_secs();
        self.cusum_at = look.at;
    }

    fn age(&self, look: Look) -> f64 {
        look.at.saturating_sub(self.began).as_secs_f64()
    }

    /// A young client has no five minutes yet: its slow average is over what there is, and at least over [`YOUNG`].
    fn average(&mut self, x: f64, passed: f64, age: f64) {
        let slow = age.clamp(YOUNG, SLOW);
        let share = |tau: f64| 1.0 - (-passed / tau).exp();
        self.fast += share(FAST) * (x - self.fast);
        let distance = self.fast - self.slow;
        self.slow += share(slow) * (x - self.slow);
        self.variance += share(slow) * (distance * distance - self.variance);
    }

    fn grow(&mut self, look: Look) {
        let x = u32::try_from(look.connections).unwrap_or(u32::MAX);
        let second = look.at.as_secs();
        let skipped = second.saturating_sub(self.second).min(RING as u64);
        let before = self.seconds[slot(self.second)];
        for n in 1..=skipped {
            self.seconds[slot(second - skipped + n)] = if n == skipped { x } else { before };
        }
        if skipped == 0 {
            self.seconds[slot(second)] = x;
        }
        self.second = second;
        // The slot after the current one is the oldest.
        let oldest = self.seconds[slot(second + 1)];
        self.per_second = (f64::from(x) - f64::from(oldest)) / (RING - 1) as f64;
        let room = look.limit.map(|limit| (count(limit) - f64::from(x)).max(0.0));
        self.to_full = room.filter(|_| self.per_second > 0.0).map(|room| room / self.per_second);
    }

    fn sum(&mut self, look: Look) {
        if self.age(look) <= SLOW {
            self.cusum_at = look.at;
            return;
        }
        let steps = look.at.saturating_sub(self.cusum_at).as_secs_f64() / CUSUM_STEP;
        self.cusum_at = look.at;
        let sigma = self.sigma(look.limit);
        let above = self.fast - self.slow - CUSUM_SLACK * sigma;
        // Bounded, so that it clears within minutes once the growth is over.
        self.cusum = (self.cusum + steps * above).clamp(0.0, 2.0 * CUSUM_LIMIT * sigma);
    }

    fn sigma(&self, limit: Option<usize>) -> f64 {
        let least = limit.map_or(1.0, |limit| 0.03 * count(limit)).max(1.0);
        self.variance.sqrt().max(least)
    }

    fn judge(&self, look: Look) -> SurgeState {
        let x = count(look.connections);
        let was = self.state;
        let step = look.limit.map_or(0.5 * self.slow, |limit| 0.2 * count(limit)).max(10.0);
        let above = self.fast - self.slow;
        let grown = self.per_second * (RING - 1) as f64;
        let soon = grown > step && self.to_full.is_some_and(|seconds| seconds < SOON);
        // A state is left a little below where it is entered, so that it doesn't flicker.
        let held = |state: SurgeState, enter: f64, leave: f64| if was == state { leave } else { enter };
        let level = look.limit.map(|limit| x / count(limit.max(1)));
        if look.limit.is_some_and(|limit| look.connections >= limit) {
            SurgeState::Full
        } else if soon || level.is_some_and(|level| level > held(SurgeState::Filling, 0.8, 0.75)) {
            SurgeState::Filling
        } else if above > step * held(SurgeState::Step, 1.0, 0.8) {
            SurgeState::Step
        } else if self.age(look) > SLOW
            && self.cusum > CUSUM_LIMIT * self.sigma(look.limit) * held(SurgeState::Creep, 1.0, 0.5)
            && above > step * held(SurgeState::Creep, 0.25, 0.15)
        {
            SurgeState::Creep
        } else {
            SurgeState::Calm
        }
    }
}

fn slot(second: u64) -> usize {
    (second % RING as u64) as usize
}

#[expect(clippy::as_conversions, reason = "counts are far below the 2^53 that a double holds exactly")]
fn count(n: usize) -> f64 {
    n as f64
}

/// Time constants of the averages, in seconds.
const FAST: f64 = 5.0;
const SLOW: f64 = 300.0;
const YOUNG: f64 = 30.0;
/// Now and the ten seconds before.
const RING: usize = 11;
/// Full within this many seconds is soon.
const SOON: f64 = 60.0;
/// CUSUM: one step in seconds, the slack k and the limit h, both in standard deviations.
const CUSUM_STEP: f64 = 5.0;
const CUSUM_SLACK: f64 = 0.5;
const CUSUM_LIMIT: f64 = 5.0;

#[cfg(test)]
#[path = "surge_tests.rs"]
mod tests;

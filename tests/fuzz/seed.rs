//! Seeds, and the loop that tries them.

use std::hash::{BuildHasher, RandomState};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::time::Duration;

use floodwall::clock;

/// Random numbers that depend on the seed alone (SplitMix64).
#[derive(Debug, Clone)]
pub(crate) struct Dice(pub(crate) u64);

impl Dice {
    pub(crate) fn number(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// Below `limit`.
    pub(crate) fn below(&mut self, limit: usize) -> usize {
        (self.number() % limit.max(1) as u64) as usize
    }

    /// True once in so many times.
    pub(crate) fn once_in(&mut self, times: usize) -> bool {
        self.below(times) == 0
    }

    pub(crate) fn one<'a, T>(&mut self, of: &'a [T]) -> &'a T {
        &of[self.below(of.len())]
    }

    pub(crate) fn bytes(&mut self, most: usize) -> Vec<u8> {
        (0..self.below(most + 1)).map(|_| self.number() as u8).collect()
    }

    /// Small numbers often, large ones seldom.
    pub(crate) fn size(&mut self, most: usize) -> usize {
        let most = if self.once_in(20) { most } else { most.min(64) };
        self.below(most + 1)
    }

    /// Changes, drops or doubles a few bytes.
    pub(crate) fn spoil(&mut self, bytes: &mut Vec<u8>) {
        for _ in 0..self.below(4) {
            let at = self.below(bytes.len());
            match self.below(3) {
                0 if !bytes.is_empty() => bytes[at] = self.number() as u8,
                1 if !bytes.is_empty() => drop(bytes.remove(at)),
                _ => bytes.insert(at, self.number() as u8),
            }
        }
    }
}

/// Which seeds are tried.
enum Seeds {
    /// One that is to be played again.
    Only(u64),
    /// This one and those after it.
    From(u64),
}

impl Seeds {
    /// What `FLOODWALL_FUZZ_SEED` asks for: `random` for new ones, a number for that one, by default the same in each run.
    fn wanted(name: &str) -> Self {
        match std::env::var("FLOODWALL_FUZZ_SEED").as_deref() {
            Ok("random") => Self::From(RandomState::new().hash_one(name)),
            _ => number("FLOODWALL_FUZZ_SEED").map_or(Self::From(1), Self::Only),
        }
    }
}

/// For how long each target is tried.
pub(crate) fn seconds() -> u64 {
    number("FLOODWALL_FUZZ_SECONDS").unwrap_or(1)
}

/// Tries seed after seed until the time is over, or the one that is to be played again.
pub(crate) fn fuzz(name: &str, target: impl Fn(&mut Dice)) {
    let first = match Seeds::wanted(name) {
        Seeds::Only(seed) => return target(&mut Dice(seed)),
        Seeds::From(first) => first,
    };
    let end = clock::now() + Duration::from_secs(seconds());
    let mut tried = 0;
    while clock::now() < end {
        let seed = first.wrapping_add(tried);
        if let Err(panic) = catch_unwind(AssertUnwindSafe(|| target(&mut Dice(seed)))) {
            eprintln!("to play it again: FLOODWALL_FUZZ_SEED={seed} cargo test --test fuzz {name}");
            resume_unwind(panic);
        }
        tried += 1;
    }
    println!("{name}: {tried} seeds from {first}");
}

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|value| value.parse().unwrap_or_else(|_| panic!("{name} is no number: {value}")))
}

//! What a wrong login costs: time, of whoever made it.
//!
//! The answer to a wrong login waits, longer with each of its address. Who waits holds a place of its address and none that others
//! need. How many wait is bounded, since sockets are what a flood is after: beyond that the answer comes at once, and nobody else from
//! there is heard as that user until its time is up. So who guesses gains nothing by making others wait. PostgreSQL's `auth_delay` keeps a
//! connection for each instead.

use std::collections::HashMap;
use std::hash::{BuildHasher as _, RandomState};
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio::time::sleep;

use crate::clock::{self, Instant};

/// Answers that wait at the same time.
const WAITING_MAX: usize = 256;
/// Addresses that are remembered.
const ADDRESSES_MAX: usize = 4096;
/// Users of addresses that are not heard for a while.
const BARRED_MAX: usize = 4096;
/// The wait after the first wrong login, and the longest.
const FIRST: Duration = Duration::from_millis(500);
const LONGEST: Duration = Duration::from_secs(4);
/// After so long without another, an address begins anew.
const FORGOTTEN: Duration = Duration::from_secs(60);

/// Wrong logins by address.
#[derive(Debug)]
pub(super) struct Penalties {
    places: Semaphore,
    addresses: Mutex<HashMap<IpAddr, Wrong>>,
    /// Until when nobody is heard as a user from an address, by the hash of both.
    barred: Mutex<HashMap<u64, Instant>>,
    hasher: RandomState,
}

#[derive(Debug, Clone, Copy)]
struct Wrong {
    count: u32,
    last: Instant,
}

impl Penalties {
    pub(super) fn new() -> Self {
        let (places, hasher) = (Semaphore::new(WAITING_MAX), RandomState::new());
        Self { places, addresses: Mutex::default(), barred: Mutex::default(), hasher }
    }

    /// Notes a wrong login and waits. Cancel-safe: it stays noted.
    pub(super) async fn serve(&self, address: IpAddr, user: &str) {
        let wait = jittered(self.note(address));
        match self.places.try_acquire() {
            Ok(place) => {
                sleep(wait).await;
                drop(place);
            }
            Err(_) => self.bar(address, user, wait),
        }
    }

    /// How long nobody is heard as this user from there, where that is so.
    pub(super) fn bars(&self, address: IpAddr, user: &str) -> Option<Duration> {
        let barred = self.barred.lock().unwrap_or_else(PoisonError::into_inner);
        // Nearly always nobody is.
        if barred.is_empty() {
            return None;
        }
        let until = barred.get(&self.key(address, user))?;
        until.checked_duration_since(clock::now()).filter(|left| !left.is_zero())
    }

    fn bar(&self, address: IpAddr, user: &str, wait: Duration) {
        let now = clock::now();
        let mut barred = self.barred.lock().unwrap_or_else(PoisonError::into_inner);
        if barred.len() >= BARRED_MAX {
            barred.retain(|_, until| *until > now);
        }
        // So many at once are one attack from many sides, which no memory of ours would end.
        if barred.len() < BARRED_MAX {
            barred.insert(self.key(address, user), now + wait);
        }
    }

    fn key(&self, address: IpAddr, user: &str) -> u64 {
        self.hasher.hash_one((network(address), user))
    }

    fn note(&self, address: IpAddr) -> Duration {
        let now = clock::now();
        let mut addresses = self.addresses.lock().unwrap_or_else(PoisonError::into_inner);
        let recent = |wrong: &Wrong| now.saturating_duration_since(wrong.last) < FORGOTTEN;
        let key = network(address);
        if addresses.len() >= ADDRESSES_MAX && !addresses.contains_key(&key) {
            addresses.retain(|_, wrong| recent(wrong));
            // All of them are recent: so many addresses are one attack, and each pays the most.
            if addresses.len() >= ADDRESSES_MAX {
                return LONGEST;
            }
        }
        let wrong = addresses.entry(key).or_insert(Wrong { count: 0, last: now });
        let before = if recent(wrong) { wrong.count } else { 0 };
        *wrong = Wrong { count: before.saturating_add(1), last: now };
        FIRST.saturating_mul(1 << before.min(4)).min(LONGEST)
    }
}

/// An IPv6 host has all addresses of its /64.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) => Ipv6Addr::from_bits(v6.to_bits() & !u128::from(u64::MAX)).into(),
        v4 => v4,
    }
}

/// Up to a quarter more, so that the time tells nothing and answers do not come in step.
fn jittered(wait: Duration) -> Duration {
    let mut byte = [0];
    // Without random numbers the wait is the same each time.
    getrandom::fill(&mut byte).unwrap_or_default();
    let [byte] = byte;
    wait.saturating_add(wait.saturating_mul(u32::from(byte)) / 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(number: u32) -> IpAddr {
        std::net::Ipv4Addr::from(number).into()
    }

    #[tokio::test(start_paused = true)]
    async fn each_wrong_login_of_an_address_waits_longer_and_patience_comes_back() {
        let penalties = Penalties::new();
        let waits: Vec<u128> = (0..6).map(|_| penalties.note(address(1)).as_millis()).collect();
        assert_eq!(waits, [500, 1000, 2000, 4000, 4000, 4000]);
        assert_eq!(penalties.note(address(2)).as_millis(), 500);
        tokio::time::advance(FORGOTTEN).await;
        assert_eq!(penalties.note(address(1)).as_millis(), 500);
        let v6 = |text: &str| penalties.note(text.parse().unwrap()).as_millis();
        assert_eq!((v6("2001:db8::1"), v6("2001:db8::2"), v6("2001:db8:1::1")), (500, 1000, 500));
    }

    #[tokio::test(start_paused = true)]
    async fn only_so_many_wait_and_the_others_are_answered_at_once_and_then_not_heard() {
        let penalties = Penalties::new();
        let mut waiting: Vec<_> = (0..WAITING_MAX).map(|_| Box::pin(penalties.serve(address(1), "app"))).collect();
        for wait in &mut waiting {
            assert!(futures::poll!(wait.as_mut()).is_pending());
        }
        assert_eq!(penalties.bars(address(1), "app"), None, "who waits pays so");
        assert!(futures::poll!(Box::pin(penalties.serve(address(2), "app"))).is_ready());
        let bars = |from, user| penalties.bars(address(from), user).is_some();
        assert!(bars(2, "app") && !bars(2, "other") && !bars(3, "app") && !bars(1, "app"));
        tokio::time::advance(FIRST * 2).await;
        assert!(!bars(2, "app"), "its time is up");
        drop(waiting);
        assert_eq!(penalties.places.available_permits(), WAITING_MAX);
        let before = clock::now();
        penalties.serve(address(3), "app").await;
        assert!((FIRST..FIRST * 2).contains(&(clock::now() - before)));
        assert!(!bars(3, "app"));
    }

    #[tokio::test(start_paused = true)]
    async fn those_who_are_not_heard_are_bounded() {
        let penalties = Penalties::new();
        (0..2 * BARRED_MAX as u32).for_each(|number| penalties.bar(address(number), "app", FIRST));
        assert_eq!(penalties.barred.lock().unwrap().len(), BARRED_MAX);
        tokio::time::advance(FIRST * 2).await;
        penalties.bar(address(1), "app", FIRST);
        assert_eq!(penalties.barred.lock().unwrap().len(), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn addresses_are_bounded() {
        let penalties = Penalties::new();
        for number in 0..10_000 {
            penalties.note(address(number));
        }
        assert_eq!(penalties.addresses.lock().unwrap().len(), ADDRESSES_MAX);
        assert_eq!(penalties.note(address(99_999)), LONGEST);
        tokio::time::advance(FORGOTTEN).await;
        assert_eq!(penalties.note(address(99_999)), FIRST);
    }
}

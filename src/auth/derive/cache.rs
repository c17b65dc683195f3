//! Keys that were made, found again by a fingerprint of what they were made of.

use std::collections::HashMap;

use ring::hmac;

use crate::auth::scram::{ClientKeys, Key32};

/// Keys that are kept: each takes about 150 bytes.
const KEPT_MAX: usize = 8192;

/// What keys were made of, as a hash under a secret of this process: no password is kept.
pub(super) type Fingerprint = [u8; 32];

/// The younger and the older half of what is kept. When the younger one is full, the older one goes: whatever is in use stays.
#[derive(Debug)]
pub(super) struct Cache {
    secret: hmac::Key,
    young: HashMap<Fingerprint, ClientKeys>,
    old: HashMap<Fingerprint, ClientKeys>,
}

impl Cache {
    pub(super) fn new() -> Result<Self, getrandom::Error> {
        let mut secret = [0; 32];
        getrandom::fill(&mut secret)?;
        let secret = hmac::Key::new(hmac::HMAC_SHA256, &secret);
        Ok(Self { secret, young: HashMap::new(), old: HashMap::new() })
    }

    pub(super) fn print(&self, password: &[u8], salt: &[u8], iterations: u32) -> Fingerprint {
        let mut context = hmac::Context::with_key(&self.secret);
        // With its length before it, no salt can pass for the end of a password.
        let length = u64::try_from(password.len()).unwrap_or(u64::MAX);
        context.update(&length.to_be_bytes());
        context.update(password);
        context.update(&iterations.to_be_bytes());
        context.update(salt);
        context.sign().as_ref().try_into().unwrap_or_default()
    }

    pub(super) fn get(&mut self, print: &Fingerprint) -> Option<ClientKeys> {
        if let Some(keys) = self.young.get(print) {
            return Some(keys.clone());
        }
        let keys = self.old.remove(print)?;
        self.put(*print, keys.clone());
        Some(keys)
    }

    pub(super) fn put(&mut self, print: Fingerprint, keys: ClientKeys) {
        if self.young.len() >= KEPT_MAX / 2 {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(print, keys);
    }
}

impl Key32 {
    /// Nothing: for tests of what keeps keys.
    #[cfg(test)]
    pub(super) const ZERO: Self = Self([0; 32]);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_in_use_stays_and_the_rest_is_bounded() {
        let mut cache = Cache::new().unwrap();
        let keys = ClientKeys { client: Key32::ZERO, server: Key32::ZERO };
        let used = cache.print(b"used", b"salt", 1);
        cache.put(used, keys.clone());
        for number in 0..100_000_u32 {
            let print = cache.print(&number.to_be_bytes(), b"salt", 1);
            cache.put(print, keys.clone());
            if number % 1000 == 0 {
                assert!(cache.get(&used).is_some(), "{number}");
            }
        }
        assert!(cache.young.len() + cache.old.len() <= KEPT_MAX);
    }

    #[test]
    fn the_parts_of_a_print_do_not_run_together() {
        let cache = Cache::new().unwrap();
        assert_ne!(cache.print(b"ab", b"c", 1), cache.print(b"a", b"bc", 1));
        assert_ne!(cache.print(b"ab", b"c", 1), cache.print(b"ab", b"c", 2));
        assert_eq!(cache.print(b"ab", b"c", 1), cache.print(b"ab", b"c", 1));
    }
}

//! Which clients an address has proven to be: memory that strangers cannot fill.

use std::collections::HashSet;

use super::address::AddressKey;
use super::identify::RecordKey;

/// Which addresses have proven which client.
///
/// Two generations of at most [`GENERATION`] pairs each: what was not seen for a whole generation is forgotten. Only
/// proof adds a pair, so strangers cannot push anybody out.
#[derive(Debug, Default)]
pub(super) struct Proven {
    young: HashSet<(RecordKey, AddressKey)>,
    old: HashSet<(RecordKey, AddressKey)>,
}

impl Proven {
    pub(super) fn note(&mut self, key: &RecordKey, address: AddressKey) {
        if self.young.len() >= GENERATION {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert((key.clone(), address));
    }

    pub(super) fn knows(&self, key: &RecordKey, address: AddressKey) -> bool {
        let pair = (key.clone(), address);
        self.young.contains(&pair) || self.old.contains(&pair)
    }
}

/// Pairs of one generation: about 1 MiB for both.
const GENERATION: usize = 4096;

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use super::*;

    fn key(text: &str) -> AddressKey {
        AddressKey::new(text.parse().unwrap())
    }

    #[test]
    fn memory_of_proof_is_bounded_and_keeps_the_recent() {
        let mut proven = Proven::default();
        let record = RecordKey::key("a/b");
        for n in 0..(3 * GENERATION as u32) {
            proven.note(&record, AddressKey::new(IpAddr::from(n.to_be_bytes())));
        }
        assert!(proven.young.len() + proven.old.len() <= 2 * GENERATION);
        let last = 3 * GENERATION as u32 - 1;
        assert!(proven.knows(&record, AddressKey::new(IpAddr::from(last.to_be_bytes()))));
        assert!(!proven.knows(&record, key("0.0.0.0")));
        assert!(!proven.knows(&RecordKey::key("a/c"), AddressKey::new(IpAddr::from(last.to_be_bytes()))));
    }
}

//! Addresses as caps count them, and the memory of which address has proven which client.

use std::collections::HashMap;
use std::fmt;
use std::net::{IpAddr, Ipv6Addr};

/// An address as caps count it: IPv4 whole, IPv6 by its /64, since one host is usually given a whole /64.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct AddressKey(IpAddr);

impl AddressKey {
    pub(super) fn new(address: IpAddr) -> Self {
        match address.to_canonical() {
            IpAddr::V6(v6) => Self(IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() & !u128::from(u64::MAX)))),
            v4 @ IpAddr::V4(_) => Self(v4),
        }
    }
}

impl fmt::Display for AddressKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            IpAddr::V4(v4) => write!(f, "{v4}"),
            IpAddr::V6(v6) => write!(f, "{v6}/64"),
        }
    }
}

/// What one address holds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Holding {
    pub(super) lobby: usize,
    pub(super) clients: usize,
    pub(super) logins: usize,
}

/// What each address holds; an address that holds nothing has no entry.
#[derive(Debug, Default)]
pub(super) struct Addresses(HashMap<AddressKey, Holding>);

impl Addresses {
    pub(super) fn holding(&self, address: AddressKey) -> Holding {
        self.0.get(&address).copied().unwrap_or_default()
    }

    pub(super) fn change(&mut self, address: AddressKey, change: impl FnOnce(&mut Holding)) {
        let holding = self.0.entry(address).or_default();
        change(holding);
        if *holding == Holding::default() {
            self.0.remove(&address);
        }
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// The address that holds most of something, for the operator's table. Nobody is the fullest where nobody holds any.
    pub(super) fn fullest(&self, of: fn(&Holding) -> usize) -> Option<(AddressKey, usize)> {
        let held = self.0.iter().map(|(key, holding)| (*key, of(holding)));
        held.filter(|(_, count)| *count > 0).max_by_key(|(_, count)| *count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(text: &str) -> AddressKey {
        AddressKey::new(text.parse().unwrap())
    }

    #[test]
    fn ipv6_is_grouped_by_64_bits_and_mapped_ipv4_is_ipv4() {
        assert_eq!(key("2001:db8:1:2:3::1"), key("2001:db8:1:2:ffff::9"));
        assert_ne!(key("2001:db8:1:2::1"), key("2001:db8:1:3::1"));
        assert_eq!(key("::ffff:10.1.2.3"), key("10.1.2.3"));
        assert_ne!(key("10.1.2.3"), key("10.1.2.4"));
        assert_eq!(key("2001:db8:1:2:3::1").to_string(), "2001:db8:1:2::/64");
    }

    #[test]
    fn an_address_that_holds_nothing_has_no_entry() {
        let mut addresses = Addresses::default();
        addresses.change(key("10.0.0.1"), |holding| holding.clients += 1);
        assert_eq!((addresses.len(), addresses.holding(key("10.0.0.1")).clients), (1, 1));
        addresses.change(key("10.0.0.1"), |holding| holding.clients -= 1);
        assert_eq!(addresses.len(), 0);
    }
}

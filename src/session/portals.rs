//! What is known of the portals of a session: the plan of the statement that each was made from.

use std::collections::HashMap;
use std::sync::Arc;

use super::memory::{Budget, Share};
use crate::guard::Plan;

/// Named portals that are remembered. Drivers open one at a time.
const NAMED_MAX: usize = 64;
/// What an entry takes beside its name.
const OVERHEAD_BYTES: usize = 64;

/// The portals of a session. One that is not known may do anything.
#[derive(Debug)]
pub struct Portals {
    unnamed: Plan,
    named: HashMap<Box<[u8]>, Plan>,
    bytes: usize,
    share: Share,
}

impl Portals {
    /// None yet.
    pub fn new(budget: &Arc<Budget>) -> Self {
        Self { unnamed: Plan::UNREAD, named: HashMap::new(), bytes: 0, share: Share::of(budget) }
    }

    /// The plan of that portal; the empty name is that of the unnamed one.
    pub fn find(&self, name: &[u8]) -> Plan {
        if name.is_empty() { self.unnamed } else { self.named.get(name).copied().unwrap_or(Plan::UNREAD) }
    }

    /// Remembers a portal; one of the same name goes. Where there is no room all named ones are forgotten: the server closes them
    /// at the end of the transaction, and nobody tells.
    pub fn remember(&mut self, name: &[u8], plan: Plan) {
        if name.is_empty() {
            self.unnamed = plan;
            return;
        }
        if let Some(known) = self.named.get_mut(name) {
            *known = plan;
            return;
        }
        if self.named.len() >= NAMED_MAX {
            self.forget_named();
        }
        let bytes = self.bytes.saturating_add(name.len()).saturating_add(OVERHEAD_BYTES);
        if self.share.resize(bytes) {
            self.bytes = bytes;
            self.named.insert(name.into(), plan);
        }
    }

    /// A portal was made, and nobody knows which.
    pub fn forget(&mut self) {
        self.unnamed = Plan::UNREAD;
        self.forget_named();
    }

    fn forget_named(&mut self) {
        self.named = HashMap::new();
        self.bytes = 0;
        self.share.resize(0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::guard::plan::Extent;

    const ROWS: Plan = Plan { rows: Extent::Within, ..Plan::UNREAD };

    #[test]
    fn an_unknown_portal_may_do_anything() {
        let mut portals = Portals::new(&Budget::new(1 << 20));
        assert_eq!(portals.find(b""), Plan::UNREAD);
        portals.remember(b"", ROWS);
        portals.remember(b"p", ROWS);
        assert_eq!((portals.find(b""), portals.find(b"p")), (ROWS, ROWS));
        assert_eq!(portals.find(b"q"), Plan::UNREAD);
        portals.forget();
        assert_eq!((portals.find(b""), portals.find(b"p")), (Plan::UNREAD, Plan::UNREAD));
    }

    #[test]
    fn named_portals_have_a_bound_and_are_paid_for() {
        let budget = Budget::new(1 << 20);
        let mut portals = Portals::new(&budget);
        for number in 0..1000_u32 {
            portals.remember(&number.to_be_bytes(), ROWS);
            assert!(portals.named.len() <= NAMED_MAX);
            assert_eq!(portals.find(&number.to_be_bytes()), ROWS);
        }
        assert!(budget.used() > 0);
        drop(portals);
        assert_eq!(budget.used(), 0);
    }

    #[test]
    fn without_memory_nothing_is_known() {
        let mut portals = Portals::new(&Budget::new(10));
        portals.remember(b"p", ROWS);
        assert_eq!(portals.find(b"p"), Plan::UNREAD);
    }
}

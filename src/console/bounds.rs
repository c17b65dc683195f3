//! How many servers a database or a user may have, where each listener and pool has a bound of its own.

use std::collections::BTreeMap;

/// The bound at each listener: the largest that any pool there has; `None`: there is one without.
#[derive(Debug, Default)]
pub(super) struct Bounds(BTreeMap<String, Option<u64>>);

impl Bounds {
    /// A pool of this listener has this bound.
    pub(super) fn note(&mut self, listener: &str, most: Option<u64>) {
        match self.0.get_mut(listener) {
            Some(known) => *known = known.zip(most).map(|(one, other)| one.max(other)),
            None => drop(self.0.insert(listener.to_owned(), most)),
        }
    }

    /// Of all listeners together; `None`: any number, or nobody has said.
    pub(super) fn sum(&self) -> Option<u64> {
        let all = self.0.values().copied();
        all.reduce(|sum, most| sum.zip(most).map(|(sum, most)| sum.saturating_add(most))).flatten()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn listeners_add_up_and_the_largest_of_each_counts() {
        let mut bounds = Bounds::default();
        assert_eq!(bounds.sum(), None);
        for (listener, most) in [("a", 3), ("a", 5), ("b", 2), ("a", 4)] {
            bounds.note(listener, Some(most));
        }
        assert_eq!(bounds.sum(), Some(7));
        bounds.note("b", None);
        bounds.note("b", Some(9));
        assert_eq!(bounds.sum(), None);
    }
}

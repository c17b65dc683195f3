//! What a client has given names to, within the common memory budget.

use std::collections::HashMap;
use std::sync::Arc;

use rapidhash::fast::GlobalState;

use crate::session::memory::{Budget, Share};

/// Names that are longer belong to no driver.
const NAME_MAX: usize = 256;
/// What an entry takes beside its name and what that stands for.
const OVERHEAD_BYTES: usize = 128;

/// Something that has a name.
pub trait Weighs {
    /// Bytes that it keeps alive, as if nobody shared them.
    fn weight_bytes(&self) -> usize;
}

/// Things by name. Takes no memory while there are none.
#[derive(Debug)]
pub struct Named<T> {
    kept: Option<Box<Kept<T>>>,
}

#[derive(Debug)]
struct Kept<T> {
    things: HashMap<Box<[u8]>, T, GlobalState>,
    bytes: usize,
    share: Share,
}

impl<T> Default for Named<T> {
    fn default() -> Self {
        Self { kept: None }
    }
}

impl<T: Weighs> Named<T> {
    /// That of this name.
    pub fn get(&self, name: &[u8]) -> Option<&T> {
        self.kept.as_ref()?.things.get(name)
    }

    /// The same, to be changed; its weight stays.
    pub fn get_mut(&mut self, name: &[u8]) -> Option<&mut T> {
        self.kept.as_mut()?.things.get_mut(name)
    }

    /// Keeps one within the budget, which is the same each time; another of the same name goes in any case. False where there is no
    /// room for it, or its name is too long.
    pub fn insert(&mut self, budget: &Arc<Budget>, name: &[u8], thing: T) -> bool {
        self.remove(name);
        if name.len() > NAME_MAX {
            return false;
        }
        let mut kept = self
            .kept
            .take()
            .unwrap_or_else(|| Box::new(Kept { things: HashMap::default(), bytes: 0, share: Share::of(budget) }));
        let bytes = kept.bytes.saturating_add(weight(name, &thing));
        let room = kept.share.resize(bytes);
        if room {
            kept.bytes = bytes;
            kept.things.insert(name.into(), thing);
        }
        self.kept = Some(kept).filter(|kept| !kept.things.is_empty());
        room
    }

    /// Forgets one.
    pub fn remove(&mut self, name: &[u8]) {
        let Some(kept) = &mut self.kept else { return };
        let Some(thing) = kept.things.remove(name) else { return };
        kept.bytes = kept.bytes.saturating_sub(weight(name, &thing));
        kept.share.resize(kept.bytes);
        if kept.things.is_empty() {
            self.clear();
        }
    }

    /// Changes each of them; their weight stays.
    pub fn for_each(&mut self, change: impl FnMut(&mut T)) {
        self.kept.iter_mut().flat_map(|kept| kept.things.values_mut()).for_each(change);
    }

    /// True where there are none.
    pub fn is_empty(&self) -> bool {
        self.kept.is_none()
    }

    /// Keeps those of which this is true.
    pub fn retain(&mut self, mut stays: impl FnMut(&T) -> bool) {
        let Some(kept) = &mut self.kept else { return };
        let bytes = &mut kept.bytes;
        kept.things.retain(|name, thing| {
            let stays = stays(thing);
            if !stays {
                *bytes = bytes.saturating_sub(weight(name, thing));
            }
            stays
        });
        kept.share.resize(kept.bytes);
        if kept.things.is_empty() {
            self.clear();
        }
    }

    /// Forgets all of them.
    pub fn clear(&mut self) {
        self.kept = None;
    }
}

fn weight<T: Weighs>(name: &[u8], thing: &T) -> usize {
    name.len().saturating_add(thing.weight_bytes()).saturating_add(OVERHEAD_BYTES)
}

#[cfg(test)]
mod tests {
    use super::*;

    impl Weighs for usize {
        fn weight_bytes(&self) -> usize {
            *self
        }
    }

    #[test]
    fn what_is_forgotten_leaves_neither_bytes_nor_memory() {
        let budget = Budget::new(1_000);
        let mut named = Named::default();
        assert!(named.insert(&budget, b"a", 100) && named.insert(&budget, b"b", 200));
        assert!(!named.insert(&budget, b"c", 900), "no room");
        assert!(!named.insert(&budget, &[b'x'; NAME_MAX + 1], 1), "no such name");
        assert_eq!((named.get(b"a"), named.get(b"c")), (Some(&100), None));
        assert_eq!(budget.used(), 302 + 2 * OVERHEAD_BYTES);
        assert!(named.insert(&budget, b"a", 50), "the other one goes");
        assert_eq!(budget.used(), 252 + 2 * OVERHEAD_BYTES);
        named.remove(b"a");
        named.remove(b"nobody");
        named.remove(b"b");
        assert_eq!(budget.used(), 0);
        assert!(named.kept.is_none());
        assert!(!named.insert(&budget, b"c", 2_000) && named.kept.is_none());
        assert!(named.insert(&budget, b"c", 1));
        named.clear();
        assert_eq!(budget.used(), 0);
        assert!(named.insert(&budget, b"a", 100) && named.insert(&budget, b"b", 200));
        named.retain(|&thing| thing > 100);
        assert_eq!((named.get(b"a"), budget.used()), (None, 201 + OVERHEAD_BYTES));
        named.retain(|_| false);
        assert!(named.kept.is_none() && budget.used() == 0);
    }
}

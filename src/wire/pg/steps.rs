//! What the server still owes, in order: a queue of two-bit entries.
//!
//! Ordinary conversations owe one or two replies, so they fit in one word and never allocate.

use std::collections::VecDeque;

/// One message of the client that the server answers with, or that ends a COPY.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Query: ends with ReadyForQuery.
    Query,
    /// Sync: is answered with ReadyForQuery.
    Sync,
    /// FunctionCall: ends with ReadyForQuery.
    Call,
    /// CopyDone or CopyFail that was sent before the server asked for data; answered with nothing.
    CopyEnd,
}

/// A first-in, first-out queue of steps.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Steps {
    /// Up to 32 entries, the oldest in the lowest bits.
    packed: u64,
    count: u32,
    /// Younger than all packed ones; `None` while they have room, which is nearly always.
    #[expect(clippy::box_collection, reason = "each session has one, and hardly any has entries")]
    more: Option<Box<VecDeque<Step>>>,
}

const PACKED_MAX: u32 = 32;

impl Steps {
    /// True where nothing is owed.
    pub const fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// The oldest step.
    pub const fn front(&self) -> Option<Step> {
        if self.count == 0 { None } else { Some(unpack(self.packed)) }
    }

    /// All steps, the oldest first.
    pub fn iter(&self) -> impl Iterator<Item = Step> {
        let packed = (0..self.count).map(|at| unpack(self.packed.wrapping_shr(at.wrapping_mul(2))));
        packed.chain(self.more.iter().flat_map(|more| more.iter().copied()))
    }

    /// How many of them end in ReadyForQuery: all but [`Step::CopyEnd`], whose two bits are both set.
    pub fn boundaries(&self) -> u32 {
        let ends = (self.packed & (self.packed >> 1) & 0x5555_5555_5555_5555).count_ones();
        let more = self.more.iter().flat_map(|more| more.iter()).filter(|&&step| step != Step::CopyEnd);
        self.count.saturating_sub(ends).saturating_add(u32::try_from(more.count()).unwrap_or(u32::MAX))
    }

    /// Adds the youngest step.
    pub fn push(&mut self, step: Step) {
        if self.count < PACKED_MAX && self.more.is_none() {
            self.packed |= pack(step).wrapping_shl(self.count.wrapping_mul(2));
            self.count = self.count.saturating_add(1);
        } else {
            self.more.get_or_insert_default().push_back(step);
        }
    }

    /// Takes the oldest step.
    pub fn pop(&mut self) -> Option<Step> {
        let step = self.front()?;
        self.packed >>= 2;
        self.count = self.count.saturating_sub(1);
        if self.more.is_some() {
            self.refill();
        }
        Some(step)
    }

    #[cold]
    fn refill(&mut self) {
        if let Some(next) = self.more.as_mut().and_then(|more| more.pop_front()) {
            self.packed |= pack(next).wrapping_shl(self.count.wrapping_mul(2));
            self.count = self.count.saturating_add(1);
        }
        if self.more.as_ref().is_some_and(|more| more.is_empty()) {
            self.more = None;
        }
    }
}

const fn pack(step: Step) -> u64 {
    match step {
        Step::Query => 0,
        Step::Sync => 1,
        Step::Call => 2,
        Step::CopyEnd => 3,
    }
}

const fn unpack(bits: u64) -> Step {
    match bits & 3 {
        0 => Step::Query,
        1 => Step::Sync,
        2 => Step::Call,
        _ => Step::CopyEnd,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn step() -> impl Strategy<Value = Option<Step>> {
        prop_oneof![
            Just(None),
            Just(Some(Step::Query)),
            Just(Some(Step::Sync)),
            Just(Some(Step::Call)),
            Just(Some(Step::CopyEnd)),
        ]
    }

    proptest! {
        #[test]
        fn behaves_as_a_plain_queue(actions in proptest::collection::vec(step(), 0..300)) {
            let mut steps = Steps::default();
            let mut plain = VecDeque::new();
            for action in actions {
                match action {
                    Some(step) => {
                        steps.push(step);
                        plain.push_back(step);
                    }
                    None => prop_assert_eq!(steps.pop(), plain.pop_front()),
                }
                prop_assert_eq!(steps.front(), plain.front().copied());
                prop_assert_eq!(steps.is_empty(), plain.is_empty());
                prop_assert!(steps.iter().eq(plain.iter().copied()));
                prop_assert_eq!(steps.boundaries() as usize, plain.iter().filter(|&&step| step != Step::CopyEnd).count());
            }
        }
    }
}

//! What is on its way to a server and not confirmed yet: statements that it is to learn or to give up, and names that its client gives up
//! or is given without the server's help.
//!
//! Where a client sends group after group without waiting, an error in one of them makes the server skip what it was to do there. A
//! later group does not count on that.

use std::collections::VecDeque;

/// Who prepares a statement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum By {
    /// The client, under a name: what comes behind under that name fails where that fails.
    Name,
    /// Anybody else: the client has it already, or prepares it without a name.
    Us,
}

/// All of it, in the order in which it was sent: what is in doubt comes first.
#[derive(Debug, Default)]
pub(super) struct Learning {
    steps: VecDeque<Step>,
    names: VecDeque<Name>,
}

#[derive(Debug)]
struct Step {
    number: u64,
    way: Way,
    /// It stands in a group that has ended.
    in_doubt: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    Comes(By),
    Goes,
}

/// A name that the client gives up, or gives to a statement that the server has already.
#[derive(Debug)]
struct Name {
    name: Box<[u8]>,
    in_doubt: bool,
}

impl Learning {
    /// A statement is sent.
    pub(super) fn comes(&mut self, number: u64, by: By) {
        self.steps.push_back(Step { number, way: Way::Comes(by), in_doubt: false });
    }

    /// A statement is closed there.
    pub(super) fn goes(&mut self, number: u64) {
        self.steps.push_back(Step { number, way: Way::Goes, in_doubt: false });
    }

    /// The oldest that was sent of a statement is there, or never will be.
    pub(super) fn came(&mut self, number: u64) {
        self.ends(number, |way| matches!(way, Way::Comes(_)));
    }

    /// The oldest that was closed of a statement is gone, or stays.
    pub(super) fn went(&mut self, number: u64) {
        self.ends(number, |way| way == Way::Goes);
    }

    fn ends(&mut self, number: u64, is: impl Fn(Way) -> bool) {
        if let Some(at) = self.steps.iter().position(|step| step.number == number && is(step.way)) {
            self.steps.remove(at);
        }
        if self.steps.is_empty() && self.steps.capacity() > KEPT {
            self.steps = VecDeque::new();
        }
    }

    /// What a name stands for hangs on what the server makes of its group, which nobody there is asked about.
    pub(super) fn names(&mut self, name: &[u8]) {
        self.names.push_back(Name { name: name.into(), in_doubt: false });
    }

    /// That has come about, the oldest of this name first, or it never will.
    pub(super) fn named(&mut self, name: &[u8]) {
        if let Some(at) = self.names.iter().position(|named| *named.name == *name) {
            self.names.remove(at);
        }
        if self.names.is_empty() && self.names.capacity() > KEPT {
            self.names = VecDeque::new();
        }
    }

    /// May it turn out that the client still has what it has given up under this name, or has not got what it has prepared? Of so many that
    /// nobody looks them through, maybe.
    pub(super) fn is_name_in_doubt(&self, name: &[u8]) -> bool {
        let mut in_doubt = self.names.iter().take_while(|named| named.in_doubt);
        in_doubt.by_ref().take(LOOKED_AT_MAX).any(|named| *named.name == *name) || in_doubt.next().is_some()
    }

    /// A Sync, or what ends a group as well.
    pub(super) fn ends_group(&mut self) {
        self.steps.iter_mut().rev().take_while(|step| !step.in_doubt).for_each(|step| step.in_doubt = true);
        self.names.iter_mut().rev().take_while(|named| !named.in_doubt).for_each(|named| named.in_doubt = true);
    }

    /// Who has sent a statement last, where it may turn out that the server did not learn it. What follows in the same group fails
    /// where that fails.
    pub(super) fn doubt(&self, number: u64) -> Option<By> {
        if !self.has_doubts() {
            return None;
        }
        let last = self.steps.iter().rev().find_map(|step| match step.way {
            Way::Comes(by) if step.number == number => Some((by, step.in_doubt)),
            _ => None,
        });
        last.and_then(|(by, in_doubt)| in_doubt.then_some(by))
    }

    /// Has a group ended of which a statement is on its way?
    fn has_doubts(&self) -> bool {
        self.steps.front().is_some_and(|step| step.in_doubt)
    }

    /// Has a group ended of which anything is on its way, a statement or a name?
    pub(super) fn is_in_doubt(&self) -> bool {
        self.has_doubts() || self.names.front().is_some_and(|named| named.in_doubt)
    }

    /// May it turn out that the server still has a statement that it was to give up?
    pub(super) fn may_stay(&self, number: u64) -> bool {
        let mut in_doubt = self.steps.iter().take_while(|step| step.in_doubt);
        in_doubt.any(|step| step.number == number && step.way == Way::Goes)
    }
}

/// Names in doubt that are looked through for each one that comes.
const LOOKED_AT_MAX: usize = 256;
/// Steps, and names, for which room is kept while there are none.
const KEPT: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_of_a_statement_says_whether_it_is_in_doubt_and_each_answer_is_of_the_oldest() {
        let mut learning = Learning::default();
        learning.comes(1, By::Us);
        assert_eq!(learning.doubt(1), None, "in the same group");
        learning.ends_group();
        assert_eq!(learning.doubt(1), Some(By::Us));
        learning.goes(1);
        learning.comes(1, By::Name);
        assert_eq!((learning.doubt(1), learning.may_stay(1)), (None, false));
        learning.ends_group();
        learning.came(1);
        assert_eq!((learning.doubt(1), learning.may_stay(1)), (Some(By::Name), true));
        learning.went(1);
        learning.came(1);
        assert_eq!((learning.doubt(1), learning.may_stay(1)), (None, false));
    }

    #[test]
    fn a_name_may_still_be_there_until_the_end_of_it_was_answered() {
        let mut learning = Learning::default();
        learning.names(b"a");
        assert!(!learning.is_name_in_doubt(b"a"), "in the same group");
        learning.ends_group();
        assert!(learning.is_name_in_doubt(b"a") && !learning.is_name_in_doubt(b"b"));
        learning.named(b"a");
        assert!(!learning.is_name_in_doubt(b"a"));
    }

    #[test]
    fn of_very_many_names_each_may_be_in_doubt() {
        let mut learning = Learning::default();
        let names = || (0..=LOOKED_AT_MAX).map(|n| n.to_string());
        names().for_each(|name| learning.names(name.as_bytes()));
        assert!(!learning.is_name_in_doubt(b"other"), "in the same group");
        learning.ends_group();
        assert!(learning.is_name_in_doubt(b"other"));
        learning.named(b"0");
        assert!(!learning.is_name_in_doubt(b"other") && learning.is_name_in_doubt(b"1"));
        names().for_each(|name| learning.named(name.as_bytes()));
        assert!(!learning.is_name_in_doubt(b"1"));
    }
}

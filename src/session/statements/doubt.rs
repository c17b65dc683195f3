//! What may turn out otherwise, since it stands in a group that has ended and is not answered: it may fail, and take back what it did.

use super::entry::Entry;
use super::learning::By;
use super::plan::{Parts, Plan};
use super::shared::Statement;

impl Plan {
    /// May it turn out that the client still has what it gave up under this name, since that stands in a group that may fail?
    pub(super) fn may_be_taken_back(&self, name: &[u8], parts: &Parts<'_>) -> bool {
        parts.known.learning.may_have(name) && self.owes_groups()
    }

    /// The step that has given the name, where that stands in a group that may fail.
    fn given_in_doubt(&self, name: &[u8], parts: &Parts<'_>) -> Option<&Entry> {
        if !self.owes_groups() || parts.names.find(name).is_none() {
            return None;
        }
        let given = self.queue.iter().rposition(|step| step.names(name))?;
        self.queue.range(given..).any(Entry::ends_group).then(|| self.queue.get(given))?
    }

    /// Might the server take a use of a name although its Parse failed, since it has the same text from elsewhere, or is to get it from us?
    pub(super) fn may_be_made_up_for(&self, name: &[u8], statement: &Statement, parts: &Parts<'_>) -> bool {
        let Some(given) = self.given_in_doubt(name, parts) else { return false };
        let is_there = parts.known.has(statement.number);
        !is_there || given.teaches(statement.number).is_none() || self.doubts(name, statement, parts)
    }

    /// May a name turn out to stand for something else than it does now?
    pub(super) fn may_turn_out_otherwise(&self, name: &[u8], parts: &Parts<'_>) -> bool {
        self.may_be_taken_back(name, parts) || self.given_in_doubt(name, parts).is_some()
    }

    /// May it turn out that the server has a statement or not for another reason than that the client's Parse under this name went well or
    /// failed?
    pub(super) fn doubts(&self, name: &[u8], statement: &Statement, parts: &Parts<'_>) -> bool {
        let taught = || self.queue.iter().rev().find_map(|step| step.teaches(statement.number));
        match parts.known.learning.doubt(statement.number) {
            None => false,
            Some(By::Us) => true,
            // One from before may make up for a Parse under this name.
            Some(By::Name) => taught() != Some(name) || parts.known.learning.may_stay(statement.number),
        }
    }
}

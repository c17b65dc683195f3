//! What may turn out otherwise, since it stands in a group that has ended and is not answered: it may fail, and take back what it did.

use super::entry::Entry;
use super::learning::By;
use super::plan::{Parts, Plan};
use super::shared::Statement;

impl Plan {
    /// May it turn out that the client still has what it gave up under this name, or never got what it was given there without the server's
    /// help, since that stands in a group that may fail?
    pub(super) fn may_be_taken_back(&self, name: &[u8], parts: &Parts<'_>) -> bool {
        parts.known.learning.is_name_in_doubt(name) && self.owes_groups()
    }

    /// The same of a name that it has given.
    pub(super) fn is_given_in_doubt(&self, name: &[u8], parts: &Parts<'_>) -> bool {
        // The first of these tells at once, also in the middle of a long group.
        if !parts.known.learning.is_in_doubt() || parts.names.find(name).is_none() || !self.owes_groups() {
            return false;
        }
        let given = self.queue.iter().rposition(|step| step.names(name));
        given.is_some_and(|at| self.queue.range(at..).any(Entry::ends_group))
    }

    /// May a name turn out to stand for something else than it does now?
    pub(super) fn may_turn_out(&self, name: &[u8], parts: &Parts<'_>) -> bool {
        self.may_be_taken_back(name, parts) || self.is_given_in_doubt(name, parts)
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

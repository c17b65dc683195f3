//! What may turn out otherwise, since it stands in a group that has ended and is not answered: it may fail, and take back what it did.

use super::context::Tenure;
use super::entry::Entry;
use super::learning::By;
use super::plan::{Mode, Parts, Plan};
use super::shared::Statement;
use crate::wire::pg::rename::Asked;

impl Plan {
    /// May a message be about a name that is none any more, since something on its way may end all that the client has prepared?
    pub(super) fn may_end(&self, asked: Asked<'_>, parts: &Parts<'_>) -> bool {
        let (Asked::Parse { name, .. }
        | Asked::Bind { statement: name }
        | Asked::Describe { statement: name }
        | Asked::Close { statement: name }) = asked
        else {
            return false;
        };
        !name.is_empty() && self.may_end_all(parts)
    }

    /// Is something on its way that may end all that the client has prepared?
    pub(super) fn may_end_all(&self, parts: &Parts<'_>) -> bool {
        parts.context.tenure == Tenure::MayEnd && self.mode == Mode::Asking && self.queue.iter().any(Entry::runs)
    }

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
        let looked_at = self.queue.iter().rev().take(LOOKED_AT_MAX);
        match looked_at.clone().position(|step| step.names(name)) {
            Some(at) => looked_at.take(at).any(Entry::ends_group),
            // Where it is further off, the groups before are waited for.
            None => self.queue.len() > LOOKED_AT_MAX,
        }
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

/// Steps that are looked at for the one that gave a name: a long pipeline of names would be looked through for each of them.
const LOOKED_AT_MAX: usize = 256;

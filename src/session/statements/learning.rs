//! What a server is about to learn: statements that were sent there and not confirmed yet.
//!
//! Where a client sends group after group without waiting, an error in one of them makes the server skip what it was to learn there. A
//! later group does not count on that.

/// Who prepares a statement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum By {
    /// The client, under a name: what comes behind in its groups fails where that fails.
    Name,
    /// Anybody else: the client has it already, or prepares it without a name.
    Us,
}

/// Statements on their way.
#[derive(Debug, Default)]
pub(super) struct Learning(Vec<Step>);

#[derive(Debug)]
struct Step {
    number: u64,
    by: By,
    /// It stands in a group that has ended.
    in_doubt: bool,
}

impl Learning {
    /// A statement is sent.
    pub(super) fn add(&mut self, number: u64, by: By) {
        self.0.retain(|step| step.number != number);
        self.0.push(Step { number, by, in_doubt: false });
    }

    /// It is there, or never will be.
    pub(super) fn ends(&mut self, number: u64) {
        self.0.retain(|step| step.number != number);
    }

    /// A Sync, or what ends a group as well.
    pub(super) fn ends_group(&mut self) {
        self.0.iter_mut().for_each(|step| step.in_doubt = true);
    }

    /// May it turn out that the server did not learn it, by an error that is none to who uses it now?
    pub(super) fn is_in_doubt(&self, number: u64) -> bool {
        self.0.iter().any(|step| step.number == number && step.in_doubt && step.by == By::Us)
    }

    /// The same for who prepares it once more.
    pub(super) fn is_in_doubt_at_all(&self, number: u64) -> bool {
        self.0.iter().any(|step| step.number == number && step.in_doubt)
    }

    /// Nothing is on its way.
    pub(super) fn clear(&mut self) {
        self.0.clear();
    }
}

//! When the settings that a server reported last are those that it has: it tells what has changed once it is ready, and whoever sends
//! more before that may prepare a text behind a SET that nobody has heard of yet.

use crate::session::statements::Standing;
use crate::sql::facts::Traces;

/// What a transaction has asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Settling {
    /// Its words set something, which its end may take back.
    sets: bool,
    /// A statement is on its way, or was when somebody looked last.
    asked: bool,
}

impl Settling {
    /// A statement goes to the server.
    pub(super) fn asks(&mut self, traces: Traces) {
        self.asked = true;
        self.sets |= traces.names(Traces::RESETS);
    }

    /// The same of one that nobody has read.
    pub(super) fn asks_unread(&mut self) {
        self.asks(Traces::RESETS);
    }

    /// Whether it matters that all that was asked is answered.
    pub(super) fn waits(&self) -> bool {
        self.sets && self.asked
    }

    /// All that was asked is answered.
    pub(super) fn settles(&mut self) {
        self.asked = false;
    }

    /// Whether texts are read under the settings that were told last.
    pub(super) fn standing(&self) -> Standing {
        if self.waits() { Standing::Unsettled } else { Standing::Settled }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_transaction_that_sets_is_unsettled_while_anything_is_on_its_way() {
        let mut settling = Settling::default();
        settling.asks(Traces::UNKNOWN);
        assert_eq!(settling.standing(), Standing::Settled);
        for traces in [Traces::SETTING, Traces::LOCAL, Traces::DISCARD] {
            let mut settling = settling;
            settling.asks(traces);
            assert_eq!(settling.standing(), Standing::Unsettled);
            settling.settles();
            assert_eq!(settling.standing(), Standing::Settled);
            // What comes now may be its end.
            settling.asks(Traces::NONE);
            assert_eq!(settling.standing(), Standing::Unsettled);
        }
    }
}

//! When the settings that a server reported last are those that it has: it tells what has changed once it is ready, and whoever sends
//! more before that may prepare a text behind a SET that nobody has heard of yet.

use crate::session::statements::{Standing, Tenure};
use crate::sql::facts::Traces;

/// What a transaction has asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Settling {
    sets: Sets,
    /// A statement is on its way, or was when somebody looked last.
    asked: bool,
    /// It has set what texts are read under and no server reports, or may have.
    hides: bool,
    tenure: Tenure,
}

/// Whether it sets something, which its end may take back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
enum Sets {
    #[default]
    Nothing,
    /// A function that it runs may.
    Maybe,
    /// Its words do.
    Something,
}

impl Settling {
    /// A statement goes to the server.
    pub(super) fn asks(&mut self, traces: Traces) {
        self.asked = true;
        let sets = match traces {
            _ if traces.names(Traces::RESETS) => Sets::Something,
            _ if traces.names(Traces::UNKNOWN) => Sets::Maybe,
            _ => Sets::Nothing,
        };
        self.sets = self.sets.max(sets);
        if traces.names(Traces::FORGETS.and(Traces::DISCARD)) {
            self.tenure = Tenure::MayEnd;
        }
    }

    /// The same of one that nobody has read.
    pub(super) fn asks_unread(&mut self) {
        self.asks(Traces::RESETS);
    }

    /// What it sets is not reported, so that it is not known either once the server has answered.
    pub(super) fn hides(&mut self) {
        self.hides = true;
    }

    /// Whether it matters that all that was asked is answered.
    pub(super) fn waits(&self) -> bool {
        self.asked && self.sets > Sets::Nothing
    }

    /// All that was asked is answered.
    pub(super) fn settles(&mut self) {
        self.asked = false;
    }

    /// Whether the client has what it has prepared for as long as its transaction lasts.
    pub(super) const fn tenure(&self) -> Tenure {
        self.tenure
    }

    /// Whether texts are read under the settings that were told last.
    pub(super) fn standing(&self) -> Standing {
        match self.sets {
            _ if self.hides => Standing::Unsettled,
            Sets::Something if self.asked => Standing::Unsettled,
            Sets::Maybe if self.asked => Standing::Doubtful,
            _ => Standing::Settled,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_prepared_may_end_with_a_text_that_says_so_up_to_the_end_of_the_transaction() {
        for (traces, tenure) in [
            (Traces::SETTING, Tenure::Stays),
            (Traces::ENDS, Tenure::Stays),
            (Traces::ENDS.and(Traces::FORGETS), Tenure::MayEnd),
            (Traces::DISCARD, Tenure::MayEnd),
        ] {
            let mut settling = Settling::default();
            settling.asks(traces);
            settling.settles();
            settling.asks(Traces::NONE);
            assert_eq!(settling.tenure(), tenure);
        }
    }

    #[test]
    fn a_transaction_that_sets_is_unsettled_while_anything_is_on_its_way() {
        let mut settling = Settling::default();
        settling.asks(Traces::ADVANCES);
        assert_eq!(settling.standing(), Standing::Settled);
        for (traces, standing) in [
            (Traces::UNKNOWN, Standing::Doubtful),
            (Traces::SETTING, Standing::Unsettled),
            (Traces::LOCAL.and(Traces::UNKNOWN), Standing::Unsettled),
            (Traces::DISCARD, Standing::Unsettled),
        ] {
            let mut settling = settling;
            settling.asks(traces);
            assert_eq!(settling.standing(), standing);
            settling.settles();
            assert_eq!(settling.standing(), Standing::Settled);
            // What comes now may be its end.
            settling.asks(Traces::NONE);
            assert_eq!(settling.standing(), standing);
            // What nobody reports stays so.
            settling.hides();
            settling.settles();
            assert_eq!(settling.standing(), Standing::Unsettled);
        }
    }
}

//! Ends a session whose transaction stays open too long.

use std::time::Duration;

use crate::guard::breach::Mode;
use crate::guard::limits::{Limits, TimeLimit};
use crate::guard::names::TRANSACTION_TIMEOUT;
use crate::guard::rule::{OnPanic, Rule, RuleDef};

pub(super) const DEF: RuleDef = RuleDef {
    name: TRANSACTION_TIMEOUT,
    summary: "a transaction that stays open too long",
    mode: Mode::Off,
    settings: &[("limit", "\"5m\"")],
    // It only says how long to wait.
    on_panic: OnPanic::Allow,
    build: |section| Box::new(TransactionTimeout { limit: section.duration("limit", Duration::from_secs(300)) }),
};

#[derive(Debug)]
struct TransactionTimeout {
    limit: Duration,
}

impl Rule for TransactionTimeout {
    fn limit(&self, mode: Mode, limits: &mut Limits) {
        limits.transaction = Some(TimeLimit {
            mode,
            rule: DEF.name,
            limit: self.limit,
            what: "the transaction was open",
            hint: "Commit in smaller steps; a transaction holds its locks until it ends",
        });
    }
}

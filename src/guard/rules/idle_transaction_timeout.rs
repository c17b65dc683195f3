//! Ends a session that leaves its transaction open and does nothing.

use std::time::Duration;

use crate::guard::breach::Mode;
use crate::guard::limits::{Limits, TimeLimit};
use crate::guard::names::IDLE_TRANSACTION_TIMEOUT;
use crate::guard::rule::{OnPanic, Rule, RuleDef};

pub(super) const DEF: RuleDef = RuleDef {
    name: IDLE_TRANSACTION_TIMEOUT,
    summary: "a transaction that stays open with nothing to do",
    mode: Mode::Warn,
    settings: &[("limit", "\"1m\"")],
    // It only says how long to wait.
    on_panic: OnPanic::Allow,
    build: |section| Box::new(IdleTransactionTimeout { limit: section.duration("limit", Duration::from_secs(60)) }),
};

#[derive(Debug)]
struct IdleTransactionTimeout {
    limit: Duration,
}

impl Rule for IdleTransactionTimeout {
    fn limit(&self, mode: Mode, limits: &mut Limits) {
        limits.idle_transaction = Some(TimeLimit {
            mode,
            rule: DEF.name,
            limit: self.limit,
            what: "the transaction was idle",
            hint: "Commit or roll back before waiting for anything else; an idle transaction holds its locks",
        });
    }
}

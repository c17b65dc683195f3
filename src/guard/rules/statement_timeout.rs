//! Cancels a statement that runs too long.

use std::time::Duration;

use crate::guard::breach::Mode;
use crate::guard::limits::{Limits, TimeLimit};
use crate::guard::names::STATEMENT_TIMEOUT;
use crate::guard::rule::{OnPanic, Rule, RuleDef};

pub(super) const DEF: RuleDef = RuleDef {
    name: STATEMENT_TIMEOUT,
    summary: "a statement that runs too long",
    mode: Mode::Off,
    settings: &[("limit", "\"1m\"")],
    // It only says how long to wait.
    on_panic: OnPanic::Allow,
    build: |section| Box::new(StatementTimeout { limit: section.duration("limit", Duration::from_secs(60)) }),
};

#[derive(Debug)]
struct StatementTimeout {
    limit: Duration,
}

impl Rule for StatementTimeout {
    fn limit(&self, mode: Mode, limits: &mut Limits) {
        limits.statement = Some(TimeLimit {
            mode,
            rule: DEF.name,
            limit: self.limit,
            what: "the statement ran",
            hint: "Look at its plan with EXPLAIN, read or write less at once, or set the limit for this [[client]]",
        });
    }
}

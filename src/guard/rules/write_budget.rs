//! Takes back a write that changed too many rows.

use crate::guard::failure::OnPanic;
use crate::guard::limits::{Limits, WRITE_BUDGET, WriteLimit};
use crate::guard::rule::{Rule, RuleDef};
use crate::guard::settings::Section;
use crate::guard::verdict::Mode;

pub(super) const DEF: RuleDef = RuleDef {
    name: WRITE_BUDGET,
    summary: "a write that changes too many rows, as the server counts them",
    mode: Mode::Warn,
    settings: &[("max_rows", "10000")],
    // It only says what to count.
    on_panic: OnPanic::Allow,
    build: |section| Box::new(WriteBudget::new(section)),
};

#[derive(Debug)]
struct WriteBudget {
    max_rows: u64,
}

impl WriteBudget {
    fn new(section: &mut Section<'_>) -> Self {
        Self { max_rows: section.count("max_rows", 10_000) }
    }
}

impl Rule for WriteBudget {
    fn limit(&self, mode: Mode, limits: &mut Limits) {
        limits.write = Some(WriteLimit { mode, max_rows: self.max_rows });
    }
}

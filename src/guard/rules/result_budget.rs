//! Cuts a reply that grows beyond rows or bytes, and stops the server.

use crate::guard::breach::Mode;
use crate::guard::limits::{CopyOut, Limits, ResultLimit};
use crate::guard::names::RESULT_BUDGET;
use crate::guard::rule::{OnPanic, Rule, RuleDef};
use crate::guard::settings::Section;
use crate::units::ByteSize;

pub(super) const DEF: RuleDef = RuleDef {
    name: RESULT_BUDGET,
    summary: "a reply of too many rows or bytes, counted while it streams",
    mode: Mode::Enforce,
    settings: &[("max_rows", "100000"), ("max_bytes", "\"256MiB\""), ("copy", "false")],
    // It only says what to count.
    on_panic: OnPanic::Allow,
    build: |section| Box::new(ResultBudget::new(section)),
};

#[derive(Debug)]
struct ResultBudget {
    max_rows: u64,
    max_bytes: ByteSize,
    copy: CopyOut,
}

impl ResultBudget {
    fn new(section: &mut Section<'_>) -> Self {
        Self {
            max_rows: section.count("max_rows", 100_000),
            max_bytes: section.size("max_bytes", ByteSize(256 << 20)),
            copy: if section.boolean("copy") { CopyOut::Counted } else { CopyOut::Free },
        }
    }
}

impl Rule for ResultBudget {
    fn limit(&self, mode: Mode, limits: &mut Limits) {
        let Self { max_rows, max_bytes, copy } = *self;
        limits.result = Some(ResultLimit { mode, max_rows, max_bytes, copy });
    }
}

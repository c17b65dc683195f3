//! Refuses a pipeline that holds too many writes: between two Syncs they are one transaction.

use crate::guard::breach::Mode;
use crate::guard::limits::{Limits, PipelineLimit};
use crate::guard::names::PIPELINE_WRITE;
use crate::guard::rule::{OnPanic, Rule, RuleDef};
use crate::guard::settings::Section;

pub(super) const DEF: RuleDef = RuleDef {
    name: PIPELINE_WRITE,
    summary: "a pipeline that executes too many writes before its Sync",
    mode: Mode::Warn,
    settings: &[("max_writes", "5000")],
    // It only says what to count.
    on_panic: OnPanic::Allow,
    build: |section| Box::new(PipelineWrite::new(section)),
};

#[derive(Debug)]
struct PipelineWrite {
    max_writes: u64,
}

impl PipelineWrite {
    fn new(section: &mut Section<'_>) -> Self {
        Self { max_writes: section.count("max_writes", 5000) }
    }
}

impl Rule for PipelineWrite {
    fn limit(&self, mode: Mode, limits: &mut Limits) {
        limits.pipeline = Some(PipelineLimit { mode, max_writes: self.max_writes });
    }
}

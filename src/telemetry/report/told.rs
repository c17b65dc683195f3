//! What the report tells, at one moment.

use super::TopRow;
use crate::units::Unit;

/// What is told of one rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RuleReport {
    /// Name of the rule.
    pub rule: &'static str,
    /// Its mode by the configuration.
    pub mode: &'static str,
    /// What it does now.
    pub state: &'static str,
    /// How long this has been counted.
    pub seconds: u64,
    /// Statements that it refused or cut.
    pub refused: u64,
    /// Statements that it would have refused or cut in `enforce`.
    pub warned: u64,
    /// How long ago the last of either was; `None`: there was none.
    pub last_seconds: Option<u64>,
    /// Who sent them, most of them first; the rest under `other`.
    pub callers: Vec<TopRow>,
    /// The shapes of these statements, likewise.
    pub shapes: Vec<TopRow>,
    /// Its limits with what was measured against each.
    pub limits: Vec<LimitReport>,
}

/// What is told of one limit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LimitReport {
    /// The setting, such as `max_rows`.
    pub setting: &'static str,
    /// In what it is counted.
    pub unit: Unit,
    /// The limit in force.
    pub limit: Option<u64>,
    /// How many values were measured.
    pub observed: u64,
    /// The largest of them.
    pub largest: Option<u64>,
    /// 999 in 1,000 of them are not above this.
    pub p99_9: Option<u64>,
    /// What the limit could be: `p99_9` rounded up; `None` below [`OBSERVED_MIN`](super::OBSERVED_MIN) values.
    pub suggested: Option<u64>,
    /// How many of the values are above `suggested`, to within a sixteenth: what it would have refused.
    pub above_suggested: Option<u64>,
}

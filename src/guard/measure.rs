//! What rules measure, whether or not it is too much: what a dry run suggests limits from.

use super::names::{
    BULK_WRITE, IDLE_TRANSACTION_TIMEOUT, PIPELINE_WRITE, RESULT_BUDGET, STATEMENT_TIMEOUT, STREAM_WRITE,
    TRANSACTION_TIMEOUT, UNBOUNDED_SELECT, UNFILTERED_WRITE, WRITE_BUDGET,
};
use crate::units::Unit;

/// One limit of a rule, as something that the statements it is about have a value of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Measure {
    /// Rows that a query sends at most, as far as its text tells.
    SelectRows,
    /// Rows of the LIMIT of a write without a filter.
    UnfilteredRows,
    /// Rows that the text of a write carries.
    BulkRows,
    /// Bytes of the text of a write.
    BulkBytes,
    /// Rows of a reply.
    ResultRows,
    /// Bytes of these rows.
    ResultBytes,
    /// Rows that a write changed.
    WriteRows,
    /// Writes of a pipeline.
    PipelineWrites,
    /// Rows of a COPY FROM STDIN.
    StreamRows,
    /// Bytes of a COPY FROM STDIN.
    StreamBytes,
    /// Time of a statement.
    StatementTime,
    /// Time of a transaction.
    TransactionTime,
    /// Time that a transaction had nothing to do.
    IdleTransactionTime,
}

impl Measure {
    /// Every measure; those of one rule stand together, the one that people think of first.
    pub const ALL: &'static [Self] = &[
        Self::SelectRows,
        Self::UnfilteredRows,
        Self::BulkRows,
        Self::BulkBytes,
        Self::ResultRows,
        Self::ResultBytes,
        Self::WriteRows,
        Self::PipelineWrites,
        Self::StreamRows,
        Self::StreamBytes,
        Self::StatementTime,
        Self::TransactionTime,
        Self::IdleTransactionTime,
    ];

    /// Its place in [`Self::ALL`].
    pub const fn index(self) -> usize {
        self as usize
    }

    /// Name of the rule whose limit it is.
    pub const fn rule(self) -> &'static str {
        match self {
            Self::SelectRows => UNBOUNDED_SELECT,
            Self::UnfilteredRows => UNFILTERED_WRITE,
            Self::BulkRows | Self::BulkBytes => BULK_WRITE,
            Self::ResultRows | Self::ResultBytes => RESULT_BUDGET,
            Self::WriteRows => WRITE_BUDGET,
            Self::PipelineWrites => PIPELINE_WRITE,
            Self::StreamRows | Self::StreamBytes => STREAM_WRITE,
            Self::StatementTime => STATEMENT_TIMEOUT,
            Self::TransactionTime => TRANSACTION_TIMEOUT,
            Self::IdleTransactionTime => IDLE_TRANSACTION_TIMEOUT,
        }
    }

    /// The setting of the rule that limits it.
    pub const fn setting(self) -> &'static str {
        match self {
            Self::SelectRows
            | Self::UnfilteredRows
            | Self::BulkRows
            | Self::ResultRows
            | Self::WriteRows
            | Self::StreamRows => "max_rows",
            Self::BulkBytes | Self::ResultBytes | Self::StreamBytes => "max_bytes",
            Self::PipelineWrites => "max_writes",
            Self::StatementTime | Self::TransactionTime | Self::IdleTransactionTime => "limit",
        }
    }

    /// In what it is counted.
    pub const fn unit(self) -> Unit {
        match self {
            Self::BulkBytes | Self::ResultBytes | Self::StreamBytes => Unit::Bytes,
            Self::StatementTime | Self::TransactionTime | Self::IdleTransactionTime => Unit::Time,
            Self::SelectRows
            | Self::UnfilteredRows
            | Self::BulkRows
            | Self::ResultRows
            | Self::WriteRows
            | Self::PipelineWrites
            | Self::StreamRows => Unit::Count,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::guard::{Guard, rules};

    #[test]
    fn each_measure_is_a_setting_of_its_rule_with_a_limit() {
        let guard = Guard::build(&toml::Table::new()).unwrap();
        for (place, measure) in Measure::ALL.iter().enumerate() {
            assert_eq!(measure.index(), place);
            let rule = rules::ALL.iter().find(|rule| rule.name == measure.rule());
            let rule = rule.unwrap_or_else(|| panic!("no rule {}", measure.rule()));
            assert!(rule.settings.iter().any(|(setting, _)| *setting == measure.setting()), "{measure:?}");
            assert!(guard.limit_of(*measure).is_some_and(|limit| limit > 0), "{measure:?}");
        }
    }

    #[test]
    fn each_setting_that_limits_is_measured() {
        let limits = |setting: &str| setting.starts_with("max_") || setting == "limit";
        for rule in rules::ALL {
            for (setting, _) in rule.settings.iter().filter(|(setting, _)| limits(setting)) {
                let measured = |measure: &Measure| measure.rule() == rule.name && measure.setting() == *setting;
                assert!(Measure::ALL.iter().any(measured), "{}.{setting}", rule.name);
            }
        }
    }
}

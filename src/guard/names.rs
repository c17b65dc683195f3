//! Names of rules, where more than the rule itself says them: in configuration, metrics and refusals.

/// A SELECT that nothing limits.
pub const UNBOUNDED_SELECT: &str = "unbounded_select";
/// An UPDATE or DELETE without a filter.
pub const UNFILTERED_WRITE: &str = "unfiltered_write";
/// A write whose text carries too much.
pub const BULK_WRITE: &str = "bulk_write";
/// A reply that grows too large.
pub const RESULT_BUDGET: &str = "result_budget";
/// A write that changes too many rows.
pub const WRITE_BUDGET: &str = "write_budget";
/// A pipeline of too many writes.
pub const PIPELINE_WRITE: &str = "pipeline_write";
/// A COPY FROM STDIN of too much data.
pub const STREAM_WRITE: &str = "stream_write";
/// A statement that takes too long.
pub const STATEMENT_TIMEOUT: &str = "statement_timeout";
/// A transaction that takes too long.
pub const TRANSACTION_TIMEOUT: &str = "transaction_timeout";
/// A transaction that does nothing for too long.
pub const IDLE_TRANSACTION_TIMEOUT: &str = "idle_transaction_timeout";

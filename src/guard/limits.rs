//! What is measured while a statement runs: rows, bytes and time, with the words for each excess.
//!
//! A rule that cannot tell from the text fills in one field here; whoever forwards the statement counts, and asks for the
//! [`Breach`] when a limit is reached. Numbers only: no clock and no counter is kept here.

use std::time::Duration;

use super::breach::{Breach, Mode};
use super::names::{PIPELINE_WRITE, RESULT_BUDGET, STREAM_WRITE, WRITE_BUDGET};
use crate::units::{ByteSize, Unit, counted, display_duration, micros};

/// Everything that is measured; `None` where a rule is off.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Limits {
    /// `result_budget`: of one reply.
    pub result: Option<ResultLimit>,
    /// `write_budget`: rows that one write changes.
    pub write: Option<WriteLimit>,
    /// `pipeline_write`: writes of one pipeline.
    pub pipeline: Option<PipelineLimit>,
    /// `stream_write`: of one COPY FROM STDIN.
    pub stream: Option<StreamLimit>,
    /// `statement_timeout`: of one statement.
    pub statement: Option<TimeLimit>,
    /// `transaction_timeout`: of one transaction.
    pub transaction: Option<TimeLimit>,
    /// `idle_transaction_timeout`: between two statements of a transaction.
    pub idle_transaction: Option<TimeLimit>,
}

/// Rows and bytes of a reply.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ResultLimit {
    /// What happens beyond it.
    pub mode: Mode,
    /// Rows of one reply: of one fetch, where a cursor or portal is read in portions.
    pub max_rows: u64,
    /// Bytes of these rows.
    pub max_bytes: ByteSize,
    /// Whether `COPY … TO STDOUT` is counted.
    pub copy: CopyOut,
}

/// Whether a stream of `COPY … TO STDOUT` counts as a reply.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CopyOut {
    /// Its rows are counted.
    Counted,
    /// It may send whatever it likes.
    Free,
}

/// Rows that a write changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WriteLimit {
    /// What happens beyond it.
    pub mode: Mode,
    /// Rows of one statement, as the server counts them.
    pub max_rows: u64,
    /// How a write is taken back that stands in a client's transaction.
    pub undo: Undo,
}

/// How a write is taken back that stands in a client's transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Undo {
    /// With the transaction, which is aborted as by any other error.
    #[default]
    Abort,
    /// Alone: a savepoint of ours stands in front of it.
    ToSavepoint,
}

/// Writes of a pipeline: between two Syncs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PipelineLimit {
    /// What happens beyond it.
    pub mode: Mode,
    /// Executes of statements that write.
    pub max_writes: u64,
}

/// Data of `COPY … FROM STDIN`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StreamLimit {
    /// What happens beyond it.
    pub mode: Mode,
    /// Rows.
    pub max_rows: u64,
    /// Bytes.
    pub max_bytes: ByteSize,
}

/// A limit of time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TimeLimit {
    /// What happens beyond it.
    pub mode: Mode,
    /// Name of the rule.
    pub rule: &'static str,
    /// How long it may take.
    pub limit: Duration,
    pub(super) what: &'static str,
    pub(super) hint: &'static str,
}

/// What became of the statement that a breach is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// It was stopped or taken back.
    Failed,
    /// It went on.
    Passed,
}

impl ResultLimit {
    /// The reply has more rows than this.
    pub fn too_many_rows(&self, fate: Fate) -> Breach {
        let max = counted(self.max_rows, "row");
        let message = match fate {
            Fate::Failed => format!("the reply has more than {max} and was cut there"),
            Fate::Passed => format!("the reply has more than {max}"),
        };
        Self::breach((self.max_rows, Unit::Count), format!("over {max}"), message)
    }

    /// The reply has more bytes than this; `rows` of it fit.
    pub fn too_many_bytes(&self, rows: u64, fate: Fate) -> Breach {
        let (max, rows) = (self.max_bytes, counted(rows, "row"));
        let message = match fate {
            Fate::Failed => format!("the reply has more than {max} and was cut after {rows}"),
            Fate::Passed => format!("the reply has more than {max}, in {rows}"),
        };
        Self::breach((max.0, Unit::Bytes), format!("over {max} in {rows}"), message)
    }

    fn breach((limit, unit): (u64, Unit), measured: String, message: String) -> Breach {
        let hint = "Read in pages by a key (WHERE id > $last ORDER BY id LIMIT 1000), through a cursor, or with COPY … TO STDOUT";
        Breach { rule: RESULT_BUDGET, statement: 0, measured, limit, unit, message, hint: hint.to_owned() }
    }
}

impl WriteLimit {
    /// A write changed `rows` rows.
    pub fn too_many_rows(&self, rows: u64, fate: Fate) -> Breach {
        let max = self.max_rows;
        let undone = match fate {
            Fate::Failed => " and was rolled back",
            Fate::Passed => "",
        };
        Breach {
            rule: WRITE_BUDGET,
            statement: 0,
            measured: rows.to_string(),
            limit: max,
            unit: Unit::Count,
            message: format!("the statement changed {}{undone}; at most {max} are allowed", counted(rows, "row")),
            hint: "Change the rows slice by slice, by ranges of a key, each committed on its own".to_owned(),
        }
    }
}

impl PipelineLimit {
    /// A pipeline holds more writes than this.
    pub fn too_many_writes(&self, writes: u64) -> Breach {
        let max = self.max_writes;
        Breach {
            rule: PIPELINE_WRITE,
            statement: 0,
            measured: writes.to_string(),
            limit: max,
            unit: Unit::Count,
            message: format!("one pipeline holds more than {}", counted(max, "write")),
            hint: "Send a Sync (commit) after each slice, or load with COPY … FROM STDIN".to_owned(),
        }
    }
}

impl StreamLimit {
    /// A COPY FROM STDIN sent more rows than this.
    pub fn too_many_rows(&self, rows: u64) -> Breach {
        let max = self.max_rows;
        Self::breach(
            (max, Unit::Count),
            rows.to_string(),
            format!("COPY FROM STDIN sent more than {}", counted(max, "row")),
        )
    }

    /// A COPY FROM STDIN sent more bytes than this.
    pub fn too_many_bytes(&self, bytes: u64) -> Breach {
        let max = self.max_bytes;
        Self::breach((max.0, Unit::Bytes), bytes.to_string(), format!("COPY FROM STDIN sent more than {max}"))
    }

    fn breach((limit, unit): (u64, Unit), measured: String, message: String) -> Breach {
        let hint = "Load in smaller files, each committed on its own, or let a [[client]] for loads pass".to_owned();
        Breach { rule: STREAM_WRITE, statement: 0, measured, limit, unit, message, hint }
    }
}

impl TimeLimit {
    /// It took longer than this.
    pub fn too_long(&self) -> Breach {
        let limit = display_duration(self.limit);
        Breach {
            rule: self.rule,
            statement: 0,
            measured: format!("over {limit}"),
            limit: micros(self.limit),
            unit: Unit::Time,
            message: format!("{} longer than {limit}", self.what),
            hint: self.hint.to_owned(),
        }
    }
}

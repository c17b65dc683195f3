//! What a statement writes, and what narrows that.

use super::claims::Claims;
use crate::sql::schema::TableName;

/// What narrows a write.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Filter {
    /// No WHERE at all.
    None,
    /// A WHERE that is true for every row.
    ConstantTrue,
    /// What a LIMIT leaves of what another filter does, as MySQL has it: an index into the limits of the piece.
    Limited(Box<Self>, u16),
    /// A WHERE that is true for every row where this holds of its table.
    TrueIf(Claims),
    /// Anything else.
    Real,
    /// It stands in what was not kept of a very long text.
    Unread,
}

/// What a write does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum WriteKind {
    /// `UPDATE`.
    Update,
    /// `DELETE`.
    Delete,
    /// `TRUNCATE`.
    Truncate,
}

impl WriteKind {
    /// Its keyword.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Update => "UPDATE",
            Self::Delete => "DELETE",
            Self::Truncate => "TRUNCATE",
        }
    }
}

/// An UPDATE, DELETE or TRUNCATE, the statement itself or in its WITH.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Write {
    /// What it does.
    pub kind: WriteKind,
    /// Its table, where the name could be read.
    pub table: Option<TableName>,
    /// What narrows it.
    pub filter: Filter,
}

//! What the two sides are compared by.

use std::collections::BTreeSet;
use std::ops::Range;

use floodwall::sql::Verb;
use floodwall::sql::facts::WriteKind;
use floodwall::sql::lexer::{Counts, Wrap};

/// What stands as `LIMIT` or `FETCH FIRST`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Cap {
    /// Nothing, or `ALL`, or `NULL`.
    None,
    Rows(u64),
    Parameter,
    /// Anything that takes a server to work out.
    Expression,
}

/// Whether a write has a WHERE.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Where {
    Absent,
    Present,
}

/// An UPDATE, DELETE or TRUNCATE.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Write {
    pub kind: WriteKind,
    pub table: String,
    pub filter: Where,
}

/// Things a statement has or has not.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Mark {
    CteWrites,
    CopyIn,
    Parameters,
    /// `SELECT … INTO`.
    Into,
}

/// One statement as one side reads it.
#[derive(Debug, Clone)]
pub struct View {
    /// Where it is in the text. The parser's range may begin with white space and comments.
    pub text: Range<usize>,
    pub verb: Verb,
    pub inner: Verb,
    pub wrap: Wrap,
    /// Every literal and parameter that stands as a limit anywhere in it, sorted.
    pub limits: Vec<Cap>,
    /// The limit of its outermost query.
    pub limit: Cap,
    /// Tables that its queries read, as its facts see them: FROM, also of WITH queries and of queries in FROM.
    pub tables: BTreeSet<String>,
    pub writes: Vec<Write>,
    pub counts: Counts,
    pub marks: BTreeSet<Mark>,
}

/// A table's name as both sides write it.
pub fn table(schema: &str, name: &str) -> String {
    if schema.is_empty() { name.to_owned() } else { format!("{schema}.{name}") }
}

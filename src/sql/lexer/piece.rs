//! What is known of one statement of a text.

use std::ops::Range;

use crate::sql::verb::Verb;

/// What stands around the statement that a text names first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Wrap {
    /// Nothing: the statement itself runs.
    #[default]
    None,
    /// `EXPLAIN`: nothing runs.
    Explain,
    /// `EXPLAIN ANALYZE`: it runs, its rows stay on the server.
    ExplainAnalyze,
    /// `PREPARE name AS`: it runs when executed.
    Prepare,
    /// `DECLARE … CURSOR FOR`: its rows are fetched in portions.
    Cursor,
    /// `COPY (…) TO`: its rows are streamed.
    CopyOut,
}

/// How many rows a statement carries in its own text: the largest of each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Counts {
    /// Tuples of one `VALUES`; those of several INSERTs in one statement together.
    pub tuples: u32,
    /// Items of one `IN (…)`.
    pub in_items: u32,
    /// Arms of one `CASE`.
    pub case_arms: u32,
    /// Elements of one array in `ANY (…)`, `ALL (…)` or `unnest(…)`.
    pub array_elements: u32,
    /// Rows of all writes that were counted as one, since their text holds so many; 0 where none were.
    pub folded: u32,
}

impl Counts {
    /// The largest of all.
    pub fn largest(self) -> u32 {
        self.tuples.max(self.in_items).max(self.case_arms).max(self.array_elements).max(self.folded)
    }
}

/// What the lexer noticed about a statement.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Marks(u16);

impl Marks {
    /// It has `$n` parameters.
    pub const PARAMETERS: Self = Self(1);
    /// A quote, a comment or a parenthesis is never closed.
    pub const UNTERMINATED: Self = Self(2);
    /// A `WITH` query inserts, updates, deletes or merges.
    pub const CTE_WRITES: Self = Self(4);
    /// `COPY … FROM STDIN`.
    pub const COPY_IN: Self = Self(8);
    /// No statement of its own, but judged all the same: another way to read the text, where MySQL's executable
    /// comments run on some servers only, or the text that a `PREPARE` names.
    pub const ASIDE: Self = Self(16);
    /// A list holds more behind its first item than values and what its shape kept.
    pub const LISTED: Self = Self(32);
    /// Not all of its shape was kept, or it stands for several statements.
    pub const CUT: Self = Self(256);
    /// An UPDATE or DELETE stands in what was not kept.
    pub const CUT_WRITES: Self = Self(512);
    /// A TRUNCATE stands in what was not kept.
    pub const CUT_TRUNCATE: Self = Self(1024);

    /// True where all of `other` is set.
    pub const fn has(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    pub(super) const fn set(&mut self, other: Self) {
        self.0 |= other.0;
    }
}

/// One statement of a text.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Piece {
    /// What it is by its first keyword; `WITH` is resolved to its main statement.
    pub verb: Verb,
    /// What runs in the end: the statement that `EXPLAIN`, `PREPARE`, `DECLARE` or `COPY` names, else `verb`.
    pub inner: Verb,
    /// What stands around `inner`.
    pub wrap: Wrap,
    /// What else was noticed.
    pub marks: Marks,
    /// Where it is in the text, without surrounding white space and `;`.
    pub text: Range<usize>,
    /// Where it is in the shape.
    pub shape: Range<usize>,
    /// Where the statement of `inner` begins in the shape.
    pub body: usize,
    /// Rows that its text carries.
    pub counts: Counts,
    /// Its values in [`Lexed::limits`](super::Lexed::limits): the n-th belongs to the n-th `$2` of its shape.
    pub limits: Range<usize>,
    /// Its parameters that stand as arrays in `ANY (…)`, `ALL (…)` or `unnest(…)`, in `Lexed::arrays`.
    pub arrays: Range<usize>,
}

impl Piece {
    /// True where it inserts, updates, deletes or merges now, or once executed; a plain `EXPLAIN` does not.
    pub fn writes(&self) -> bool {
        self.wrap != Wrap::Explain && (self.inner.writes() || self.marks.has(Marks::CTE_WRITES))
    }
}

//! Tables with what pins and links their columns: enough to tell, by their unique keys, how many rows they can join to.

use super::Reach;

/// The tables of a FROM and its conditions.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Keyed {
    /// What stands in FROM, in order; at most [`SOURCES_MAX`].
    pub sources: Vec<Source>,
    /// Columns that have a fixed value.
    pub pins: Vec<Pin>,
    /// Columns that are equal to each other.
    pub links: Vec<Equal>,
    /// Whose rows are counted.
    pub goal: Goal,
    /// The formula that holds where no key bounds it.
    pub otherwise: Reach,
}

/// One item of a FROM.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Source {
    /// Its rows.
    pub rows: Reach,
    /// The table that it is, if it is one: an index into the statement's tables.
    pub table: Option<u16>,
    /// What becomes of the others' rows that match none of it.
    pub match_: Match,
}

/// What becomes of rows that find no match.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Match {
    /// They are dropped.
    Required,
    /// They stay: it stands on the optional side of an outer join.
    Optional,
}

/// Whose rows are counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Goal {
    /// Every combination.
    All,
    /// Those of the first source, each once: what a write changes.
    First,
}

/// A set of sources: the n-th is the n-th bit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Sources(u32);

/// A column of a source.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Column {
    /// The sources that it may be of: one where it is qualified. A statement that the server accepts has no unqualified
    /// name that two of them have.
    pub of: Sources,
    /// Its name.
    pub name: Box<str>,
}

/// A column with a fixed value.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Pin {
    /// The column.
    pub column: Column,
    /// How many values.
    pub values: Values,
}

/// How many values a column is compared with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Values {
    /// One.
    One,
    /// Null: `IS NULL`.
    Null,
    /// The items of an IN list.
    List,
    /// The elements of an array.
    Array,
}

/// Two columns that are equal in every row, where `second` may be found by way of `first`, or the other way about.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Equal {
    /// One of them.
    pub first: Column,
    /// The other.
    pub second: Column,
    /// The sources that the condition can narrow: of an outer join only the optional side.
    pub narrows: Sources,
}

/// A column that a join condition compares with the other side.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Link {
    /// Its table, where that is one.
    pub table: Option<u16>,
    /// Which of the sources it is of: columns of one make a key together.
    pub source: u8,
    /// Its name.
    pub column: Box<str>,
}

/// Most items of a FROM that are looked at together.
pub const SOURCES_MAX: usize = 16;
/// Most pins, and most links, of one FROM; what is beyond only makes a bound milder.
pub(super) const CONDITIONS_MAX: usize = 24;

impl Keyed {
    pub(super) fn weight(&self) -> usize {
        let sources: usize = self.sources.iter().map(|source| source.rows.weight()).sum();
        sources + self.pins.len() + self.links.len() + self.otherwise.weight()
    }
}

impl Sources {
    /// Those from one index up to another.
    pub fn range(from: usize, to: usize) -> Self {
        (from..to).fold(Self::default(), |all, index| all.with(index))
    }

    /// One of them.
    pub fn one(index: usize) -> Self {
        Self::default().with(index)
    }

    /// With one more; those beyond [`SOURCES_MAX`] are not kept.
    #[must_use]
    pub fn with(self, index: usize) -> Self {
        Self(self.0 | bit(index))
    }

    /// Without one.
    #[must_use]
    pub fn without(self, index: usize) -> Self {
        Self(self.0 & !bit(index))
    }

    /// Those that are also among `others`.
    #[must_use]
    pub fn only(self, others: Self) -> Self {
        Self(self.0 & others.0)
    }

    /// True where it is among them.
    pub fn has(self, index: usize) -> bool {
        self.0 & bit(index) != 0
    }

    /// True where all of them are among `others`.
    pub fn within(self, others: Self) -> bool {
        self.0 & !others.0 == 0
    }

    /// True where there is none.
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }
}

fn bit(index: usize) -> u32 {
    u32::try_from(index).ok().and_then(|index| 1_u32.checked_shl(index)).unwrap_or(0)
}

//! How many rows a query may send, as a formula over table sizes and the limits of a text.

/// A formula for the rows of a query. Tables and limits are inputs, so one formula serves every text of a shape.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Reach {
    /// Sends no rows.
    Silent,
    /// At most so many.
    Rows(u64),
    /// Every row of a table: an index into the statement's tables.
    Table(u16),
    /// Nobody can tell.
    Unknown,
    /// Some of these rows; how many, nobody can tell.
    Filtered(Box<Self>),
    /// At most what a limit of the text says: an index into the limits of the piece, or one beyond them where the limit
    /// is an expression.
    Limited(Box<Self>, u16),
    /// Every combination.
    Product(Vec<Self>),
    /// What a condition leaves of every combination: at most all of the largest part, where all parts are large.
    Joined(Vec<Self>),
    /// Each row of the first, where the second has at most one row for it.
    Matched(Box<Self>, Box<Self>),
    /// Every row of the first at least once, with what a condition finds in the second.
    Driven(Box<Self>, Box<Self>),
    /// All of them one after the other.
    Sum(Vec<Self>),
}

/// A formula beyond this is not worth keeping: WITH queries that name each other double it each time.
const WEIGHT_MAX: usize = 128;

impl Reach {
    /// Nodes of the formula.
    pub fn weight(&self) -> usize {
        match self {
            Self::Silent | Self::Rows(_) | Self::Table(_) | Self::Unknown => 1,
            Self::Filtered(inner) | Self::Limited(inner, _) => 1 + inner.weight(),
            Self::Matched(first, second) | Self::Driven(first, second) => 1 + first.weight() + second.weight(),
            Self::Product(parts) | Self::Joined(parts) | Self::Sum(parts) => {
                1 + parts.iter().map(Self::weight).sum::<usize>()
            }
        }
    }

    pub(super) fn filtered(self) -> Self {
        match self {
            Self::Filtered(_) | Self::Unknown | Self::Rows(0..=1) => self,
            other => Self::Filtered(Box::new(other)),
        }
    }

    pub(super) fn product(mut parts: Vec<Self>) -> Self {
        match parts.len() {
            0 => Self::Rows(1),
            1 => parts.swap_remove(0),
            _ => Self::Product(parts).bounded(),
        }
    }

    pub(super) fn joined(mut parts: Vec<Self>) -> Self {
        match parts.len() {
            0 | 1 => parts.pop().unwrap_or(Self::Rows(1)),
            _ => Self::Joined(parts).bounded(),
        }
    }

    pub(super) fn matched(first: Self, second: Self) -> Self {
        Self::Matched(Box::new(first), Box::new(second)).bounded()
    }

    pub(super) fn sum(self, other: Self) -> Self {
        match self {
            Self::Sum(mut parts) if parts.len() < WEIGHT_MAX => {
                parts.push(other);
                Self::Sum(parts)
            }
            first => Self::Sum(vec![first, other]).bounded(),
        }
    }

    pub(super) fn limited(self, index: u16) -> Self {
        Self::Limited(Box::new(self), index).bounded()
    }

    pub(super) fn bounded(self) -> Self {
        if self.weight() > WEIGHT_MAX { Self::Unknown } else { self }
    }

    /// True where something narrows it, be it known how far or not: what is joined to it by a condition is narrowed
    /// as well.
    pub(super) fn is_narrow(&self) -> bool {
        match self {
            Self::Silent | Self::Rows(_) | Self::Unknown | Self::Filtered(_) | Self::Limited(..) => true,
            Self::Table(_) => false,
            Self::Matched(first, _) | Self::Driven(first, _) => first.is_narrow(),
            Self::Product(parts) | Self::Joined(parts) | Self::Sum(parts) => parts.iter().all(Self::is_narrow),
        }
    }
}

//! How many rows a query may send, as a formula over table sizes, keys and the limits of a text.

use super::claims::Claims;
use super::keyed::{Keyed, Link};

/// A formula for the rows of a query. Tables, keys and limits are inputs, so one formula serves every text of a shape.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Reach {
    /// Sends no rows.
    Silent,
    /// At most so many.
    Rows(u64),
    /// As many as the longest VALUES of the text has tuples.
    Tuples,
    /// As many as the longest array of the text, or of its values, has elements.
    Elements,
    /// Every row of a table: an index into the statement's tables.
    Table(u16),
    /// Nobody can tell.
    Unknown,
    /// Some of these rows; how many, nobody can tell.
    Filtered(Box<Self>),
    /// All of these rows of a table where the claims about it hold, and else some of them.
    Presumed(Box<Self>, Option<u16>, Claims),
    /// Most likely so many, and nobody can be sure: a function may return rows, a limit may have ties.
    Unsure(Box<Self>),
    /// These rows, or one without values where there are none: the optional side of an outer join.
    Optional(Box<Self>),
    /// At most what a limit of the text says: an index into the limits of the piece, or one beyond them where the limit
    /// is an expression.
    Limited(Box<Self>, u16),
    /// Every combination.
    Product(Vec<Self>),
    /// What a condition that links two sides leaves of every combination.
    Linked(Box<Linked>),
    /// Every row of the first side at least once, with what a condition finds in the second.
    Outer(Box<Linked>),
    /// All of them one after the other.
    Sum(Vec<Self>),
    /// Tables of which some may be pinned by a unique key.
    Keyed(Box<Keyed>),
}

/// Two sides of a join and what links them.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Linked {
    /// One side: of an outer join the one whose rows all stay.
    pub first: Reach,
    /// The other side.
    pub second: Reach,
    /// What the condition compares in the first.
    pub first_columns: Vec<Link>,
    /// What the condition compares in the second.
    pub second_columns: Vec<Link>,
}

/// A formula beyond this is not worth keeping: WITH queries that name each other double it each time.
const WEIGHT_MAX: usize = 128;

impl Reach {
    /// Nodes of the formula.
    pub fn weight(&self) -> usize {
        match self {
            Self::Silent | Self::Rows(_) | Self::Tuples | Self::Elements | Self::Table(_) | Self::Unknown => 1,
            Self::Filtered(inner) | Self::Limited(inner, _) | Self::Unsure(inner) | Self::Optional(inner) => {
                1 + inner.weight()
            }
            Self::Presumed(inner, _, claims) => 1 + inner.weight() + claims.weight(),
            Self::Linked(linked) | Self::Outer(linked) => {
                let columns = linked.first_columns.len() + linked.second_columns.len();
                1 + linked.first.weight() + linked.second.weight() + columns
            }
            Self::Keyed(keyed) => 1 + keyed.weight(),
            Self::Product(parts) | Self::Sum(parts) => 1 + parts.iter().map(Self::weight).sum::<usize>(),
        }
    }

    pub(super) fn filtered(self) -> Self {
        match self {
            Self::Filtered(_) | Self::Unknown | Self::Rows(0..=1) => self,
            other => Self::Filtered(Box::new(other)),
        }
    }

    pub(super) fn unsure(self) -> Self {
        match self {
            Self::Silent | Self::Unknown | Self::Unsure(_) => self,
            other => Self::Unsure(Box::new(other)),
        }
    }

    pub(super) fn product(mut parts: Vec<Self>) -> Self {
        match parts.len() {
            0 => Self::Rows(1),
            1 => parts.swap_remove(0),
            _ => Self::Product(parts).bounded(),
        }
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
}

//! What has to be so for a condition to be true for every row.

/// Alternatives, each a list of claims about the columns of one table: a condition is true for every row where one
/// alternative holds. Never empty.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Claims(Vec<Vec<Claim>>);

/// A claim about a column.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Claim {
    /// Its name.
    pub column: Box<str>,
    /// What it is claimed to be.
    pub is: Always,
}

/// What a column may always be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Always {
    /// Not null.
    Present,
    /// A number above 0, as keys are.
    Positive,
    /// No column at all: a condition of nothing but literals. Where a parameter stands among them it is none.
    Literal,
}

impl Claim {
    /// True where the column's name says so: `id` and `pk` are taken for keys, and the place of a row is never null.
    pub fn holds_by_name(&self) -> bool {
        matches!(&*self.column, "id" | "pk") || self.is_of_every_row()
    }

    /// True for what the server itself keeps of every row.
    pub fn is_of_every_row(&self) -> bool {
        self.is == Always::Present && matches!(&*self.column, "ctid" | "tableoid" | "xmin" | "xmax")
    }
}

impl Claims {
    pub(super) fn one(column: &str, is: Always) -> Self {
        Self(vec![vec![Claim { column: column.into(), is }]])
    }

    /// True where an alternative holds: all its claims do.
    pub fn hold(&self, holds: impl Fn(&Claim) -> bool) -> bool {
        self.0.iter().any(|claims| claims.iter().all(&holds))
    }

    /// True where an alternative holds for columns whose names alone are known: `id` and `pk` are taken for keys.
    pub fn hold_by_name(&self) -> bool {
        self.hold(Claim::holds_by_name)
    }

    pub(super) fn either(mut self, other: Self) -> Self {
        self.0.extend(other.0);
        self.0.truncate(ALTERNATIVES_MAX);
        self
    }

    pub(super) fn both(self, other: &Self) -> Option<Self> {
        let merged = |a: &Vec<Claim>, b: &Vec<Claim>| -> Vec<Claim> { a.iter().chain(b).cloned().collect() };
        let pairs = self.0.iter().flat_map(|a| other.0.iter().map(move |b| merged(a, b)));
        let kept: Vec<_> = pairs.filter(|claims| claims.len() <= CLAIMS_MAX).take(ALTERNATIVES_MAX).collect();
        (!kept.is_empty()).then_some(Self(kept))
    }

    pub(super) fn weight(&self) -> usize {
        self.0.iter().map(Vec::len).sum()
    }
}

/// What goes beyond is dropped: a condition then counts as a filter.
const ALTERNATIVES_MAX: usize = 4;
const CLAIMS_MAX: usize = 4;

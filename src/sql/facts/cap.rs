//! What stands as LIMIT.

use sqlparser::ast::{Expr, Fetch, LimitClause, Query, Value};

use super::compare;

/// The n-th limit of a text stands as `$(1000 + n)` in what the parser reads, or as `?(1000 + n)` in MySQL's SQL.
pub(super) const LIMIT_BASE: u16 = 1000;

/// The number of a limit that is an expression: no text has a value for it.
pub(super) const NO_VALUE: u16 = u16::MAX;

/// What stands as LIMIT.
pub(super) enum Cap {
    None,
    Literal(u16),
    /// One that lets more pass that are equal to the last.
    Ties(u16),
    Rows(u64),
    /// The first row, and those that are equal to it.
    FirstAndTies,
    Unknown,
}

impl Cap {
    /// That of a query: LIMIT or FETCH FIRST.
    pub(super) fn of(query: &Query) -> Self {
        if let Some(fetch) = &query.fetch {
            return Self::of_fetch(fetch);
        }
        match &query.limit_clause {
            Some(LimitClause::LimitOffset { limit: Some(limit), .. } | LimitClause::OffsetCommaLimit { limit, .. }) => {
                Self::of_limit(limit)
            }
            Some(LimitClause::LimitOffset { limit: None, .. }) | None => Self::None,
        }
    }

    fn of_fetch(fetch: &Fetch) -> Self {
        match &fetch.quantity {
            Some(quantity) => match Self::of_limit(quantity) {
                Self::Literal(index) if fetch.with_ties => Self::Ties(index),
                cap => cap,
            },
            None if fetch.with_ties => Self::FirstAndTies,
            None => Self::Rows(1),
        }
    }

    /// That of what stands behind LIMIT.
    pub(super) fn of_limit(limit: &Expr) -> Self {
        let Expr::Value(value) = compare::peel(limit) else { return Self::Unknown };
        match &value.value {
            Value::Null => Self::None,
            Value::Placeholder(name) => {
                let number = name.strip_prefix(['$', '?']).and_then(|digits| digits.parse::<u16>().ok());
                number.and_then(|number| number.checked_sub(LIMIT_BASE)).map_or(Self::Unknown, Self::Literal)
            }
            _ => Self::Unknown,
        }
    }
}

//! The reach of queries.

use sqlparser::ast::{
    Cte, Distinct, Expr, Fetch, GroupByExpr, LimitClause, ObjectName, ObjectNamePart, Query, Select, SetExpr,
    SetOperator, TableFactor, TableWithJoins, Value, With,
};

use super::calls::Calls;
use super::join;
use super::mysql;
use super::truth::{self, Keys, Truth};
use super::{Reach, TableName, Write};
use crate::sql::dialect::Dialect;

/// Walks one statement. Data-modifying WITH queries add to `writes` wherever they stand.
#[derive(Debug, Default)]
pub(super) struct Reader {
    pub(super) dialect: Dialect,
    pub(super) tables: Vec<TableName>,
    pub(super) writes: Vec<Write>,
    /// WITH queries that can be named here, innermost last.
    ctes: Vec<(String, Reach)>,
    /// A SELECT INTO was met: nothing goes to the client.
    into: bool,
}

/// The n-th limit of a text stands as `$(1000 + n)` in what the parser reads, or as `?(1000 + n)` in MySQL's SQL.
pub(super) const LIMIT_BASE: u16 = 1000;

/// What stands as LIMIT.
pub(super) enum Cap {
    None,
    Literal(u16),
    Rows(u64),
    Unknown,
}

impl Reader {
    pub(super) fn of(dialect: Dialect) -> Self {
        Self { dialect, ..Self::default() }
    }

    pub(super) fn query(&mut self, query: &Query) -> Reach {
        let scope = self.ctes.len();
        if let Some(with) = &query.with {
            self.with(with);
        }
        let body = self.body(&query.body);
        self.ctes.truncate(scope);
        if self.into {
            return Reach::Silent;
        }
        match cap(query) {
            Cap::None => body,
            Cap::Rows(rows) => Reach::Rows(rows),
            Cap::Unknown => body.filtered(),
            Cap::Literal(_) if body == Reach::Rows(1) => body,
            Cap::Literal(index) => Reach::Limited(Box::new(body), index).bounded(),
        }
    }

    fn with(&mut self, with: &With) {
        for cte in &with.cte_tables {
            let name = cte.alias.name.value.clone();
            let reach = if with.recursive { self.recursive(cte, &name) } else { self.query(&cte.query) };
            self.ctes.push((name, reach));
        }
    }

    /// A query that may name itself: how often it goes round, nobody knows.
    fn recursive(&mut self, cte: &Cte, name: &str) -> Reach {
        self.ctes.push((name.to_owned(), Reach::Unknown));
        let reach = self.query(&cte.query);
        self.ctes.pop();
        if matches!(&*cte.query.body, SetExpr::SetOperation { .. }) { Reach::Unknown } else { reach }
    }

    /// Chains of UNION may be thousands long: they are walked, not recursed into.
    fn body(&mut self, body: &SetExpr) -> Reach {
        let mut chain = Vec::new();
        let mut leftmost = body;
        while let SetExpr::SetOperation { left, op, right, .. } = leftmost {
            chain.push((op, right));
            leftmost = left;
        }
        let mut reach = self.operand(leftmost);
        for (op, right) in chain.into_iter().rev() {
            let other = self.operand(right);
            reach = match op {
                SetOperator::Union => reach.sum(other),
                SetOperator::Except | SetOperator::Intersect | SetOperator::Minus => reach.filtered(),
            };
        }
        reach
    }

    fn operand(&mut self, body: &SetExpr) -> Reach {
        match body {
            SetExpr::Select(select) => self.select(select),
            SetExpr::Query(query) => self.query(query),
            SetExpr::SetOperation { .. } => self.body(body),
            // As long as the text itself.
            SetExpr::Values(_) => Reach::Rows(1),
            SetExpr::Table(table) => {
                let name = table.table_name.as_deref().unwrap_or_default();
                self.named(match &table.schema_name {
                    Some(schema) => TableName::qualified(schema, name),
                    None => TableName::new(name),
                })
            }
            SetExpr::Insert(write) | SetExpr::Update(write) | SetExpr::Delete(write) | SetExpr::Merge(write) => {
                self.statement(write);
                Reach::Unknown
            }
        }
    }

    fn select(&mut self, select: &Select) -> Reach {
        self.into |= select.into.is_some();
        let parts: Vec<Reach> = select.from.iter().map(|from| self.joined(from)).collect();
        let several = join::several(&select.from);
        let keys = if several { Keys::Nullable } else { Keys::Positive };
        let truth = select.selection.as_ref().map(|condition| (condition, truth::fold(condition, keys)));
        let reach = match truth {
            None | Some((_, Truth::Always)) => Reach::product(parts),
            Some((_, Truth::Never)) => Reach::Rows(0),
            Some((condition, Truth::Depends)) if several && join::only_links(condition, &select.from) => {
                Reach::joined(parts)
            }
            Some((_, Truth::Depends)) => Reach::product(parts).filtered(),
        };
        match self.dialect {
            Dialect::Postgres => shaped(select, reach, Having::AsGiven),
            Dialect::MySql => mysql::shaped(select, reach),
        }
    }

    pub(super) fn joined(&mut self, from: &TableWithJoins) -> Reach {
        let mut reach = self.factor(&from.relation);
        for join in &from.joins {
            let right = self.factor(&join.relation);
            reach = join::combined(reach, join, right);
        }
        reach
    }

    fn factor(&mut self, factor: &TableFactor) -> Reach {
        match factor {
            TableFactor::Table { args: Some(_), .. } => Reach::Unknown,
            TableFactor::Table { name, sample, partitions, .. } => {
                let reach = table_name(name).map_or(Reach::Unknown, |name| self.named(name));
                if sample.is_some() || !partitions.is_empty() { reach.filtered() } else { reach }
            }
            TableFactor::Derived { subquery, sample, .. } => {
                let reach = self.query(subquery);
                if sample.is_some() { reach.filtered() } else { reach }
            }
            TableFactor::NestedJoin { table_with_joins, .. } => self.joined(table_with_joins),
            _ => Reach::Unknown,
        }
    }

    /// A WITH query or a table.
    pub(super) fn named(&mut self, name: TableName) -> Reach {
        if name.schema().is_none()
            && let Some((_, reach)) = self.ctes.iter().rev().find(|(cte, _)| cte == name.name())
        {
            return reach.clone();
        }
        if self.dialect == Dialect::MySql && mysql::is_catalogue(&name) {
            return Reach::Rows(1);
        }
        let index = self.tables.iter().position(|known| *known == name).unwrap_or_else(|| {
            self.tables.push(name);
            self.tables.len() - 1
        });
        u16::try_from(index).map_or(Reach::Unknown, Reach::Table)
    }
}

/// What a HAVING without groups is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Having {
    /// What it says: of one group.
    AsGiven,
    /// A filter that the reach knows already.
    Applied,
}

/// What select list, GROUP BY and DISTINCT make of the rows.
pub(super) fn shaped(select: &Select, reach: Reach, having: Having) -> Reach {
    let calls = Calls::of(&select.projection);
    let grouped = !matches!(&select.group_by, GroupByExpr::Expressions(by, sets) if by.is_empty() && sets.is_empty());
    if calls.has(Calls::ROWS) {
        return Reach::Unknown;
    }
    if grouped {
        return reach.filtered();
    }
    if calls.has(Calls::AGGREGATE) || (having == Having::AsGiven && select.having.is_some()) {
        return Reach::Rows(1);
    }
    if calls.has(Calls::UNKNOWN) && !calls.has(Calls::COLUMN) && !select.from.is_empty() {
        return Reach::Unknown;
    }
    match &select.distinct {
        Some(Distinct::Distinct | Distinct::On(_)) => reach.filtered(),
        Some(Distinct::All) | None => reach,
    }
}

fn cap(query: &Query) -> Cap {
    if let Some(fetch) = &query.fetch {
        return fetched(fetch);
    }
    match &query.limit_clause {
        Some(LimitClause::LimitOffset { limit: Some(limit), .. } | LimitClause::OffsetCommaLimit { limit, .. }) => {
            capped(limit)
        }
        Some(LimitClause::LimitOffset { limit: None, .. }) | None => Cap::None,
    }
}

fn fetched(fetch: &Fetch) -> Cap {
    match &fetch.quantity {
        Some(quantity) => capped(quantity),
        None => Cap::Rows(1),
    }
}

pub(super) fn capped(limit: &Expr) -> Cap {
    let Expr::Value(value) = truth::peel(limit) else { return Cap::Unknown };
    match &value.value {
        Value::Null => Cap::None,
        Value::Placeholder(name) => {
            let number = name.strip_prefix(['$', '?']).and_then(|digits| digits.parse::<u16>().ok());
            number.and_then(|number| number.checked_sub(LIMIT_BASE)).map_or(Cap::Unknown, Cap::Literal)
        }
        _ => Cap::Unknown,
    }
}

/// The table that a name means; a database before the schema is the current one or an error.
pub(super) fn table_name(name: &ObjectName) -> Option<TableName> {
    let mut parts = name.0.iter().rev().map(|part| match part {
        ObjectNamePart::Identifier(ident) => Some(ident.value.as_str()),
        ObjectNamePart::Function(_) => None,
    });
    let table = parts.next()??;
    match parts.next() {
        Some(schema) => Some(TableName::qualified(schema?, table)),
        None => Some(TableName::new(table)),
    }
}

//! The reach of queries.

use sqlparser::ast::{
    Cte, Distinct, Expr, GroupByExpr, ObjectName, ObjectNamePart, Query, Select, SetExpr, SetOperator, TableAlias,
    TableFactor, TableSampleKind, TableWithJoins, With,
};

use super::calls::Calls;
use super::cap::{Cap, NO_VALUE};
use super::compare;
use super::conditions::Scope;
use super::join::{self, Part};
use super::keyed::{Goal, Sources};
use super::mysql;
use super::truth::{self, Folded};
use super::whole;
use super::{Reach, TableName, Write};
use crate::sql::dialect::Dialect;

/// Walks one statement. Data-modifying WITH queries add to `writes` wherever they stand.
#[derive(Debug, Default)]
pub(super) struct Reader {
    pub(super) dialect: Dialect,
    pub(super) tables: Vec<TableName>,
    pub(super) writes: Vec<Write>,
    /// Rows that each write changes.
    pub(super) changed: Vec<Reach>,
    /// WITH queries that can be named here, innermost last.
    ctes: Vec<(String, Reach)>,
    /// A SELECT INTO was met: nothing goes to the client.
    into: bool,
    /// Names whose columns a LATERAL query sees from outside.
    outer: Vec<String>,
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
        match Cap::of(query) {
            Cap::None => body,
            Cap::Rows(rows) => Reach::Rows(rows),
            Cap::FirstAndTies => Reach::Rows(1).unsure(),
            Cap::Unknown => Reach::limited(body, NO_VALUE),
            Cap::Literal(_) if body == Reach::Rows(1) => body,
            Cap::Literal(index) => Reach::limited(body, index),
            Cap::Ties(index) => Reach::limited(body, index).unsure(),
        }
    }

    fn with(&mut self, with: &With) {
        for cte in &with.cte_tables {
            let name = cte.alias.name.value.clone();
            let reach = if with.recursive { self.recursive(cte, &name) } else { self.query(&cte.query) };
            self.ctes.push((name, reach));
        }
    }

    /// A query that may name itself: how often it goes round, nobody knows; what it begins with is in it.
    fn recursive(&mut self, cte: &Cte, name: &str) -> Reach {
        self.ctes.push((name.to_owned(), Reach::Unknown));
        let reach = self.query(&cte.query);
        self.ctes.pop();
        if matches!(&*cte.query.body, SetExpr::SetOperation { .. }) {
            reach.sum(Reach::Unknown).bounded()
        } else {
            reach
        }
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
            // The shape keeps the first tuple of many.
            SetExpr::Values(values) if values.rows.len() == 1 => self.tuples(values),
            SetExpr::Values(values) => Reach::Rows(values.rows.len() as u64),
            SetExpr::Table(table) => {
                let name = table.table_name.as_deref().unwrap_or_default();
                self.named(match &table.schema_name {
                    Some(schema) => TableName::qualified(schema, name),
                    None => TableName::new(name),
                })
            }
            SetExpr::Insert(write) | SetExpr::Update(write) | SetExpr::Delete(write) | SetExpr::Merge(write) => {
                self.statement(write)
            }
        }
    }

    /// One tuple may call a function that returns rows; several may not.
    fn tuples(&self, values: &sqlparser::ast::Values) -> Reach {
        let calls = Calls::of_exprs(values.rows.iter().flat_map(|row| row.content.iter()));
        match self.dialect {
            Dialect::Postgres if calls.has(Calls::ROWS) => Reach::Unknown,
            Dialect::Postgres if calls.has(Calls::UNKNOWN) => Reach::Tuples.unsure(),
            Dialect::Postgres | Dialect::MySql => Reach::Tuples,
        }
    }

    fn select(&mut self, select: &Select) -> Reach {
        self.into |= select.into.is_some();
        let mut scope = Scope::inside(self.outer.clone());
        let mut parts = Vec::with_capacity(select.from.len());
        for from in &select.from {
            let start = scope.len();
            parts.push(Part { reach: self.joined(from, &mut scope), start });
        }
        let reach = match &select.selection {
            None => join::product(parts),
            Some(condition) => narrowed(select, parts, condition, &mut scope),
        };
        let reach = scope.keyed(Goal::All, reach);
        match self.dialect {
            Dialect::Postgres => shaped(select, reach, Having::AsGiven),
            Dialect::MySql => mysql::shaped(select, reach),
        }
    }

    pub(super) fn joined(&mut self, from: &TableWithJoins, scope: &mut Scope) -> Reach {
        let start = scope.len();
        let mut reach = self.factor(&from.relation, scope);
        for join in &from.joins {
            let middle = scope.len();
            let right = self.factor(&join.relation, scope);
            reach = join::combined([reach, right], join, scope, [start, middle]);
        }
        reach
    }

    pub(super) fn factor(&mut self, factor: &TableFactor, scope: &mut Scope) -> Reach {
        let (reach, table) = match factor {
            TableFactor::NestedJoin { table_with_joins, alias } => return self.nested(table_with_joins, alias, scope),
            TableFactor::Table { args: Some(_), .. } => (Reach::Unknown, None),
            TableFactor::Table { name, sample, partitions, .. } => {
                let reach = table_name(name).map_or(Reach::Unknown, |name| self.named(name));
                let table = self.direct(name, &reach);
                let part = sample.as_ref().is_some_and(is_part) || !partitions.is_empty();
                (if part { reach.filtered() } else { reach }, table)
            }
            TableFactor::Derived { lateral, subquery, sample, .. } => {
                let reach = if *lateral { self.lateral(subquery, scope) } else { self.query(subquery) };
                (if sample.as_ref().is_some_and(is_part) { reach.filtered() } else { reach }, None)
            }
            TableFactor::UNNEST { array_exprs, .. } if scope.are_fixed_arrays(array_exprs) => (Reach::Elements, None),
            _ => (Reach::Unknown, None),
        };
        scope.add(factor, &reach, table);
        reach
    }

    fn nested(&mut self, from: &TableWithJoins, alias: &Option<TableAlias>, scope: &mut Scope) -> Reach {
        let start = scope.len();
        let reach = self.joined(from, scope);
        if let Some(alias) = alias {
            scope.merge(start, Some(&alias.name.value), &reach);
        }
        reach
    }

    fn lateral(&mut self, query: &Query, scope: &Scope) -> Reach {
        let around = std::mem::replace(&mut self.outer, scope.names());
        let reach = self.query(query);
        self.outer = around;
        reach
    }

    /// The table itself, where its own columns are seen: those of a WITH query may have other names.
    fn direct(&self, name: &ObjectName, reach: &Reach) -> Option<u16> {
        let name = table_name(name)?;
        match reach {
            Reach::Table(table) if !self.is_cte(&name) => Some(*table),
            _ => None,
        }
    }

    fn is_cte(&self, name: &TableName) -> bool {
        name.schema().is_none() && self.ctes.iter().any(|(cte, _)| cte == name.name())
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

/// True for a sample that leaves rows out: the lexer keeps a share of 100 percent and more.
fn is_part(sample: &TableSampleKind) -> bool {
    let (TableSampleKind::BeforeTableAlias(sample) | TableSampleKind::AfterTableAlias(sample)) = sample;
    let share = sample.quantity.as_ref().map(|quantity| &quantity.value);
    share.is_none_or(|share| compare::number(share) != Some(100))
}

/// What a WHERE leaves.
fn narrowed(select: &Select, parts: Vec<Part>, condition: &Expr, scope: &mut Scope) -> Reach {
    let all = Sources::range(0, scope.len());
    let several = join::several(&select.from);
    match truth::read(condition) {
        Folded::Always => join::product(parts),
        Folded::Never => Reach::Rows(0),
        Folded::Given(claims) if !several => {
            Reach::Presumed(Box::new(join::product(parts)), scope.table(0), claims).bounded()
        }
        Folded::Depends if whole::is_every_row(condition, &select.from.iter().collect::<Vec<_>>()) && !several => {
            join::product(parts)
        }
        Folded::Depends | Folded::Given(_) => {
            scope.condition(condition, all, all);
            match join::only_links(condition, &select.from) {
                Some(columns) if several => join::listed(parts, &columns, scope),
                _ => join::product(parts).filtered(),
            }
        }
    }
}

/// What select list, GROUP BY and DISTINCT make of the rows.
pub(super) fn shaped(select: &Select, reach: Reach, having: Having) -> Reach {
    let calls = Calls::of(&select.projection);
    if calls.has(Calls::ROWS) {
        // So many rows for each that it reads.
        return Reach::product(vec![reach, Reach::Unknown]);
    }
    let counted = counted(select, reach, having, calls);
    // Any function that nobody knows here may return rows.
    if calls.has(Calls::UNKNOWN) { counted.unsure() } else { counted }
}

fn counted(select: &Select, reach: Reach, having: Having, calls: Calls) -> Reach {
    match Grouping::of(&select.group_by) {
        Grouping::Sets => return reach.filtered().unsure(),
        Grouping::Plain => return reach.filtered(),
        Grouping::None => {}
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

/// What GROUP BY does.
enum Grouping {
    None,
    /// At most one row for each that it reads.
    Plain,
    /// Several rows for each.
    Sets,
}

impl Grouping {
    fn of(by: &GroupByExpr) -> Self {
        match by {
            GroupByExpr::All(_) => Self::Sets,
            GroupByExpr::Expressions(by, sets) if by.is_empty() && sets.is_empty() => Self::None,
            GroupByExpr::Expressions(by, sets) => {
                let plain = |expr: &Expr| !matches!(expr, Expr::GroupingSets(_) | Expr::Cube(_) | Expr::Rollup(_));
                if sets.is_empty() && by.iter().all(plain) { Self::Plain } else { Self::Sets }
            }
        }
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

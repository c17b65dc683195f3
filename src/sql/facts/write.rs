//! What statements write.

use sqlparser::ast::{Delete, Expr, FromTable, Statement, TableFactor, TableWithJoins, Update};

use super::mysql;
use super::select::{self, Reader};
use super::truth::{self, Keys, Truth};
use super::{Filter, Reach, TableName, Write, WriteKind};
use crate::sql::dialect::Dialect;

impl Reader {
    /// Reads one statement; only a query has a reach.
    pub(super) fn statement(&mut self, statement: &Statement) -> Reach {
        match statement {
            Statement::Query(query) => return self.query(query),
            Statement::Update(update) => self.update(update),
            Statement::Delete(delete) => self.delete(delete),
            Statement::Insert(insert) => {
                if let Some(source) = &insert.source {
                    self.query(source);
                }
            }
            _ => {}
        }
        Reach::Silent
    }

    fn update(&mut self, update: &Update) {
        let table = written(Some(&update.table));
        let filter = self.narrowed(update.selection.as_ref(), &[&update.table], update.limit.as_ref());
        self.writes.push(Write { kind: WriteKind::Update, table, filter });
    }

    fn delete(&mut self, delete: &Delete) {
        let (FromTable::WithFromKeyword(from) | FromTable::WithoutKeyword(from)) = &delete.from;
        let table = written(from.first());
        let all: Vec<_> = from.iter().chain(delete.using.iter().flatten()).collect();
        let filter = self.narrowed(delete.selection.as_ref(), &all, delete.limit.as_ref());
        self.writes.push(Write { kind: WriteKind::Delete, table, filter });
    }
}

impl Reader {
    fn narrowed(&self, condition: Option<&Expr>, tables: &[&TableWithJoins], limit: Option<&Expr>) -> Filter {
        match self.dialect {
            Dialect::Postgres => filter(condition),
            Dialect::MySql => mysql::narrowed(filter(condition), tables, limit),
        }
    }
}

/// What a WHERE narrows. One that is never true narrows to nothing.
pub(super) fn filter(condition: Option<&Expr>) -> Filter {
    match condition.map(|condition| truth::fold(condition, Keys::Positive)) {
        None => Filter::None,
        Some(Truth::Always) => Filter::ConstantTrue,
        Some(Truth::Never | Truth::Depends) => Filter::Real,
    }
}

fn written(table: Option<&TableWithJoins>) -> Option<TableName> {
    match &table?.relation {
        TableFactor::Table { name, .. } => select::table_name(name),
        _ => None,
    }
}

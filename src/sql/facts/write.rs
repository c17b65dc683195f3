//! What statements write.

use sqlparser::ast::{Delete, Expr, FromTable, Statement, TableFactor, TableWithJoins, Update};

use super::select::{self, Reader};
use super::truth::{self, Keys, Truth};
use super::{Filter, Reach, TableName, Write, WriteKind};

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
        self.writes.push(Write { kind: WriteKind::Update, table, filter: filter(update.selection.as_ref()) });
    }

    fn delete(&mut self, delete: &Delete) {
        let (FromTable::WithFromKeyword(from) | FromTable::WithoutKeyword(from)) = &delete.from;
        let table = written(from.first());
        self.writes.push(Write { kind: WriteKind::Delete, table, filter: filter(delete.selection.as_ref()) });
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

//! What statements write.

use sqlparser::ast::{
    Delete, Expr, FromTable, Merge, MergeAction, MergeClause, MergeClauseKind, Statement, TableFactor, Update,
};

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
            Statement::Merge(merge) => self.merge(merge),
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
        let table = written(Some(&update.table.relation));
        self.writes.push(Write { kind: WriteKind::Update, table, filter: filter(update.selection.as_ref()) });
    }

    fn delete(&mut self, delete: &Delete) {
        let (FromTable::WithFromKeyword(from) | FromTable::WithoutKeyword(from)) = &delete.from;
        let table = written(from.first().map(|from| &from.relation));
        self.writes.push(Write { kind: WriteKind::Delete, table, filter: filter(delete.selection.as_ref()) });
    }

    fn merge(&mut self, merge: &Merge) {
        let on = truth::fold(&merge.on, Keys::Nullable);
        for arm in &merge.clauses {
            let kind = match arm.action {
                MergeAction::Update(_) => WriteKind::Update,
                MergeAction::Delete { .. } => WriteKind::Delete,
                MergeAction::Insert(_) | MergeAction::DoNothing { .. } => continue,
            };
            self.writes.push(Write { kind, table: written(Some(&merge.table)), filter: arm_filter(on, arm) });
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

/// What narrows an arm of a MERGE: rows that match are those of ON, rows that no source has are all the others.
fn arm_filter(on: Truth, arm: &MergeClause) -> Filter {
    let every_row = match arm.clause_kind {
        MergeClauseKind::NotMatchedBySource => Truth::Never,
        MergeClauseKind::Matched | MergeClauseKind::NotMatched | MergeClauseKind::NotMatchedByTarget => Truth::Always,
    };
    match filter(arm.predicate.as_ref()) {
        Filter::None | Filter::ConstantTrue if on == every_row => Filter::ConstantTrue,
        _ => Filter::Real,
    }
}

fn written(table: Option<&TableFactor>) -> Option<TableName> {
    match table? {
        TableFactor::Table { name, .. } => select::table_name(name),
        _ => None,
    }
}

//! What statements write.

use sqlparser::ast::{
    Delete, Expr, FromTable, Insert, Merge, MergeAction, MergeClause, MergeClauseKind, Statement, TableFactor,
    TableWithJoins, Update, UpdateTableFromKind,
};

use super::conditions::Scope;
use super::keyed::{Goal, Sources};
use super::select::{self, Reader};
use super::truth::{self, Folded, Keys, Truth};
use super::{Filter, Reach, TableName, Write, WriteKind};

impl Reader {
    /// Reads one statement: the rows that it sends. Those that it changes are noted.
    pub(super) fn statement(&mut self, statement: &Statement) -> Reach {
        let (changed, sends_rows) = match statement {
            Statement::Query(query) => return self.query(query),
            Statement::Update(update) => (self.update(update), update.returning.is_some()),
            Statement::Delete(delete) => (self.delete(delete), delete.returning.is_some()),
            Statement::Insert(insert) => (self.insert(insert), insert.returning.is_some()),
            Statement::Merge(merge) => (self.merge(merge), merge.output.is_some()),
            _ => return Reach::Silent,
        };
        self.changed.push(changed.clone());
        if sends_rows { changed.filtered() } else { Reach::Silent }
    }

    fn update(&mut self, update: &Update) -> Reach {
        let from = match &update.from {
            Some(UpdateTableFromKind::BeforeSet(from) | UpdateTableFromKind::AfterSet(from)) => from.as_slice(),
            None => &[],
        };
        self.written(WriteKind::Update, Some(&update.table), from, update.selection.as_ref())
    }

    fn delete(&mut self, delete: &Delete) -> Reach {
        let (FromTable::WithFromKeyword(from) | FromTable::WithoutKeyword(from)) = &delete.from;
        let using = delete.using.as_deref().unwrap_or_default();
        self.written(WriteKind::Delete, from.first(), using, delete.selection.as_ref())
    }

    /// Notes a write to a table, other tables beside it; the rows that it changes.
    fn written(
        &mut self,
        kind: WriteKind,
        target: Option<&TableWithJoins>,
        beside: &[TableWithJoins],
        condition: Option<&Expr>,
    ) -> Reach {
        let mut scope = Scope::default();
        let rows = target.map_or(Reach::Unknown, |target| self.joined(target, &mut scope));
        let alone = scope.len() == 1 && beside.is_empty();
        beside.iter().for_each(|from| {
            self.joined(from, &mut scope);
        });
        let filter = match condition {
            Some(condition) if alone => conditional(condition),
            condition => filter(condition),
        };
        let rows = if filter == Filter::Real { rows.filtered() } else { rows };
        self.writes.push(Write { kind, table: named(target.map(|target| &target.relation)), filter });
        let all = Sources::range(0, scope.len());
        if let Some(condition) = condition {
            scope.condition(condition, all, all);
        }
        scope.keyed(Goal::First, rows)
    }

    fn insert(&mut self, insert: &Insert) -> Reach {
        // Without a source it is DEFAULT VALUES.
        insert.source.as_ref().map_or(Reach::Rows(1), |source| self.query(source))
    }

    /// Each row of the source changes what it matches in the target, or adds one row.
    fn merge(&mut self, merge: &Merge) -> Reach {
        let mut scope = Scope::default();
        let target = self.factor(&merge.table, &mut scope);
        let first = scope.len();
        let source = self.factor(&merge.source, &mut scope);
        let kinds = |kind: MergeClauseKind| merge.clauses.iter().any(|clause| clause.clause_kind == kind);
        let on = truth::fold(&merge.on, Keys::Nullable);
        self.writes.extend(merge.clauses.iter().filter_map(|arm| arm_write(on, arm, &merge.table)));
        if kinds(MergeClauseKind::NotMatchedBySource) {
            return target.filtered();
        }
        if !kinds(MergeClauseKind::Matched) {
            return source;
        }
        scope.optional(0, first);
        scope.condition(&merge.on, Sources::range(0, scope.len()), Sources::range(0, first));
        scope.keyed(Goal::All, Reach::Unknown)
    }
}

/// What an arm of a MERGE writes to rows that are there.
fn arm_write(on: Truth, arm: &MergeClause, table: &TableFactor) -> Option<Write> {
    let kind = match arm.action {
        MergeAction::Update(_) => WriteKind::Update,
        MergeAction::Delete { .. } => WriteKind::Delete,
        MergeAction::Insert(_) | MergeAction::DoNothing { .. } => return None,
    };
    Some(Write { kind, table: named(Some(table)), filter: arm_filter(on, arm) })
}

/// What a WHERE about one table narrows.
fn conditional(condition: &Expr) -> Filter {
    match truth::read(condition) {
        Folded::Always => Filter::ConstantTrue,
        Folded::Given(claims) => Filter::TrueIf(claims),
        Folded::Never | Folded::Depends => Filter::Real,
    }
}

/// What a WHERE narrows, by names alone. One that is never true narrows to nothing.
fn filter(condition: Option<&Expr>) -> Filter {
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

fn named(table: Option<&TableFactor>) -> Option<TableName> {
    match table? {
        TableFactor::Table { name, .. } => select::table_name(name),
        _ => None,
    }
}

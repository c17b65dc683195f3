//! What statements write.

use sqlparser::ast::{
    Delete, Expr, FromTable, Insert, Merge, MergeAction, MergeClause, MergeClauseKind, Statement, TableFactor,
    TableWithJoins, Update, UpdateTableFromKind,
};

use super::conditions::Scope;
use super::keyed::{Goal, Sources};
use super::mysql;
use super::select::{self, Reader};
use super::truth::{self, Folded, Keys, Truth};
use super::whole;
use super::{Filter, Reach, TableName, Write, WriteKind};
use crate::sql::dialect::Dialect;

/// What an UPDATE or DELETE is about.
struct Target<'a> {
    kind: WriteKind,
    /// The one that is written first, then those beside it.
    tables: Vec<&'a TableWithJoins>,
    condition: Option<&'a Expr>,
    /// As MySQL has it.
    limit: Option<&'a Expr>,
}

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
        self.written(&Target {
            kind: WriteKind::Update,
            tables: std::iter::once(&update.table).chain(from).collect(),
            condition: update.selection.as_ref(),
            limit: update.limit.as_ref(),
        })
    }

    fn delete(&mut self, delete: &Delete) -> Reach {
        let (FromTable::WithFromKeyword(from) | FromTable::WithoutKeyword(from)) = &delete.from;
        let using = delete.using.as_deref().unwrap_or_default();
        self.written(&Target {
            kind: WriteKind::Delete,
            tables: from.iter().chain(using).collect(),
            condition: delete.selection.as_ref(),
            limit: delete.limit.as_ref(),
        })
    }

    /// Notes a write to a table, other tables beside it; the rows that it changes.
    fn written(&mut self, target: &Target<'_>) -> Reach {
        let mut scope = Scope::default();
        let mut tables = target.tables.iter();
        let rows = tables.next().map_or(Reach::Unknown, |first| self.joined(first, &mut scope));
        tables.for_each(|beside| {
            self.joined(beside, &mut scope);
        });
        let filter = match target.condition {
            Some(condition) if whole::is_every_row(condition, self.single(&target.tables)) => Filter::ConstantTrue,
            Some(condition) if scope.len() == 1 => conditional(condition),
            condition => filter(condition),
        };
        let filter = match self.dialect {
            Dialect::Postgres => filter,
            Dialect::MySql => mysql::narrowed(filter, &target.tables, target.limit),
        };
        let rows = match &filter {
            Filter::Real => rows.filtered(),
            Filter::Limited(_, index) => rows.limited(*index),
            _ => rows,
        };
        let table = named(target.tables.first().map(|table| &table.relation));
        self.writes.push(Write { kind: target.kind, table, filter });
        let all = Sources::range(0, scope.len());
        if let Some(condition) = target.condition {
            scope.condition(condition, all, all);
        }
        match self.dialect {
            // MySQL may write to all of them.
            Dialect::MySql if scope.len() > 1 => Reach::Unknown,
            Dialect::MySql | Dialect::Postgres => scope.keyed(Goal::First, rows),
        }
    }

    /// The tables of a write that surely is to the first: MySQL may write to any.
    fn single<'t, 'a>(&self, tables: &'t [&'a TableWithJoins]) -> &'t [&'a TableWithJoins] {
        match self.dialect {
            Dialect::MySql if tables.len() > 1 => &[],
            Dialect::MySql | Dialect::Postgres => tables,
        }
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

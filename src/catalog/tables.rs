//! What was read of one database.

use std::collections::HashMap;
use std::sync::Arc;

use crate::sql::schema::{Columns, Effects, Estimate, Schema, Table};

/// One table or view, as the server describes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct TableRow {
    /// Schema.
    pub(super) schema: String,
    /// Name.
    pub(super) name: String,
    /// What it is.
    pub(super) kind: TableKind,
    /// How many rows it holds, partitions and children included; `None`: the server does not know.
    pub(super) rows: Option<u64>,
    /// Its keys and the columns that are never null; `None` where there was no room to keep them.
    pub(super) columns: Option<Arc<Columns>>,
    /// What reading or writing it may set off.
    pub(super) effects: Effects,
}

/// What a relation is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TableKind {
    /// A table, a partitioned table or a materialised view.
    Table,
    /// A view: its rows are those of what it reads.
    View,
    /// A foreign table.
    Foreign,
}

/// The picture of it that rules see.
pub(super) fn schema_of(rows: &[TableRow]) -> Schema {
    let mut builder = Schema::builder();
    for row in rows {
        let rows = match (row.kind, row.rows) {
            (TableKind::View | TableKind::Foreign, _) => Estimate::NotATable,
            (TableKind::Table, Some(rows)) => Estimate::Known(rows),
            (TableKind::Table, None) => Estimate::Unknown,
        };
        builder.describe(&row.schema, &row.name, Table { rows, columns: row.columns.clone(), effects: row.effects });
    }
    builder.build()
}

/// Whether two readings differ by more than noise: other tables, other keys, or a number of rows that moved by more than 2 %.
pub(super) fn differ(known: &[TableRow], read: &[TableRow]) -> bool {
    if known.len() != read.len() {
        return true;
    }
    let by_name: HashMap<_, _> = known.iter().map(|row| ((&row.schema, &row.name), row)).collect();
    read.iter().any(|row| match by_name.get(&(&row.schema, &row.name)) {
        Some(known) => {
            let kinds_differ = known.kind != row.kind || known.effects != row.effects;
            kinds_differ || known.columns != row.columns || rows_differ(known.rows, row.rows)
        }
        None => true,
    })
}

fn rows_differ(known: Option<u64>, read: Option<u64>) -> bool {
    match (known, read) {
        (Some(known), Some(read)) => known.abs_diff(read).saturating_mul(50) > known,
        (known, read) => known != read,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sql::schema::TableName;

    fn table(name: &str, rows: Option<u64>) -> TableRow {
        TableRow {
            schema: "public".into(),
            name: name.into(),
            kind: TableKind::Table,
            rows,
            columns: None,
            effects: Effects::Plain,
        }
    }

    #[test]
    fn rules_see_estimates_of_tables_and_nothing_certain_of_the_rest() {
        let view = TableRow { kind: TableKind::View, ..table("v", None) };
        let far = TableRow { kind: TableKind::Foreign, ..table("f", Some(5)) };
        let schema = schema_of(&[table("a", Some(7)), table("b", None), view, far]);
        let rows = |name: &str| schema.rows(&TableName::qualified("public", name));
        assert_eq!(rows("a"), Estimate::Known(7));
        assert_eq!((rows("b"), rows("missing")), (Estimate::Unknown, Estimate::Unknown));
        assert_eq!((rows("v"), rows("f")), (Estimate::NotATable, Estimate::NotATable));
    }

    #[test]
    fn noise_is_no_change() {
        let known = [table("a", Some(1_000)), table("b", None)];
        assert!(!differ(&known, &[table("b", None), table("a", Some(1_020))]));
        assert!(differ(&known, &[table("b", None), table("a", Some(1_021))]));
        assert!(differ(&known, &[table("b", Some(0)), table("a", Some(1_000))]));
        assert!(differ(&known, &[table("c", None), table("a", Some(1_000))]));
        assert!(differ(&known, &known[..1]));
        assert!(differ(&[table("a", Some(0))], &[table("a", Some(1))]));
        let keyed = TableRow { columns: Some(Arc::default()), ..table("a", Some(1_000)) };
        assert!(differ(&known, &[keyed, table("b", None)]), "its keys");
        let triggered = TableRow { effects: Effects::Restless, ..table("a", Some(1_000)) };
        assert!(differ(&known, &[triggered, table("b", None)]), "a trigger");
    }
}

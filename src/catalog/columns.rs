//! The unique keys of tables, and their columns that are never null.

use std::collections::HashMap;
use std::pin::pin;
use std::sync::Arc;

use futures::TryStreamExt;
use tokio_postgres::{Client, Error, Row};

use super::picture::Described;
use crate::sql::schema::{Columns, Key, Names, Nulls, Rank};

/// The columns of the connected database's tables: those of `known`, where the server has counted no change since.
///
/// # Errors
/// The server's, or that the connection is lost.
pub(super) async fn columns(
    client: &Client,
    known: Option<Arc<Described>>,
    now_ms: u64,
) -> Result<Arc<Described>, Error> {
    // Read first: a change while the columns are read shows the next time.
    let mark: i64 = client.query_one(MARK, &[]).await?.try_get(0)?;
    if let Some(known) = known.filter(|known| known.mark == mark) {
        return Ok(known);
    }
    let mut gathered = Gathered::default();
    let mut rows = pin!(client.query_raw(KEYS, std::iter::empty::<&str>()).await?);
    while let Some(row) = rows.try_next().await? {
        gathered.key(&row)?;
    }
    let mut rows = pin!(client.query_raw(NEVER_NULL, std::iter::empty::<&str>()).await?);
    while let Some(row) = rows.try_next().await? {
        gathered.never_null(&row)?;
    }
    Ok(Arc::new(Described { tables: gathered.finish(), mark, read_ms: now_ms }))
}

#[derive(Default)]
struct Gathered {
    names: Names,
    tables: HashMap<u32, Table>,
}

/// One table while its parts come in.
#[derive(Default)]
struct Table {
    keys: Vec<Key>,
    never_null: Vec<Arc<str>>,
}

impl Gathered {
    fn key(&mut self, row: &Row) -> Result<(), Error> {
        let rank = if row.try_get(1)? { Rank::Primary } else { Rank::Unique };
        let nulls = match (row.try_get(2)?, row.try_get(3)?) {
            (true, _) => Nulls::Never,
            (false, true) => Nulls::Same,
            (false, false) => Nulls::Distinct,
        };
        let columns = self.shared(row.try_get(4)?);
        let table = self.tables.entry(row.try_get(0)?).or_default();
        if table.keys.len() < KEYS_MAX {
            table.keys.push(Key { columns: columns.into(), rank, nulls });
        }
        Ok(())
    }

    fn never_null(&mut self, row: &Row) -> Result<(), Error> {
        let columns = self.shared(row.try_get(1)?);
        self.tables.entry(row.try_get(0)?).or_default().never_null = columns;
        Ok(())
    }

    fn shared(&mut self, columns: Vec<String>) -> Vec<Arc<str>> {
        columns.iter().map(|column| self.names.shared(column)).collect()
    }

    fn finish(self) -> HashMap<u32, Arc<Columns>> {
        let shared = |table: Table| Columns { keys: table.keys.into(), never_null: table.never_null.into() };
        self.tables.into_iter().map(|(oid, table)| (oid, Arc::new(shared(table)))).collect()
    }
}

/// Keys of one table that are kept, the primary key and short ones first: evaluating a formula looks at each.
const KEYS_MAX: usize = 8;

/// Counts every change to the part of the server's catalogue that says what columns and keys there are.
const MARK: &str = "
SELECT coalesce(sum(pg_catalog.pg_stat_get_tuples_inserted(c.oid) + pg_catalog.pg_stat_get_tuples_updated(c.oid)
                    + pg_catalog.pg_stat_get_tuples_deleted(c.oid)), 0)::int8
FROM pg_catalog.pg_class c
WHERE c.oid IN ('pg_catalog.pg_index'::regclass, 'pg_catalog.pg_attribute'::regclass)";

/// Reads the catalogue only, so nothing is locked but the catalogue for reading. Left out is what does not hold for
/// every row at every moment: partial, invalid and deferrable indexes, those on expressions or under another collation
/// than their column's, and those of tables with children by inheritance, which an index does not cover.
/// `indnullsnotdistinct` is there from PostgreSQL 15 on.
const KEYS: &str = "
SELECT i.indrelid, i.indisprimary, k.never_null,
       coalesce((pg_catalog.to_jsonb(i) ->> 'indnullsnotdistinct')::bool, false), k.names
FROM pg_catalog.pg_index i
JOIN pg_catalog.pg_class c ON c.oid = i.indrelid
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
CROSS JOIN LATERAL (
    SELECT array_agg(a.attname::text ORDER BY p.at) AS names, bool_and(a.attnotnull) AS never_null,
           bool_and(a.attcollation = i.indcollation[p.at]) AS plain
    FROM generate_series(0, i.indnkeyatts - 1) AS p(at)
    JOIN pg_catalog.pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[p.at]) k
WHERE i.indisunique AND i.indisvalid AND i.indisready AND i.indislive AND i.indimmediate
  AND NOT i.indisexclusion AND i.indpred IS NULL AND i.indexprs IS NULL AND i.indnkeyatts <= 8 AND k.plain
  AND c.relkind IN ('r', 'p', 'm') AND (c.relkind = 'p' OR NOT c.relhassubclass)
  AND n.nspname <> 'information_schema' AND n.nspname NOT LIKE 'pg\\_%'
ORDER BY i.indrelid, i.indisprimary DESC, i.indnkeyatts, i.indexrelid
LIMIT 200000";

const NEVER_NULL: &str = "
SELECT c.oid, (array_agg(a.attname::text ORDER BY a.attnum))[1:64]
FROM pg_catalog.pg_class c
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid
WHERE a.attnum > 0 AND a.attnotnull AND NOT a.attisdropped
  AND c.relkind IN ('r', 'p', 'm') AND (c.relkind = 'p' OR NOT c.relhassubclass)
  AND n.nspname <> 'information_schema' AND n.nspname NOT LIKE 'pg\\_%'
GROUP BY c.oid
LIMIT 100000";

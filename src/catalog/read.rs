//! The SQL of the catalogue. Every role may read what it asks for, so the monitor's role needs no privilege but to
//! connect.

use std::collections::HashMap;
use std::pin::pin;
use std::sync::Arc;

use futures::TryStreamExt;
use tokio_postgres::{Client, Error, Row};

use super::columns::columns;
use super::limit::Slots;
use super::paths::{Paths, Scope};
use super::picture::{Described, Reading};
use super::tables::{TableKind, TableRow};
use crate::sql::schema::{Columns, Effects};

/// Reads how many connections the server has room for.
pub(super) async fn slots(client: &Client) -> Result<Slots, Error> {
    let row = client.query_one(SLOTS, &[]).await?;
    let slot = |at: usize| row.try_get::<_, i32>(at).map(|n| usize::try_from(n).unwrap_or(0));
    Ok(Slots { all: slot(0)?, superuser: slot(1)?, reserved: slot(2)? })
}

/// Reads the names of the databases that may be connected to, up to a number.
pub(super) async fn databases(client: &Client, most: i64) -> Result<Vec<String>, Error> {
    let rows = client.query(DATABASES, &[&most]).await?;
    rows.iter().map(|row| row.try_get(0)).collect()
}

/// The server's own `search_path`, where nothing of the monitor's role or database hides it. From now on the
/// connection looks nowhere but in `pg_catalog`: so it trusts no other schema's functions. To be called first.
pub(super) async fn server_path(client: &Client) -> Result<Option<String>, Error> {
    let row = client.query_one(SERVER_PATH, &[]).await?;
    let visible: bool = row.try_get(2)?;
    Ok(if visible { Some(row.try_get(1)?) } else { None })
}

/// Reads the connected database: its tables with their keys, and where its sessions look for them.
pub(super) async fn reading(
    client: &Client,
    server_path: Option<String>,
    known: Option<Arc<Described>>,
    now_ms: u64,
) -> Result<Reading, Error> {
    let columns = columns(client, known, now_ms).await?;
    let mut paths = Paths { server: server_path, ..Paths::default() };
    for row in client.query(PATHS, &[]).await? {
        let scope = if row.try_get(1)? { Scope::Database } else { Scope::Server };
        paths.set.insert((row.try_get(0)?, scope), row.try_get(2)?);
    }
    let Tables { rows, left_out } = tables(client, &columns).await?;
    // What is left out may stand before what is known.
    let paths = if left_out { Paths::default() } else { paths };
    Ok(Reading { rows, columns, paths })
}

/// The tables that were read.
struct Tables {
    rows: Vec<TableRow>,
    left_out: bool,
}

/// Reads the tables and views of the connected database, up to a bound in number and bytes: beyond it the smallest
/// are left out.
async fn tables(client: &Client, columns: &Described) -> Result<Tables, Error> {
    let mut relations = Relations::default();
    let mut rows = pin!(client.query_raw(TABLES, std::iter::empty::<&str>()).await?);
    while let Some(row) = rows.try_next().await? {
        relations.add(&row, columns)?;
    }
    // A table without statistics is most often a new one. Its size says if it is empty, but asking takes a lock, so it
    // may fail while the table is being altered: then it stays unknown.
    if relations.any_unknown()
        && let Ok(empty) = client.query(EMPTY, &[]).await
    {
        relations.empty(&empty)?;
    }
    let left_out = relations.left_out || relations.order.len() >= TABLES_MAX;
    Ok(Tables { rows: relations.sum(), left_out })
}

/// Relations by their oid, with their parents.
#[derive(Default)]
struct Relations {
    tables: HashMap<u32, Relation>,
    /// In the order read: the largest first.
    order: Vec<u32>,
    bytes: usize,
    /// There was no room for some.
    left_out: bool,
}

struct Relation {
    row: TableRow,
    parents: Vec<u32>,
    /// A partitioned table holds nothing itself.
    own: Option<u64>,
}

impl Relations {
    fn add(&mut self, row: &Row, columns: &Described) -> Result<(), Error> {
        let oid: u32 = row.try_get(0)?;
        let parent: Option<u32> = row.try_get(5)?;
        if let Some(known) = self.tables.get_mut(&oid) {
            // One row for each parent.
            known.parents.extend(parent);
            return Ok(());
        }
        let (schema, name, kind): (String, String, String) = (row.try_get(1)?, row.try_get(2)?, row.try_get(3)?);
        let bytes = schema.len().saturating_add(name.len()).saturating_add(ROW_BYTES);
        let Some(taken) = self.taken_with(bytes) else {
            self.left_out = true;
            return Ok(());
        };
        self.bytes = taken;
        let columns = self.columns(oid, &kind, columns);
        let own = row.try_get::<_, Option<i64>>(4)?.and_then(|rows| u64::try_from(rows).ok());
        let effects = if row.try_get(6)? { Effects::Plain } else { Effects::Restless };
        let row = TableRow { schema, name, kind: kind_of(&kind), rows: own, columns, effects };
        self.tables.insert(oid, Relation { row, parents: parent.into_iter().collect(), own });
        self.order.push(oid);
        Ok(())
    }

    /// The bytes in use with so many more, where there is room for them.
    fn taken_with(&self, bytes: usize) -> Option<usize> {
        Some(self.bytes.saturating_add(bytes)).filter(|taken| *taken <= BYTES_MAX)
    }

    /// The columns of a table, where there is room for them.
    fn columns(&mut self, oid: u32, kind: &str, known: &Described) -> Option<Arc<Columns>> {
        if kind_of(kind) != TableKind::Table {
            return None;
        }
        let columns = known.tables.get(&oid).map(Arc::clone).unwrap_or_default();
        self.bytes = self.taken_with(columns.weight_bytes())?;
        Some(columns)
    }

    fn any_unknown(&self) -> bool {
        self.tables.values().any(|table| table.own.is_none() && table.row.kind == TableKind::Table)
    }

    fn empty(&mut self, oids: &[Row]) -> Result<(), Error> {
        for row in oids {
            if let Some(table) = self.tables.get_mut(&row.try_get::<_, u32>(0)?) {
                (table.own, table.row.rows) = (Some(0), Some(0));
            }
        }
        Ok(())
    }

    /// Adds the rows of partitions and children to all above them: that is what a SELECT of a parent reads. Where
    /// something is known of some parts only, that much is known of the whole; where nothing is, it is unknown.
    fn sum(mut self) -> Vec<TableRow> {
        let parts: Vec<(Option<u64>, Vec<u32>)> =
            self.tables.values().map(|table| (table.own, table.parents.clone())).collect();
        let mut unknown: Vec<u32> = Vec::new();
        for (own, parents) in parts {
            self.add_above(own, parents, &mut unknown);
        }
        for oid in unknown {
            if let Some(table) = self.tables.get_mut(&oid)
                && table.row.rows == Some(0)
            {
                table.row.rows = None;
            }
        }
        let order = std::mem::take(&mut self.order);
        order.into_iter().filter_map(|oid| self.tables.remove(&oid)).map(|table| table.row).collect()
    }

    fn add_above(&mut self, own: Option<u64>, mut above: Vec<u32>, unknown: &mut Vec<u32>) {
        for _ in 0..DEPTH_MAX {
            let mut next = Vec::new();
            for oid in above {
                let Some(table) = self.tables.get_mut(&oid) else { continue };
                match own {
                    Some(rows) => table.row.rows = Some(table.row.rows.unwrap_or(0).saturating_add(rows)),
                    None => unknown.push(oid),
                }
                next.extend(table.parents.iter().copied());
            }
            if next.is_empty() {
                return;
            }
            above = next;
        }
    }
}

fn kind_of(relkind: &str) -> TableKind {
    match relkind {
        "v" => TableKind::View,
        "f" => TableKind::Foreign,
        _ => TableKind::Table,
    }
}

/// What one row costs beside its names.
const ROW_BYTES: usize = 96;
const BYTES_MAX: usize = 16 * 1024 * 1024;
/// As the SQL has it.
const TABLES_MAX: usize = 100_000;
/// Levels of partitions that are followed.
const DEPTH_MAX: usize = 16;

const SLOTS: &str = "
SELECT current_setting('max_connections')::int,
       current_setting('superuser_reserved_connections')::int,
       coalesce(current_setting('reserved_connections', true)::int, 0)";

/// No function here locks a relation, so it works while tables are altered. A partitioned table counts 0 of its own.
/// `reltuples` is -1 where the table was never analysed; with no live rows counted either, nothing is known.
///
/// *Restless* are tables that run functions which no text shows: by triggers, rules, policies, defaults, checks or indexes, as
/// long as they are not the server's own, of which `pg_depend` keeps no record, or written in C. And so are the tables above
/// those: parents of partitions, and what a foreign key passes deletions and updates on from.
const TABLES: &str = "
WITH RECURSIVE spoken AS MATERIALIZED (
  SELECT p.oid FROM pg_catalog.pg_proc p JOIN pg_catalog.pg_language l ON l.oid = p.prolang
  WHERE l.lanname NOT IN ('internal', 'c')
), users AS MATERIALIZED (
  SELECT d.classid, d.objid FROM pg_catalog.pg_depend d JOIN spoken s ON s.oid = d.refobjid
  WHERE d.refclassid = 'pg_catalog.pg_proc'::pg_catalog.regclass
), above AS MATERIALIZED (
  SELECT f.conrelid AS below, f.confrelid AS above FROM pg_catalog.pg_constraint f
  WHERE f.contype = 'f' AND (f.confdeltype IN ('c', 'n', 'd') OR f.confupdtype IN ('c', 'n', 'd'))
  UNION ALL SELECT i.inhrelid, i.inhparent FROM pg_catalog.pg_inherits i
), restless (oid) AS (
  (SELECT t.tgrelid FROM pg_catalog.pg_trigger t JOIN spoken s ON s.oid = t.tgfoid WHERE NOT t.tgisinternal
   UNION ALL SELECT w.ev_class FROM pg_catalog.pg_rewrite w JOIN pg_catalog.pg_class k ON k.oid = w.ev_class
             WHERE k.relkind NOT IN ('v', 'm')
   UNION ALL SELECT p.polrelid FROM pg_catalog.pg_policy p
   UNION ALL SELECT a.adrelid FROM pg_catalog.pg_attrdef a JOIN users u ON u.objid = a.oid
             WHERE u.classid = 'pg_catalog.pg_attrdef'::pg_catalog.regclass
   UNION ALL SELECT o.conrelid FROM pg_catalog.pg_constraint o JOIN users u ON u.objid = o.oid
             WHERE u.classid = 'pg_catalog.pg_constraint'::pg_catalog.regclass
   UNION ALL SELECT x.indrelid FROM pg_catalog.pg_index x JOIN users u ON u.objid = x.indexrelid
             WHERE u.classid = 'pg_catalog.pg_class'::pg_catalog.regclass)
  UNION SELECT a.above FROM restless r JOIN above a ON a.below = r.oid
)
SELECT c.oid, n.nspname::text, c.relname::text, c.relkind::text,
       CASE WHEN c.relkind = 'p' THEN 0
            WHEN c.relkind = 'v' THEN NULL
            WHEN c.reltuples < 0 AND l.live = 0 THEN NULL
            ELSE greatest(c.reltuples::int8, l.live) END,
       i.inhparent, c.relkind IN ('r', 'p', 'm') AND NOT EXISTS (SELECT FROM restless r WHERE r.oid = c.oid)
FROM pg_catalog.pg_class c
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
LEFT JOIN pg_catalog.pg_inherits i ON i.inhrelid = c.oid
CROSS JOIN LATERAL (SELECT coalesce(pg_catalog.pg_stat_get_live_tuples(c.oid), 0) AS live) l
WHERE c.relkind IN ('r', 'p', 'm', 'v', 'f')
  AND n.nspname <> 'information_schema' AND n.nspname NOT LIKE 'pg\\_%'
ORDER BY greatest(c.reltuples::int8, l.live) DESC
LIMIT 100000";

/// A role's own setting, or its database's, hides what the server would have without it.
const SERVER_PATH: &str = "
SELECT pg_catalog.set_config('search_path', 'pg_catalog', false), s.setting,
       s.source OPERATOR(pg_catalog.=) ANY (ARRAY['default', 'configuration file', 'command line', 'environment variable'])
FROM pg_catalog.pg_settings s
WHERE s.name OPERATOR(pg_catalog.=) 'search_path'";

/// What ALTER ROLE and ALTER DATABASE have set.
const PATHS: &str = "
SELECT r.rolname::text, s.setdatabase <> 0, split_part(c.setting, '=', 2)
FROM pg_catalog.pg_db_role_setting s
LEFT JOIN pg_catalog.pg_roles r ON r.oid = s.setrole
CROSS JOIN LATERAL unnest(s.setconfig) AS c(setting)
WHERE c.setting LIKE 'search_path=%' AND (s.setrole = 0 OR r.oid IS NOT NULL)
  AND s.setdatabase IN (0, (SELECT d.oid FROM pg_catalog.pg_database d WHERE d.datname = current_database()))
LIMIT 10000";

const EMPTY: &str = "
SELECT c.oid
FROM pg_catalog.pg_class c
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'm') AND c.reltuples < 0
  AND n.nspname <> 'information_schema' AND n.nspname NOT LIKE 'pg\\_%'
  AND coalesce(pg_catalog.pg_stat_get_live_tuples(c.oid), 0) = 0
  AND NOT EXISTS (SELECT FROM pg_catalog.pg_locks l
                  WHERE l.relation = c.oid AND l.mode = 'AccessExclusiveLock')
  AND pg_catalog.pg_relation_size(c.oid) = 0
LIMIT 10000";

const DATABASES: &str = "SELECT datname::text FROM pg_database \
                         WHERE datallowconn AND NOT datistemplate AND has_database_privilege(oid, 'CONNECT') \
                         ORDER BY oid LIMIT $1";

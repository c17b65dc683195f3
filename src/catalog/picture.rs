//! What was read of one database, as its sessions see it.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use arc_swap::ArcSwap;

use crate::sql::schema::{Columns, Schema, SearchPath};

use super::paths::Paths;
use super::tables::{TableRow, differ, schema_of};

/// One reading of a database.
#[derive(Debug, Default)]
pub(super) struct Reading {
    pub(super) rows: Vec<TableRow>,
    pub(super) columns: Arc<Described>,
    pub(super) paths: Paths,
}

/// The columns of the tables of a database, kept until the server says that they may have changed.
#[derive(Debug, Default)]
pub(super) struct Described {
    /// By the oid of the table.
    pub(super) tables: HashMap<u32, Arc<Columns>>,
    /// The server's count of changes to its catalogue when they were read; 0: it does not count.
    pub(super) mark: i64,
    /// When they were read.
    pub(super) read_ms: u64,
}

/// Whose sight of the tables is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sight<'a> {
    /// That of a role whose `search_path` is as its session began.
    Role(&'a str),
    /// That of a session that may have changed it.
    Changed,
    /// That of a session whose server says what it is, and whose role it may name.
    Path(&'a str, &'a str),
}

/// A reading with the schemas that sessions have.
#[derive(Debug)]
pub(super) struct Picture {
    reading: Reading,
    /// Schemas with a table in them.
    homes: HashSet<String>,
    pathless: Arc<Schema>,
    /// One for each path that was asked for.
    by_path: ArcSwap<ByPath>,
}

type ByPath = Vec<(SearchPath, Arc<Schema>)>;

impl Picture {
    pub(super) fn new(reading: Reading) -> Self {
        let homes = reading.rows.iter().map(|row| row.schema.clone()).collect();
        let pathless = Arc::new(schema_of(&reading.rows));
        Self { reading, homes, pathless, by_path: ArcSwap::default() }
    }

    /// The schema of a session: the same one for the same path, so that what was judged by it holds for all of them.
    pub(super) fn schema(&self, sight: Sight<'_>) -> Arc<Schema> {
        let path = match sight {
            Sight::Role(role) => self.reading.paths.of(role),
            Sight::Path(setting, role) => SearchPath::parse(setting, role),
            Sight::Changed => SearchPath::Unknown,
        };
        let path = path.only(|schema| self.homes.contains(schema));
        if path == SearchPath::Unknown {
            return Arc::clone(&self.pathless);
        }
        let find = |known: &ByPath| known.iter().find(|(of, _)| *of == path).map(|(_, schema)| Arc::clone(schema));
        if let Some(known) = find(&self.by_path.load()) {
            return known;
        }
        let new = Arc::new(self.pathless.with_path(path.clone()));
        self.by_path.rcu(|known| {
            let mut known = ByPath::clone(known);
            if known.len() < PATHS_MAX && find(&known).is_none() {
                known.push((path.clone(), Arc::clone(&new)));
            }
            known
        });
        find(&self.by_path.load()).unwrap_or(new)
    }

    /// What is left of it when only estimates count; `None` where there is nothing else.
    pub(super) fn sizes_alone(&self) -> Option<Self> {
        let certain = self.reading.rows.iter().any(|row| row.columns.is_some());
        if !certain && self.reading.paths == Paths::default() {
            return None;
        }
        let rows = self.reading.rows.iter().map(|row| TableRow { columns: None, ..row.clone() }).collect();
        Some(Self::new(Reading { rows, ..Reading::default() }))
    }

    /// True where another reading says the same, but for noise.
    pub(super) fn is_like(&self, reading: &Reading) -> bool {
        !differ(&self.reading.rows, &reading.rows) && self.reading.paths == reading.paths
    }
}

/// Paths of one database that are kept.
const PATHS_MAX: usize = 64;

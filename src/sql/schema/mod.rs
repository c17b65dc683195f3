//! What is known of the tables of one database, and which of them a name means.

mod name;
mod path;
mod table;

use std::collections::HashMap;
use std::sync::Arc;

use rapidhash::fast::RandomState;

pub use name::{TableName, quoted};
pub use path::SearchPath;
pub use table::{Columns, Effects, Estimate, Key, Names, Nulls, Rank, Table};

/// The tables of one database as one session sees them: never changed, replaced whole. A clone shares the tables.
#[derive(Debug, Clone, Default)]
pub struct Schema {
    tables: Arc<Tables>,
    path: SearchPath,
    /// Names that mean a temporary table, of which nothing is known.
    hidden: Arc<[Box<str>]>,
    /// Names of tables that may be other ones by now.
    doubted: Arc<[Box<str>]>,
}

/// By name; each with the schemas that it stands in.
type Tables = HashMap<Box<str>, Homes, RandomState>;
type Homes = Vec<(Box<str>, Table)>;

impl Schema {
    /// Begins an empty one.
    pub fn builder() -> SchemaBuilder {
        SchemaBuilder { tables: Tables::default() }
    }

    /// The same tables, with unqualified names looked up along `path`.
    #[must_use]
    pub fn with_path(&self, path: SearchPath) -> Self {
        Self { path, ..self.clone() }
    }

    /// The same tables but those that temporary ones of these names hide: of them nothing is known, unless the schema
    /// is named.
    #[must_use]
    pub fn hiding(&self, names: &[Box<str>]) -> Self {
        Self { hidden: names.into(), ..self.clone() }
    }

    /// The same tables but those of these names, in any schema: nothing is known of them until they have been read again.
    #[must_use]
    pub fn doubting(&self, names: &[Box<str>]) -> Self {
        Self { doubted: names.into(), ..self.clone() }
    }

    /// How many rows a table holds. Where the search path is not known, an unqualified name that stands in several
    /// schemas gets the smallest known estimate; the server's catalogue is always small.
    pub fn rows(&self, table: &TableName) -> Estimate {
        if self.hides(table) {
            return Estimate::Unknown;
        }
        let Some(homes) = self.tables.get(table.name()) else {
            return if table.is_catalogue() { Estimate::Known(0) } else { Estimate::Unknown };
        };
        if table.schema().is_some() && table.is_catalogue() {
            return Estimate::Known(0);
        }
        match (self.home(homes, table), table.schema(), &self.path) {
            (Some(table), _, _) => table.rows,
            (None, None, SearchPath::Unknown) => smallest(homes),
            (None, _, _) => Estimate::Unknown,
        }
    }

    /// The one table that a name means; `None` where it is not known, or may be another of that name.
    pub fn table(&self, table: &TableName) -> Option<&Table> {
        if self.hides(table) { None } else { self.home(self.tables.get(table.name())?, table) }
    }

    /// What a table may set off beside what a text shows, whichever table of that name is meant. The server's own catalogue is plain;
    /// what a temporary table hides is not looked at.
    pub fn effects(&self, table: &TableName) -> Effects {
        let of_catalogue = if table.is_catalogue() { Effects::Plain } else { Effects::Unknown };
        let Some(homes) = self.tables.get(table.name()).filter(|_| !self.hides(table)) else { return of_catalogue };
        match self.home(homes, table) {
            Some(table) => table.effects,
            None if table.schema().is_some() => of_catalogue,
            None => homes
                .iter()
                .map(|(_, table)| table.effects)
                .max_by_key(|effects| effects.weight())
                .unwrap_or(of_catalogue),
        }
    }

    fn hides(&self, table: &TableName) -> bool {
        let among = |names: &[Box<str>]| names.iter().any(|name| **name == *table.name());
        (table.schema().is_none() && among(&self.hidden)) || among(&self.doubted)
    }

    fn home<'a>(&self, homes: &'a Homes, table: &TableName) -> Option<&'a Table> {
        let within = |schema: &str| homes.iter().find(|(home, _)| **home == *schema).map(|(_, table)| table);
        match (table.schema(), &self.path, homes.as_slice()) {
            (Some(schema), _, _) => within(schema),
            (None, SearchPath::Known(schemas), _) => schemas.iter().find_map(|schema| within(schema)),
            (None, SearchPath::Unknown, [(_, only)]) => Some(only),
            (None, SearchPath::Unknown, _) => None,
        }
    }

    /// How many tables are known.
    pub fn len(&self) -> usize {
        self.tables.values().map(Vec::len).sum()
    }

    /// True where nothing is known.
    pub fn is_empty(&self) -> bool {
        self.tables.is_empty()
    }
}

fn smallest(homes: &[(Box<str>, Table)]) -> Estimate {
    let mut best = Estimate::Unknown;
    for (_, Table { rows, .. }) in homes {
        best = match (best, *rows) {
            (Estimate::Known(a), Estimate::Known(b)) => Estimate::Known(a.min(b)),
            (_, Estimate::Known(b)) => Estimate::Known(b),
            (Estimate::Unknown, other) => other,
            (known, _) => known,
        };
    }
    // One of them might be a view or new: then nothing is certain.
    let certain = homes.iter().all(|(_, table)| matches!(table.rows, Estimate::Known(_)));
    match best {
        Estimate::Known(_) if !certain => Estimate::NotATable,
        other => other,
    }
}

/// Gathers a [`Schema`].
#[derive(Debug)]
pub struct SchemaBuilder {
    tables: Tables,
}

impl SchemaBuilder {
    /// Adds a table of which only the size is known; the last word on a table counts.
    #[must_use]
    pub fn table(mut self, schema: &str, name: &str, estimate: Estimate) -> Self {
        self.add(schema, name, estimate);
        self
    }

    /// Adds a table of which only the size is known.
    pub fn add(&mut self, schema: &str, name: &str, estimate: Estimate) {
        self.describe(schema, name, Table::sized(estimate));
    }

    /// Adds a table.
    pub fn describe(&mut self, schema: &str, name: &str, table: Table) {
        let homes = self.tables.entry(name.into()).or_default();
        match homes.iter_mut().find(|(home, _)| **home == *schema) {
            Some((_, known)) => *known = table,
            None => homes.push((schema.into(), table)),
        }
    }

    /// The picture; unqualified names have no known path.
    pub fn build(self) -> Schema {
        Schema { tables: Arc::new(self.tables), ..Schema::default() }
    }
}

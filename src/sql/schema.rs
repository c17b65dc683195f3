//! What is known of the tables of one database.

use std::fmt;

use rapidhash::fast::RandomState;
use std::collections::HashMap;

/// The name of a table as the server resolves it: folded, unquoted, cut to the server's length.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TableName {
    schema: Option<Box<str>>,
    name: Box<str>,
}

/// Bytes of a name that PostgreSQL keeps.
const NAME_BYTES_MAX: usize = 63;

impl TableName {
    /// A name without a schema; its case is kept.
    pub fn new(name: &str) -> Self {
        Self { schema: None, name: cut(name).into() }
    }

    /// A name in a schema.
    pub fn qualified(schema: &str, name: &str) -> Self {
        Self { schema: Some(cut(schema).into()), name: cut(name).into() }
    }

    /// Reads `name` or `schema.name` as people write it in a setting.
    pub fn parse(text: &str) -> Self {
        match text.split_once('.') {
            Some((schema, name)) => Self::qualified(schema, name),
            None => Self::new(text),
        }
    }

    /// The schema, where one was named.
    pub fn schema(&self) -> Option<&str> {
        self.schema.as_deref()
    }

    /// The name without its schema.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// True for the server's own catalogue, which is small by nature.
    pub fn is_catalogue(&self) -> bool {
        match self.schema() {
            Some(schema) => matches!(schema, "pg_catalog" | "information_schema" | "pg_toast"),
            // The server keeps the prefix for itself.
            None => self.name.starts_with("pg_"),
        }
    }

    /// True where `pattern` names this table, or names it without a schema.
    pub fn matches(&self, pattern: &Self) -> bool {
        self.name == pattern.name
            && match (self.schema(), pattern.schema()) {
                (Some(own), Some(wanted)) => own == wanted,
                // Without a search path, `public` is where an unqualified name most likely is.
                (None, Some(wanted)) => wanted == "public",
                (_, None) => true,
            }
    }
}

fn cut(name: &str) -> &str {
    let mut end = name.len().min(NAME_BYTES_MAX);
    while !name.is_char_boundary(end) {
        end -= 1;
    }
    &name[..end]
}

impl fmt::Display for TableName {
    /// The name for people: control characters never reach a log or a terminal.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut write = |text: &str| {
            text.chars().try_for_each(|c| if c.is_control() { f.write_str("?") } else { fmt::Write::write_char(f, c) })
        };
        if let Some(schema) = self.schema() {
            write(schema)?;
            write(".")?;
        }
        write(&self.name)
    }
}

/// How many rows a table holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Estimate {
    /// About so many.
    Known(u64),
    /// A view, or a table on another server: nobody counted.
    NotATable,
    /// The catalogue knows no such table, or has no estimate for it.
    Unknown,
}

/// The tables of one database: never changed, replaced whole.
#[derive(Debug, Clone, Default)]
pub struct Schema {
    /// By name; each with the schemas that it stands in.
    tables: HashMap<Box<str>, Homes, RandomState>,
}

type Homes = Vec<(Box<str>, Estimate)>;

impl Schema {
    /// Begins an empty one.
    pub fn builder() -> SchemaBuilder {
        SchemaBuilder { schema: Self::default() }
    }

    /// How many rows a table holds. An unqualified name that stands in several schemas gets the smallest known
    /// estimate, since the search path is not known; the server's catalogue is always small.
    pub fn rows(&self, table: &TableName) -> Estimate {
        let Some(homes) = self.tables.get(table.name()) else {
            return if table.is_catalogue() { Estimate::Known(0) } else { Estimate::Unknown };
        };
        match table.schema() {
            Some(_) if table.is_catalogue() => Estimate::Known(0),
            Some(schema) => {
                homes.iter().find(|(home, _)| **home == *schema).map_or(Estimate::Unknown, |(_, estimate)| *estimate)
            }
            None => smallest(homes),
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

fn smallest(homes: &[(Box<str>, Estimate)]) -> Estimate {
    let mut best = Estimate::Unknown;
    for (_, estimate) in homes {
        best = match (best, *estimate) {
            (Estimate::Known(a), Estimate::Known(b)) => Estimate::Known(a.min(b)),
            (_, Estimate::Known(b)) => Estimate::Known(b),
            (Estimate::Unknown, other) => other,
            (known, _) => known,
        };
    }
    // One of them might be a view or new: then nothing is certain.
    let certain = homes.iter().all(|(_, estimate)| matches!(estimate, Estimate::Known(_)));
    match best {
        Estimate::Known(_) if !certain => Estimate::NotATable,
        other => other,
    }
}

/// Gathers a [`Schema`].
#[derive(Debug)]
pub struct SchemaBuilder {
    schema: Schema,
}

impl SchemaBuilder {
    /// Adds a table; the last word on a table counts.
    #[must_use]
    pub fn table(mut self, schema: &str, name: &str, estimate: Estimate) -> Self {
        self.add(schema, name, estimate);
        self
    }

    /// Adds a table.
    pub fn add(&mut self, schema: &str, name: &str, estimate: Estimate) {
        let homes = self.schema.tables.entry(name.into()).or_default();
        match homes.iter_mut().find(|(home, _)| **home == *schema) {
            Some((_, known)) => *known = estimate,
            None => homes.push((schema.into(), estimate)),
        }
    }

    /// The picture.
    pub fn build(self) -> Schema {
        self.schema
    }
}

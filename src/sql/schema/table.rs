//! One table: its size, its unique keys, and the columns that are never null.

use std::collections::HashSet;
use std::sync::Arc;

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

/// What is known of one table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Table {
    /// How many rows it holds, partitions and children included.
    pub rows: Estimate,
    /// Its columns, where they were read.
    pub columns: Option<Arc<Columns>>,
    /// What reading or writing it may set off.
    pub effects: Effects,
}

/// What reading or writing a table may set off.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Effects {
    /// Nothing but the server's own functions, and those written in C: no other trigger, rule, policy, default, check or index
    /// calls a function, in the table itself, in its partitions, and in what a foreign key makes it write.
    Plain,
    /// Functions that may do anything: it is a view, or a foreign table, or has what a plain one has not.
    Restless,
    /// Nobody knows.
    Unknown,
}

impl Effects {
    /// Which one counts where a name may mean several tables.
    pub(super) const fn weight(self) -> u8 {
        match self {
            Self::Plain => 0,
            Self::Unknown => 1,
            Self::Restless => 2,
        }
    }
}

/// What is known of the columns of a table.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Columns {
    /// Its unique keys, each over the whole table and in force at any moment: none is partial, deferrable or on an
    /// expression. The primary key is the first.
    pub keys: Box<[Key]>,
    /// Columns that are never null, those of keys included.
    pub never_null: Box<[Arc<str>]>,
}

/// A unique key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Key {
    /// Its columns, in the order of its index.
    pub columns: Box<[Arc<str>]>,
    /// What it is to the table.
    pub rank: Rank,
    /// What it makes of null.
    pub nulls: Nulls,
}

/// What a key is to its table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Rank {
    /// Its primary key.
    Primary,
    /// Another unique key.
    Unique,
}

/// What a key makes of null.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Nulls {
    /// No column of it is ever null.
    Never,
    /// `NULLS NOT DISTINCT`: one null is like another.
    Same,
    /// Every null differs from any other, so there may be many.
    Distinct,
}

impl Table {
    /// A table of whose columns nothing is known.
    pub const fn sized(rows: Estimate) -> Self {
        Self { rows, columns: None, effects: Effects::Unknown }
    }

    /// The same with what is known of its columns.
    #[must_use]
    pub fn with_columns(self, columns: Columns) -> Self {
        Self { columns: Some(Arc::new(columns)), ..self }
    }

    /// The key to read the table by, page after page: one without nulls, the primary key before others, a short one
    /// before long ones.
    pub fn paging_key(&self) -> Option<&Key> {
        let keys = self.columns.as_ref()?.keys.iter();
        keys.filter(|key| key.nulls == Nulls::Never).min_by_key(|key| (key.rank, key.columns.len()))
    }
}

impl Columns {
    /// True where a column is never null.
    pub fn is_never_null(&self, column: &str) -> bool {
        self.never_null.iter().any(|known| **known == *column)
    }

    /// True where a column is part of a key without nulls.
    pub fn is_in_key(&self, column: &str) -> bool {
        let keys = self.keys.iter().filter(|key| key.nulls == Nulls::Never);
        keys.flat_map(|key| &key.columns).any(|known| **known == *column)
    }

    /// Bytes beside the names, which tables share.
    pub fn weight_bytes(&self) -> usize {
        let keys: usize = self.keys.iter().map(|key| size_of::<Key>() + size_of_val(&*key.columns)).sum();
        keys + size_of_val(&*self.never_null)
    }
}

impl Key {
    /// A primary key.
    pub fn primary(columns: &[&str]) -> Self {
        Self { columns: names(columns), rank: Rank::Primary, nulls: Nulls::Never }
    }

    /// Another unique key.
    pub fn unique(columns: &[&str], nulls: Nulls) -> Self {
        Self { columns: names(columns), rank: Rank::Unique, nulls }
    }
}

fn names(columns: &[&str]) -> Box<[Arc<str>]> {
    columns.iter().map(|&column| column.into()).collect()
}

/// Column names, each kept once however many tables have such a column.
#[derive(Debug, Default)]
pub struct Names(HashSet<Arc<str>>);

impl Names {
    /// The one copy of a name.
    pub fn shared(&mut self, name: &str) -> Arc<str> {
        if let Some(known) = self.0.get(name) {
            return Arc::clone(known);
        }
        let name: Arc<str> = name.into();
        self.0.insert(Arc::clone(&name));
        name
    }
}

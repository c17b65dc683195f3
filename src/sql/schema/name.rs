//! Names of tables.

use std::fmt;

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

    /// The name as SQL takes it: parts that are no plain identifiers are quoted.
    pub fn quoted(&self) -> String {
        match self.schema() {
            Some(schema) => format!("{}.{}", quoted(schema), quoted(&self.name)),
            None => quoted(&self.name),
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

/// An identifier as SQL takes it: in quotes where it is no plain word. Control characters become `?`.
pub fn quoted(identifier: &str) -> String {
    let starts = identifier.starts_with(|c: char| c.is_ascii_lowercase() || c == '_');
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    if starts && identifier.chars().all(plain) && !RESERVED.contains(&identifier) {
        return identifier.to_owned();
    }
    let inner: String = identifier.chars().map(|c| if c.is_control() { '?' } else { c }).collect();
    format!("\"{}\"", inner.replace('"', "\"\""))
}

/// Words that are no name without quotes, as far as people use them for one.
const RESERVED: &[&str] = &[
    "all",
    "analyse",
    "analyze",
    "and",
    "any",
    "array",
    "as",
    "asc",
    "asymmetric",
    "authorization",
    "binary",
    "both",
    "case",
    "cast",
    "check",
    "collate",
    "collation",
    "column",
    "concurrently",
    "constraint",
    "create",
    "cross",
    "current_catalog",
    "current_date",
    "current_role",
    "current_schema",
    "current_time",
    "current_timestamp",
    "current_user",
    "default",
    "deferrable",
    "desc",
    "distinct",
    "do",
    "else",
    "end",
    "except",
    "false",
    "fetch",
    "for",
    "foreign",
    "freeze",
    "from",
    "full",
    "grant",
    "group",
    "having",
    "ilike",
    "in",
    "initially",
    "inner",
    "intersect",
    "into",
    "is",
    "isnull",
    "join",
    "lateral",
    "leading",
    "left",
    "like",
    "limit",
    "localtime",
    "localtimestamp",
    "natural",
    "not",
    "notnull",
    "null",
    "offset",
    "on",
    "only",
    "or",
    "order",
    "outer",
    "overlaps",
    "placing",
    "primary",
    "references",
    "returning",
    "right",
    "select",
    "session_user",
    "similar",
    "some",
    "symmetric",
    "system_user",
    "table",
    "tablesample",
    "then",
    "to",
    "trailing",
    "true",
    "union",
    "unique",
    "user",
    "using",
    "variadic",
    "verbose",
    "when",
    "where",
    "window",
    "with",
];

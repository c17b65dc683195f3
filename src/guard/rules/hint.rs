//! What to write instead: with the table's own key, where the catalogue knows it.

use crate::guard::intake::Entry;
use crate::sql::TableName;
use crate::sql::schema::{Columns, Key, quoted};

/// What is known of the key by which a table can be read or changed slice by slice.
#[derive(Debug)]
pub(super) enum PagingKey<'a> {
    /// It has this one.
    Known(&'a Key),
    /// It has none.
    Missing,
    /// Nobody has read its keys.
    Unknown,
}

impl<'a> PagingKey<'a> {
    pub(super) fn of(entry: &Entry<'a>, table: &TableName) -> Self {
        match entry.intake.schema.and_then(|schema| schema.table(table)) {
            Some(known) if known.columns.is_some() => known.paging_key().map_or(Self::Missing, Self::Known),
            _ => Self::Unknown,
        }
    }
}

/// How to read a table page after page.
pub(super) fn in_pages(entry: &Entry<'_>, table: Option<&TableName>, page: u64) -> String {
    let all = "for all of it use a cursor or COPY";
    let Some(table) = table else {
        return format!("Read in pages: SELECT … WHERE id > $1 ORDER BY id LIMIT {page}; {all}");
    };
    let name = table.quoted();
    match PagingKey::of(entry, table) {
        PagingKey::Known(key) => format!(
            "Read in pages: SELECT … FROM {name} WHERE {} ORDER BY {} LIMIT {page}; {all}",
            after(key),
            list(key)
        ),
        PagingKey::Missing => format!(
            "{name} has no unique key to read it by in pages: add a primary key, filter, or set a LIMIT of at most \
             {page}; {all}"
        ),
        PagingKey::Unknown => {
            format!("Read in pages by a unique key: SELECT … FROM {name} WHERE id > $1 ORDER BY id LIMIT {page}; {all}")
        }
    }
}

/// How to change the rows of a table slice by slice.
pub(super) fn in_slices(entry: &Entry<'_>, table: Option<&TableName>) -> String {
    let key = table.map_or(PagingKey::Unknown, |table| PagingKey::of(entry, table));
    let column = match key {
        PagingKey::Known(key) => key.columns.first().map_or_else(String::new, |column| quoted(column)),
        PagingKey::Missing => return "Name the rows by a WHERE; the table has no unique key to go by".to_owned(),
        PagingKey::Unknown => "id".to_owned(),
    };
    format!("Name the rows: UPDATE … WHERE {column} BETWEEN $1 AND $2, slice by slice, each committed on its own")
}

/// How to delete from a table slice by slice.
pub(super) fn in_batches(entry: &Entry<'_>, table: Option<&TableName>) -> String {
    let name = table.map_or_else(|| "its table".to_owned(), TableName::quoted);
    let (one, several) = match table.map_or(PagingKey::Unknown, |table| PagingKey::of(entry, table)) {
        PagingKey::Known(key) => (tuple(key), list(key)),
        // The place of a row is as good as a key, within one statement.
        PagingKey::Missing => ("ctid".to_owned(), "ctid".to_owned()),
        PagingKey::Unknown => ("id".to_owned(), "id".to_owned()),
    };
    format!(
        "Name the rows: DELETE … WHERE {one} IN (SELECT {several} FROM {name} WHERE … LIMIT 1000), again until none is \
         left; TRUNCATE {name} empties it at once"
    )
}

/// `(created_at, id) > ($1, $2)`.
fn after(key: &Key) -> String {
    let values: Vec<String> = (1..=key.columns.len()).map(|number| format!("${number}")).collect();
    match values.as_slice() {
        [value] => format!("{} > {value}", list(key)),
        values => format!("({}) > ({})", list(key), values.join(", ")),
    }
}

fn tuple(key: &Key) -> String {
    if key.columns.len() == 1 { list(key) } else { format!("({})", list(key)) }
}

fn list(key: &Key) -> String {
    key.columns.iter().map(|column| quoted(column)).collect::<Vec<_>>().join(", ")
}

/// The columns of a write's table, where they are known.
pub(super) fn columns<'a>(entry: &Entry<'a>, table: Option<&TableName>) -> Option<&'a Columns> {
    entry.intake.schema?.table(table?)?.columns.as_deref()
}

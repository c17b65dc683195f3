//! Tables with their sizes and keys, as a file tells them.

use toml::{Table, Value};

use crate::sql::schema::{Columns, Key, Nulls};
use crate::sql::{Estimate, Schema, schema};

/// Reads tables out of TOML: each a `["schema.table"]`, or a `[table]` of the schema `public`, with `rows`, `primary_key`
/// (its columns), `unique` (a list of lists of columns) and `not_null` (columns); each of them may be left out.
///
/// # Errors
/// It is no TOML, or a key is unknown or holds something else: told with the table that it is of.
pub fn read(text: &str) -> Result<Schema, String> {
    let tables: Table = text.parse().map_err(|error: toml::de::Error| error.to_string())?;
    let mut builder = Schema::builder();
    for (name, table) in &tables {
        let told = |error: String| format!("[{name}]: {error}");
        let table = table.as_table().ok_or_else(|| told("is no table".to_owned()))?;
        let (home, short) = name.split_once('.').unwrap_or(("public", name));
        builder.describe(home, short, described(table).map_err(told)?);
    }
    Ok(builder.build())
}

fn described(table: &Table) -> Result<schema::Table, String> {
    let mut rows = Estimate::Unknown;
    let mut never_null: Vec<String> = Vec::new();
    let (mut primary, mut unique) = (Vec::new(), Vec::new());
    for (key, value) in table {
        let wrong = |what: &str| format!("{key} is {what}");
        match (key.as_str(), value) {
            ("rows", Value::Integer(count)) => {
                rows = Estimate::Known(u64::try_from(*count).map_err(|_| wrong("a number of rows, not below 0"))?);
            }
            ("rows", _) => return Err(wrong("a number of rows")),
            ("primary_key", value) => primary = columns(value).ok_or_else(|| wrong("a list of columns"))?,
            ("not_null", value) => never_null.extend(columns(value).ok_or_else(|| wrong("a list of columns"))?),
            ("unique", value) => {
                let keys = value.as_array().and_then(|keys| keys.iter().map(columns).collect::<Option<Vec<_>>>());
                unique = keys.ok_or_else(|| wrong("a list of lists of columns"))?;
            }
            _ => return Err(format!("{key}: unknown key; known here: rows, primary_key, unique, not_null")),
        }
    }
    never_null.extend(primary.iter().cloned());
    let mut keys = Vec::new();
    if !primary.is_empty() {
        keys.push(Key::primary(&primary.iter().map(String::as_str).collect::<Vec<_>>()));
    }
    for key in &unique {
        let nulls = if key.iter().all(|column| never_null.contains(column)) { Nulls::Never } else { Nulls::Distinct };
        keys.push(Key::unique(&key.iter().map(String::as_str).collect::<Vec<_>>(), nulls));
    }
    let table = schema::Table::sized(rows);
    if keys.is_empty() && never_null.is_empty() {
        return Ok(table);
    }
    Ok(table.with_columns(Columns {
        keys: keys.into(),
        never_null: never_null.iter().map(|column| column.as_str().into()).collect(),
    }))
}

fn columns(value: &Value) -> Option<Vec<String>> {
    value.as_array()?.iter().map(|column| column.as_str().map(str::to_owned)).collect()
}

//! Values as the wire has them, for those who know SQL.

use crate::sql::values::{Part, Value};
use crate::wire::{self, Format};

/// Each of them, as far as it has come.
pub fn for_sql(values: wire::Values<'_>) -> impl Iterator<Item = (Value<'_>, Part)> {
    values.iter().map(value)
}

fn value(sent: wire::Value<'_>) -> (Value<'_>, Part) {
    let of = |format, bytes| match format {
        Format::Text => Value::Text(bytes),
        Format::Binary => Value::Binary(bytes),
    };
    match sent {
        wire::Value::Null => (Value::Null, Part::Whole),
        wire::Value::Whole(format, bytes) => (of(format, bytes), Part::Whole),
        wire::Value::Beginning(format, bytes) => (of(format, bytes), Part::Beginning),
    }
}

//! What the tables of a statement add to what its words leave behind.

use crate::config::UnknownTables;
use crate::sql::facts::{Left, Traces};
use crate::sql::schema::{Effects, Schema};

/// What a text leaves behind, given the tables as its session sees them.
pub fn given(left: &Left, schema: &Schema, unknown: UnknownTables) -> Traces {
    left.given(|table| match (schema.effects(table), unknown) {
        (Effects::Plain, _) | (Effects::Unknown, UnknownTables::Plain) => true,
        (Effects::Restless, _) | (Effects::Unknown, UnknownTables::Check) => false,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sql::schema::{Estimate, SearchPath, Table};
    use crate::sql::{Flags, Reading};

    fn schema() -> Schema {
        let mut builder = Schema::builder();
        let table = |effects| Table { effects, ..Table::sized(Estimate::Known(5)) };
        for (schema, name, effects) in [
            ("public", "plain", Effects::Plain),
            ("public", "both", Effects::Plain),
            ("other", "both", Effects::Restless),
            ("public", "trigger", Effects::Restless),
        ] {
            builder.describe(schema, name, table(effects));
        }
        builder.build()
    }

    #[test]
    fn tables_without_effects_add_nothing_and_unknown_ones_by_choice() {
        let schema = schema();
        let at_public = schema.with_path(SearchPath::parse("public", "app"));
        let table = [
            (&schema, "SELECT * FROM plain JOIN pg_class ON true", Traces::NONE, Traces::NONE),
            (&schema, "SELECT * FROM information_schema.tables", Traces::NONE, Traces::NONE),
            (&schema, "SELECT * FROM both", Traces::UNKNOWN, Traces::UNKNOWN),
            (&at_public, "SELECT * FROM both", Traces::NONE, Traces::NONE),
            (&at_public, "DELETE FROM trigger", Traces::UNKNOWN, Traces::UNKNOWN),
            (&at_public, "SELECT * FROM other.both", Traces::UNKNOWN, Traces::UNKNOWN),
            (&at_public, "SELECT * FROM new", Traces::UNKNOWN, Traces::NONE),
            (&at_public, "SELECT * FROM other.plain", Traces::UNKNOWN, Traces::NONE),
            (&at_public, "LISTEN x", Traces::LISTEN, Traces::LISTEN),
        ];
        for (schema, sql, checked, plain) in table {
            let reading = Reading::of(Flags::POSTGRES, sql.as_bytes());
            let left = &reading.facts().left;
            assert_eq!(given(left, schema, UnknownTables::Check), checked, "{sql}");
            assert_eq!(given(left, schema, UnknownTables::Plain), plain, "{sql}");
        }
        let hidden = at_public.hiding(&["plain".into()]);
        let reading = Reading::of(Flags::POSTGRES, b"SELECT * FROM plain");
        assert_eq!(given(&reading.facts().left, &hidden, UnknownTables::Check), Traces::UNKNOWN);
    }
}

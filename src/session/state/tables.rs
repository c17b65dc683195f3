//! What the tables of a statement add to what its words leave behind.

use crate::sql::facts::{Left, Traces};
use crate::sql::schema::{Effects, Schema};

/// What to make of tables that the catalogue does not know: it was not read yet, there is no monitor, or they are new.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum UnknownTables {
    /// They may have triggers that leave something: the server is asked. Without a monitor that is one more round trip to the server
    /// for each transaction that reads or writes a table.
    #[default]
    Check,
    /// They are plain: right where nobody's triggers, rules and policies set anything for a session.
    Plain,
}

impl UnknownTables {
    /// What a text leaves behind, given the tables as its session sees them.
    pub fn given(self, left: &Left, schema: &Schema) -> Traces {
        left.given(|table| match (schema.effects(table), self) {
            (Effects::Plain, _) | (Effects::Unknown, Self::Plain) => true,
            (Effects::Restless, _) | (Effects::Unknown, Self::Check) => false,
        })
    }
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
            (&at_public, "INSERT INTO trigger VALUES (1)", Traces::UNKNOWN, Traces::UNKNOWN),
            (&at_public, "SELECT * FROM other.both", Traces::UNKNOWN, Traces::UNKNOWN),
            (&at_public, "SELECT * FROM new", Traces::UNKNOWN, Traces::NONE),
            (&at_public, "SELECT * FROM other.plain", Traces::UNKNOWN, Traces::NONE),
            (&at_public, "LISTEN x", Traces::LISTEN, Traces::LISTEN),
        ];
        for (schema, sql, checked, plain) in table {
            let reading = Reading::of(Flags::POSTGRES, sql.as_bytes());
            let left = &reading.facts().left;
            assert_eq!(UnknownTables::Check.given(left, schema), checked, "{sql}");
            assert_eq!(UnknownTables::Plain.given(left, schema), plain, "{sql}");
        }
        let hidden = at_public.hiding(&["plain".into()]);
        let reading = Reading::of(Flags::POSTGRES, b"SELECT * FROM plain");
        assert_eq!(UnknownTables::Check.given(&reading.facts().left, &hidden), Traces::UNKNOWN);
    }
}

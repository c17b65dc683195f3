//! What a text leaves behind in its session, reckoned once for each picture of the tables.

use std::sync::{Arc, Weak};

use super::Text;
use crate::config::UnknownTables;
use crate::session::state::given;
use crate::sql::Schema;
use crate::sql::facts::Traces;

/// What a text leaves under one picture of the tables. An empty one holds for nothing.
#[derive(Debug, Clone, Default)]
pub(super) struct Traced {
    schema: Weak<Schema>,
    unknown: UnknownTables,
    traces: Traces,
}

impl Text {
    /// What it leaves in a session whose tables are these.
    pub fn traces(&self, schema: &Arc<Schema>, unknown: UnknownTables) -> Traces {
        let left = &self.reading.facts().left;
        if left.tables.is_empty() {
            return left.traces;
        }
        let mut traced = self.traced.borrow_mut();
        if traced.schema.as_ptr() != Arc::as_ptr(schema) || traced.unknown != unknown {
            *traced = Traced { schema: Arc::downgrade(schema), unknown, traces: given(left, schema, unknown) };
        }
        traced.traces
    }
}

//! What was thought of a text, for as long as it holds: until the rules or the tables change.

use std::sync::{Arc, Weak};

use super::policy::Policy;
use crate::guard::Plan;
use crate::sql::Schema;

/// The rules and the picture of the tables under which a text passed, and its plan under them. An empty one holds for nothing.
#[derive(Debug, Default)]
pub struct Memo {
    policy: Weak<Policy>,
    schema: Weak<Schema>,
    plan: Plan,
}

impl Memo {
    /// The text passed under these.
    pub fn of(policy: &Arc<Policy>, schema: Option<&Arc<Schema>>, plan: Plan) -> Self {
        Self { policy: Arc::downgrade(policy), schema: schema.map_or_else(Weak::new, Arc::downgrade), plan }
    }

    /// The plan, where the same rules and tables are in force. A `Weak` keeps its address from being used again, so an old one is
    /// never taken for a new one.
    pub fn holds(&self, policy: &Arc<Policy>, schema: Option<&Arc<Schema>>) -> Option<Plan> {
        let schema = schema.map_or_else(|| Weak::new().as_ptr(), Arc::as_ptr);
        (self.policy.as_ptr() == Arc::as_ptr(policy) && self.schema.as_ptr() == schema).then_some(self.plan)
    }
}

//! What was thought of a text, for as long as it holds: until the rules or the tables change.

use std::rc::Rc;
use std::sync::{Arc, Weak};

use crate::guard::{Measure, Plan};
use crate::session::policy::Policy;
use crate::sql::Schema;
use crate::telemetry::WorkerMetrics;
use crate::telemetry::report::Slot;

/// The rules and the picture of the tables under which a text passed, and its plan under them. An empty one holds for nothing.
#[derive(Debug, Default)]
pub struct Memo {
    policy: Weak<Policy>,
    schema: Weak<Schema>,
    plan: Plan,
    values: Observed,
}

/// What the rules measured of a text. A clone costs a count where there is anything, and nothing where there is not.
#[derive(Debug, Clone, Default)]
pub struct Observed(Option<Rc<[(Measure, u64)]>>);

impl Observed {
    /// Takes them over.
    pub fn new(values: &[(Measure, u64)]) -> Self {
        Self((!values.is_empty()).then(|| values.into()))
    }

    /// Notes them for the report: once for each time that the text runs.
    pub fn note(&self, metrics: &WorkerMetrics) {
        for (measure, value) in self.0.iter().flat_map(|values| values.iter()) {
            metrics.observe((*measure).into(), *value);
        }
    }
}

/// Telemetry does not know rules; each measure has the slot of its number.
impl From<Measure> for Slot {
    fn from(measure: Measure) -> Self {
        Self::new(measure.index())
    }
}

impl Memo {
    /// The text passed under these, with this plan and these values.
    pub fn of(policy: &Arc<Policy>, schema: Option<&Arc<Schema>>, plan: Plan, values: Observed) -> Self {
        let schema = schema.map_or_else(Weak::new, Arc::downgrade);
        Self { policy: Arc::downgrade(policy), schema, plan, values }
    }

    /// What was measured of the text.
    pub fn values(&self) -> Observed {
        self.values.clone()
    }

    /// The plan, where the same rules and tables are in force. A `Weak` keeps its address from being used again, so an old one is
    /// never taken for a new one.
    pub fn holds(&self, policy: &Arc<Policy>, schema: Option<&Arc<Schema>>) -> Option<Plan> {
        let schema = schema.map_or_else(|| Weak::new().as_ptr(), Arc::as_ptr);
        (self.policy.as_ptr() == Arc::as_ptr(policy) && self.schema.as_ptr() == schema).then_some(self.plan)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::telemetry::report::SLOTS;

    #[test]
    fn every_measure_has_a_slot() {
        assert!(Measure::ALL.len() <= SLOTS);
    }
}

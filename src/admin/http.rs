//! All that the pages may see.

use std::fmt;
use std::sync::Arc;

use super::guard::Token;
use crate::control::Control;
use crate::telemetry::Metrics;
use crate::telemetry::rows::{NodeRow, RuleRow};

/// What the pages show.
#[derive(Clone)]
pub struct Http {
    /// Metrics.
    pub metrics: Arc<Metrics>,
    /// Readiness.
    pub control: Arc<Control>,
    /// Rules as they run.
    pub rules: Arc<dyn Fn() -> Vec<RuleRow> + Send + Sync>,
    /// Servers of each listener with their health.
    pub nodes: Arc<dyn Fn() -> Vec<NodeRow> + Send + Sync>,
    /// The secret of `/api/*`; `None`: nothing there is served.
    pub token: Option<Token>,
}

impl fmt::Debug for Http {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Http").field("control", &self.control).field("token", &self.token).finish_non_exhaustive()
    }
}

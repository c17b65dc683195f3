//! What Floodwall tells about itself: metrics, statement shapes, log lines and the rows of the console.
//!
//! A leaf: it imports `units` and `clock` only. Whoever has something to tell calls in; nothing here calls out, and nothing
//! that a statement passes through takes a lock.

mod collect;
mod family;
mod gate;
mod histogram;
mod lines;
pub mod log;
mod metrics;
mod process;
pub mod report;
pub mod rows;
pub mod shapes;
pub mod table;
mod worker;
mod writer;

pub use collect::{Series, caps_collector, series_collector, surges_collector};
pub use gate::{Gate, Pass};
pub use metrics::{GaugeGuard, Metrics};
pub use prometheus::core::Collector;
pub use worker::{Analyst, CacheKind, Direction, StatementKind, TextLent, WorkerMetrics};

/// The version that the console, the metrics and the HTTP page name.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

//! `/api/nodes`: the servers of each listener and how they are, as JSON.

use serde_json::{Value, json};

use super::http::Http;
use crate::clock;
use crate::telemetry::rows::NodeRow;
use crate::units::display_bytes;

/// All that `SHOW NODES` tells.
pub(super) fn nodes(http: &Http) -> Value {
    let now_ms = clock::uptime_ms();
    json!({ "nodes": (http.nodes)().iter().map(|row| node(row, now_ms)).collect::<Vec<_>>() })
}

fn node(node: &NodeRow, now_ms: u64) -> Value {
    json!({
        "listener": node.listener,
        "server": node.server,
        "state": node.state,
        "role": node.role,
        "used": node.used,
        "since_seconds": now_ms.saturating_sub(node.since_ms) / 1000,
        "last_error": node.error.as_ref().map(|error| display_bytes(error.as_bytes())),
    })
}

//! SHOW NODES: the servers of each listener, how they are and which is used.

use super::{Asked, Def};
use crate::clock;
use crate::config::Role;
use crate::console::answer::{Answer, Failure, Value, count, text};
use crate::telemetry::rows::NodeRow;
use crate::units::display_bytes;

pub(super) const DEF: Def = Def {
    name: "SHOW NODES",
    syntax: "SHOW NODES",
    summary: "the servers of each listener: whether they answer, what they are, which one is used",
    role: Role::Read,
    columns: &[
        text("listener"),
        text("server"),
        text("state"),
        text("role"),
        text("used"),
        count("since_seconds"),
        text("last_error"),
    ],
    run,
};

fn run(asked: &Asked<'_>) -> Result<Answer, Failure> {
    asked.nothing_more(&DEF)?;
    let now_ms = clock::uptime_ms();
    let row = |node: NodeRow| {
        vec![
            node.listener.into(),
            node.server.into(),
            node.state.into(),
            node.role.into(),
            if node.used { "yes" } else { "no" }.into(),
            (now_ms.saturating_sub(node.since_ms) / 1000).into(),
            node.error.map_or(Value::Null, |error| display_bytes(error.as_bytes()).into()),
        ]
    };
    Ok(Answer::rows((asked.sources.nodes)().into_iter().map(row)))
}

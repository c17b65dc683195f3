//! RESET REPORT: counts the report anew.

use super::{Asked, Def};
use crate::config::Role;
use crate::console::answer::{Answer, Failure};

pub(super) const DEF: Def = Def {
    name: "RESET REPORT",
    syntax: "RESET REPORT",
    summary: "count what SHOW REPORT tells anew, say after a limit was changed",
    role: Role::Admin,
    columns: &[],
    run,
};

fn run(asked: &Asked<'_>) -> Result<Answer, Failure> {
    asked.nothing_more(&DEF)?;
    asked.sources.metrics.report().reset();
    tracing::warn!(who = asked.operator.name, "audit: report reset");
    Ok(Answer::done("the report counts anew"))
}

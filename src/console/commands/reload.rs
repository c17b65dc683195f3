//! RELOAD: reads the configuration again. A wrong file changes nothing.

use super::{Asked, Def};
use crate::config::Role;
use crate::console::answer::{Answer, Failure};

pub(super) const DEF: Def = Def {
    name: "RELOAD",
    syntax: "RELOAD",
    summary: "read the configuration again; a wrong file changes nothing",
    role: Role::Admin,
    columns: &[],
    run,
};

fn run(asked: &Asked<'_>) -> Result<Answer, Failure> {
    asked.nothing_more(&DEF)?;
    tracing::warn!(who = asked.operator.name, "audit: reload asked for");
    // F0000 is config_file_error.
    let wrong = |why: String| Failure::new("F0000", format!("configuration not changed: {why}"));
    (asked.sources.reload)(&asked.operator.name).map(Answer::done).map_err(wrong)
}

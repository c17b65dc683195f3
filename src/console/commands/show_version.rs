//! SHOW VERSION: what runs here. One column, as exporters want it; SHOW STATE has the rest.

use super::{Asked, Def};
use crate::config::Role;
use crate::console::answer::{Answer, Failure, text};
use crate::telemetry::VERSION;

pub(super) const DEF: Def = Def {
    name: "SHOW VERSION",
    syntax: "SHOW VERSION",
    summary: "the version",
    role: Role::Read,
    columns: &[text("version")],
    run,
};

fn run(asked: &Asked<'_>) -> Result<Answer, Failure> {
    asked.nothing_more(&DEF)?;
    Ok(Answer::rows([vec![format!("Floodwall {VERSION}").into()]]))
}

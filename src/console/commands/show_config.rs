//! SHOW CONFIG: every setting as resolved.

use super::{Asked, Def};
use crate::config::Role;
use crate::console::answer::{Answer, Failure, text};

pub(super) const DEF: Def = Def {
    name: "SHOW CONFIG",
    syntax: "SHOW CONFIG",
    summary: "settings as they apply, without secrets",
    role: Role::Read,
    columns: &[text("key"), text("value")],
    run,
};

fn run(asked: &Asked<'_>) -> Result<Answer, Failure> {
    asked.nothing_more(&DEF)?;
    let rows = (asked.sources.config)().into_iter().map(|setting| vec![setting.key.into(), setting.value.into()]);
    Ok(Answer::rows(rows))
}

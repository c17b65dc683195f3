//! RESUME: ends a pause.

use super::{Asked, Def};
use crate::config::Role;
use crate::console::answer::{Answer, Failure};

pub(super) const DEF: Def =
    Def { name: "RESUME", syntax: "RESUME", summary: "end a pause", role: Role::Admin, columns: &[], run };

fn run(asked: &Asked<'_>) -> Result<Answer, Failure> {
    asked.nothing_more(&DEF)?;
    let was_paused = asked.sources.control.resume(&asked.operator.name);
    Ok(Answer::done(if was_paused { "resumed" } else { "nothing was paused" }))
}

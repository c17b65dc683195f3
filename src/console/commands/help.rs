//! HELP: the registry as a table.

use super::{ALL, Asked, Def};
use crate::config::Role;
use crate::console::answer::{Answer, Column, Failure, text};

const COLUMNS: &[Column] = &[text("command"), text("role"), text("description")];

pub(super) const DEF: Def =
    Def { name: "HELP", syntax: "HELP", summary: "the same", role: Role::Read, columns: COLUMNS, run };

pub(super) const SHOW_HELP: Def =
    Def { name: "SHOW HELP", syntax: "SHOW HELP", summary: "this list", role: Role::Read, columns: COLUMNS, run };

fn run(asked: &Asked<'_>) -> Result<Answer, Failure> {
    asked.nothing_more(&SHOW_HELP)?;
    let rows = ALL.iter().map(|def| {
        let role = match def.role {
            Role::Admin => "admin",
            Role::Read => "read",
        };
        vec![def.syntax.into(), role.into(), def.summary.into()]
    });
    Ok(Answer::rows(rows))
}

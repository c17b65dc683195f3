//! DISABLE and ENABLE: whether new clients may come into a database.

use super::{Asked, Def, database};
use crate::config::Role;
use crate::console::answer::{Answer, Failure};

pub(super) const DEF: Def = Def {
    name: "DISABLE",
    syntax: "DISABLE db",
    summary: "let no new client into a database; those who are there stay",
    role: Role::Admin,
    columns: &[],
    run: |asked| {
        let name = database::required(asked, &DEF)?;
        asked.sources.control.disable(name, &asked.operator.name);
        Ok(Answer::done(format!("database {name} takes no new client{}", database::doubt(asked.sources, Some(name)))))
    },
};

pub(super) const ENABLE: Def = Def {
    name: "ENABLE",
    syntax: "ENABLE db",
    summary: "let new clients in again, after DISABLE",
    role: Role::Admin,
    columns: &[],
    run: enable,
};

fn enable(asked: &Asked<'_>) -> Result<Answer, Failure> {
    let name = database::required(asked, &ENABLE)?;
    let was_disabled = asked.sources.control.enable(name, &asked.operator.name);
    let told = if was_disabled { "takes new clients again" } else { "was not disabled" };
    Ok(Answer::done(format!("database {name} {told}")))
}

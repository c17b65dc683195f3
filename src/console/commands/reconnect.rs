//! RECONNECT: closes the servers of pools, so that new ones take their place.

use super::{Asked, Def, database};
use crate::config::Role;
use crate::console::answer::{Answer, Failure};
use crate::units::counted;

pub(super) const DEF: Def = Def {
    name: "RECONNECT",
    syntax: "RECONNECT [db]",
    summary: "close the pools' servers, those that clients have when they are given back; new ones are made by need",
    role: Role::Admin,
    columns: &[],
    run,
};

fn run(asked: &Asked<'_>) -> Result<Answer, Failure> {
    let name = database::optional(asked, &DEF)?;
    asked.sources.steer.reconnect(name);
    let kept = match asked.sources.roster.reconnect(name) {
        0 => String::new(),
        count => format!(", and for {} with a server for life to end (KILL CLIENT)", counted(count, "session")),
    };
    tracing::warn!(who = asked.operator.name, database = name, "audit: reconnect");
    let (whose, doubt) = (database::display(name), database::doubt(asked.sources, name));
    Ok(Answer::done(format!(
        "servers of {whose} are closed as they become free; WAIT_CLOSE waits for that{kept}{doubt}"
    )))
}

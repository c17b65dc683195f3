//! KILL CLIENT: ends one session.

use super::{Asked, Def};
use crate::config::Role;
use crate::console::answer::{Answer, Failure};
use crate::roster::Signal;

pub(super) const DEF: Def = Def {
    name: "KILL CLIENT",
    syntax: "KILL CLIENT n",
    summary: "end the session with that number now; its transaction is rolled back",
    role: Role::Admin,
    columns: &[],
    run,
};

fn run(asked: &Asked<'_>) -> Result<Answer, Failure> {
    let [number] = asked.args[..] else { return Err(DEF.misused()) };
    let number: u64 = number.parse().map_err(|_| DEF.misused())?;
    let Some(entry) = asked.sources.roster.find(number) else {
        let failure = Failure::new("42704", format!("no client has the number {number}"));
        return Err(failure.hint("SHOW CLIENTS lists them."));
    };
    entry.signal(Signal::Kill);
    let client = &*entry.client;
    tracing::warn!(who = asked.operator.name, client = number, name = client, peer = %entry.peer, "audit: client killed");
    Ok(Answer::done(format!("client {number} is being ended")))
}

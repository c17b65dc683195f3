//! WAIT_CLOSE: returns once all servers are closed that RECONNECT meant.

use super::{Asked, Def, database, holders};
use crate::config::Role;
use crate::console::answer::{Answer, Failure, Wait};
use crate::console::sources::Sources;
use crate::telemetry::rows::PoolRow;

pub(super) const DEF: Def = Def {
    name: "WAIT_CLOSE",
    syntax: "WAIT_CLOSE [db]",
    summary: "wait until no server is left that RECONNECT meant",
    role: Role::Admin,
    columns: &[],
    run,
};

fn run(asked: &Asked<'_>) -> Result<Answer, Failure> {
    let name = database::optional(asked, &DEF)?.map(str::to_owned);
    let sources = asked.sources.clone();
    let (teller, whose) = (sources.clone(), name.clone());
    let ended = move || past(&sources, name.as_deref()).is_empty().then(|| Ok("all closed".to_owned()));
    let told = move || holders::told(&teller, whose.as_deref(), &past(&teller, whose.as_deref()));
    Ok(Answer::after(Wait { ended: Box::new(ended), told: Box::new(told), given_up: Box::new(|| {}) }))
}

/// Pools with the servers that are to be closed, and no others.
fn past(sources: &Sources, name: Option<&str>) -> Vec<PoolRow> {
    let mut pools = database::pools(sources, name);
    pools.iter_mut().for_each(|pool| pool.servers.retain(|server| server.close_needed));
    pools.retain(|pool| !pool.servers.is_empty());
    pools
}

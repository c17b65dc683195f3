//! WAIT_CLOSE: returns once all servers are closed that RECONNECT meant.

use std::sync::Arc;

use super::{Asked, Def, database, holders};
use crate::config::Role;
use crate::console::answer::{Answer, Failure, Wait};
use crate::console::sources::Sources;
use crate::roster::Entry;
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
    let ended = move || {
        let name = name.as_deref();
        (past(&sources, name).is_empty() && own(&sources, name).is_empty()).then(|| Ok("all closed".to_owned()))
    };
    let told = move || {
        let whose = whose.as_deref();
        holders::told(&teller, whose, &past(&teller, whose), own(&teller, whose))
    };
    Ok(Answer::after(Wait { ended: Box::new(ended), told: Box::new(told), given_up: Box::new(|| {}) }))
}

/// Clients with servers of their own that are to be left behind.
fn own(sources: &Sources, name: Option<&str>) -> Vec<Arc<Entry>> {
    let mut sessions = database::sessions(sources, name);
    sessions.retain(|entry| sources.roster.is_past(entry));
    sessions
}

/// Pools with the servers that are to be closed, and no others.
fn past(sources: &Sources, name: Option<&str>) -> Vec<PoolRow> {
    let mut pools = database::pools(sources, name);
    pools.iter_mut().for_each(|pool| pool.servers.retain(|server| server.close_needed));
    pools.retain(|pool| !pool.servers.is_empty());
    pools
}

//! KILL: ends one session, or all of a database.

use super::{Asked, Def, database};
use crate::config::Role;
use crate::console::answer::{Answer, Failure};
use crate::control::PAUSE_DEFAULT;
use crate::roster::Signal;
use crate::units::{counted, display_duration};

pub(super) const DEF: Def = Def {
    name: "KILL CLIENT",
    syntax: "KILL CLIENT id",
    summary: "end the session of that id in SHOW CLIENTS now; its transaction is rolled back",
    role: Role::Admin,
    columns: &[],
    run: |asked| client(asked, &DEF),
};

/// PgBouncer's name of it.
pub(super) const KILL_CLIENT: Def = Def {
    name: "KILL_CLIENT",
    syntax: "KILL_CLIENT id",
    summary: "the same",
    role: Role::Admin,
    columns: &[],
    run: |asked| client(asked, &KILL_CLIENT),
};

pub(super) const DATABASE: Def = Def {
    name: "KILL",
    syntax: "KILL [db]",
    summary: "end all sessions of a database, or all, and pause it: new clients wait until RESUME, 10m at the most",
    role: Role::Admin,
    columns: &[],
    run: of_database,
};

fn client(asked: &Asked<'_>, def: &Def) -> Result<Answer, Failure> {
    let [number] = asked.args[..] else { return Err(def.misused()) };
    let number: u64 = number.parse().map_err(|_| def.misused())?;
    let Some(entry) = asked.sources.roster.find(number) else {
        let failure = Failure::new("42704", format!("no client has the id {number}"));
        return Err(failure.hint("SHOW CLIENTS lists them."));
    };
    entry.signal(Signal::Kill);
    let client = &*entry.client;
    tracing::warn!(who = asked.operator.name, client = number, name = client, peer = %entry.peer, "audit: client killed");
    Ok(Answer::done(format!("client {number} is being ended")))
}

fn of_database(asked: &Asked<'_>) -> Result<Answer, Failure> {
    let name = database::optional(asked, &DATABASE)?;
    let sources = asked.sources;
    let doubt = database::doubt(sources, name);
    // Nobody takes the places of those who are ended before the operator says so.
    let time = sources.control.pause(name, PAUSE_DEFAULT, &asked.operator.name);
    sources.steer.pause();
    let sessions = database::sessions(sources, name);
    sessions.iter().for_each(|entry| entry.signal(Signal::Kill));
    let clients = sessions.len() as u64;
    tracing::warn!(who = asked.operator.name, database = name, clients, "audit: killed");
    let (what, clients, time) = (database::display(name), counted(clients, "client"), display_duration(time));
    Ok(Answer::done(format!("{what}: ending {clients}; paused for {time}, RESUME ends that{doubt}")))
}

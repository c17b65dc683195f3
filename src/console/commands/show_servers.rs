//! SHOW SERVERS: connections to servers and whose they are.

use super::{Asked, Def};
use crate::config::Role;
use crate::console::answer::{Answer, Failure, Value, count, text};
use crate::roster::Entry;

pub(super) const DEF: Def = Def {
    name: "SHOW SERVERS",
    syntax: "SHOW SERVERS",
    summary: "server connections and the clients that hold them",
    role: Role::Read,
    columns: &[text("server"), count("server_pid"), count("client_number"), text("state")],
    run,
};

fn run(asked: &Asked<'_>) -> Result<Answer, Failure> {
    asked.nothing_more(&DEF)?;
    let rows = asked.sources.roster.list().into_iter().map(|entry| {
        vec![entry.server.to_string().into(), pid(&entry), entry.number.into(), entry.activity().label().into()]
    });
    Ok(Answer::rows(rows))
}

/// Null until the server has told it.
pub(super) fn pid(entry: &Entry) -> Value {
    match entry.server_pid() {
        0 => Value::Null,
        pid => Value::Count(i64::from(pid)),
    }
}

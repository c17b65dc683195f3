//! SHOW SERVERS: the servers that clients have, and whose they are. PgBouncer's columns come first.

use super::{Asked, Def};
use crate::config::Role;
use crate::console::answer::{Answer, Failure, Row, Value, count, text};
use crate::roster::Entry;
use crate::units::display_bytes;

pub(super) const DEF: Def = Def {
    name: "SHOW SERVERS",
    syntax: "SHOW SERVERS",
    summary: "server connections and the clients that hold them; SHOW POOLS counts those that are idle too",
    role: Role::Read,
    columns: &[
        text("type"),
        text("user"),
        text("database"),
        text("replication"),
        text("state"),
        text("addr"),
        count("port"),
        text("local_addr"),
        count("local_port"),
        text("connect_time"),
        text("request_time"),
        count("wait"),
        count("wait_us"),
        count("close_needed"),
        text("ptr"),
        text("link"),
        count("remote_pid"),
        text("tls"),
        text("application_name"),
        count("prepared_statements"),
        count("id"),
        text("server"),
        count("server_pid"),
        count("client_number"),
        text("activity"),
        text("listener"),
    ],
    run,
};

fn run(asked: &Asked<'_>) -> Result<Answer, Failure> {
    asked.nothing_more(&DEF)?;
    // Between two transactions a client of a pool has no server.
    let has_one = |entry: &&std::sync::Arc<Entry>| entry.server_generation().is_some();
    Ok(Answer::rows(asked.sources.roster.list().iter().filter(has_one).map(|entry| row(entry))))
}

fn row(entry: &Entry) -> Row {
    vec![
        "S".into(),
        display_bytes(entry.identity.user.as_bytes()).into(),
        display_bytes(entry.identity.database.as_bytes()).into(),
        Value::Null,
        "active".into(),
        entry.server.host().into(),
        u64::from(entry.server.port()).into(),
        Value::Null,
        Value::Null,
        Value::Null,
        Value::Null,
        Value::Count(0),
        Value::Count(0),
        Value::Count(0),
        Value::Null,
        Value::Null,
        pid(entry),
        Value::Null,
        display_bytes(entry.identity.application_name.as_bytes()).into(),
        Value::Null,
        Value::Null,
        entry.server.to_string().into(),
        pid(entry),
        entry.number.into(),
        entry.activity().label().into(),
        Value::from(&*entry.identity.listener),
    ]
}

/// Null until the server has told it.
pub(super) fn pid(entry: &Entry) -> Value {
    match entry.server_pid() {
        0 => Value::Null,
        pid => Value::Count(i64::from(pid)),
    }
}

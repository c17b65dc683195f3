//! SHOW CLIENTS: who is connected, doing what.

use super::{Asked, Def};
use crate::clock;
use crate::config::Role;
use crate::console::answer::{Answer, Failure, Row, Value, count, text};
use crate::roster::Entry;
use crate::units::display_bytes;

pub(super) const DEF: Def = Def {
    name: "SHOW CLIENTS",
    syntax: "SHOW CLIENTS",
    summary: "client connections and what they are doing",
    role: Role::Read,
    columns: &[
        count("number"),
        text("client"),
        text("user"),
        text("database"),
        text("application_name"),
        text("address"),
        count("port"),
        text("state"),
        count("state_seconds"),
        count("statements"),
        count("server_pid"),
        count("connected_seconds"),
        text("listener"),
        text("tls"),
    ],
    run,
};

fn run(asked: &Asked<'_>) -> Result<Answer, Failure> {
    asked.nothing_more(&DEF)?;
    let now_ms = clock::uptime_ms();
    Ok(Answer::rows(asked.sources.roster.list().iter().map(|entry| row(entry, now_ms))))
}

fn row(entry: &Entry, now_ms: u64) -> Row {
    let seconds_since = |since_ms: u64| Value::from(now_ms.saturating_sub(since_ms) / 1000);
    vec![
        entry.number.into(),
        display_bytes(entry.client.as_bytes()).into(),
        display_bytes(entry.identity.user.as_bytes()).into(),
        display_bytes(entry.identity.database.as_bytes()).into(),
        display_bytes(entry.identity.application_name.as_bytes()).into(),
        entry.peer.host().into(),
        u64::from(entry.peer.port()).into(),
        entry.activity().label().into(),
        seconds_since(entry.activity_since_ms()),
        entry.statements().into(),
        super::show_servers::pid(entry),
        seconds_since(entry.since_ms),
        Value::from(&*entry.identity.listener),
        entry.tls().to_owned().into(),
    ]
}

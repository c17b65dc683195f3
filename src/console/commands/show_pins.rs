//! SHOW PINS: whose server stays with it beyond its transaction, and why.

use super::{Asked, Def};
use crate::clock;
use crate::config::Role;
use crate::console::answer::{Answer, Failure, Row, Value, count, text};
use crate::roster::Entry;
use crate::units::display_bytes;

pub(super) const DEF: Def = Def {
    name: "SHOW PINS",
    syntax: "SHOW PINS",
    summary: "clients that keep a pool's server, and what they left in it",
    role: Role::Read,
    columns: &[
        count("id"),
        text("client"),
        text("user"),
        text("database"),
        text("application_name"),
        text("why"),
        count("pinned_seconds"),
        count("server_pid"),
        text("listener"),
    ],
    run,
};

fn run(asked: &Asked<'_>) -> Result<Answer, Failure> {
    asked.nothing_more(&DEF)?;
    let now_ms = clock::uptime_ms();
    Ok(Answer::rows(asked.sources.roster.list().iter().filter_map(|entry| row(entry, now_ms))))
}

fn row(entry: &Entry, now_ms: u64) -> Option<Row> {
    let pin = entry.pin()?;
    Some(vec![
        entry.number.into(),
        display_bytes(entry.client.as_bytes()).into(),
        display_bytes(entry.identity.user.as_bytes()).into(),
        display_bytes(entry.identity.database.as_bytes()).into(),
        display_bytes(entry.identity.application_name.as_bytes()).into(),
        pin.why.into(),
        Value::from(now_ms.saturating_sub(pin.since_ms) / 1000),
        Value::from(super::pid(entry).map(i64::from)),
        Value::from(&*entry.identity.listener),
    ])
}

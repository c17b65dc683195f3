//! SHOW CLIENTS: who is connected, doing what. PgBouncer's columns come first.

use std::time::Duration;

use super::{Asked, Def};
use crate::config::Role;
use crate::console::answer::{Answer, Column, Failure, Row, Value, count, text};
use crate::console::socket::{self, Now, Socket};
use crate::roster::{Activity, Entry};
use crate::units::display_bytes;

const OURS: [Column; 7] = [
    text("client"),
    text("activity"),
    count("activity_seconds"),
    count("statements"),
    count("server_pid"),
    count("connected_seconds"),
    text("listener"),
];
const COLUMNS: [Column; socket::with(OURS.len())] = socket::columns(OURS);

pub(super) const DEF: Def = Def {
    name: "SHOW CLIENTS",
    syntax: "SHOW CLIENTS",
    summary: "client connections and what they are doing",
    role: Role::Read,
    columns: &COLUMNS,
    run,
};

fn run(asked: &Asked<'_>) -> Result<Answer, Failure> {
    asked.nothing_more(&DEF)?;
    Ok(Answer::rows(rows(asked)))
}

/// All of them; the listener comes last.
pub(super) fn rows(asked: &Asked<'_>) -> Vec<Row> {
    let now = Now::new();
    asked.sources.roster.list().iter().map(|entry| row(entry, now)).collect()
}

/// PgBouncer's word: a client is `active` while it has a server.
pub(super) fn state(activity: Activity) -> &'static str {
    match activity {
        Activity::Login => "login",
        Activity::Idle => "idle",
        Activity::Active | Activity::IdleInTransaction | Activity::FailedTransaction => "active",
        Activity::Waiting | Activity::Paused => "waiting",
    }
}

fn row(entry: &Entry, now: Now) -> Row {
    let activity = entry.activity();
    let in_activity = now.since(entry.activity_since_ms());
    let wait = if state(activity) == "waiting" { in_activity } else { Duration::ZERO };
    let socket = Socket {
        kind: "C",
        user: &entry.identity.user,
        database: &entry.identity.database,
        state: state(activity),
        address: Some((entry.peer.host(), entry.peer.port())),
        connected: Some(now.date(entry.since_ms)),
        requested: Some(now.date(entry.activity_since_ms())),
        wait,
        pid: Some(0),
        tls: Some(entry.tls()),
        application_name: &entry.identity.application_name,
        id: Some(entry.number),
        ..Socket::default()
    };
    let mut row = socket.row();
    row.extend([
        display_bytes(entry.client.as_bytes()).into(),
        activity.label().into(),
        in_activity.as_secs().into(),
        entry.statements().into(),
        Value::from(super::pid(entry).map(i64::from)),
        now.since(entry.since_ms).as_secs().into(),
        Value::from(&*entry.identity.listener),
    ]);
    row
}

//! SHOW CLIENTS: who is connected, doing what. PgBouncer's columns come first.

use std::time::Duration;

use chrono::DateTime;

use super::{Asked, Def};
use crate::clock;
use crate::config::Role;
use crate::console::answer::{Answer, Failure, Row, Value, count, text};
use crate::roster::{Activity, Entry};
use crate::units::display_bytes;

pub(super) const DEF: Def = Def {
    name: "SHOW CLIENTS",
    syntax: "SHOW CLIENTS",
    summary: "client connections and what they are doing",
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
        text("client"),
        text("activity"),
        count("activity_seconds"),
        count("statements"),
        count("server_pid"),
        count("connected_seconds"),
        text("listener"),
    ],
    run,
};

fn run(asked: &Asked<'_>) -> Result<Answer, Failure> {
    asked.nothing_more(&DEF)?;
    let now = Now { ms: clock::uptime_ms(), wall: clock::wall() };
    Ok(Answer::rows(asked.sources.roster.list().iter().map(|entry| row(entry, now))))
}

/// One moment on both clocks.
#[derive(Debug, Clone, Copy)]
struct Now {
    ms: u64,
    wall: Duration,
}

impl Now {
    fn since(self, then_ms: u64) -> Duration {
        Duration::from_millis(self.ms.saturating_sub(then_ms))
    }

    /// As PgBouncer writes times, in UTC.
    fn date(self, then_ms: u64) -> String {
        let then = self.wall.saturating_sub(self.since(then_ms));
        let date = i64::try_from(then.as_secs()).ok().and_then(|seconds| DateTime::from_timestamp(seconds, 0));
        date.map(|date| date.format("%Y-%m-%d %H:%M:%S UTC").to_string()).unwrap_or_default()
    }
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
    vec![
        "C".into(),
        display_bytes(entry.identity.user.as_bytes()).into(),
        display_bytes(entry.identity.database.as_bytes()).into(),
        Value::Null,
        state(activity).into(),
        entry.peer.host().into(),
        u64::from(entry.peer.port()).into(),
        Value::Null,
        Value::Null,
        now.date(entry.since_ms).into(),
        now.date(entry.activity_since_ms()).into(),
        wait.as_secs().into(),
        u64::from(wait.subsec_micros()).into(),
        Value::Count(0),
        Value::Null,
        Value::Null,
        Value::Count(0),
        entry.tls().to_owned().into(),
        display_bytes(entry.identity.application_name.as_bytes()).into(),
        Value::Null,
        entry.number.into(),
        display_bytes(entry.client.as_bytes()).into(),
        activity.label().into(),
        in_activity.as_secs().into(),
        entry.statements().into(),
        super::show_servers::pid(entry),
        now.since(entry.since_ms).as_secs().into(),
        Value::from(&*entry.identity.listener),
    ]
}

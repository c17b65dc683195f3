//! PgBouncer's columns for a connection, of a client or to a server: those of SHOW CLIENTS and SHOW SERVERS, before ours.

use std::time::Duration;

use chrono::DateTime;

use super::answer::{Column, Row, Value, count, text};
use crate::clock;
use crate::units::display_bytes;

/// Its columns.
const COLUMNS: [Column; 21] = [
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
];

/// Those, and ours behind them.
pub(super) const fn columns<const OURS: usize, const ALL: usize>(ours: [Column; OURS]) -> [Column; ALL] {
    let mut all = [COLUMNS[0]; ALL];
    let mut place = 0;
    while place < ALL {
        all[place] = if place < COLUMNS.len() { COLUMNS[place] } else { ours[place - COLUMNS.len()] };
        place += 1;
    }
    all
}

/// How many there are with so many of ours.
pub(super) const fn with(ours: usize) -> usize {
    COLUMNS.len() + ours
}

/// A connection. What is not known is told as Null.
#[derive(Debug, Default)]
pub(super) struct Socket<'a> {
    /// `C` or `S`.
    pub(super) kind: &'static str,
    pub(super) user: &'a str,
    pub(super) database: &'a str,
    pub(super) state: &'static str,
    pub(super) address: Option<(String, u16)>,
    pub(super) connected: Option<String>,
    pub(super) requested: Option<String>,
    pub(super) wait: Duration,
    pub(super) close_needed: bool,
    /// Number of the client that a server has.
    pub(super) link: Option<u64>,
    /// The process behind it; `None`: it has not told.
    pub(super) pid: Option<i32>,
    pub(super) tls: Option<&'static str>,
    pub(super) application_name: &'a str,
    pub(super) id: Option<u64>,
}

impl Socket<'_> {
    /// In the order of the columns.
    pub(super) fn row(self) -> Row {
        let (host, port) = self.address.unzip();
        vec![
            self.kind.into(),
            display_bytes(self.user.as_bytes()).into(),
            display_bytes(self.database.as_bytes()).into(),
            Value::Null,
            self.state.into(),
            host.into(),
            port.map(u64::from).into(),
            Value::Null,
            Value::Null,
            self.connected.into(),
            self.requested.into(),
            self.wait.as_secs().into(),
            u64::from(self.wait.subsec_micros()).into(),
            u64::from(self.close_needed).into(),
            Value::Null,
            self.link.map(|number| number.to_string()).into(),
            self.pid.map_or(Value::Null, |pid| Value::Count(i64::from(pid))),
            self.tls.into(),
            display_bytes(self.application_name.as_bytes()).into(),
            Value::Null,
            self.id.into(),
        ]
    }
}

/// One moment on both clocks.
#[derive(Debug, Clone, Copy)]
pub(super) struct Now {
    ms: u64,
    wall: Duration,
}

impl Now {
    pub(super) fn new() -> Self {
        Self { ms: clock::uptime_ms(), wall: clock::wall() }
    }

    pub(super) fn since(self, then_ms: u64) -> Duration {
        Duration::from_millis(self.ms.saturating_sub(then_ms))
    }

    /// As PgBouncer writes times, in UTC.
    pub(super) fn date(self, then_ms: u64) -> String {
        let then = self.wall.saturating_sub(self.since(then_ms));
        let date = i64::try_from(then.as_secs()).ok().and_then(|seconds| DateTime::from_timestamp(seconds, 0));
        date.map(|date| date.format("%Y-%m-%d %H:%M:%S UTC").to_string()).unwrap_or_default()
    }
}

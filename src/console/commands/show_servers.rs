//! SHOW SERVERS: connections to servers, and whose they are. PgBouncer's columns come first.

use std::collections::HashMap;
use std::sync::Arc;

use super::{Asked, Def};
use crate::config::Role;
use crate::console::answer::{Answer, Column, Failure, Row, Value, count, text};
use crate::console::pools::Cancels;
use crate::console::socket::{self, Now, Socket};
use crate::roster::{Activity, Entry, Roster};
use crate::telemetry::rows::{PoolRow, ServerRow, Standing};

const OURS: [Column; 5] = [text("server"), count("server_pid"), count("client_id"), text("activity"), text("listener")];
const COLUMNS: [Column; socket::with(OURS.len())] = socket::columns(OURS);

pub(super) const DEF: Def = Def {
    name: "SHOW SERVERS",
    syntax: "SHOW SERVERS",
    summary: "server connections, those of pools that are idle too, and the clients that hold them",
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
    let entries = asked.sources.roster.list();
    let own = entries.iter().filter(|entry| !entry.is_lent()).map(|entry| own(entry, &asked.sources.roster, now));
    let lent = lent(&entries);
    let pools = (asked.sources.pools)();
    let pooled = pools.iter().flat_map(|pool| pool.servers.iter().map(move |server| (pool, server)));
    // What has been told goodbye is no server of PgBouncer's any more, and counts nowhere in SHOW POOLS.
    let pooled = pooled.filter(|(_, server)| server.standing != Standing::Closing);
    let pooled = pooled.map(|(pool, server)| pooled_row(pool, server, &lent, now));
    let canceling = Cancels::of(asked.sources, &entries);
    let canceling = canceling.sent().map(cancel_row);
    own.chain(pooled).chain(canceling).collect()
}

/// Clients that have a server of a pool, by listener and the server's process.
type Lent<'a> = HashMap<(&'a str, i32), &'a Entry>;

fn lent(entries: &[Arc<Entry>]) -> Lent<'_> {
    let has_one = |entry: &&Arc<Entry>| entry.is_lent() && entry.server_generation().is_some();
    entries.iter().filter(has_one).map(|entry| ((&*entry.identity.listener, entry.server_pid()), &**entry)).collect()
}

/// The server of a client that has one of its own.
fn own(entry: &Entry, roster: &Roster, now: Now) -> Row {
    let activity = entry.activity();
    let socket = Socket {
        kind: "S",
        user: entry.identity.role(),
        database: &entry.identity.database,
        state: if activity == Activity::Login { Standing::Login } else { Standing::Active }.label(),
        address: Some((entry.server.host(), entry.server.port())),
        connected: Some(now.date(entry.since_ms)),
        close_needed: roster.is_past(entry),
        link: Some(entry.number),
        pid: super::pid(entry),
        application_name: &entry.identity.application_name,
        ..Socket::default()
    };
    row(socket, Some(entry.server.to_string()), Some(entry), &entry.identity.listener)
}

fn pooled_row(pool: &PoolRow, server: &ServerRow, lent: &Lent<'_>, now: Now) -> Row {
    let process = server.process.as_ref();
    let client = process
        .filter(|_| server.standing == Standing::Active)
        .and_then(|process| lent.get(&(pool.listener.as_str(), process.pid)).copied());
    let socket = Socket {
        kind: "S",
        user: &pool.user,
        database: &pool.database,
        state: server.standing.label(),
        address: process.map(|process| (process.host.clone(), process.port)),
        connected: process.map(|process| now.date(process.since_ms)),
        requested: Some(server.lent_ms).filter(|then| *then > 0).map(|then| now.date(then)),
        close_needed: server.close_needed,
        link: client.map(|client| client.number),
        pid: process.map(|process| process.pid),
        application_name: client.map_or("", |client| &client.identity.application_name),
        id: Some(server.number),
        ..Socket::default()
    };
    row(socket, process.map(|process| process.server.clone()), client, &pool.listener)
}

/// The connection that carries a cancel to the server of a client.
fn cancel_row(entry: &Entry) -> Row {
    let socket = Socket {
        kind: "S",
        user: entry.identity.role(),
        database: &entry.identity.database,
        state: "active_cancel",
        link: Some(entry.number),
        ..Socket::default()
    };
    row(socket, None, Some(entry), &entry.identity.listener)
}

fn row(socket: Socket<'_>, server: Option<String>, client: Option<&Entry>, listener: &str) -> Row {
    let pid = Value::from(socket.pid.map(i64::from));
    let mut row = socket.row();
    row.extend([
        server.into(),
        pid,
        client.map(|client| client.number).into(),
        client.map(|client| client.activity().label()).into(),
        listener.into(),
    ]);
    row
}

//! Whom a command waits for that waits for servers to be given back.

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use super::database;
use crate::clock;
use crate::console::sources::Sources;
use crate::roster::Entry;
use crate::telemetry::rows::{PoolRow, Standing};
use crate::units::{counted, display_bytes, display_duration};

/// So many are named.
const NAMED_MAX: usize = 5;

/// One sentence about the clients that have servers of a database's pools. `pools` have the servers that are waited for, `own` are clients that
/// are waited for with a server of their own.
pub(super) fn told(sources: &Sources, name: Option<&str>, pools: &[PoolRow], own: Vec<Arc<Entry>>) -> String {
    let sum = |standing| pools.iter().map(|pool| pool.standing(standing)).sum::<u64>();
    let (servers, owners) = (pools.iter().map(|pool| pool.servers.len() as u64).sum::<u64>(), own.len() as u64);
    let (servers, held) = (servers.saturating_add(owners), sum(Standing::Active).saturating_add(owners));
    let mut told = format!("waiting for {} ({held} held by clients)", counted(servers, "server"));
    let lent = database::sessions(sources, name).into_iter();
    let lent = lent.filter(|entry| entry.is_lent() && entry.server_generation().is_some());
    let mut holders = lent.chain(own);
    for (place, holder) in holders.by_ref().take(NAMED_MAX).enumerate() {
        let _ = write!(told, "{}{}", if place == 0 { ": " } else { ", " }, holding(&holder));
    }
    match holders.count() {
        0 => told,
        more => format!("{told}, and {more} more"),
    }
}

/// A client and why it has its server.
fn holding(entry: &Entry) -> String {
    let seconds = clock::uptime_ms().saturating_sub(entry.activity_since_ms()) / 1000;
    let since = display_duration(Duration::from_secs(seconds));
    let user = display_bytes(entry.identity.user.as_bytes());
    let why = match entry.pin() {
        Some(pin) => format!("pinned: {}", pin.why),
        None => entry.activity().label().to_owned(),
    };
    format!("client {} (user {user}, {why} for {since})", entry.number)
}

//! Clients and servers by database and user, as PgBouncer counts them: what SHOW POOLS, LISTS and DATABASES tell.
//!
//! Where servers are lent, what a pool has is told by its rows; otherwise each client has a server of its own, and both are counted in
//! the roster. Pools of one database and user on several listeners are one row, since exporters tell rows apart by these two names.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use super::sources::Sources;
use crate::clock;
use crate::roster::{Activity, Entry};
use crate::telemetry::rows::{PoolRow, Standing};

/// Who uses a database as which user.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(super) struct Use {
    pub(super) database: String,
    pub(super) user: String,
    /// Listeners that they come through.
    pub(super) listeners: BTreeSet<String>,
    /// Clients that wait for nothing of ours: they are idle, or have a server.
    pub(super) cl_active: u64,
    /// Clients that wait for a server, or for the end of a pause.
    pub(super) cl_waiting: u64,
    /// Clients whose login is about to end.
    pub(super) cl_login: u64,
    /// Cancel requests that are on their way to a server, each on a connection of its own.
    pub(super) cancels_sent: u64,
    /// Cancel requests that wait for their turn.
    pub(super) cancels_waiting: u64,
    /// Servers that a client has.
    pub(super) sv_active: u64,
    /// Servers that no client has and that a cancel keeps from the others.
    pub(super) sv_being_canceled: u64,
    /// Servers that wait for a client.
    pub(super) sv_idle: u64,
    /// Servers that are being made clean.
    pub(super) sv_tested: u64,
    /// Servers that are being made.
    pub(super) sv_login: u64,
    /// How long the client that has waited longest waits.
    pub(super) max_wait: Duration,
    /// Its servers are lent for a transaction each, within these bounds.
    pub(super) lent: Option<Lent>,
    /// A client is lent servers, whether there are any at the moment or not.
    borrows: bool,
}

/// The bounds of a pool.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(super) struct Lent {
    /// Servers that it may have.
    pub(super) size: u64,
    /// Servers that it keeps.
    pub(super) min_size: u64,
    /// How long each may live.
    pub(super) server_lifetime: Duration,
}

impl Lent {
    /// The larger ones of each.
    pub(super) fn max(self, other: Self) -> Self {
        Self {
            size: self.size.max(other.size),
            min_size: self.min_size.max(other.min_size),
            server_lifetime: self.server_lifetime.max(other.server_lifetime),
        }
    }
}

/// All of them.
#[derive(Debug, Default)]
pub(super) struct Pools(BTreeMap<(String, String), Use>);

impl Pools {
    /// As things are now.
    pub(super) fn of(sources: &Sources) -> Self {
        Self::where_listener(sources, |_| true)
    }

    /// Those of one listener.
    pub(super) fn of_listener(sources: &Sources, listener: &str) -> Self {
        Self::where_listener(sources, |name| name == listener)
    }

    fn where_listener(sources: &Sources, fits: impl Fn(&str) -> bool) -> Self {
        let now_ms = clock::uptime_ms();
        let mut pools = Self::default();
        let entries = sources.roster.list();
        for entry in entries.iter().filter(|entry| fits(&entry.identity.listener)) {
            pools.of_entry(entry).note(entry, now_ms);
        }
        for row in (sources.pools)().iter().filter(|row| fits(&row.listener)) {
            pools.find(&row.database, &row.user, &row.listener).note_row(row);
        }
        let cancels = Cancels::of(sources, &entries);
        for entry in cancels.sent().filter(|entry| fits(&entry.identity.listener)) {
            let found = pools.of_entry(entry);
            found.cancels_sent = found.cancels_sent.saturating_add(1);
        }
        for entry in cancels.waiting().filter(|entry| fits(&entry.identity.listener)) {
            let found = pools.of_entry(entry);
            found.cancels_waiting = found.cancels_waiting.saturating_add(1);
        }
        pools
    }

    fn of_entry(&mut self, entry: &Entry) -> &mut Use {
        self.find(&entry.identity.database, entry.identity.role(), &entry.identity.listener)
    }

    /// By database and user.
    pub(super) fn all(&self) -> impl Iterator<Item = &Use> {
        self.0.values()
    }

    fn find(&mut self, database: &str, user: &str, listener: &str) -> &mut Use {
        let key = (database.to_owned(), user.to_owned());
        let found = self.0.entry(key).or_insert_with(|| Use {
            database: database.to_owned(),
            user: user.to_owned(),
            ..Use::default()
        });
        if !found.listeners.contains(listener) {
            found.listeners.insert(listener.to_owned());
        }
        found
    }
}

impl Use {
    fn note(&mut self, entry: &Entry, now_ms: u64) {
        let (clients, servers) = match entry.activity() {
            Activity::Login => (&mut self.cl_login, &mut self.sv_login),
            Activity::Waiting | Activity::Paused => (&mut self.cl_waiting, &mut self.sv_active),
            _ => (&mut self.cl_active, &mut self.sv_active),
        };
        *clients = clients.saturating_add(1);
        if entry.is_lent() {
            self.borrows = true;
        } else {
            *servers = servers.saturating_add(1);
        }
        if matches!(entry.activity(), Activity::Waiting | Activity::Paused) {
            let waits = Duration::from_millis(now_ms.saturating_sub(entry.activity_since_ms()));
            self.max_wait = self.max_wait.max(waits);
        }
    }

    fn note_row(&mut self, row: &PoolRow) {
        let PoolRow { size, min_size, server_lifetime, .. } = *row;
        self.lent = Some(self.lent.unwrap_or_default().max(Lent { size, min_size, server_lifetime }));
        let kinds = [
            (&mut self.sv_active, Standing::Active),
            (&mut self.sv_being_canceled, Standing::BeingCanceled),
            (&mut self.sv_idle, Standing::Idle),
            (&mut self.sv_tested, Standing::Tested),
            (&mut self.sv_login, Standing::Login),
        ];
        for (count, standing) in kinds {
            *count = count.saturating_add(row.standing(standing));
        }
        self.max_wait = self.max_wait.max(row.max_wait);
    }

    /// Servers, however they stand.
    pub(super) fn servers(&self) -> u64 {
        let counts = [self.sv_active, self.sv_being_canceled, self.sv_idle, self.sv_tested, self.sv_login];
        counts.into_iter().fold(0, u64::saturating_add)
    }

    /// PgBouncer's name of how servers are shared.
    pub(super) const fn mode(&self) -> &'static str {
        if self.lends() { "transaction" } else { "session" }
    }

    /// Are its servers lent for a transaction each?
    pub(super) const fn lends(&self) -> bool {
        self.lent.is_some() || self.borrows
    }
}

/// The sessions that cancel requests under way are for, each as often as it has some.
#[derive(Debug)]
pub(super) struct Cancels<'a>(Vec<(&'a Entry, bool)>);

impl<'a> Cancels<'a> {
    /// As things are now. Requests for sessions that have left are nobody's.
    pub(super) fn of(sources: &Sources, entries: &'a [Arc<Entry>]) -> Self {
        let find = |session| {
            let place = entries.binary_search_by_key(&session, |entry| entry.number).ok()?;
            entries.get(place).map(|entry| &**entry)
        };
        Self((sources.cancels)().iter().filter_map(|row| Some((find(row.session)?, row.is_sent))).collect())
    }

    /// Those on their way to a server.
    pub(super) fn sent(&self) -> impl Iterator<Item = &'a Entry> {
        self.0.iter().filter(|(_, is_sent)| *is_sent).map(|(entry, _)| *entry)
    }

    /// Those that wait for their turn.
    pub(super) fn waiting(&self) -> impl Iterator<Item = &'a Entry> {
        self.0.iter().filter(|(_, is_sent)| !is_sent).map(|(entry, _)| *entry)
    }
}

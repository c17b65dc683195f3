//! Live sessions: who is connected, behind which server process, doing what.
//!
//! The data path writes, console, metrics and watchers read. One entry is a handful of atomics that its session owns;
//! nothing here is ever locked for a statement.

mod activity;
mod entry;
mod past;

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rapidhash::fast::GlobalState;

pub use self::activity::{Activity, Signal};
pub use self::entry::{Entry, Identity, Newcomer, Pin};
use self::past::Past;
use crate::traffic::{self, ByDatabase};

/// All live sessions.
#[derive(Debug, Default)]
pub struct Roster {
    next: AtomicU64,
    entries: Mutex<HashMap<u64, Arc<Entry>, GlobalState>>,
    /// Who they are, and how many are the same. Locked after `entries`, where both are.
    identities: Mutex<HashMap<Arc<Identity>, Shared, GlobalState>>,
    /// What those have moved who have left.
    left: Mutex<ByDatabase>,
    past: Past,
}

/// What sessions of one identity share.
#[derive(Debug)]
struct Shared {
    sessions: usize,
    client: Arc<str>,
}

impl Roster {
    /// Adds a session; it leaves when the seat is dropped.
    pub fn join(self: &Arc<Self>, newcomer: Newcomer) -> Seat {
        let Newcomer { identity, client, peer, server, server_generation } = newcomer;
        let number = self.next.fetch_add(1, Ordering::Relaxed).wrapping_add(1);
        let entry = Entry::new(number, self.share(identity, client), (peer, server), server_generation);
        let entry = Arc::new(entry);
        self.lock().insert(entry.number, Arc::clone(&entry));
        Seat { roster: Arc::clone(self), entry }
    }

    /// The session of that number.
    pub fn find(&self, number: u64) -> Option<Arc<Entry>> {
        self.lock().get(&number).cloned()
    }

    /// All sessions, oldest first.
    pub fn list(&self) -> Vec<Arc<Entry>> {
        let mut all: Vec<_> = self.lock().values().cloned().collect();
        all.sort_unstable_by_key(|entry| entry.number);
        all
    }

    /// What all sessions have moved so far, by database: those who are here and those who have left.
    pub fn traffic(&self) -> ByDatabase {
        // Whoever leaves moves from one to the other while both are locked.
        let entries = self.lock();
        let mut sums = self.left.lock().unwrap_or_else(PoisonError::into_inner).clone();
        for entry in entries.values() {
            traffic::add(&mut sums, &entry.identity.database, &entry.traffic.totals());
        }
        sums
    }

    /// The sessions of a database, or all, that have a server of their own are to leave it behind: whoever comes from now on is not meant.
    /// How many there are.
    pub fn reconnect(&self, database: Option<&str>) -> u64 {
        let meant = |entry: &&Entry| !entry.is_lent() && database.is_none_or(|name| entry.identity.database == name);
        let count = self.list().iter().map(|entry| &**entry).filter(meant).count() as u64;
        // So that a name that nobody uses is not kept.
        if count > 0 {
            self.past.note(database, self.next.load(Ordering::Relaxed));
        }
        count
    }

    /// Is its server one that [`Self::reconnect`] meant?
    pub fn is_past(&self, entry: &Entry) -> bool {
        self.past.has(entry)
    }

    fn leave(&self, entry: &Entry) {
        let mut entries = self.lock();
        let mut left = self.left.lock().unwrap_or_else(PoisonError::into_inner);
        traffic::add(&mut left, &entry.identity.database, &entry.traffic.totals());
        entries.remove(&entry.number);
        self.forget(&entry.identity);
    }

    /// The identity and the label that other sessions of the same have.
    fn share(&self, identity: Identity, client: Arc<str>) -> (Arc<Identity>, Arc<str>) {
        let mut identities = self.identities.lock().unwrap_or_else(PoisonError::into_inner);
        let known = identities.get_key_value(&identity).map(|(known, _)| Arc::clone(known));
        let known = known.unwrap_or_else(|| Arc::new(identity));
        let shared =
            identities.entry(Arc::clone(&known)).or_insert_with(|| Shared { sessions: 0, client: Arc::clone(&client) });
        shared.sessions = shared.sessions.saturating_add(1);
        // A RELOAD may have given it another.
        if shared.client != client {
            shared.client = client;
        }
        (known, Arc::clone(&shared.client))
    }

    /// A session of this identity leaves: with the last one it goes too.
    fn forget(&self, identity: &Arc<Identity>) {
        let mut identities = self.identities.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(shared) = identities.get_mut(identity) else { return };
        shared.sessions = shared.sessions.saturating_sub(1);
        if shared.sessions == 0 {
            identities.remove(identity);
        }
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.lock().len()
    }

    /// True where nobody is connected.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<u64, Arc<Entry>, GlobalState>> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A session's place in the roster: given back on drop.
#[derive(Debug)]
pub struct Seat {
    roster: Arc<Roster>,
    entry: Arc<Entry>,
}

impl Seat {
    /// The entry itself.
    pub fn entry(&self) -> Arc<Entry> {
        Arc::clone(&self.entry)
    }
}

impl std::ops::Deref for Seat {
    type Target = Entry;

    fn deref(&self) -> &Entry {
        &self.entry
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.roster.leave(&self.entry);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::address::Endpoint;

    fn newcomer(user: &str) -> Newcomer {
        let place = Endpoint::from(std::net::SocketAddr::from(([127, 0, 0, 1], 1)));
        Newcomer {
            identity: Identity {
                listener: "main".into(),
                user: user.to_owned(),
                database: "shop".to_owned(),
                role: None,
                application_name: String::new(),
                address: [127, 0, 0, 1].into(),
            },
            client: user.into(),
            peer: place.clone(),
            server: place,
            server_generation: None,
        }
    }

    #[test]
    fn sessions_of_one_identity_share_it_and_the_last_takes_it_along() {
        let roster = Arc::new(Roster::default());
        let [one, same, other] = ["web", "web", "jobs"].map(|user| roster.join(newcomer(user)));
        assert!(Arc::ptr_eq(&one.identity, &same.identity) && Arc::ptr_eq(&one.client, &same.client));
        assert!(!Arc::ptr_eq(&one.identity, &other.identity));
        let looked_at = one.entry();
        drop(one);
        assert!(Arc::ptr_eq(&same.identity, &roster.join(newcomer("web")).identity));
        drop((same, other));
        assert!(roster.is_empty() && roster.identities.lock().unwrap().is_empty());
        assert_eq!(looked_at.identity.user, "web");
    }
}

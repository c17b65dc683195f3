//! Server connections: how many the listener has, each database and each role, and whether one more fits.

use std::collections::HashMap;
use std::sync::Arc;

use rapidhash::fast::GlobalState;

use crate::client::matching::cut;
use crate::config::Pool;
use crate::guard::caps::{self, Cap};

use super::queue::Line;
use super::state::State;
use super::want::{Block, Scope};

/// Whose a server connection is.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Party {
    /// As whom it is logged in.
    pub role: Arc<str>,
    /// Its database, as clients name it.
    pub database: Arc<str>,
}

impl Party {
    /// Of this role and database. Names are cut as the server cuts them.
    pub fn new(role: &str, database: &str) -> Arc<Self> {
        Arc::new(Self { role: cut(role).into(), database: cut(database).into() })
    }
}

/// The same by reference: whoever merely asks keeps nothing.
#[derive(Debug, Clone, Copy)]
pub(super) struct Whose<'a> {
    pub(super) role: &'a str,
    pub(super) database: &'a str,
}

impl Party {
    pub(super) fn whose(&self) -> Whose<'_> {
        Whose { role: &self.role, database: &self.database }
    }
}

/// Server connections beyond a cap that has become lower.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Surplus {
    /// Name of the cap.
    pub rule: &'static str,
    /// One of those whose connections it counts.
    pub party: Arc<Party>,
    /// How many are too many.
    pub over: usize,
}

/// Who is counted before the one that asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Before {
    /// Those that have one.
    Holders,
    /// Those that wait for one as well.
    Waiters,
}

/// All of one listener.
#[derive(Debug, Default)]
pub(super) struct Servers {
    all: usize,
    parties: HashMap<Arc<Party>, usize, GlobalState>,
    databases: HashMap<Arc<str>, usize, GlobalState>,
    roles: HashMap<Arc<str>, usize, GlobalState>,
}

impl Servers {
    pub(super) const fn all(&self) -> usize {
        self.all
    }

    pub(super) fn take(&mut self, party: &Arc<Party>) {
        self.all = self.all.saturating_add(1);
        add(&mut self.parties, party);
        add(&mut self.databases, &party.database);
        add(&mut self.roles, &party.role);
    }

    pub(super) fn give_back(&mut self, party: &Arc<Party>) {
        self.all = self.all.saturating_sub(1);
        take_off(&mut self.parties, party);
        take_off(&mut self.databases, &party.database);
        take_off(&mut self.roles, &party.role);
    }
}

fn add<K: std::hash::Hash + Eq + Clone>(counts: &mut HashMap<K, usize, GlobalState>, key: &K) {
    let count = counts.entry(key.clone()).or_default();
    *count = count.saturating_add(1);
}

fn take_off<K: std::hash::Hash + Eq>(counts: &mut HashMap<K, usize, GlobalState>, key: &K) {
    match counts.get_mut(key) {
        Some(count) if *count > 1 => *count = count.saturating_sub(1),
        _ => drop(counts.remove(key)),
    }
}

/// A cap that counts the connections of more than one pool and not of all.
#[derive(Debug, Clone, Copy)]
struct Part {
    rule: &'static str,
    scope: Scope,
    name: for<'a> fn(Whose<'a>) -> &'a str,
    most: fn(&Pool) -> Option<usize>,
    counts: fn(&Servers) -> &HashMap<Arc<str>, usize, GlobalState>,
}

/// The narrowest first: a place that comes free there is one of the listener as well.
const PARTS: [Part; 2] = [
    Part {
        rule: caps::MAX_DB_CONNECTIONS,
        scope: Scope::Database,
        name: |whose| whose.database,
        most: |pool| pool.max_db_connections,
        counts: |servers| &servers.databases,
    },
    Part {
        rule: caps::MAX_USER_CONNECTIONS,
        scope: Scope::User,
        name: |whose| whose.role,
        most: |pool| pool.max_user_connections,
        counts: |servers| &servers.roles,
    },
];

/// A cap of all databases, or of all roles, as it is told to people: the fullest of those that are bounded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Fullest {
    pub(super) rule: &'static str,
    /// Which it is: `database shop`; without a name where there is none.
    pub(super) scope: String,
    pub(super) kind: &'static str,
    pub(super) current: usize,
    pub(super) limit: Option<usize>,
    pub(super) waiting: usize,
}

impl State {
    pub(super) fn server_limit(&self) -> Option<usize> {
        self.limits.server.or(self.learnt_server_limit)
    }

    /// Has the listener room for another one, whosever it is?
    pub(super) fn server_has_room(&self, before: Before) -> Result<(), Block> {
        let ahead = if before == Before::Waiters { self.queue.waiting(Line::Server) } else { 0 };
        Cap::new(caps::MAX_SERVER_CONNECTIONS, self.server_limit())
            .admit(self.servers.all.saturating_add(ahead))
            .map_err(Block::at(Scope::Listener))
    }

    /// Is there room for one of this party?
    pub(super) fn server_fits(&self, whose: Whose<'_>, before: Before) -> Result<(), Block> {
        let pool = self.limits.pools.of(whose.role, whose.database);
        for part in PARTS {
            if let Some(most) = (part.most)(pool) {
                let name = (part.name)(whose);
                let have = (part.counts)(&self.servers).get(name).copied().unwrap_or_default();
                let ahead = if before == Before::Waiters { self.waiting_in(part, name) } else { 0 };
                let cap = Cap::new(part.rule, Some(most));
                cap.admit(have.saturating_add(ahead)).map_err(Block::at(part.scope))?;
            }
        }
        self.server_has_room(before)
    }

    fn waiting_in(&self, part: Part, name: &str) -> usize {
        self.queue.parties().filter(|other| (part.name)(other.whose()) == name).count()
    }

    /// Connections beyond each cap.
    pub(super) fn servers_over(&self) -> Vec<Surplus> {
        let Some(somebody) = self.servers.parties.keys().next() else { return Vec::new() };
        let surplus = |rule, party: &Arc<Party>, over| Surplus { rule, party: Arc::clone(party), over };
        let all = self.server_limit().map_or(0, |limit| self.servers.all.saturating_sub(limit));
        let mut surpluses = Vec::from_iter((all > 0).then(|| surplus(caps::MAX_SERVER_CONNECTIONS, somebody, all)));
        if self.limits.pools.bound_parts() {
            for part in PARTS {
                let over = self.parts(part).into_iter().filter_map(|(party, have, most)| {
                    let over = have.saturating_sub(most?);
                    (over > 0).then(|| surplus(part.rule, party, over))
                });
                surpluses.extend(over);
            }
        }
        surpluses
    }

    /// The fullest database and the fullest role.
    pub(super) fn fullest_parts(&self) -> [Fullest; 2] {
        PARTS.map(|part| self.fullest(part))
    }

    fn fullest(&self, part: Part) -> Fullest {
        let kind = part.scope.kind();
        let none = Fullest { rule: part.rule, scope: kind.to_owned(), kind, current: 0, limit: None, waiting: 0 };
        let parts = if self.limits.pools.bound_parts() { self.parts(part) } else { Vec::new() };
        let bound = parts.into_iter().filter_map(|(party, have, most)| Some((party, have, most?)));
        let share = |have: usize, most: usize| have.saturating_mul(1000) / most.max(1);
        let Some((party, current, most)) = bound.max_by_key(|(_, have, most)| share(*have, *most)) else { return none };
        let name = (part.name)(party.whose());
        Fullest {
            scope: format!("{kind} {name}"),
            current,
            limit: Some(most),
            waiting: self.waiting_in(part, name),
            ..none
        }
    }

    /// Each database, or each role: one of its parties, how many connections it has, and the most that any of its parties may bring it to.
    fn parts(&self, part: Part) -> Vec<(&Arc<Party>, usize, Option<usize>)> {
        let mut found = HashMap::<&str, (&Arc<Party>, Option<usize>), GlobalState>::default();
        for party in self.servers.parties.keys() {
            let most = (part.most)(self.limits.pools.of(&party.role, &party.database));
            let known = found.entry((part.name)(party.whose())).or_insert((party, most));
            known.1 = known.1.zip(most).map(|(one, other)| one.max(other));
        }
        let have = |name: &str| (part.counts)(&self.servers).get(name).copied().unwrap_or_default();
        found.into_iter().map(|(name, (party, most))| (party, have(name), most)).collect()
    }
}

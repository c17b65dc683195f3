//! What is held at one listener, and whether one more fits. Plain data behind the listener's mutex: no waiting here.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use rapidhash::fast::GlobalState;

use crate::client::matching::cut;
use crate::client::pools::PoolRules;
use crate::clock::Instant;
use crate::config::{Config, Listener, Over};
use crate::guard::caps::{self, Cap};
use crate::roster::Identity;

use super::address::{AddressKey, Addresses};
use super::claim::{Claim, ClaimPart};
use super::identify::Identities;
use super::lobby::LobbyLimits;
use super::proven::Proven;
use super::queue::Queue;
use super::records::{Known, Records};
use super::servers::{Before, Servers, Whose};
use super::want::{Block, Held, Scope, Want};

/// The limits of one listener.
#[derive(Debug)]
pub(super) struct Limits {
    pub(super) max_clients: usize,
    pub(super) address_max: usize,
    pub(super) max_logins: usize,
    pub(super) logins_per_address: usize,
    pub(super) over: Over,
    pub(super) queue_length: usize,
    pub(super) server: Option<usize>,
    pub(super) pools: PoolRules,
    /// Whether clients, all or some, are lent servers.
    pub(super) lends: bool,
    pub(super) identities: Identities,
}

impl Limits {
    pub(super) fn new(config: &Config, listener: &str) -> Self {
        let caps = &config.caps;
        let listener = config.listeners.iter().find(|it| it.name == listener);
        Self {
            max_clients: caps.max_clients,
            address_max: caps.address_max_connections,
            max_logins: caps.max_logins,
            logins_per_address: caps.max_logins_per_address,
            over: caps.over,
            queue_length: caps.queue_length,
            server: listener.and_then(|it| it.max_server_connections),
            pools: listener.map(PoolRules::new).unwrap_or_default(),
            lends: listener.is_some_and(Listener::lends),
            identities: Identities::new(config),
        }
    }

    /// Whether to wait for what is blocked. `over` is about connections of clients and rates; logins are short and take turns in any case,
    /// and a pool waits for what other pools can spare.
    pub(super) fn let_wait_for(&self, block: &Block) -> bool {
        let of_a_pool = self.lends && caps::OF_SERVERS.contains(&block.over.rule);
        self.over == Over::Queue || block.over.rule == caps::MAX_LOGINS || of_a_pool
    }
}

/// Everything behind the mutex.
#[derive(Debug)]
pub(super) struct State {
    pub(super) limits: Limits,
    pub(super) lobby_limits: LobbyLimits,
    pub(super) learnt_server_limit: Option<usize>,
    pub(super) lobby: usize,
    pub(super) clients: usize,
    pub(super) logins: usize,
    pub(super) servers: Servers,
    pub(super) addresses: Addresses,
    pub(super) records: Records,
    pub(super) claims: HashMap<u64, Claim, GlobalState>,
    pub(super) proven: Proven,
    pub(super) queue: Queue,
    /// Refusals by cap, in the order of `caps::ALL`.
    pub(super) refused: [u64; caps::ALL.len()],
    /// When newcomers last had the queue walked along.
    pub(super) served_at: Option<Instant>,
    pub(super) next_claim: u64,
}

impl State {
    pub(super) fn new(limits: Limits, lobby_limits: LobbyLimits) -> Self {
        Self {
            limits,
            lobby_limits,
            learnt_server_limit: None,
            lobby: 0,
            clients: 0,
            logins: 0,
            servers: Servers::default(),
            addresses: Addresses::default(),
            records: Records::default(),
            claims: HashMap::default(),
            proven: Proven::default(),
            queue: Queue::default(),
            refused: [0; caps::ALL.len()],
            served_at: None,
            next_claim: 0,
        }
    }

    /// Takes a place in the lobby, where there is one.
    pub(super) fn take_lobby(&mut self, address: AddressKey) -> Option<Held> {
        let LobbyLimits { all, per_address } = self.lobby_limits;
        let fits = self.lobby < all && self.addresses.holding(address).lobby < per_address;
        fits.then(|| {
            self.lobby = self.lobby.saturating_add(1);
            self.addresses.change(address, |holding| holding.lobby = holding.lobby.saturating_add(1));
            Held::Lobby(address)
        })
    }

    /// Takes what is wanted, all of it or nothing.
    pub(super) fn take(&mut self, want: &Want, now: Instant) -> Result<Held, Block> {
        self.fits(want, now)?;
        Ok(match *want {
            Want::House(address) => {
                self.clients = self.clients.saturating_add(1);
                self.addresses.change(address, |holding| holding.clients = holding.clients.saturating_add(1));
                Held::House(address)
            }
            Want::Login(claim) => self.begin_login(claim, now),
            Want::Client(claim) => self.open_client(claim, now),
            Want::Server(ref party) => {
                self.servers.take(party);
                Held::Server(Arc::clone(party))
            }
        })
    }

    /// Gives back what a permit held.
    pub(super) fn give_back(&mut self, held: Held) {
        match held {
            Held::Lobby(address) => {
                self.lobby = self.lobby.saturating_sub(1);
                self.addresses.change(address, |holding| holding.lobby = holding.lobby.saturating_sub(1));
            }
            Held::House(address) => {
                self.clients = self.clients.saturating_sub(1);
                self.addresses.change(address, |holding| holding.clients = holding.clients.saturating_sub(1));
            }
            Held::Login { claim, address } => {
                self.logins = self.logins.saturating_sub(1);
                self.addresses.change(address, |holding| holding.logins = holding.logins.saturating_sub(1));
                self.end_login(claim);
            }
            Held::Client(records) => {
                for id in records {
                    self.records.change(id, |record| record.open = record.open.saturating_sub(1));
                    self.records.sweep(id);
                }
            }
            Held::Server(party) => self.servers.give_back(&party),
        }
    }

    /// Whether what is wanted is there now.
    pub(super) fn fits(&self, want: &Want, now: Instant) -> Result<(), Block> {
        match *want {
            Want::House(address) => self.house_fits(address),
            Want::Login(claim) => self.login_fits(claim, now),
            Want::Client(claim) => self.client_fits(claim, now),
            Want::Server(ref party) => self.server_fits(party.whose(), Before::Holders),
        }
    }

    fn house_fits(&self, address: AddressKey) -> Result<(), Block> {
        let holding = self.addresses.holding(address).clients;
        let by_address = Cap::new(caps::ADDRESS_MAX_CONNECTIONS, Some(self.limits.address_max));
        by_address.admit(holding).map_err(Block::at(Scope::Address))?;
        Cap::new(caps::MAX_CLIENTS, Some(self.limits.max_clients))
            .admit(self.clients)
            .map_err(Block::at(Scope::Listener))
    }

    /// Whether logins would find server connections, whosever they are. Who is lent one for each transaction needs none to come in: servers
    /// that are all in use, or idle in pools, keep nobody out. Whoever has one of its own beside them asks for it once it is proven.
    pub(super) fn logins_find_servers(&self) -> bool {
        self.limits.lends || self.server_has_room(Before::Waiters).is_ok()
    }

    /// The same for one of them. Who waits for a server connection is served first.
    fn login_finds_server(&self, identity: &Identity) -> Result<(), Block> {
        if self.limits.lends {
            return Ok(());
        }
        let whose = Whose { role: cut(identity.role()), database: cut(&identity.database) };
        self.server_fits(whose, Before::Waiters)
    }

    /// A login starts where its client has a place, the server has one, and the login budget has one, looked at in this
    /// order so that a refusal names the cause and not what follows from it.
    fn login_fits(&self, claim: u64, now: Instant) -> Result<(), Block> {
        let Some(claim) = self.claims.get(&claim) else { return Ok(()) };
        for part in &claim.parts {
            self.place_is_likely(part, claim.known, now)?;
        }
        self.login_finds_server(&claim.identity)?;
        let in_all = Cap::new(caps::MAX_LOGINS, Some(self.limits.max_logins));
        in_all.admit(self.logins).map_err(Block::at(Scope::Listener))?;
        let of_address = Cap::new(caps::MAX_LOGINS_PER_ADDRESS, Some(self.limits.logins_per_address));
        of_address.admit(self.addresses.holding(claim.address).logins).map_err(Block::at(Scope::Address))
    }

    /// Whether a login would find a place once it is proven. Nothing is reserved for it.
    ///
    /// Only proven connections count for good. Logins of the last [`LIKELY`] count for that moment, so that one free place
    /// doesn't send every waiter to the server at once; then they don't, so that nobody keeps a client out by
    /// naming it and going silent.
    fn place_is_likely(&self, part: &ClaimPart, known: Known, now: Instant) -> Result<(), Block> {
        let Some(record) = self.records.find(part.record) else { return Ok(()) };
        let block = Block::at(Scope::Client(part.record));
        let cap = Cap::new(caps::CLIENT_MAX_CONNECTIONS, part.max_connections);
        cap.admit(record.open).map_err(&block)?;
        let ahead = match (self.limits.over, now.checked_sub(LIKELY)) {
            (Over::Queue, Some(since)) => record.fresh_logins(since, known).saturating_add(record.proving),
            _ => 0,
        };
        let open = record.open;
        cap.admit(open.saturating_add(ahead)).map_err(|over| Block {
            again: Some(now + STAGGER.saturating_mul(turn(record.waiting))),
            ..block(caps::Over { current: open, ..over })
        })?;
        let wanted = u32::try_from(ahead).unwrap_or(u32::MAX).saturating_add(1);
        self.rate_fits(part, wanted, now)
    }

    fn client_fits(&self, claim: u64, now: Instant) -> Result<(), Block> {
        let Some(claim) = self.claims.get(&claim) else { return Ok(()) };
        for part in &claim.parts {
            let open = self.records.find(part.record).map_or(0, |record| record.open);
            let cap = Cap::new(caps::CLIENT_MAX_CONNECTIONS, part.max_connections);
            cap.admit(open).map_err(Block::at(Scope::Client(part.record)))?;
            self.rate_fits(part, 1, now)?;
        }
        Ok(())
    }

    fn rate_fits(&self, part: &ClaimPart, wanted: u32, now: Instant) -> Result<(), Block> {
        let Some(record) = self.records.find(part.record).filter(|_| part.rated) else { return Ok(()) };
        let Some(rate) = &record.rate else { return Ok(()) };
        let Some(due) = rate.wait(wanted, now) else { return Ok(()) };
        let limit = usize::try_from(rate.per_second()).unwrap_or(usize::MAX);
        // The n-th waiter looks again when the n-th place is due, not all of them at each.
        let behind = rate.wait(turn(record.waiting), now).unwrap_or(due);
        Err(Block {
            over: caps::Over { rule: caps::NEW_CONNECTIONS_PER_SECOND, current: limit, limit },
            scope: Scope::Client(part.record),
            again: Some(due.max(behind)),
        })
    }
}

/// The turn of a waiter with so many waiting, counted from 1 and bounded: nobody sleeps for minutes on a guess.
fn turn(waiting: usize) -> u32 {
    u32::try_from(waiting.clamp(1, 500)).unwrap_or(1)
}

/// How long a login in progress is likely to take a place: a genuine one is proven by then.
const LIKELY: Duration = Duration::from_millis(200);

/// What lies between the looks of two waiters.
const STAGGER: Duration = Duration::from_millis(20);

//! Admission control of one listener: who may come in, who waits, who is turned away.
//!
//! A newcomer meets, in this order:
//!
//! 1. the **lobby**, until its start-up packet is there ([`Admission::lobby`]). A cancel request is recognised there and
//!    leaves by a lane of its own ([`Admission::cancel`]), so it gets through however full the house is;
//! 2. the **house**: `max_clients` and `[caps.address]` ([`Admission::enter`]);
//! 3. a **login**: `max_logins` ([`Admission::claim`]). The identity is only claimed yet: its caps are looked at, so
//!    that a client at its cap costs the server nothing, but nothing of the client is used up by naming it;
//! 4. a **server** connection ([`Admission::server`]);
//! 5. the **client's** own places, all caps that apply together ([`Admission::prove`]), when the server has said
//!    AuthenticationOk. Only here its count goes up and its rate is charged.
//!
//! A claim waits without holding a login, so strangers that wait for a busy client keep nobody else from logging in.
//! Every permit gives back on drop. All state is behind one mutex, held for microseconds and never across an await;
//! statements never come here.

mod address;
mod claim;
mod claims;
mod denied;
#[cfg(test)]
mod fixture;
mod identify;
mod lobby;
mod permits;
mod proven;
mod queue;
mod rate;
mod records;
mod rows;
mod serve;
mod servers;
mod state;
mod surge;
mod view;
mod wait;
mod want;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Semaphore;

use crate::clock::{self, Instant};
use crate::config::Config;
use crate::guard::caps::Over;
use crate::roster::Identity;

use self::address::AddressKey;
use self::lobby::LobbyLimits;
use self::permits::{ClaimSeat, Slot};
use self::queue::{Line, Turn};
use self::records::Known;
use self::servers::Before;
use self::state::{Limits, State};
use self::want::{Held, Want};

pub use self::denied::{Behind, Denied, Disclose, Reason};
pub use self::permits::{CancelPermit, ClientPermit, HousePermit, LobbyPermit, LoginPermit, ServerPermit, Waited};
pub use self::rows::{CapRow, Counters, SurgeRow};
pub use self::servers::{Party, Surplus};
pub use self::surge::SurgeState;

/// Admission control of one listener.
#[derive(Debug)]
pub struct Admission {
    listener: Arc<str>,
    state: Mutex<State>,
    cancels: Arc<Semaphore>,
    warnings: view::Warnings,
}

impl Admission {
    /// Admission control of the listener of that name, with nobody in.
    pub fn new(config: &Config, listener: &str) -> Arc<Self> {
        let lobby = LobbyLimits::of_house(config.caps.max_clients);
        Arc::new(Self {
            listener: listener.into(),
            state: Mutex::new(State::new(Limits::new(config, listener), lobby)),
            cancels: Arc::new(Semaphore::new(CANCELS_AT_ONCE)),
            warnings: view::Warnings::default(),
        })
    }

    /// Swaps the limits. Whoever is in stays in, also beyond a lower limit; whoever waits is judged by the new ones.
    pub fn reload(self: &Arc<Self>, config: &Config) {
        self.change(Line::ALL, |state, now| {
            state.limits = Limits::new(config, &self.listener);
            state.lobby_limits = LobbyLimits::of_house(config.caps.max_clients);
            state.resolve_again(now);
        });
    }

    /// Sets the server's own limit, which counts where the configuration gives none. `None`: not known.
    pub fn set_learnt_server_limit(self: &Arc<Self>, limit: Option<usize>) {
        self.change(Line::ALL, |state, _| state.learnt_server_limit = limit);
    }

    /// Server connections beyond each cap of these, since that has become lower.
    pub fn servers_over(&self) -> Vec<Surplus> {
        self.lock().servers_over()
    }

    /// A place for a socket whose start-up packet has not come; `None` where the lobby is full.
    pub fn lobby(self: &Arc<Self>, address: std::net::IpAddr) -> Option<LobbyPermit> {
        let held = self.lock().take_lobby(AddressKey::new(address))?;
        Some(LobbyPermit(Slot::new(Arc::clone(self), held)))
    }

    /// A place for a cancel request, in order of arrival. Never refused; the caller holds a place in the lobby
    /// meanwhile, which bounds how many wait.
    ///
    /// Cancel safe.
    pub async fn cancel(&self) -> Option<CancelPermit> {
        Arc::clone(&self.cancels).acquire_owned().await.ok().map(CancelPermit)
    }

    /// A place at the listener, and one of its address.
    ///
    /// Cancel safe: who is dropped while waiting leaves the queue.
    ///
    /// # Errors
    /// A cap is full, and so is its queue, or nobody left in time; the same goes for the other ways in.
    pub async fn enter(self: &Arc<Self>, address: std::net::IpAddr, deadline: Instant) -> Result<HousePermit, Denied> {
        let request = self.request(Want::House(AddressKey::new(address)), deadline, Disclose::NameOnly);
        let (slot, waited) = request?.settle().await?;
        Ok(HousePermit { _slot: slot, waited })
    }

    /// A login for a claimed identity, once every cap that applies to it has a place. None of these is taken yet.
    ///
    /// Cancel safe: who is dropped while waiting leaves the queue.
    pub async fn claim(self: &Arc<Self>, identity: &Identity, deadline: Instant) -> Result<LoginPermit, Denied> {
        let (claim, label, known) = self.note_claim(identity);
        let disclose = if known == Known::Yes { Disclose::Counts } else { Disclose::NameOnly };
        let (slot, waited) = self.request(Want::Login(claim.number), deadline, disclose)?.settle().await?;
        Ok(LoginPermit { slot, claim, label, waited })
    }

    /// The places of a client whose login the server has accepted: one of each cap that applies, or none.
    ///
    /// The login is over from here on, also while the client waits. Cancel safe: who is dropped leaves the queue.
    pub async fn prove(self: &Arc<Self>, login: LoginPermit, deadline: Instant) -> Result<ClientPermit, Denied> {
        let LoginPermit { slot: login, claim, label, .. } = login;
        self.lock().note_proof(claim.number);
        let request = self.request(Want::Client(claim.number), deadline, Disclose::Counts);
        // Given back only now: had it gone first, others would have been sent after the same place.
        drop(login);
        let (slot, waited) = request?.settle().await?;
        drop(claim);
        Ok(ClientPermit { _slot: slot, label, waited })
    }

    /// A server connection of this party.
    ///
    /// Cancel safe: who is dropped while waiting leaves the queue.
    pub async fn server(self: &Arc<Self>, party: &Arc<Party>, deadline: Instant) -> Result<ServerPermit, Denied> {
        let want = Want::Server(Arc::clone(party));
        let (slot, waited) = self.request(want, deadline, Disclose::NameOnly)?.settle().await?;
        Ok(ServerPermit { _slot: slot, waited })
    }

    /// The cap that has no place for another server connection of this party now; `None`: there is one.
    pub fn server_hindrance(&self, party: &Party) -> Option<Over> {
        self.lock().server_fits(party.whose(), Before::Holders).err().map(|block| block.over)
    }
}

// What permits and waiters call.
impl Admission {
    fn note_claim(self: &Arc<Self>, identity: &Identity) -> (ClaimSeat, Arc<str>, Known) {
        let mut state = self.lock();
        let number = state.add_claim(identity.clone(), clock::now());
        let seen = state.claims.get(&number).map(|claim| (Arc::clone(&claim.label), claim.known));
        drop(state);
        let (label, known) = seen.unwrap_or_else(|| ("".into(), Known::No));
        (ClaimSeat { admission: Arc::clone(self), number }, label, known)
    }

    fn drop_claim(&self, number: u64) {
        self.lock().drop_claim(number);
    }

    fn give_back(self: &Arc<Self>, held: Held) {
        let lines = Line::freed_by(&held);
        self.change(lines, |state, _| state.give_back(held));
    }

    /// Changes something and lets in whom it makes room for.
    fn change(self: &Arc<Self>, lines: &[Line], change: impl FnOnce(&mut State, Instant)) {
        let now = clock::now();
        let mut state = self.lock();
        change(&mut state, now);
        let turns = state.serve(lines, now);
        drop(state);
        self.tell(turns);
    }

    /// Hands the places over; that of a waiter who has gone comes back by its own drop.
    fn tell(self: &Arc<Self>, turns: Vec<Turn>) {
        for Turn { held, tell } in turns {
            drop(tell.send(Slot::new(Arc::clone(self), held)));
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Cancel requests that talk to the server at the same time.
const CANCELS_AT_ONCE: usize = 64;

#[cfg(test)]
mod tests;

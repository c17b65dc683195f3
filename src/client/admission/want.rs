//! What is asked for, what is held, and why somebody has to wait: the words that the parts of admission share.

use crate::clock::Instant;
use crate::config::{Over, PoolMode};
use crate::guard::caps;

use super::address::AddressKey;
use super::records::RecordId;
use super::state::Limits;

/// What a newcomer wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Want {
    /// A place at the listener.
    House(AddressKey),
    /// A login, of the claim of that number.
    Login(u64),
    /// The places of a proven client.
    Client(u64),
    /// A server connection.
    Server,
}

/// What a permit holds, exactly as it is to be given back.
#[derive(Debug)]
pub(super) enum Held {
    Lobby(AddressKey),
    House(AddressKey),
    Login { claim: u64, address: AddressKey },
    Client(Vec<RecordId>),
    Server,
}

/// Whose cap is full.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Scope {
    Listener,
    Address,
    Client(RecordId),
}

/// Why somebody doesn't fit now.
#[derive(Debug, Clone, Copy)]
pub(super) struct Block {
    pub(super) over: caps::Over,
    pub(super) scope: Scope,
    /// When to look again, where time alone makes room.
    pub(super) again: Option<Instant>,
}

impl Block {
    /// Whether to wait for it. `over` is about connections of clients and rates; logins are short and take turns in any case, and a
    /// pool waits for what other pools can spare.
    pub(super) fn may_wait(&self, limits: &Limits) -> bool {
        let of_a_pool = limits.pool == PoolMode::Transaction && self.over.rule == caps::MAX_SERVER_CONNECTIONS;
        limits.over == Over::Queue || self.over.rule == caps::MAX_LOGINS || of_a_pool
    }

    pub(super) fn at(scope: Scope) -> impl Fn(caps::Over) -> Self {
        move |over| Self { over, scope, again: None }
    }
}

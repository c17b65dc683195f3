//! What is asked for, what is held, and why somebody has to wait: the words that the parts of admission share.

use std::sync::Arc;

use crate::clock::Instant;
use crate::guard::caps;

use super::address::AddressKey;
use super::records::RecordId;
use super::servers::Party;

/// What a newcomer wants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Want {
    /// A place at the listener.
    House(AddressKey),
    /// A login, of the claim of that number.
    Login(u64),
    /// The places of a proven client.
    Client(u64),
    /// A server connection.
    Server(Arc<Party>),
}

/// What a permit holds, exactly as it is to be given back.
#[derive(Debug)]
pub(super) enum Held {
    Lobby(AddressKey),
    House(AddressKey),
    Login { claim: u64, address: AddressKey },
    Client(Vec<RecordId>),
    Server(Arc<Party>),
}

/// Whose cap is full.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Scope {
    Listener,
    Address,
    /// Server connections of one database.
    Database,
    /// Server connections of one role.
    User,
    Client(RecordId),
}

impl Scope {
    /// What it is, without a name.
    pub(super) const fn kind(self) -> &'static str {
        match self {
            Self::Listener => "listener",
            Self::Address => "address",
            Self::Database => "database",
            Self::User => "user",
            Self::Client(_) => "client",
        }
    }
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
    pub(super) fn at(scope: Scope) -> impl Fn(caps::Over) -> Self {
        move |over| Self { over, scope, again: None }
    }
}

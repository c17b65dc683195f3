//! Why Floodwall did not start.

use std::io;
use std::net::SocketAddr;

use super::listeners::RulesRefused;
use crate::console::{AccountsError, OpenError};
use crate::telemetry::log::LogError;

/// Why Floodwall did not start.
#[derive(Debug, thiserror::Error)]
pub enum Failed {
    /// The log could not be set up.
    #[error(transparent)]
    Log(#[from] LogError),
    /// A listener's address could not be used.
    #[error("listener \"{name}\": cannot listen on {place}: {source}")]
    Bind {
        /// Name of the listener.
        name: String,
        /// Its address, or the folder of its socket.
        place: String,
        /// What the system said.
        source: io::Error,
    },
    /// The console could not listen.
    #[error(transparent)]
    Console(#[from] OpenError),
    /// The console's logins could not be set up.
    #[error(transparent)]
    Accounts(#[from] AccountsError),
    /// HTTP could not listen.
    #[error("http: cannot listen on {address}: {source}")]
    Http {
        /// Its address.
        address: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
    /// The rules could not be built.
    #[error(transparent)]
    Rules(#[from] RulesRefused),
    /// The system has no random numbers.
    #[error("no random numbers: {0}")]
    Random(#[from] getrandom::Error),
    /// Threads, runtimes or signals.
    #[error(transparent)]
    Io(#[from] io::Error),
}

impl Failed {
    /// True where console or HTTP found their address in use.
    pub(super) fn is_taken(&self) -> bool {
        match self {
            Self::Console(OpenError::Listen { source, .. }) | Self::Http { source, .. } => {
                source.kind() == io::ErrorKind::AddrInUse
            }
            _ => false,
        }
    }
}

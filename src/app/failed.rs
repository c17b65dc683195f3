//! Why Floodwall did not start.

use std::io;
use std::net::SocketAddr;
use std::path::Path;

use super::listeners::RulesRefused;
use crate::config::{self, Problems, SettingError};
use crate::console::{AccountsError, OpenError};
use crate::telemetry::log::LogError;

/// Why Floodwall did not start.
#[derive(Debug, thiserror::Error)]
pub enum Failed {
    /// The log could not be set up.
    #[error(transparent)]
    Log(#[from] LogError),
    /// What the configuration asks for is not to be had, by file and line.
    #[error(transparent)]
    Config(#[from] Problems),
    /// A listener's address could not be used.
    #[error("cannot listen on {place}: {source}")]
    Bind {
        /// Where the configuration names it.
        path: Vec<String>,
        /// Its address, or the folder of its socket.
        place: String,
        /// What the system said.
        source: io::Error,
    },
    /// Files that a listener's TLS is made of can't be used.
    #[error("{}", .0.iter().map(|wrong| wrong.message.as_str()).collect::<Vec<_>>().join("; "))]
    Tls(Vec<SettingError>),
    /// The console could not listen.
    #[error(transparent)]
    Console(#[from] OpenError),
    /// The console's logins could not be set up.
    #[error(transparent)]
    Accounts(#[from] AccountsError),
    /// HTTP could not listen.
    #[error("cannot listen on {address}: {source}")]
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
    /// With file and line, where a key of that file is the cause.
    pub(super) fn at(self, file: &Path) -> Self {
        let wrong = match self {
            Self::Tls(wrong) => wrong,
            Self::Bind { ref path, ref source, .. } => vec![self.wrong(path.clone(), source)],
            Self::Http { ref source, .. } => vec![self.wrong(key(&["admin", "http"]), source)],
            Self::Console(OpenError::Listen { ref place, ref source }) => {
                let path: &[_] = if place.starts_with('/') { &["state_dir"] } else { &["admin", "console"] };
                vec![self.wrong(key(path), source)]
            }
            Self::Accounts(AccountsError::Password { ref source, .. }) => vec![self.wrong(key(&["state_dir"]), source)],
            other => return other,
        };
        Self::Config(config::locate(file, wrong))
    }

    /// What is wrong with a key, and what to do about it.
    fn wrong(&self, path: Vec<String>, source: &io::Error) -> SettingError {
        let advice = match source.kind() {
            io::ErrorKind::AddrInUse => {
                "; another process listens there (ss -ltnp shows which): stop it, or write another one"
            }
            io::ErrorKind::NotFound => "; make the folder first",
            io::ErrorKind::AddrNotAvailable => "; no interface of this machine has it",
            io::ErrorKind::PermissionDenied => "; the user that runs Floodwall may not: write another one, or let it",
            _ => "",
        };
        SettingError { path, message: format!("{self}{advice}") }
    }

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

fn key(path: &[&str]) -> Vec<String> {
    path.iter().map(|step| (*step).to_owned()).collect()
}

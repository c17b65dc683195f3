//! Why a server did not let us in.

use bytes::Bytes;

use super::lacking::Lacking;
use crate::net::framed::Broken;
use crate::units::display_bytes;
use crate::wire::pg::reply;
use crate::wire::{Failure, Malformed};

/// The longest message of the server's that is passed on, in bytes.
const WORDS_MAX: usize = 1000;

/// A server's refusal.
#[derive(Debug)]
pub struct Rejection {
    /// What it says to a program.
    pub failure: Failure,
    /// What it says to people, cut at 1,000 bytes.
    pub message: String,
    /// The whole ErrorResponse, as it came.
    pub words: Bytes,
}

impl Rejection {
    /// Reads an ErrorResponse.
    pub(super) fn of(words: Bytes) -> Self {
        let message = reply::message(&words);
        let message = display_bytes(message.get(..WORDS_MAX).unwrap_or(message));
        Self { failure: reply::failure(&words), message, words }
    }

    /// Has the server no connection left? Then it is full, and not broken.
    pub fn is_for_want_of_room(&self) -> bool {
        self.failure.sqlstate == *b"53300"
    }
}

/// Class of the SQLSTATEs of a login that is not believed.
const AUTHORIZATION: [u8; 2] = *b"28";

/// Why a server did not let us in.
#[derive(Debug, thiserror::Error)]
pub enum LoginFailed {
    /// It said no.
    #[error("the server refused the login ({}): {}", display_bytes(&.0.failure.sqlstate), .0.message)]
    Rejected(Box<Rejection>),
    /// It wants a proof that we do not have.
    #[error("the server asks for what Floodwall does not have: {0:?}")]
    NoProof(Lacking),
    /// It did not prove that it is the server, or its exchange does not fit.
    #[error("the server's login can't be trusted: {0}")]
    Distrusted(String),
    /// No keys could be made.
    #[error("{0}")]
    Crowded(String),
    /// It closed, or the stream failed.
    #[error("the server closed the connection during the login")]
    Gone,
    /// It sent what no server sends.
    #[error("the server sent what is no login: {0}")]
    Malformed(#[from] Malformed),
}

impl LoginFailed {
    /// May the server have another proof of this user by now than we know of?
    pub fn is_of_proof(&self) -> bool {
        match self {
            Self::NoProof(_) => true,
            Self::Rejected(rejection) => rejection.failure.sqlstate.starts_with(&AUTHORIZATION),
            _ => false,
        }
    }
}

impl From<Broken> for LoginFailed {
    fn from(broken: Broken) -> Self {
        match broken {
            Broken::Malformed(why) => Self::Malformed(why),
            Broken::Closed | Broken::Io(_) => Self::Gone,
        }
    }
}

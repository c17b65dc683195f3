//! Logs in to a server in a client's name, where Floodwall itself has checked who the client is.

use bytes::{BufMut, Bytes, BytesMut};

use super::lacking::Lacking;
use super::prove::Login;
use crate::auth::Proof;
use crate::net::framed::{Broken, Framed};
use crate::net::stream::Stream;
use crate::units::display_bytes;
use crate::wire::pg::auth::backend_key;
use crate::wire::pg::code::server;
use crate::wire::pg::frame;
use crate::wire::pg::reply::{self, Parameter};
use crate::wire::{Failure, Malformed};

/// Protocol 3.0, which every server speaks, and whatever may stand before one. 3.2 has longer cancel keys to offer and nothing else.
const VERSION: u32 = 3 << 16;
/// The longest message of the server's that is passed on, in bytes.
const WORDS_MAX: usize = 1000;
/// The most parameters that a server may report; PostgreSQL 18 reports sixteen.
const PARAMETERS_MAX: usize = 256;

/// As whom to log in.
#[derive(Debug, Clone)]
pub struct Account {
    /// Role.
    pub user: String,
    /// Database. A pool's is the one that clients ask for, until a server is dialled.
    pub database: String,
    /// Further start-up parameters, in this order.
    pub parameters: Vec<(String, String)>,
    /// With what.
    pub proof: Proof,
}

/// A server connection that has just logged in and is ready.
#[derive(Debug)]
pub struct Fresh {
    /// Its stream; nothing of it is read and not taken.
    pub stream: Stream,
    /// Process id; `None` where the server gave no key.
    pub pid: Option<i32>,
    /// What cancels its statements, as the server gave it; empty where it gave none.
    pub secret: Box<[u8]>,
    /// What it reported, in its order.
    pub parameters: Vec<Parameter>,
}

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

/// Carries a login from the start-up packet to the first ReadyForQuery. Not cancel-safe: the connection is lost.
///
/// # Errors
/// See [`LoginFailed`].
pub async fn login(stream: Stream, account: &Account) -> Result<Fresh, LoginFailed> {
    let mut framed = Framed::new(stream);
    framed.send(&startup(account)).await.map_err(|_| LoginFailed::Gone)?;
    let mut login = Login::new(account, framed.stream());
    let (mut pid, mut secret, mut parameters) = (None, Box::default(), Vec::new());
    loop {
        let Some((head, message)) = framed.frame(frame::server_head)? else {
            framed.fill().await?;
            continue;
        };
        match head.code {
            server::AUTHENTICATION => {
                if let Some(answer) = login.answer(&message).await? {
                    framed.send(&answer).await.map_err(|_| LoginFailed::Gone)?;
                }
            }
            server::BACKEND_KEY_DATA => {
                let (number, key) = backend_key(&message)?;
                (pid, secret) = (Some(number), key.into());
            }
            server::PARAMETER_STATUS if parameters.len() < PARAMETERS_MAX => {
                parameters.extend(reply::parameter(&message));
            }
            server::ERROR => return Err(LoginFailed::Rejected(Box::new(rejection(message)))),
            server::READY if login.is_done() => {
                let (stream, _) = framed.into_parts();
                return Ok(Fresh { stream, pid, secret, parameters });
            }
            server::READY => return Err(Malformed::Content.into()),
            _ => {}
        }
    }
}

fn rejection(words: Bytes) -> Rejection {
    let message = reply::message(&words);
    let message = display_bytes(message.get(..WORDS_MAX).unwrap_or(message));
    Rejection { failure: reply::failure(&words), message, words }
}

fn startup(account: &Account) -> BytesMut {
    let mut packet = BytesMut::new();
    packet.put_u32(0);
    packet.put_u32(VERSION);
    let own = [("user", &account.user), ("database", &account.database)];
    let further = account.parameters.iter().map(|(name, value)| (name.as_str(), value));
    for (name, value) in own.into_iter().chain(further) {
        packet.put_slice(name.as_bytes());
        packet.put_u8(0);
        packet.put_slice(value.as_bytes());
        packet.put_u8(0);
    }
    packet.put_u8(0);
    let size = u32::try_from(packet.len()).unwrap_or(u32::MAX);
    if let Some(length) = packet.first_chunk_mut() {
        *length = size.to_be_bytes();
    }
    packet
}

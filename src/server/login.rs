//! Logs in to a server in a client's name, where Floodwall itself has checked who the client is.

use bytes::{BufMut, BytesMut};

use super::account::Account;
use super::failed::{LoginFailed, Rejection};
use super::prove::Login;
use crate::net::framed::Framed;
use crate::net::stream::Stream;
use crate::wire::Malformed;
use crate::wire::pg::auth::backend_key;
use crate::wire::pg::code::server;
use crate::wire::pg::frame;
use crate::wire::pg::reply::{self, Parameter};

/// Protocol 3.0, which every server speaks, and whatever may stand before one. 3.2 has longer cancel keys to offer and nothing else.
const VERSION: u32 = 3 << 16;
/// The most parameters that a server may report; PostgreSQL 18 reports sixteen.
const PARAMETERS_MAX: usize = 256;

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
            server::ERROR => return Err(LoginFailed::Rejected(Box::new(Rejection::of(message)))),
            server::READY if login.is_done() => {
                let (stream, _) = framed.into_parts();
                return Ok(Fresh { stream, pid, secret, parameters });
            }
            server::READY => return Err(Malformed::Content.into()),
            _ => {}
        }
    }
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

//! Resolve a server's name, dial it, prepare the socket: all within one deadline.

use std::io;
use std::net::SocketAddr;

use tokio::net::{TcpStream, lookup_host};
use tokio::time::{Instant, timeout_at};

use crate::net::socket;
use crate::net::stream::Stream;

/// No connection could be made.
#[derive(Debug, thiserror::Error)]
#[error("{why}")]
pub struct Unreachable {
    /// One phrase, fit for the client: a timeout, or what the system said.
    pub why: String,
}

impl From<io::Error> for Unreachable {
    fn from(error: io::Error) -> Self {
        Self { why: error.kind().to_string() }
    }
}

/// Connects to `host:port`; each address that the name has is tried in turn. Cancel-safe.
///
/// # Errors
/// No address accepted before the deadline.
pub async fn connect(server: &str, deadline: Instant) -> Result<(Stream, SocketAddr), Unreachable> {
    let late = || Unreachable { why: "it did not answer in time".to_owned() };
    timeout_at(deadline, dial(server)).await.unwrap_or_else(|_| Err(late()))
}

async fn dial(server: &str) -> Result<(Stream, SocketAddr), Unreachable> {
    let mut last = Unreachable { why: "its name has no address".to_owned() };
    for address in lookup_host(server).await? {
        match TcpStream::connect(address).await {
            Ok(stream) => {
                socket::prepare(&stream)?;
                return Ok((stream.into(), address));
            }
            Err(error) => last = error.into(),
        }
    }
    Err(last)
}

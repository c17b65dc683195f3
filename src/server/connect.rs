//! Resolve a server's name, dial it, prepare the socket, encrypt it where that is asked for: all within one deadline.

use std::io;
use std::net::SocketAddr;

use tokio::net::{TcpStream, lookup_host};
use tokio::time::{Instant, timeout_at};

use super::secure::Security;
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

/// Connects to `host:port`; each address that the name has is tried in turn, until one accepts. Cancel-safe.
///
/// # Errors
/// No address accepted before the deadline, or the one that did has no TLS as it is asked for.
pub async fn connect(
    server: &str,
    security: &Security,
    deadline: Instant,
) -> Result<(Stream, SocketAddr), Unreachable> {
    let late = || Unreachable { why: "it did not answer in time".to_owned() };
    let secured = async {
        let (socket, address) = dial(server).await?;
        Ok((security.secure(socket, host(server)).await?, address))
    };
    timeout_at(deadline, secured).await.unwrap_or_else(|_| Err(late()))
}

/// The host of `host:port`, without the brackets of an IPv6 address.
pub fn host(server: &str) -> &str {
    let host = server.rsplit_once(':').map_or(server, |(host, _)| host);
    host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host)
}

async fn dial(server: &str) -> Result<(TcpStream, SocketAddr), Unreachable> {
    let mut last = Unreachable { why: "its name has no address".to_owned() };
    for address in lookup_host(server).await? {
        match TcpStream::connect(address).await {
            Ok(stream) => {
                socket::prepare(&stream)?;
                return Ok((stream, address));
            }
            Err(error) => last = error.into(),
        }
    }
    Err(last)
}

//! Resolve a server's name, dial it, prepare the socket, encrypt it where that is asked for: all within one deadline.

use std::io;
use std::path::Path;

use tokio::net::{TcpStream, UnixStream, lookup_host};
use tokio::time::{Instant, timeout_at};

use super::nodes::Nodes;
use super::route::Route;
use super::secure::Security;
use crate::address::Endpoint;
use crate::clock;
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

impl Unreachable {
    fn late() -> Self {
        Self { why: "it did not answer in time".to_owned() }
    }
}

/// An open connection to the server that was chosen.
#[derive(Debug)]
pub struct Reached {
    /// The connection; nothing has been sent.
    pub stream: Stream,
    /// The way that it took: a cancel goes the same.
    pub route: Route,
    /// The choice that it goes by.
    pub generation: u64,
}

/// Connects to the primary, by what `security` says when it is dialled; each address that its name has is tried in turn. Where there
/// are several servers and none of them is one, or the one that was chosen can't be dialled, waits until `patience` for another choice.
/// Cancel-safe.
///
/// # Errors
/// No address accepted before the deadline, the one that did has no TLS as it is asked for, or no server is the primary.
pub async fn connect(
    nodes: &Nodes,
    security: impl Fn() -> Security,
    patience: Instant,
    deadline: Instant,
) -> Result<Reached, Unreachable> {
    let patience = patience.min(deadline);
    loop {
        let (server, generation) = nodes.primary_by(patience).await?;
        // Not before there is a server to dial: a reload may ask for another way while we wait for one.
        let security = security();
        let reached = async {
            timeout_at(deadline, secured(&server, &security)).await.unwrap_or_else(|_| Err(Unreachable::late()))
        };
        let reached = tokio::select! {
            biased;
            reached = reached => reached,
            // One that hangs is not waited for where another has taken its place.
            () = nodes.another_than(generation) => continue,
        };
        match reached {
            Ok((stream, route)) => return Ok(Reached { stream, route, generation }),
            Err(unreachable) if !nodes.several() || clock::now() >= patience => return Err(unreachable),
            Err(_) => nodes.doubt(patience).await,
        }
    }
}

async fn secured(server: &str, security: &Security) -> Result<(Stream, Route), Unreachable> {
    let (stream, address) = resolve_and_dial(server).await?;
    let host = host(server);
    let stream = security.secure(stream, host).await?;
    let route = Route::of(&stream, address, security, host);
    Ok((stream, route))
}

/// The host of `host:port`, without the brackets of an IPv6 address.
fn host(server: &str) -> &str {
    let host = server.rsplit_once(':').map_or(server, |(host, _)| host);
    host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host)
}

/// Connects to one server by its name in `servers`, whatever it is. Nothing is encrypted.
///
/// # Errors
/// No address accepted.
pub(super) async fn resolve_and_dial(server: &str) -> Result<(Stream, Endpoint), Unreachable> {
    if let Some(path) = socket_of(server) {
        let address = Endpoint::Unix(Path::new(&path).into());
        return Ok((dial(&address).await?, address));
    }
    let mut last = Unreachable { why: "its name has no address".to_owned() };
    for address in lookup_host(server).await?.map(Endpoint::from) {
        match dial(&address).await {
            Ok(stream) => return Ok((stream, address)),
            Err(error) => last = error.into(),
        }
    }
    Err(last)
}

/// Connects to an address. Cancel-safe.
///
/// # Errors
/// What the system said.
pub async fn dial(address: &Endpoint) -> io::Result<Stream> {
    match address {
        Endpoint::Tcp(address) => {
            let stream = TcpStream::connect(address).await?;
            socket::prepare(&stream)?;
            Ok(stream.into())
        }
        Endpoint::Unix(path) => Ok(UnixStream::connect(path).await?.into()),
    }
}

/// The socket of a server named by its folder, `/folder:port`; `None` for a `host:port`.
fn socket_of(server: &str) -> Option<String> {
    let (folder, port) = server.rsplit_once(':').filter(|_| server.starts_with('/'))?;
    Some(format!("{}/.s.PGSQL.{port}", folder.trim_end_matches('/')))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_and_a_port_name_a_socket() {
        assert_eq!(socket_of("/run/pg:5433").as_deref(), Some("/run/pg/.s.PGSQL.5433"));
        assert_eq!(socket_of("/:1").as_deref(), Some("/.s.PGSQL.1"));
        assert_eq!(socket_of("db:5432"), None);
    }
}

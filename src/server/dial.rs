//! Resolve a server's name, dial it, prepare the socket.

use std::io;
use std::path::Path;

use tokio::net::{TcpStream, UnixStream, lookup_host};

use crate::address::Endpoint;
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
        let why = match error.kind() {
            io::ErrorKind::NotFound => "its socket does not exist".to_owned(),
            kind => kind.to_string(),
        };
        Self { why }
    }
}

impl Unreachable {
    pub(super) fn late() -> Self {
        Self { why: "it did not answer in time".to_owned() }
    }
}

/// The host of `host:port`, without the brackets of an IPv6 address.
pub(super) fn host(server: &str) -> &str {
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
    // What kind of error that is says nothing.
    let addresses = lookup_host(server).await.map_err(|error| Unreachable { why: error.to_string() })?;
    for address in addresses.map(Endpoint::from) {
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

    #[tokio::test]
    async fn a_name_that_nobody_knows_is_told_as_that() {
        let why = resolve_and_dial("no-such-host.invalid:5432").await.map(drop).unwrap_err().why;
        assert!(why.starts_with("failed to lookup address information"), "{why}");
    }

    #[tokio::test]
    async fn a_socket_that_is_not_there_is_told_as_that() {
        let why = resolve_and_dial("/no/such/folder:5432").await.map(drop).unwrap_err().why;
        assert_eq!(why, "its socket does not exist");
    }

    #[test]
    fn a_folder_and_a_port_name_a_socket() {
        assert_eq!(socket_of("/run/pg:5433").as_deref(), Some("/run/pg/.s.PGSQL.5433"));
        assert_eq!(socket_of("/:1").as_deref(), Some("/.s.PGSQL.1"));
        assert_eq!(socket_of("db:5432"), None);
    }
}

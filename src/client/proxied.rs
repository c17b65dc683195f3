//! Who a client really is: itself, or somebody behind a load balancer that says so.

use ipnet::IpNet;

use crate::address::Endpoint;
use crate::net::framed::{Broken, Framed};
use crate::net::proxy_protocol::{self, BadHeader, Header, SIGNATURE};
use crate::net::stream::Stream;

/// Where a client comes from, as caps, matches and logs see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    /// Its address.
    pub peer: Endpoint,
    /// What is known of the way.
    pub way: Way,
}

/// How a client came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// From another host.
    Network,
    /// From this host, so that it could have reached the server as we do.
    OwnHost,
    /// Through a load balancer, whose word its address is.
    Balancer,
    /// It is the balancer itself, that looks whether we are there.
    Check,
}

/// Why there is no telling who it is.
#[derive(Debug, thiserror::Error)]
pub enum Unknown {
    /// It closed before it had said anything, as a balancer's check does, or broke.
    #[error(transparent)]
    Broken(#[from] Broken),
    /// Its header is none.
    #[error(transparent)]
    Header(#[from] BadHeader),
}

/// How a client came that speaks for itself.
pub fn way(peer: &Endpoint, local: &Endpoint) -> Way {
    let own = match peer {
        Endpoint::Unix(_) => true,
        Endpoint::Tcp(_) => peer.ip().is_loopback() || peer.ip() == local.ip(),
    };
    if own { Way::OwnHost } else { Way::Network }
}

/// True for a peer whose connections must begin with a PROXY header.
pub fn is_balancer(peer: &Endpoint, balancers: &[IpNet]) -> bool {
    matches!(peer, Endpoint::Tcp(_)) && balancers.iter().any(|network| network.contains(&peer.ip()))
}

/// Takes the PROXY header off the front of a balancer's connection. Not cancel-safe.
///
/// # Errors
/// The balancer left or sent something else.
pub async fn origin(client: &mut Framed<Stream>, balancer: Endpoint) -> Result<Origin, Unknown> {
    loop {
        let Some((header, size)) = proxy_protocol::read(client.peek())? else {
            client.fill().await?;
            continue;
        };
        client.take(size);
        return Ok(match header {
            Header::Client(address) => Origin { peer: address.into(), way: Way::Balancer },
            Header::Untold => Origin { peer: balancer, way: Way::Balancer },
            Header::Local => Origin { peer: balancer, way: Way::Check },
        });
    }
}

/// True where a client that is no balancer has sent a PROXY header: somebody forgot `proxy_protocol_from`, or forges.
pub fn is_header(client: &Framed<Stream>) -> bool {
    client.peek().starts_with(&SIGNATURE) || client.peek().starts_with(b"PROXY ")
}

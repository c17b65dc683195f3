//! The way to a server that a session has taken, for its cancels.

use std::io;
use std::sync::Arc;

use super::dial::dial;
use super::secure::Security;
use crate::address::Endpoint;
use crate::net::stream::Stream;

/// What was dialled, and with what encryption a session speaks to it.
#[derive(Debug, Clone)]
pub struct Route {
    address: Endpoint,
    /// With the server's host, for its certificate; `None`: in plain.
    tls: Option<Arc<(Security, Box<str>)>>,
}

impl From<Endpoint> for Route {
    fn from(address: Endpoint) -> Self {
        Self { address, tls: None }
    }
}

impl Route {
    /// The way that `stream` took.
    pub fn of(stream: &Stream, address: Endpoint, security: &Security, host: &str) -> Self {
        let tls = stream.is_tls().then(|| Arc::new((security.clone(), host.into())));
        Self { address, tls }
    }

    /// The server's address.
    pub const fn address(&self) -> &Endpoint {
        &self.address
    }

    /// Takes the way again. Cancel-safe.
    ///
    /// # Errors
    /// The server can't be dialled, or has no TLS any more.
    pub async fn dial(&self) -> io::Result<Stream> {
        let stream = dial(&self.address).await?;
        match self.tls.as_deref() {
            None => Ok(stream),
            Some((security, host)) => security.secure(stream, host).await.map_err(io::Error::other),
        }
    }
}

//! TLS towards clients.

use std::io;
use std::sync::Arc;

use rustls::ServerConfig;
use rustls::crypto::ring::Ticketer;
use rustls::server::danger::ClientCertVerifier;
use rustls::sign::SingleCertAndKey;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::{TlsAcceptor, TlsStream};

use super::certificate::{Validity, channel_binding};
use super::material::{Material, Shown, Unusable};
use super::socket::Socket;
use super::spoken::{ALPN, provider, versions};
use super::verify_client;
use crate::config::{TlsMode, TlsProtocols};

/// Takes clients' handshakes with one certificate.
pub struct Acceptor {
    mode: TlsMode,
    config: Arc<ServerConfig>,
    binding: Option<Arc<[u8]>>,
    pub(super) validity: Option<Validity>,
    pub(super) digest: [u8; 32],
}

impl std::fmt::Debug for Acceptor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Acceptor").field("mode", &self.mode).finish_non_exhaustive()
    }
}

impl Acceptor {
    pub(super) fn new(material: &Material) -> Result<Self, Unusable> {
        let shown = material.shown()?.ok_or_else(|| material.unfit(&"cert_file and key_file are missing"))?;
        let (validity, binding) = (shown.validity(), shown.chain.first().and_then(channel_binding));
        let verifier = verify_client::verifier(material)?;
        let config = config(material.protocols, shown, verifier).map_err(|error| material.unshown(&error))?;
        let (mode, digest) = (material.mode, material.digest());
        Ok(Self { mode, config: Arc::new(config), binding: binding.map(Into::into), validity, digest })
    }

    /// What the listener asks of its clients.
    pub const fn mode(&self) -> TlsMode {
        self.mode
    }

    /// The handshake. Not cancel-safe: the connection is lost.
    ///
    /// # Errors
    /// The client speaks no TLS that we do, or shows no certificate that holds.
    pub async fn accept<T: AsyncRead + AsyncWrite + Unpin>(&self, io: T) -> io::Result<Socket<T>> {
        let stream = TlsAcceptor::from(Arc::clone(&self.config)).accept(io).await?;
        Ok(Socket::new(TlsStream::from(stream), self.binding.clone()).of_client())
    }
}

fn config(
    protocols: TlsProtocols,
    shown: Shown,
    verifier: Option<Arc<dyn ClientCertVerifier>>,
) -> Result<ServerConfig, rustls::Error> {
    let builder = ServerConfig::builder_with_provider(provider()).with_protocol_versions(versions(protocols))?;
    let builder = match verifier {
        Some(verifier) => builder.with_client_cert_verifier(verifier),
        None => builder.with_no_client_auth(),
    };
    let mut config = builder.with_cert_resolver(Arc::new(SingleCertAndKey::from(shown.certified()?)));
    config.alpn_protocols = vec![ALPN.to_vec()];
    // Tickets make a session known to whoever holds it, so that a storm of dials costs half, and no memory here.
    config.ticketer = Ticketer::new()?;
    config.send_tls13_tickets = 1;
    Ok(config)
}

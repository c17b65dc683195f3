//! TLS towards servers.

use std::io;
use std::sync::Arc;

use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use rustls::sign::SingleCertAndKey;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::{TlsConnector, TlsStream};

use super::certificate::{Validity, channel_binding};
use super::material::{Material, Unusable};
use super::socket::Socket;
use super::spoken::{ALPN, provider, versions};
use super::verify::verifier;
use crate::config::TlsMode;

/// Makes handshakes with servers, by one set of authorities and with one certificate of our own, if any.
pub struct Connector {
    mode: TlsMode,
    config: Arc<ClientConfig>,
    pub(super) validity: Option<Validity>,
    pub(super) digest: [u8; 32],
}

impl std::fmt::Debug for Connector {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Connector").field("mode", &self.mode).finish_non_exhaustive()
    }
}

impl Connector {
    pub(super) fn new(material: &Material) -> Result<Self, Unusable> {
        let unfit = |error: rustls::Error| material.unshown(&error);
        let verifier = verifier(material)?;
        let builder = ClientConfig::builder_with_provider(provider());
        let builder = builder.with_protocol_versions(versions(material.protocols)).map_err(unfit)?;
        let builder = builder.dangerous().with_custom_certificate_verifier(verifier);
        let shown = material.shown()?;
        let validity = shown.as_ref().and_then(|shown| shown.validity());
        let mut config = match shown {
            Some(shown) => {
                builder.with_client_cert_resolver(Arc::new(SingleCertAndKey::from(shown.certified().map_err(unfit)?)))
            }
            None => builder.with_no_client_auth(),
        };
        config.alpn_protocols = vec![ALPN.to_vec()];
        let (mode, digest) = (material.mode, material.digest());
        Ok(Self { mode, config: Arc::new(config), validity, digest })
    }

    /// What the listener asks of its servers.
    pub const fn mode(&self) -> TlsMode {
        self.mode
    }

    /// The handshake with a server of that name or address, which it is told (SNI) where it is a name. Not cancel-safe: the
    /// connection is lost.
    ///
    /// # Errors
    /// The server speaks no TLS that we do, or its certificate does not hold.
    pub async fn connect<T: AsyncRead + AsyncWrite + Unpin>(&self, io: T, host: &str) -> io::Result<Socket<T>> {
        let name = ServerName::try_from(host.to_owned()).map_err(io::Error::other)?;
        let stream = TlsConnector::from(Arc::clone(&self.config)).connect(name, io).await?;
        let certificate = stream.get_ref().1.peer_certificates().and_then(<[_]>::first);
        let binding = certificate.and_then(channel_binding).map(Into::into);
        Ok(Socket::new(TlsStream::from(stream), binding))
    }
}

//! Connections of the `tokio-postgres` driver (the monitor's) by a listener's `server_tls`.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio_postgres::config::SslMode;
use tokio_postgres::tls::{ChannelBinding, MakeTlsConnect, TlsConnect, TlsStream};

use super::connector::Connector;
use super::socket::Socket;
use crate::config::TlsMode;

/// How the driver shakes hands.
#[derive(Debug, Clone)]
pub struct Driver(Option<Arc<Connector>>);

impl Driver {
    /// By a listener's `server_tls` as it is now; `None`: without TLS.
    pub const fn new(connector: Option<Arc<Connector>>) -> Self {
        Self(connector)
    }

    /// What the driver is to ask of a server. A Unix socket, whose host is its folder, never has TLS.
    pub fn ssl_mode(&self, host: &str) -> SslMode {
        match self.0.as_deref().map(Connector::mode) {
            _ if host.starts_with('/') => SslMode::Disable,
            None | Some(TlsMode::Disable) => SslMode::Disable,
            Some(TlsMode::Prefer) => SslMode::Prefer,
            Some(TlsMode::Require | TlsMode::VerifyCa | TlsMode::VerifyFull) => SslMode::Require,
        }
    }
}

/// One handshake to come.
#[derive(Debug)]
pub struct Handshake {
    connector: Option<Arc<Connector>>,
    host: String,
}

impl<S: AsyncRead + AsyncWrite + Unpin + Send + 'static> MakeTlsConnect<S> for Driver {
    type Stream = Socket<S>;
    type TlsConnect = Handshake;
    type Error = io::Error;

    fn make_tls_connect(&mut self, domain: &str) -> io::Result<Handshake> {
        Ok(Handshake { connector: self.0.clone(), host: domain.to_owned() })
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin + Send + 'static> TlsConnect<S> for Handshake {
    type Stream = Socket<S>;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = io::Result<Socket<S>>> + Send>>;

    fn connect(self, stream: S) -> Self::Future {
        Box::pin(async move {
            let connector = self.connector.ok_or_else(|| io::Error::other("this listener has no server_tls"))?;
            connector.connect(stream, &self.host).await
        })
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> TlsStream for Socket<S> {
    fn channel_binding(&self) -> ChannelBinding {
        match Self::channel_binding(self) {
            Some(hash) => ChannelBinding::tls_server_end_point(hash.to_vec()),
            None => ChannelBinding::none(),
        }
    }
}

//! Connections of the `tokio-postgres` driver (the monitor's, and those that ask for verifiers) by a listener's `server_tls`.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio_postgres::Config;
use tokio_postgres::config::{SslMode, SslNegotiation};
use tokio_postgres::tls::{ChannelBinding, MakeTlsConnect, TlsConnect, TlsStream};

use super::stream::Stream;
use super::tls::{Connector, Socket};
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
        binding(Self::channel_binding(self))
    }
}

/// For a stream that is what it has to be: encrypted already, or in plain.
#[derive(Debug)]
pub struct Ready;

impl Ready {
    /// Has the driver take `stream` as it is, and bind its login to the channel where there is one.
    pub fn settle(stream: &Stream, config: &mut Config) {
        if stream.is_tls() {
            // Direct: nobody asks for what is there.
            config.ssl_mode(SslMode::Require).ssl_negotiation(SslNegotiation::Direct);
        } else {
            config.ssl_mode(SslMode::Disable);
        }
    }
}

impl TlsConnect<Stream> for Ready {
    type Stream = Stream;
    type Error = io::Error;
    type Future = std::future::Ready<io::Result<Stream>>;

    fn connect(self, stream: Stream) -> Self::Future {
        std::future::ready(Ok(stream))
    }
}

impl TlsStream for Stream {
    fn channel_binding(&self) -> ChannelBinding {
        binding(Self::channel_binding(self))
    }
}

fn binding(hash: Option<&[u8]>) -> ChannelBinding {
    hash.map_or_else(ChannelBinding::none, |hash| ChannelBinding::tls_server_end_point(hash.to_vec()))
}

//! TLS with a server: asked for, answered, shaken hands on.

use std::io;
use std::sync::Arc;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::dial::Unreachable;
use crate::config::TlsMode;
use crate::net::stream::Stream;
use crate::net::tls::{Carrier, Connector, NO_HANDSHAKE, NO_TLS};
use crate::telemetry::Metrics;
use crate::wire::pg::startup::{ACCEPTED, DECLINED, TLS_REQUEST};

/// How a listener meets its servers.
#[derive(Debug, Clone)]
pub struct Security {
    connector: Option<Arc<Connector>>,
    metrics: Arc<Metrics>,
}

impl Security {
    /// By `server_tls` as it is now; `None`: without TLS.
    pub const fn new(connector: Option<Arc<Connector>>, metrics: Arc<Metrics>) -> Self {
        Self { connector, metrics }
    }

    /// Asks the server for TLS, where the listener wants it; over a Unix socket there is none to be had. A server that declines is spoken to in plain only by `prefer`; one that
    /// answers anything else, or whose handshake fails, by none: whoever sits in between could make it do so. Not cancel-safe: the
    /// connection is lost.
    ///
    /// # Errors
    /// There is no such connection to be had.
    pub async fn secure(&self, stream: Stream, host: &str) -> Result<Stream, Unreachable> {
        let Some(connector) = &self.connector else { return Ok(stream) };
        let mut socket = match stream {
            Stream::Tcp(socket) => socket,
            other => return Ok(other),
        };
        socket.write_all(&TLS_REQUEST).await?;
        // One byte and no more: what follows it belongs to the handshake (CVE-2021-23222).
        let mut answer = [0];
        socket.read_exact(&mut answer).await?;
        match answer {
            [ACCEPTED] => self.shake(connector, socket, host).await,
            [DECLINED] if connector.mode() == TlsMode::Prefer => Ok(socket.into()),
            [DECLINED] => Err(self.failed(NO_TLS.to_owned())),
            _ => Err(self.failed("it answered the request for TLS with an error".to_owned())),
        }
    }

    async fn shake(&self, connector: &Connector, socket: TcpStream, host: &str) -> Result<Stream, Unreachable> {
        let carrier = Carrier::new(bytes::Bytes::new(), socket);
        let shaken: io::Result<_> = Box::pin(connector.connect(carrier, host)).await;
        let socket = shaken.map_err(|error| self.failed(format!("{NO_HANDSHAKE}: {error}")))?;
        let outcome = if socket.resumed() { "resumed" } else { "ok" };
        self.metrics.handshake("server", outcome, socket.version());
        Ok(socket.into())
    }

    fn failed(&self, why: String) -> Unreachable {
        self.metrics.handshake("server", "failed", "none");
        Unreachable { why }
    }
}

//! The first packets of a client, before anybody knows who it is: encryption, if any, and what it wants.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::timeout;

use super::refuse;
use crate::address::Endpoint;
use crate::config::TlsMode;
use crate::net::framed::{Broken, Framed};
use crate::net::stream::Stream;
use crate::net::tls::{self, Acceptor, Carrier, Live, Socket};
use crate::telemetry::{Gate, Metrics, Pass};
use crate::wire::pg::startup::{self, ACCEPTED, Cancel, DECLINED, First, Startup, TERMINATE, TLS_HANDSHAKE};
use crate::wire::{Malformed, Refusal};

/// Encryption requests that one client may make: one for TLS, one for GSSAPI.
const REQUESTS_MAX: usize = 2;
/// How long a client that is slow with its part of the handshake keeps others waiting for theirs.
const HANDSHAKE_TURN: Duration = Duration::from_secs(1);

/// What a client came for.
#[derive(Debug)]
pub enum Opening {
    /// A session.
    Session(Startup),
    /// A session that the listener's `client_tls` rules out.
    Refused(Box<Refusal>),
    /// To cancel a statement of another connection.
    Cancel(Cancel),
    /// TLS from the first byte, which this listener does not speak.
    DirectTls,
}

/// How a listener meets its clients.
#[derive(Debug)]
pub struct Front<'a> {
    /// Its name.
    pub listener: &'a str,
    /// With which certificate, if any.
    pub tls: &'a Live,
    /// Where handshakes are counted.
    pub metrics: &'a Metrics,
    /// Rate of the log lines.
    pub gate: &'a Gate,
    /// Who comes.
    pub peer: &'a Endpoint,
}

/// Reads packets until it is clear what the client wants. Afterwards `client` is encrypted, where it asked for that and the listener
/// has TLS. Not cancel-safe.
///
/// # Errors
/// The client left, sent what no server would accept, or the handshake failed.
pub async fn receive(client: &mut Framed<Stream>, front: &Front<'_>) -> Result<Opening, Broken> {
    let acceptor = front.tls.client();
    for _ in 0..=REQUESTS_MAX {
        let Some(packet) = packet(client).await? else {
            let Some(acceptor) = &acceptor else { return Ok(Opening::DirectTls) };
            front.secure(client, acceptor, Manner::Direct).await?;
            continue;
        };
        match startup::read(&packet)? {
            First::Startup(startup) => return Ok(judged(client.stream(), startup, acceptor.as_deref())),
            First::Cancel(cancel) => return Ok(Opening::Cancel(cancel)),
            First::Gss => answer(client, DECLINED).await?,
            // Over a Unix socket, or inside of TLS, there is none to be had, as with PostgreSQL.
            First::Ssl => match acceptor.as_ref().filter(|_| matches!(client.stream(), Stream::Tcp(_))) {
                Some(acceptor) => {
                    answer(client, ACCEPTED).await?;
                    front.secure(client, acceptor, Manner::Asked).await?;
                }
                None => answer(client, DECLINED).await?,
            },
        }
    }
    Err(Malformed::Content.into())
}

/// Does the session keep to what the listener asks? Whoever comes by a Unix socket needs no TLS.
fn judged(stream: &Stream, startup: Startup, acceptor: Option<&Acceptor>) -> Opening {
    let mode = acceptor.map_or(TlsMode::Disable, Acceptor::mode);
    let refuse = |refusal| Opening::Refused(Box::new(refusal));
    if matches!(stream, Stream::Unix(_)) || mode < TlsMode::Require {
        return Opening::Session(startup);
    }
    if !stream.is_tls() {
        return refuse(refuse::tls_required());
    }
    let own = || stream.peer_identity().is_some_and(|identity| identity.is(&startup.user));
    if mode == TlsMode::VerifyFull && !own() {
        return refuse(refuse::certificate_user());
    }
    Opening::Session(startup)
}

/// Bytes that came together with an encryption request would be read as if they had been encrypted: refused, as
/// PostgreSQL has done since CVE-2021-23214.
async fn answer(client: &mut Framed<Stream>, byte: u8) -> Result<(), Broken> {
    if !client.peek().is_empty() {
        return Err(Malformed::Content.into());
    }
    client.send(&[byte]).await.map_err(io::Error::into)
}

async fn packet(client: &mut Framed<Stream>) -> Result<Option<bytes::Bytes>, Broken> {
    loop {
        if client.peek().first() == Some(&TLS_HANDSHAKE) {
            return Ok(None);
        }
        // It hears nothing, as from a server: some drivers take an error for news although they are leaving.
        if client.peek().starts_with(&TERMINATE) {
            return Err(Broken::Closed);
        }
        if let Some(size) = startup::size(client.peek())?
            && client.peek().len() >= size
        {
            return Ok(Some(client.take(size)));
        }
        client.fill().await?;
    }
}

/// How TLS began.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Manner {
    /// With a request.
    Asked,
    /// From the first byte: then both ends name the protocol, so that nobody can pass another one off as this.
    Direct,
}

impl Front<'_> {
    async fn secure(
        &self,
        client: &mut Framed<Stream>,
        acceptor: &Arc<Acceptor>,
        manner: Manner,
    ) -> Result<(), Broken> {
        if !matches!(client.stream(), Stream::Tcp(_)) {
            return Err(Malformed::Content.into());
        }
        let (Stream::Tcp(socket), read) = client.exchange(Stream::Gone) else { return Err(Broken::Closed) };
        let shaken = self.handshake(Carrier::new(read.freeze(), socket), acceptor).await;
        let named = shaken.and_then(|socket| match manner {
            Manner::Direct if !socket.speaks(tls::ALPN) => {
                Err(io::Error::other("the client did not name the protocol (ALPN)"))
            }
            Manner::Direct | Manner::Asked => Ok(socket),
        });
        match named {
            Ok(socket) => {
                let outcome = if socket.resumed() { "resumed" } else { "ok" };
                self.metrics.handshake("client", outcome, socket.version());
                drop(client.exchange(socket.into()));
                Ok(())
            }
            Err(error) => {
                self.metrics.handshake("client", "failed", "none");
                let listener = self.listener;
                if let Pass::Write { suppressed } = self.gate.pass(&format!("tls_handshake {listener}")) {
                    tracing::warn!(listener, peer = %self.peer, %error, suppressed, "a TLS handshake with a client failed");
                }
                Err(error.into())
            }
        }
    }

    /// A client that says nothing takes no turn, and one that stops halfway gives its own back.
    async fn handshake(&self, carrier: Carrier, acceptor: &Arc<Acceptor>) -> io::Result<Socket> {
        carrier.readable().await?;
        let turn = self.tls.handshake().await;
        let mut accept = Box::pin(acceptor.accept(carrier));
        if let Ok(done) = timeout(HANDSHAKE_TURN, accept.as_mut()).await {
            return done;
        }
        drop(turn);
        accept.await
    }
}

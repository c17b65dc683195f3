//! Clients that are not taken in: what they are told, and what the log says of them.

use std::time::Duration;

use bytes::BytesMut;
use tokio::time::{timeout, timeout_at};

use super::login::Failed;
use super::visitor::Visitor;
use crate::client::admission::ServerPermit;
use crate::client::proxied::{self, Origin, Unknown};
use crate::guard::caps;
use crate::net::framed::Framed;
use crate::net::socket::close;
use crate::net::stream::Stream;
use crate::roster::Identity;
use crate::telemetry::Pass;
use crate::units::display_bytes;
use crate::wire::pg::refusal as pg_refusal;

/// How long a refused client may take to read why.
const FAREWELL: Duration = Duration::from_secs(2);
/// How long a server may take to close after a login that came to nothing.
const CLOSING: Duration = Duration::from_secs(10);

impl Visitor<'_> {
    /// Logs why a client that has said who it is was not let in. The server's own log knows only Floodwall's address.
    pub(super) fn report(&self, identity: &Identity, failed: &Failed) {
        let gate = &self.house.common.gate;
        let Identity { user, database, .. } = identity;
        let listener = &*identity.listener;
        let peer = &self.peer;
        match failed {
            Failed::Rejected(failure) => {
                if let Pass::Write { suppressed } = gate.pass(&format!("rejected {}", identity.address)) {
                    let sqlstate = display_bytes(&failure.sqlstate);
                    tracing::info!(listener, user, database, %peer, sqlstate, suppressed, "the server rejected a login");
                }
            }
            // Caps have said so themselves, with counts.
            Failed::Refused(refusal) if caps::ALL.contains(&refusal.rule) => {}
            Failed::Refused(refusal) => {
                if let Pass::Write { suppressed } = gate.pass(&format!("login {}", refusal.rule)) {
                    let why = &refusal.message;
                    tracing::warn!(listener, user, database, %peer, why, suppressed, "a login was refused");
                }
            }
            Failed::Unproven { why, .. } => {
                if let Pass::Write { suppressed } = gate.pass(&format!("unproven {}", identity.address)) {
                    tracing::warn!(listener, user, database, %peer, why, suppressed, "a client did not prove who it is");
                }
            }
            Failed::ClientGone => {}
        }
    }

    pub(super) fn unexpected_header<T>(&self) -> Option<T> {
        self.house.common.metrics.login("bad_proxy_header");
        let listener = &*self.house.name;
        if let Pass::Write { suppressed } = self.house.common.gate.pass(&format!("unexpected_proxy_header {listener}"))
        {
            tracing::warn!(
                listener,
                peer = %self.peer,
                suppressed,
                "a PROXY header came from an address that proxy_protocol_from does not name"
            );
        }
        None
    }

    pub(super) fn direct_tls<T>(&self) -> Option<T> {
        self.house.common.metrics.login("direct_tls");
        let listener = &*self.house.name;
        if let Pass::Write { suppressed } = self.house.common.gate.pass(&format!("direct_tls {listener}")) {
            tracing::warn!(
                listener,
                peer = %self.peer,
                suppressed,
                "a client spoke TLS from the first byte; this listener has no TLS"
            );
        }
        None
    }

    /// Learns who is behind a load balancer. `None`: it left, or its header is wrong.
    pub(super) async fn see_behind_balancer(&mut self, client: &mut Framed<Stream>) -> Option<()> {
        let why = match timeout_at(self.deadline, proxied::origin(client, self.peer.clone())).await {
            Ok(Ok(Origin { peer, way })) => {
                (self.peer, self.way) = (peer, way);
                return Some(());
            }
            Ok(Err(Unknown::Broken(_))) => return None,
            Ok(Err(Unknown::Header(why))) => why.to_string(),
            Err(_) => "no PROXY header came in time".to_owned(),
        };
        self.house.common.metrics.login("bad_proxy_header");
        let listener = &*self.house.name;
        if let Pass::Write { suppressed } = self.house.common.gate.pass(&format!("bad_proxy_header {listener}")) {
            tracing::warn!(listener, peer = %self.peer, why, suppressed, "a load balancer was turned away");
        }
        None
    }

    /// Ends a login that came to nothing.
    pub(super) async fn see_out<T>(&self, client: Framed<Stream>, identity: &Identity, turned: Turned) -> Option<T> {
        let Turned { failed, server } = turned;
        self.report(identity, &failed);
        tokio::join!(self.turn_away(client, failed), Turned::leave(server));
        None
    }

    /// Says why, where there is somebody to hear it, and counts it.
    pub(super) async fn turn_away(&self, client: Framed<Stream>, failed: Failed) {
        let common = &self.house.common;
        match &failed {
            Failed::Rejected(_) => common.metrics.login("rejected"),
            Failed::ClientGone => common.metrics.login("client_gone"),
            Failed::Refused(_) => common.metrics.login("refused"),
            Failed::Unproven { .. } => common.metrics.login("unproven"),
        }
        match failed {
            Failed::Rejected(_) | Failed::ClientGone => {}
            Failed::Refused(refusal) | Failed::Unproven { refusal, .. } => {
                let mut bytes = BytesMut::new();
                pg_refusal::error(&refusal, &mut bytes);
                drop(timeout(FAREWELL, say_goodbye(client, &bytes)).await);
                return;
            }
        }
        drop(timeout(FAREWELL, say_goodbye(client, &[])).await);
    }
}

/// Sends the last words and waits until the client has closed: a socket that is closed while bytes of the client lie
/// unread would reset the connection and take the words along.
async fn say_goodbye(mut client: Framed<Stream>, words: &[u8]) {
    if client.send(words).await.is_ok() {
        let (client, _unread) = client.into_parts();
        close(client).await;
    }
}

/// Ends the connection of a cancel request, whose sender waits for that. By TLS nothing but TLS's own end tells it from a cut: libpq takes
/// a cancel for failed otherwise.
pub(super) async fn leave_canceller(client: Framed<Stream>) {
    let (client, _unread) = client.into_parts();
    if client.is_tls() {
        drop(timeout(FAREWELL, close(client)).await);
    }
}

/// A login that came to nothing.
pub(in crate::session) struct Turned {
    pub(in crate::session) failed: Failed,
    /// The server's connection, where there is one, with its place: free only when the server has closed, since it counts the
    /// connection until then.
    pub(in crate::session) server: Option<(Framed<Stream>, ServerPermit)>,
}

impl From<Failed> for Turned {
    fn from(failed: Failed) -> Self {
        Self { failed, server: None }
    }
}

impl Turned {
    pub(super) async fn leave(server: Option<(Framed<Stream>, ServerPermit)>) {
        if let Some((server, permit)) = server {
            drop(timeout(CLOSING, say_goodbye(server, &[])).await);
            drop(permit);
        }
    }
}

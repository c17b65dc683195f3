//! From an accepted socket to a session: what the client wants, whether there is a place, the server, the login.
//!
//! Everything here runs once for each client and is dropped before the session begins, so that an idle session carries none of it.
//!
//! A `visitor` passes the caps and reaches a server. The login is the server's own, relayed ([`login`]), or Floodwall's (`own`), which
//! gathers what it decides at its `desk` and, where servers are lent, ends without one (`pooled`). Whoever is not taken in is told by
//! `turned`.

pub(super) mod desk;
pub mod login;
mod own;
pub(in crate::session) mod pooled;
pub(super) mod turned;
pub(super) mod visitor;

use std::rc::Rc;
use std::sync::Arc;

use bytes::BytesMut;
use tokio::time::timeout_at;

use self::login::Failed;
use self::pooled::Place;
use self::turned::Turned;
use self::visitor::Visitor;
use super::cancel::Key;
use super::house::{Common, House};
use super::local::Local;
use crate::client::admission::{ClientPermit, HousePermit, ServerPermit};
use crate::client::listener::Arrival;
use crate::client::proxied::{self, Way};
use crate::client::refuse;
use crate::client::startup::{self, Front, Opening};
use crate::net::framed::{Broken, Framed};
use crate::net::stream::Stream;
use crate::roster::Seat;
use crate::telemetry::GaugeGuard;
use crate::wire::pg::startup::Cancel;
use crate::wire::{Malformed, Setting};

/// A client that is logged in, with its server and everything it holds.
#[derive(Debug)]
pub struct Guest {
    /// The client's socket.
    pub client: Stream,
    /// Where its server comes from.
    pub back: Back<Stream>,
    /// Read from the client after its login.
    pub from_client: BytesMut,
    /// Read from its own server after its first ReadyForQuery.
    pub from_server: BytesMut,
    /// Settings that change how SQL is read.
    pub settings: Vec<Setting>,
    /// Its place in the roster and its permits.
    pub stay: Stay,
}

/// Where a client's server comes from.
#[derive(Debug)]
pub enum Back<S> {
    /// It has one of its own.
    Own(S),
    /// It has one of this pool's for each transaction.
    Pool(Box<Place>),
}

/// What a session holds for as long as it lasts.
#[derive(Debug)]
pub struct Stay {
    /// Its place in the roster.
    pub seat: Seat,
    /// Its cancel key; a server may give none.
    pub key: Option<Key>,
    /// Its part of the gauges.
    pub gauges: (GaugeGuard, Option<GaugeGuard>),
    /// Its places under the caps.
    pub permits: Permits,
}

/// Places under the caps: each in a box of its own, since small ones fit where the allocator has left room between larger things.
#[derive(Debug)]
pub struct Permits {
    /// Of its identity.
    pub client: Box<ClientPermit>,
    /// Of the listener and of its address.
    pub house: Box<HousePermit>,
    /// Of its own server; boxed, since whose servers are lent has none.
    pub server: Option<Box<ServerPermit>>,
}

/// Takes a client in, or tells it why not. `None`: it is gone. Cancel safe: dropped, it gives every place back and closes the connection.
pub async fn welcome(house: &Arc<House>, worker: &Rc<Local>, mut arrival: Arrival) -> Option<Guest> {
    let settings = house.settings.load();
    let deadline = arrival.accepted + settings.caps.login_timeout;
    let said = arrival.stream.said();
    let mut client = Framed::with_read(arrival.stream.settle().ok()?, said);
    let way = proxied::way(&arrival.peer, &arrival.local);
    let mut visitor = Visitor { house, worker, settings: &settings, deadline, peer: arrival.peer, way };
    if proxied::is_balancer(&visitor.peer, &settings.listener.entry.proxy_protocol_from) {
        visitor.see_behind_balancer(&mut client).await?;
        let Some(lobby) = house.admission.lobby(visitor.peer.ip()) else {
            visitor.turn_away(client, Failed::refused(refuse::crowded())).await;
            return None;
        };
        // From here on it is a place of the client's own address.
        arrival.lobby = lobby;
    }
    let Common { metrics, gate, .. } = &*house.common;
    let front = Front { listener: &house.name, tls: &house.tls, metrics, gate, peer: &visitor.peer };
    let opening = timeout_at(deadline, startup::receive(&mut client, &front)).await;
    let failed = match opening {
        Ok(Ok(Opening::Session(startup))) => {
            drop(arrival.lobby);
            match visitor.enter(&mut client, &startup).await {
                Ok(entered) => return Some(entered.guest(client)),
                Err(Turned { failed, server }) => {
                    visitor.report(&visitor.identity(&startup), &failed);
                    tokio::join!(visitor.turn_away(client, failed), Turned::leave(server));
                    return None;
                }
            }
        }
        Ok(Ok(Opening::Refused(refusal))) => Failed::Refused(refusal),
        Ok(Ok(Opening::Cancel(request))) => {
            cancel(house, &request).await;
            turned::leave_canceller(client).await;
            return None;
        }
        Ok(Ok(Opening::DirectTls)) => return visitor.direct_tls(),
        // A check of a balancer's: no client came, so none is gone.
        Ok(Err(Broken::Closed | Broken::Io(_))) if visitor.way == Way::Check => return None,
        Ok(Err(Broken::Malformed(_))) if proxied::is_header(&client) => return visitor.unexpected_header(),
        Ok(Err(Broken::Malformed(Malformed::Cancel))) => Failed::ClientGone,
        Ok(Err(Broken::Malformed(Malformed::NoUser))) => Failed::refused(refuse::no_user()),
        Ok(Err(Broken::Malformed(Malformed::Version))) => Failed::refused(refuse::unsupported_protocol()),
        Ok(Err(Broken::Malformed(why))) => Failed::refused(refuse::malformed(why)),
        Ok(Err(Broken::Closed | Broken::Io(_))) => Failed::ClientGone,
        Err(_) => Failed::refused(visitor.late()),
    };
    visitor.turn_away(client, failed).await;
    None
}

/// Cancels need no place and no login, so that they get through a full house.
async fn cancel(house: &Arc<House>, request: &Cancel) {
    let outcome = match house.common.keys.find(request) {
        None => cancel_elsewhere(house, request).await,
        Some(target) => {
            let request = house.common.keys.canceling().begin(&target);
            let lane = house.admission.cancel().await;
            request.is_sent();
            let cancelled = target.cancel().await;
            drop((request, lane));
            cancelled.label()
        }
    };
    house.common.metrics.cancel(outcome);
}

/// In a hand-over the session may be the other process's.
async fn cancel_elsewhere(house: &Arc<House>, request: &Cancel) -> &'static str {
    let Some(siblings) = &house.common.siblings else { return "unknown_key" };
    let lane = house.admission.cancel().await;
    let cancelled = siblings.cancel(request).await;
    drop(lane);
    if cancelled { "sibling" } else { "unknown_key" }
}

//! From an accepted socket to a session: what the client wants, whether there is a place, the server, the login.
//!
//! Everything here runs once for each client and is dropped before the session begins, so that an idle session carries none of it.

use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use bytes::{BufMut, Bytes, BytesMut};
use tokio::time::{Instant, timeout, timeout_at};

use super::cancel::Key;
use super::house::{Common, Current, House};
use super::lending::enter::Place;
use super::local::Local;
use super::login::{Failed, Host, Relayed, Trust};
use super::own::Access;
use crate::address::Endpoint;
use crate::client::admission::{ClientPermit, Denied, HousePermit, LoginPermit, ServerPermit, Waited};
use crate::client::listener::Arrival;
use crate::client::login::Channel;
use crate::client::proxied::{self, Origin, Unknown, Way};
use crate::client::refuse;
use crate::client::startup::{self, Front, Opening};
use crate::clock;
use crate::config::{Login, PoolMode};
use crate::guard::caps;
use crate::net::framed::{Broken, Framed};
use crate::net::socket::close;
use crate::net::stream::Stream;
use crate::roster::{Identity, Newcomer, Seat};
use crate::server::connect::{Reached, connect};
use crate::server::route::Route;
use crate::telemetry::GaugeGuard;
use crate::telemetry::Pass;
use crate::units::display_bytes;
use crate::wire::pg::code::server::BACKEND_KEY_DATA;
use crate::wire::pg::refusal as pg_refusal;
use crate::wire::pg::startup::{Cancel, Purpose, Startup};
use crate::wire::{Malformed, Refusal, Setting};

/// Names of PostgreSQL are cut at 63 bytes (`NAMEDATALEN` less one), so a longer name is the same name.
const NAME_MAX: usize = 63;
/// How long a refused client may take to read why.
const FAREWELL: Duration = Duration::from_secs(2);

/// How long a server may take to close after a login that came to nothing.
const CLOSING: Duration = Duration::from_secs(10);

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

/// Takes a client in, or tells it why not. `None`: it is gone.
pub async fn welcome(house: &Arc<House>, worker: &Rc<Local>, mut arrival: Arrival) -> Option<Guest> {
    let settings = house.settings.load();
    let deadline = arrival.accepted + settings.caps.login_timeout;
    let mut client = Framed::new(arrival.stream.settle().ok()?);
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
    let front = Front { tls: &house.tls, metrics, gate, peer: &visitor.peer };
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
        Ok(Ok(Opening::Cancel(request))) => return cancel(house, &request).await,
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
async fn cancel(house: &Arc<House>, request: &Cancel) -> Option<Guest> {
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
    None
}

/// In a hand-over the session may be the other process's.
async fn cancel_elsewhere(house: &Arc<House>, request: &Cancel) -> &'static str {
    let Some(siblings) = &house.common.siblings else { return "unknown_key" };
    let lane = house.admission.cancel().await;
    let cancelled = siblings.cancel(request).await;
    drop(lane);
    if cancelled { "sibling" } else { "unknown_key" }
}

/// A client on its way in.
pub(super) struct Visitor<'a> {
    pub(super) house: &'a Arc<House>,
    pub(super) worker: &'a Rc<Local>,
    pub(super) settings: &'a Current,
    pub(super) deadline: Instant,
    peer: Endpoint,
    way: Way,
}

impl Visitor<'_> {
    /// Finds a place under every cap, then a server, then lets the two agree on a login.
    async fn enter(&self, client: &mut Framed<Stream>, startup: &Startup) -> Result<Entered, Turned> {
        let identity = self.identity(startup);
        let hands_over = self.settings.listener.entry.reuse_port;
        if self.house.common.control.draining() && !hands_over {
            return Err(Failed::refused(refuse::closing()).into());
        }
        if startup.purpose == Purpose::Replication && !self.settings.policies.may_replicate(&identity) {
            return Err(Failed::refused(refuse::replication()).into());
        }
        let channel = Channel::of(client.stream());
        let method = self.house.logins.method(&identity, &channel);
        let method = method.ok_or_else(|| Failed::refused(refuse::no_access(&identity.user, &identity.database)))?;
        if self.settings.listener.login != Login::Relay {
            return self.enter_by_ourselves(client, startup, &Access { channel, method }).await;
        }
        // A client that leaves while it waits gives its turn to the next.
        let (house, login, server_permit) = tokio::select! {
            permits = self.permits(&identity) => permits?,
            () = client.closed() => return Err(Failed::ClientGone.into()),
        };
        let Reached { stream: server, route, generation } = self.reach(client).await?;
        let mut desk = Desk::new(self, login);
        desk.server = Some((route, generation));
        if startup.sets_path() {
            desk.settings.push(Setting::OwnPath);
        }
        let mut relayed = Relayed { client, server: Framed::new(server) };
        let run = relayed.run(&startup.packet, self.trust(), &mut desk);
        let ran = timeout_at(self.deadline, run).await.unwrap_or_else(|_| Err(Failed::refused(self.late())));
        let server = relayed.server;
        let client_permit = match ran.and_then(|()| desk.client.take().ok_or_else(unproven)) {
            Ok(permit) => permit,
            Err(failed) => return Err(Turned { failed, server: Some((server, server_permit)) }),
        };
        let permits =
            Permits { client: Box::new(client_permit), house: Box::new(house), server: Some(Box::new(server_permit)) };
        Ok(self.seat(identity, Back::Own(server), permits, desk))
    }

    /// Dials the server that is used.
    pub(super) async fn reach(&self, client: &mut Framed<Stream>) -> Result<Reached, Failed> {
        let security = self.house.security();
        let reached = tokio::select! {
            reached = connect(&self.house.nodes, &security, self.wait_until(), self.deadline) => reached,
            () = client.closed() => return Err(Failed::ClientGone),
        };
        reached.map_err(|unreachable| {
            let names = self.settings.listener.servers.join(", ");
            Failed::refused(refuse::server_unreachable(&names, &unreachable.why))
        })
    }

    pub(super) fn identity(&self, startup: &Startup) -> Identity {
        let name = |bytes: &[u8]| display_bytes(bytes.get(..NAME_MAX).unwrap_or(bytes));
        Identity {
            listener: Arc::clone(&self.house.name),
            user: name(&startup.user),
            database: name(&startup.database),
            application_name: name(&startup.application_name),
            address: self.peer.ip(),
        }
    }

    fn trust(&self) -> Trust {
        if self.settings.listener.allow_trust { Trust::Accepted } else { Trust::of(self.way) }
    }

    async fn permits(&self, identity: &Identity) -> Result<(HousePermit, LoginPermit, ServerPermit), Failed> {
        let (house, login) = self.places(identity).await?;
        Ok((house, login, self.server_permit().await?))
    }

    /// A place at the listener and for a login.
    pub(super) async fn places(&self, identity: &Identity) -> Result<(HousePermit, LoginPermit), Failed> {
        let admission = &self.house.admission;
        let until = self.wait_until();
        self.let_in(&identity.database, until).await?;
        let house = self
            .queued("max_clients", admission.enter(identity.address, until))
            .await
            .map_err(|denied| Failed::Refused(self.denied(&denied)))?;
        self.waited(house.waited());
        let login = self
            .queued("client_max_connections", admission.claim(identity, until))
            .await
            .map_err(|denied| Failed::Refused(self.denied(&denied)))?;
        self.waited(login.waited());
        Ok((house, login))
    }

    /// What operators have said about the database. Where servers are lent, a paused database is no hindrance: the first statement waits.
    async fn let_in(&self, database: &str, until: Instant) -> Result<(), Failed> {
        let control = &self.house.common.control;
        if control.is_disabled(database) {
            return Err(Failed::refused(refuse::disabled()));
        }
        if self.settings.listener.pool.mode == PoolMode::Transaction {
            return Ok(());
        }
        timeout_at(until, control.resumed(database)).await.map_err(|_| Failed::refused(refuse::paused()))
    }

    /// A place at the server.
    pub(super) async fn server_permit(&self) -> Result<ServerPermit, Failed> {
        let place = self.queued("max_server_connections", self.house.admission.server(self.wait_until())).await;
        let server = place.map_err(|denied| Failed::Refused(self.denied(&denied)))?;
        self.waited(server.waited());
        Ok(server)
    }

    /// Counts who does not get a place at once.
    async fn queued<T>(&self, cap: &'static str, place: impl Future<Output = T>) -> T {
        let mut place = pin!(place);
        if let Poll::Ready(place) = futures::poll!(place.as_mut()) {
            return place;
        }
        let waiting = self.house.common.metrics.waiting(cap);
        let place = place.await;
        drop(waiting);
        place
    }

    fn wait_until(&self) -> Instant {
        self.deadline.min(clock::now() + self.settings.caps.queue_wait)
    }

    fn waited(&self, waited: Option<Waited>) {
        if let Some(waited) = waited {
            self.house.common.metrics.waited(waited.rule, waited.time);
        }
    }

    fn denied(&self, denied: &Denied) -> Box<Refusal> {
        let common = &self.house.common;
        common.metrics.refused(denied.rule, &denied.scope);
        if let Pass::Write { suppressed } = common.gate.pass(denied.rule) {
            let Denied { rule, scope, current, limit, .. } = denied;
            tracing::warn!(rule, scope, current, limit, peer = %self.peer, suppressed, "a client was not let in");
        }
        Box::new(refuse::denied(denied))
    }

    /// Logs why a client that has said who it is was not let in. The server's own log knows only Floodwall's address.
    fn report(&self, identity: &Identity, failed: &Failed) {
        let gate = &self.house.common.gate;
        let Identity { user, database, .. } = identity;
        let peer = &self.peer;
        match failed {
            Failed::Rejected(failure) => {
                if let Pass::Write { suppressed } = gate.pass(&format!("rejected {}", identity.address)) {
                    let sqlstate = display_bytes(&failure.sqlstate);
                    tracing::info!(user, database, %peer, sqlstate, suppressed, "the server rejected a login");
                }
            }
            // Caps have said so themselves, with counts.
            Failed::Refused(refusal) if caps::ALL.contains(&&*refusal.rule) => {}
            Failed::Refused(refusal) => {
                if let Pass::Write { suppressed } = gate.pass(&format!("login {}", refusal.rule)) {
                    let why = &refusal.message;
                    tracing::warn!(user, database, %peer, why, suppressed, "a login was refused");
                }
            }
            Failed::Unproven { why, .. } => {
                if let Pass::Write { suppressed } = gate.pass(&format!("unproven {}", identity.address)) {
                    tracing::warn!(user, database, %peer, why, suppressed, "a client did not prove who it is");
                }
            }
            Failed::ClientGone => {}
        }
    }

    pub(super) fn late(&self) -> Refusal {
        refuse::login_timeout(self.settings.caps.login_timeout.as_secs_f64())
    }

    /// Learns who is behind a load balancer. `None`: it left, or its header is wrong.
    async fn see_behind_balancer(&mut self, client: &mut Framed<Stream>) -> Option<()> {
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
        if let Pass::Write { suppressed } = self.house.common.gate.pass("bad_proxy_header") {
            tracing::warn!(peer = %self.peer, why, suppressed, "a load balancer was turned away");
        }
        None
    }

    fn unexpected_header(&self) -> Option<Guest> {
        self.house.common.metrics.login("bad_proxy_header");
        if let Pass::Write { suppressed } = self.house.common.gate.pass("unexpected_proxy_header") {
            tracing::warn!(
                peer = %self.peer,
                suppressed,
                "a PROXY header came from an address that proxy_protocol_from does not name"
            );
        }
        None
    }

    fn direct_tls(&self) -> Option<Guest> {
        self.house.common.metrics.login("direct_tls");
        if let Pass::Write { suppressed } = self.house.common.gate.pass("direct_tls") {
            tracing::warn!(peer = %self.peer, suppressed, "a client spoke TLS from the first byte; this listener has no TLS");
        }
        None
    }

    pub(super) fn seat(
        &self,
        identity: Identity,
        back: Back<Framed<Stream>>,
        mut permits: Permits,
        desk: Desk<'_>,
    ) -> Entered {
        let common = &self.house.common;
        let lent = matches!(back, Back::Pool(_));
        // Whoever is seated has been given a server, or a pool's.
        let own = || (self.peer.clone(), 0);
        let (server, server_generation) =
            desk.server.map_or_else(own, |(route, generation)| (route.address().clone(), generation));
        let newcomer = Newcomer {
            identity,
            client: Arc::clone(permits.client.label()),
            peer: self.peer.clone(),
            server,
            server_generation: (!lent).then_some(server_generation),
        };
        let seat = common.roster.join(newcomer);
        permits.client.share_label(&seat.client);
        if let Some(key) = &desk.key {
            seat.set_server_pid(key.pid());
        }
        common.metrics.login("accepted");
        let own = matches!(back, Back::Own(_)).then(|| common.metrics.server_connected(&self.house.name));
        let gauges = (common.metrics.client_connected(&self.house.name), own);
        Entered { back, settings: desk.settings, stay: Stay { seat, key: desk.key, gauges, permits } }
    }

    /// Says why, where there is somebody to hear it, and counts it.
    async fn turn_away(&self, client: Framed<Stream>, failed: Failed) {
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

fn unproven() -> Failed {
    Failed::refused(refuse::server_malformed(Malformed::Content))
}

/// Sends the last words and waits until the client has closed: a socket that is closed while bytes of the client lie
/// unread would reset the connection and take the words along.
async fn say_goodbye(mut client: Framed<Stream>, words: &[u8]) {
    if client.send(words).await.is_ok() {
        let (client, _unread) = client.into_parts();
        close(client).await;
    }
}

/// A login that came to nothing.
pub(super) struct Turned {
    failed: Failed,
    /// The server's connection, where there is one, with its place: free only when the server has closed, since it counts the
    /// connection until then.
    server: Option<(Framed<Stream>, ServerPermit)>,
}

impl From<Failed> for Turned {
    fn from(failed: Failed) -> Self {
        Self { failed, server: None }
    }
}

impl Turned {
    async fn leave(server: Option<(Framed<Stream>, ServerPermit)>) {
        if let Some((server, permit)) = server {
            drop(timeout(CLOSING, say_goodbye(server, &[])).await);
            drop(permit);
        }
    }
}

/// A login that went well.
pub(super) struct Entered {
    back: Back<Framed<Stream>>,
    settings: Vec<Setting>,
    stay: Stay,
}

impl Entered {
    fn guest(self, client: Framed<Stream>) -> Guest {
        let (client, from_client) = client.into_parts();
        self.stay.seat.set_tls(client.tls_version().unwrap_or_default());
        let (back, from_server) = match self.back {
            Back::Own(server) => {
                let (server, from_server) = server.into_parts();
                (Back::Own(server), from_server)
            }
            Back::Pool(place) => (Back::Pool(place), BytesMut::new()),
        };
        Guest { client, back, from_client, from_server, settings: self.settings, stay: self.stay }
    }
}

/// What the login decides on the way: see [`Host`].
pub(super) struct Desk<'a> {
    visitor: &'a Visitor<'a>,
    login: Option<LoginPermit>,
    pub(super) client: Option<ClientPermit>,
    pub(super) server: Option<(Route, u64)>,
    pub(super) key: Option<Key>,
    pub(super) settings: Vec<Setting>,
}

impl<'a> Desk<'a> {
    pub(super) fn new(visitor: &'a Visitor<'a>, login: LoginPermit) -> Self {
        Self { visitor, login: Some(login), client: None, server: None, key: None, settings: Vec::new() }
    }
}

impl Host for Desk<'_> {
    async fn proven(&mut self) -> Result<(), Box<Refusal>> {
        // A server that says AuthenticationOk twice proves nothing new.
        let Some(login) = self.login.take() else { return Ok(()) };
        let proven = self.visitor.house.admission.prove(login, self.visitor.wait_until());
        let proven = self.visitor.queued("client_max_connections", proven).await;
        let permit = proven.map_err(|denied| self.visitor.denied(&denied))?;
        self.visitor.waited(permit.waited());
        self.client = Some(permit);
        Ok(())
    }

    fn key(&mut self, pid: i32, secret: &[u8]) -> Result<Bytes, Box<Refusal>> {
        let keys = &self.visitor.house.common.keys;
        let (route, _) = self.server.clone().ok_or_else(|| Box::new(refuse::server_gone()))?;
        let key = keys.issue(route, pid, secret).map_err(|_| Box::new(refuse::server_gone()))?;
        let mut message = BytesMut::with_capacity(secret.len().saturating_add(9));
        message.put_u8(BACKEND_KEY_DATA);
        message.put_u32(u32::try_from(secret.len()).unwrap_or(u32::MAX).saturating_add(8));
        message.put_i32(pid);
        message.put_slice(key.secret());
        self.key = Some(key);
        Ok(message.freeze())
    }

    fn setting(&mut self, setting: Setting) {
        self.settings.push(setting);
    }
}

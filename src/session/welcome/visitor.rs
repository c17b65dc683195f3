//! A client on its way in: a place under every cap, a server, the login.

use std::borrow::Cow;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;

use bytes::BytesMut;
use tokio::time::{Instant, timeout, timeout_at};

use super::desk::Desk;
use super::login::{Failed, Relayed, Trust};
use super::own::{Access, Proven};
use super::turned::Turned;
use super::{Back, Guest, Permits, Stay};
use crate::address::Endpoint;
use crate::client::admission::{Denied, HousePermit, LoginPermit, Party, ServerPermit, Waited};
use crate::client::channel::Channel;
use crate::client::proxied::Way;
use crate::client::refuse;
use crate::clock;
use crate::config::{Login, PoolMode};
use crate::guard::caps;
use crate::net::framed::Framed;
use crate::net::stream::Stream;
use crate::roster::{Identity, Newcomer};
use crate::server::connect::{Reached, connect};
use crate::server::pool::{ASK_AGAIN, Outsider};
use crate::session::house::{Current, House};
use crate::session::lending::places::{full_room, key_of};
use crate::telemetry::Pass;
use crate::units::display_bytes;
use crate::wire::pg::NAME_MAX;
use crate::wire::pg::startup::{Purpose, Startup};
use crate::wire::{Malformed, Refusal, Setting};

/// A client on its way in.
pub(in crate::session) struct Visitor<'a> {
    pub(in crate::session) house: &'a Arc<House>,
    pub(in crate::session) settings: &'a Current,
    pub(in crate::session) deadline: Instant,
    pub(super) peer: Endpoint,
    pub(super) way: Way,
}

impl Visitor<'_> {
    /// Finds a place under every cap, and has the client prove who it is: to us, or to a server that is found for it.
    pub(super) async fn enter(&self, client: &mut Framed<Stream>, startup: &Startup) -> Result<Entry, Turned> {
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
        let no_access = || refuse::no_access(&identity.user, &identity.database, &channel);
        let method = method.ok_or_else(|| Failed::refused(no_access()))?;
        if self.settings.listener.login != Login::Relay {
            let proven = self.prove(client, startup, identity, &Access { channel, method }).await?;
            return Ok(Entry::Proven(Box::new(proven)));
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
        let packet = self.packet(startup);
        let run = relayed.run(&packet, self.trust(), &mut desk);
        let ran = timeout_at(self.deadline, run).await.unwrap_or_else(|_| Err(Failed::refused(self.late())));
        let server = relayed.server;
        let client_permit = match ran.and_then(|()| desk.client.take().ok_or_else(unproven)) {
            Ok(permit) => permit,
            Err(failed) => return Err(Turned { failed, server: Some((server, server_permit)) }),
        };
        let permits =
            Permits { client: Box::new(client_permit), house: Box::new(house), server: Some(Box::new(server_permit)) };
        Ok(Entry::Seated(Box::new(self.seat(identity, Back::Own(server), permits, desk))))
    }

    /// Dials the server that is used.
    async fn reach(&self, client: &mut Framed<Stream>) -> Result<Reached, Failed> {
        let reached = tokio::select! {
            reached = connect(&self.house.nodes, || self.house.security(), self.wait_until(), self.deadline) => reached,
            () = client.closed() => return Err(Failed::ClientGone),
        };
        reached.map_err(|unreachable| self.unreachable(&unreachable.why))
    }

    /// There is no connection to a server.
    pub(super) fn unreachable(&self, why: &str) -> Failed {
        let names = self.settings.listener.servers.join(", ");
        Failed::refused(refuse::server_unreachable(&names, why))
    }

    pub(in crate::session) fn identity(&self, startup: &Startup) -> Identity {
        let name = |bytes: &[u8]| display_bytes(bytes.get(..NAME_MAX).unwrap_or(bytes));
        let database = name(&startup.database);
        Identity {
            listener: Arc::clone(&self.house.name),
            user: name(&startup.user),
            role: self.settings.listener.databases.user(&database).map(|user| user.name.as_str().into()),
            database,
            application_name: name(&startup.application_name),
            address: self.peer.ip(),
        }
    }

    /// The start-up packet as the server is to have it.
    fn packet<'s>(&self, startup: &'s Startup) -> Cow<'s, [u8]> {
        let Ok(name) = std::str::from_utf8(&startup.database) else { return Cow::Borrowed(&startup.packet) };
        match self.settings.listener.databases.at_server(name) {
            same if same == name => Cow::Borrowed(&startup.packet),
            other => Cow::Owned(startup.packet_for(other.as_bytes())),
        }
    }

    fn trust(&self) -> Trust {
        if self.settings.listener.allow_trust { Trust::Accepted } else { Trust::of(self.way) }
    }

    async fn permits(&self, identity: &Identity) -> Result<(HousePermit, LoginPermit, ServerPermit), Failed> {
        let (house, login) = self.places(identity).await?;
        Ok((house, login, self.server_permit(identity).await?))
    }

    /// A place at the listener and for a login.
    pub(in crate::session) async fn places(&self, identity: &Identity) -> Result<(HousePermit, LoginPermit), Failed> {
        let admission = &self.house.admission;
        let until = self.wait_until();
        self.let_in(identity, until).await?;
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
    async fn let_in(&self, identity: &Identity, until: Instant) -> Result<(), Failed> {
        let control = &self.house.common.control;
        if control.is_disabled(&identity.database) {
            return Err(Failed::refused(refuse::disabled()));
        }
        if self.settings.pools.of(identity.role(), &identity.database).mode == PoolMode::Transaction {
            return Ok(());
        }
        timeout_at(until, control.resumed(&identity.database)).await.map_err(|_| Failed::refused(refuse::paused()))
    }

    /// A place at the server.
    pub(in crate::session) async fn server_permit(&self, identity: &Identity) -> Result<ServerPermit, Failed> {
        let party = Party::new(identity.role(), &identity.database);
        let cap = self.house.admission.server_hindrance(&party).map_or(caps::MAX_SERVER_CONNECTIONS, |over| over.rule);
        let place = self.queued(cap, self.server_place(&party)).await;
        let server = place.map_err(|denied| Failed::Refused(self.denied(&denied)))?;
        self.waited(server.waited());
        Ok(server)
    }

    /// A place that pools may have to give: this session will be in none.
    async fn server_place(&self, party: &Arc<Party>) -> Result<ServerPermit, Denied> {
        let admission = &self.house.admission;
        let mut place = pin!(admission.server(party, self.wait_until()));
        if let Poll::Ready(place) = futures::poll!(place.as_mut()) {
            return place;
        }
        let mut outsider = Outsider::new(Arc::clone(&self.house.lending.register), key_of(party));
        loop {
            full_room(admission, party).into_iter().for_each(|room| outsider.ask(room));
            if let Ok(place) = timeout(ASK_AGAIN, place.as_mut()).await {
                return place;
            }
        }
    }

    /// Counts who does not get a place at once.
    pub(in crate::session) async fn queued<T>(&self, cap: &'static str, place: impl Future<Output = T>) -> T {
        let mut place = pin!(place);
        if let Poll::Ready(place) = futures::poll!(place.as_mut()) {
            return place;
        }
        let waiting = self.house.common.metrics.waiting(cap);
        let place = place.await;
        drop(waiting);
        place
    }

    pub(in crate::session) fn wait_until(&self) -> Instant {
        self.deadline.min(clock::now() + self.settings.caps.queue_wait)
    }

    pub(in crate::session) fn waited(&self, waited: Option<Waited>) {
        if let Some(waited) = waited {
            self.house.common.metrics.waited(waited.rule, waited.time);
        }
    }

    pub(in crate::session) fn denied(&self, denied: &Denied) -> Box<Refusal> {
        let common = &self.house.common;
        common.metrics.refused(denied.rule, &denied.scope);
        let listener = &*self.house.name;
        if let Pass::Write { suppressed } = common.gate.pass(&format!("{} {listener}", denied.rule)) {
            let Denied { rule, scope, current, limit, .. } = denied;
            tracing::warn!(listener, rule, scope, current, limit, peer = %self.peer, suppressed, "a client was not let in");
        }
        Box::new(refuse::denied(denied))
    }

    pub(in crate::session) fn late(&self) -> Refusal {
        refuse::login_timeout(self.settings.caps.login_timeout.as_secs_f64())
    }

    pub(in crate::session) fn seat(
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
}

fn unproven() -> Failed {
    Failed::refused(refuse::server_malformed(Malformed::Content))
}

/// How far a client has come that is let in.
pub(super) enum Entry {
    /// It has its server.
    Seated(Box<Entered>),
    /// It has proven who it is.
    Proven(Box<Proven>),
}

/// A login that went well.
pub(in crate::session) struct Entered {
    back: Back<Framed<Stream>>,
    settings: Vec<Setting>,
    stay: Stay,
}

impl Entered {
    pub(in crate::session) fn guest(self, client: Framed<Stream>) -> Guest {
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

//! `login = "users"` and `"query"`: Floodwall checks who the client is, and logs in to the server itself.
//!
//! Nobody who has not proven who they are reaches the server, and none holds a place there. What the start-up packet sets is set
//! at the server, so a session is the same as without Floodwall in between.

use std::rc::Rc;

use bytes::BytesMut;
use tokio::time::timeout_at;

use super::desk::Desk;
use super::login::{Failed, Host as _};
use super::turned::Turned;
use super::visitor::{Entered, Visitor};
use super::{Back, Permits};
use crate::auth::Proof;
use crate::client::admission::{ClientPermit, HousePermit, LoginPermit, ServerPermit};
use crate::client::channel::Channel;
use crate::client::login::{Applicant, Unproven};
use crate::client::refuse;
use crate::config::{AccessMethod, PoolMode};
use crate::net::framed::Framed;
use crate::net::stream::Stream;
use crate::roster::Identity;
use crate::server::account::Account;
use crate::server::failed::LoginFailed;
use crate::server::login::Fresh;
use crate::server::reach::{LoggedIn, NotReached, reach};
use crate::session::local::Local;
use crate::wire::pg::startup::{Purpose, Startup, Version};
use crate::wire::pg::{greeting, refusal};
use crate::wire::{Setting, Transaction};

/// What a server says to a wrong login begins like that.
const AUTHORIZATION: [u8; 2] = *b"28";

/// How a client has to prove who it is.
#[derive(Debug)]
pub(super) struct Access {
    pub(super) channel: Channel,
    pub(super) method: AccessMethod,
}

/// A client that has proven who it is, and has no server yet.
#[derive(Debug)]
pub(in crate::session) struct Proven {
    pub(super) identity: Identity,
    pub(super) house: HousePermit,
    pub(super) login: LoginPermit,
    pub(super) account: Account,
    /// What is spoken with it.
    pub(super) version: Version,
    pub(super) purpose: Purpose,
    /// Settings of its start that change how SQL is read.
    pub(super) settings: Vec<Setting>,
}

impl Visitor<'_> {
    /// Finds a place under the client's caps, and lets it prove who it is.
    pub(super) async fn prove(
        &self,
        client: &mut Framed<Stream>,
        startup: &Startup,
        identity: Identity,
        access: &Access,
    ) -> Result<Proven, Failed> {
        let account = account(startup).ok_or_else(|| Failed::refused(refuse::not_utf8()))?;
        let (house, permit) = tokio::select! {
            places = self.places(&identity) => places?,
            () = client.closed() => return Err(Failed::ClientGone),
        };
        let version = self.negotiate(client, startup).await?;
        let applicant = Applicant {
            user: &account.user,
            address: identity.address,
            method: access.method,
            channel: &access.channel,
        };
        let (proof, login) = self.believe(client, &applicant, permit).await?;
        let settings = startup.sets_path().then_some(Setting::OwnPath).into_iter().collect();
        let account = self.as_whom(Account { proof, ..account });
        Ok(Proven { identity, house, login, account, version, purpose: startup.purpose, settings })
    }

    /// Gives a client that has proven who it is a server, or a place at its pool.
    pub(super) async fn admit(
        &self,
        worker: &Rc<Local>,
        client: &mut Framed<Stream>,
        proven: Proven,
    ) -> Result<Entered, Turned> {
        let mode = self.settings.pools.of(&proven.account.user, &proven.account.database).mode;
        // Replication has no transactions to lend a server for.
        if mode == PoolMode::Transaction && proven.purpose != Purpose::Replication {
            return self.enter_pool(worker, client, proven).await;
        }
        let Proven { identity, house, login, account, version, settings, .. } = proven;
        let mut desk = Desk::new(self, login);
        desk.settings = settings;
        let (own, server) = tokio::select! {
            places = self.own_places(&identity, &mut desk) => places?,
            () = client.closed() => return Err(Failed::ClientGone.into()),
        };
        let permits = Permits { client: Box::new(own), house: Box::new(house), server: Some(Box::new(server)) };
        let database = self.settings.listener.databases.at_server(&account.database).to_owned();
        let server = self.lend(client, &Account { database, ..account }, &mut desk, version).await?;
        Ok(self.seat(identity, Back::Own(Framed::new(server)), permits, desk))
    }

    /// The client at the server: as itself, or as the role that all clients of its database are there.
    fn as_whom(&self, account: Account) -> Account {
        match self.settings.listener.databases.user(&account.database) {
            None => account,
            Some(user) => {
                let proof = self.house.logins.own(user.password.as_ref());
                Account { user: user.name.clone(), proof, ..account }
            }
        }
    }

    /// What it proves itself with. One that is not believed has lost its place among the logins before it is answered: whoever waits for
    /// the answer to a wrong login keeps nobody else from logging in.
    async fn believe(
        &self,
        client: &mut Framed<Stream>,
        applicant: &Applicant<'_>,
        login: LoginPermit,
    ) -> Result<(Proof, LoginPermit), Failed> {
        match timeout_at(self.deadline, self.house.logins.prove(client, applicant)).await {
            Ok(Ok(proof)) => Ok((proof, login)),
            Ok(Err(unproven)) => {
                drop(login);
                Err(self.unproven(client, unproven, applicant).await)
            }
            Err(_) => Err(Failed::refused(self.late())),
        }
    }

    /// The client's places under its caps, and one at the server.
    async fn own_places(
        &self,
        identity: &Identity,
        desk: &mut Desk<'_>,
    ) -> Result<(ClientPermit, ServerPermit), Failed> {
        desk.proven().await.map_err(Failed::Refused)?;
        let own = desk.client.take().ok_or_else(|| Failed::refused(refuse::server_gone()))?;
        Ok((own, self.server_permit(identity).await?))
    }

    /// What a client that was not believed is told. A wrong proof costs it time first.
    async fn unproven(&self, client: &mut Framed<Stream>, unproven: Unproven, applicant: &Applicant<'_>) -> Failed {
        match unproven {
            Unproven::Wrong(why) => {
                self.punish(client, applicant).await;
                Failed::Unproven { refusal: Box::new(refuse::wrong_password(applicant.user)), why }
            }
            Unproven::Empty => {
                self.punish(client, applicant).await;
                Failed::Unproven { refusal: Box::new(refuse::empty_password()), why: "an empty password" }
            }
            Unproven::Barred(left) => Failed::refused(refuse::not_heard(applicant.user, left)),
            Unproven::Malformed(why) => Failed::refused(refuse::malformed(why)),
            Unproven::Gone => Failed::ClientGone,
            Unproven::NotDerived(why) => Failed::refused(refuse::not_derived(&why.to_string())),
            Unproven::Unavailable => Failed::refused(refuse::no_verifier()),
        }
    }

    async fn punish(&self, client: &mut Framed<Stream>, applicant: &Applicant<'_>) {
        tokio::select! {
            () = self.house.logins.punish(applicant) => {}
            () = client.closed() => {}
        }
    }

    /// A newer minor version and options that we do not know are met with what we know.
    async fn negotiate(&self, client: &mut Framed<Stream>, startup: &Startup) -> Result<Version, Failed> {
        let (version, unknown) = (Version::for_client(startup.version), startup.options().collect::<Vec<_>>());
        if startup.version != version.number() || !unknown.is_empty() {
            let mut out = BytesMut::new();
            greeting::negotiate(version, &unknown, &mut out);
            client.send(&out).await.map_err(|_| Failed::ClientGone)?;
        }
        Ok(version)
    }

    /// Logs in to the server that is used, and greets the client as it would.
    async fn lend(
        &self,
        client: &mut Framed<Stream>,
        account: &Account,
        desk: &mut Desk<'_>,
        version: Version,
    ) -> Result<Stream, Failed> {
        let reached = tokio::select! {
            reached = reach(&self.house.nodes, || self.house.security(), account, self.wait_until(), self.deadline) => reached,
            () = client.closed() => return Err(Failed::ClientGone),
        };
        let LoggedIn { fresh, route, generation } = match reached {
            Ok(logged_in) => logged_in,
            Err(NotReached::Login(failed)) => return Err(self.server_refused(client, account, failed).await),
            Err(NotReached::Late(_)) => return Err(Failed::refused(self.late())),
            Err(why @ (NotReached::Unreachable(_) | NotReached::Standby(_))) => {
                return Err(self.unreachable(&why.to_string()));
            }
        };
        desk.server = Some((route, generation));
        self.greet(client, fresh, desk, version).await
    }

    async fn greet(
        &self,
        client: &mut Framed<Stream>,
        fresh: Fresh,
        desk: &mut Desk<'_>,
        version: Version,
    ) -> Result<Stream, Failed> {
        let mut out = desk.greeting(&fresh.parameters);
        if let Some(pid) = fresh.pid {
            out.extend_from_slice(&desk.key_of(pid, &fresh.secret, version.secret_bytes()).map_err(Failed::Refused)?);
        }
        refusal::ready(Transaction::None, &mut out);
        client.send(&out).await.map_err(|_| Failed::ClientGone)?;
        Ok(fresh.stream)
    }

    /// Says what the server said, and which side it was that failed.
    async fn server_refused(&self, client: &mut Framed<Stream>, account: &Account, failed: LoginFailed) -> Failed {
        if failed.is_of_proof() {
            self.house.logins.doubt(&account.user);
        }
        let rejection = match failed {
            LoginFailed::Rejected(rejection) => rejection,
            LoginFailed::Gone => return Failed::refused(refuse::server_gone()),
            LoginFailed::Malformed(why) => return Failed::refused(refuse::server_malformed(why)),
            LoginFailed::NoProof(lacking) => {
                let why = lacking.told(&self.settings.listener.login);
                return Failed::refused(refuse::server_login(&account.user, &why));
            }
            other => return Failed::refused(refuse::server_login(&account.user, &other.to_string())),
        };
        if rejection.is_for_want_of_room() {
            return Failed::refused(refuse::server_full(&rejection.message));
        }
        if rejection.failure.sqlstate.starts_with(&AUTHORIZATION) {
            return Failed::refused(refuse::server_login(&account.user, &rejection.message));
        }
        if let Some(refusal) = refuse::console_is_elsewhere(&rejection.message) {
            return Failed::refused(refusal);
        }
        // A database that does not exist, or may not be used: the server's own words say it best.
        match client.send(&rejection.words).await {
            Ok(()) => Failed::Rejected(rejection.failure),
            Err(_) => Failed::ClientGone,
        }
    }
}

/// What to log in with, but for the proof; `None` where it is no UTF-8.
fn account(startup: &Startup) -> Option<Account> {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).ok();
    let parameters = startup.parameters().map(|(name, value)| Some((text(name)?, text(value)?)));
    Some(Account {
        user: text(&startup.user)?,
        database: text(&startup.database)?,
        parameters: parameters.collect::<Option<_>>()?,
        proof: Proof::Nothing,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::pg::startup::{First, read};

    #[test]
    fn what_the_start_up_packet_sets_goes_to_the_server_and_options_of_the_protocol_do_not() {
        let body = b"\0\x03\0\0user\0app\0database\0shop\0application_name\0web\0_pq_.x\x001\0options\0-c x=1\0\0";
        let mut packet = u32::try_from(body.len() + 4).unwrap().to_be_bytes().to_vec();
        packet.extend_from_slice(body);
        let Ok(First::Startup(startup)) = read(&packet) else { panic!("no start-up") };
        let account = account(&startup).unwrap();
        assert_eq!((account.user.as_str(), account.database.as_str()), ("app", "shop"));
        let given: Vec<_> = account.parameters.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        assert_eq!(given, [("application_name", "web"), ("options", "-c x=1")]);
        assert_eq!(startup.options().collect::<Vec<_>>(), [b"_pq_.x"]);
    }
}

//! Checks who a client is, where `login` says that Floodwall does.
//!
//! A name that does not exist, an account whose time is over and a wrong password look alike from outside: the same exchange, the
//! same words, and about the same time. Only the log tells them apart.

mod applicant;
mod cleartext;
mod hashed;
mod penalty;
mod scram;
mod unasked;
mod unproven;

use std::sync::Arc;

use arc_swap::ArcSwap;
use bytes::Bytes;

pub use self::applicant::Applicant;
use self::penalty::Penalties;
pub use self::unproven::Unproven;
use super::access::Access;
use super::channel::Channel;
use crate::auth::accounts::{Account, Accounts};
use crate::auth::derive::Deriver;
use crate::auth::md5::Md5Hash;
use crate::auth::query::{Found, Lookup};
use crate::auth::{Password, Proof};
use crate::clock;
use crate::config::{AccessMethod, AuthQuery, Config, Listener, Login, Secret};
use crate::net::framed::Framed;
use crate::net::stream::Stream;
use crate::roster::Identity;
use crate::wire::pg::code::client::PASSWORD;
use crate::wire::pg::frame;
use crate::wire::{Head, Malformed};

/// What the logins of one listener share.
pub struct Logins {
    access: ArcSwap<Access>,
    accounts: ArcSwap<Accounts>,
    lookup: Lookup,
    penalties: Penalties,
    deriver: Arc<Deriver>,
    /// Of what names that do not exist are made to look like.
    seed: [u8; 32],
}

impl std::fmt::Debug for Logins {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Logins").finish_non_exhaustive()
    }
}

/// What a client is checked against.
enum Known {
    /// An account in force.
    Account(Arc<Account>),
    /// Nothing: the exchange goes to its end and fails, for this reason.
    Nothing(&'static str),
}

impl Logins {
    /// Of a listener that is configured like that.
    ///
    /// # Errors
    /// The system has no random numbers.
    pub fn new(config: &Config, listener: &Listener, deriver: Arc<Deriver>) -> Result<Self, getrandom::Error> {
        let mut seed = [0; 32];
        getrandom::fill(&mut seed)?;
        Ok(Self {
            access: ArcSwap::from_pointee(Access::new(&config.access, &listener.name)),
            accounts: ArcSwap::from_pointee(accounts(&listener.login)),
            lookup: Lookup::new(&listener.name, query(&listener.login)),
            penalties: Penalties::new(),
            deriver,
            seed,
        })
    }

    /// Takes a new configuration. Who is logged in stays.
    pub fn reload(&self, config: &Config, listener: &Listener) {
        self.access.store(Arc::new(Access::new(&config.access, &listener.name)));
        self.accounts.store(Arc::new(accounts(&listener.login)));
        self.lookup.reload(query(&listener.login));
    }

    /// How somebody has to prove who they are; `None`: they may not come in.
    pub fn method(&self, identity: &Identity, channel: &Channel) -> Option<AccessMethod> {
        self.access.load().method(identity, channel)
    }

    /// What asks the server for verifiers: to be run beside the data path.
    pub const fn lookup(&self) -> &Lookup {
        &self.lookup
    }

    /// Lets a client prove who it is; gives what logs in to a server in its name. Not cancel-safe: the exchange is lost.
    ///
    /// # Errors
    /// See [`Unproven`]. Nothing was said to the client then.
    pub async fn prove(&self, client: &mut Framed<Stream>, applicant: &Applicant<'_>) -> Result<Proof, Unproven> {
        if let Some(left) = self.penalties.bars(applicant.address, applicant.user) {
            return Err(Unproven::Barred(left));
        }
        let known = self.find(applicant.user).await?;
        let proven = match applicant.method {
            AccessMethod::Scram => self.scram(client, applicant, known).await,
            AccessMethod::Md5 => self.md5(client, applicant, known).await,
            AccessMethod::Plain => self.cleartext(client, applicant, known).await,
            AccessMethod::Cert => self.certificate(applicant, &known),
            AccessMethod::Trust => Ok(self.on_trust(&known)),
            AccessMethod::Reject => Err(Unproven::Wrong("an [[access]] rule rejects it")),
        };
        if let Err(Unproven::Wrong(_)) = &proven {
            self.lookup.doubt(applicant.user);
        }
        proven
    }

    /// A server did not take what this user has proven: perhaps it knows another verifier by now.
    pub fn doubt(&self, user: &str) {
        self.lookup.doubt(user);
    }

    /// What logs in to a server as a role that the configuration names. What PostgreSQL would take for an md5 hash (CREATE ROLE, PASSWORD) is
    /// one.
    pub fn own(&self, password: Option<&Secret>) -> Proof {
        let Some(password) = password else { return Proof::Nothing };
        match Md5Hash::parse(password.reveal()) {
            Some(hash) => Proof::Md5(hash),
            None => Proof::Password(Password::new(password.clone(), Arc::clone(&self.deriver))),
        }
    }

    /// Keeps whoever gave a wrong proof waiting for the answer. Cancel-safe.
    pub async fn punish(&self, applicant: &Applicant<'_>) {
        self.penalties.serve(applicant.address, applicant.user).await;
    }

    async fn find(&self, user: &str) -> Result<Known, Unproven> {
        let account = if self.lookup.is_used() {
            match self.lookup.find(user).await {
                Found::Account(account) => Some(account),
                Found::Nobody => None,
                Found::Unavailable => return Err(Unproven::Unavailable),
            }
        } else {
            self.accounts.load().get(user)
        };
        let now = i64::try_from(clock::wall().as_secs()).unwrap_or(i64::MAX);
        Ok(match account {
            None => Known::Nothing("no such user, or none with a password"),
            Some(account) if account.is_over(now) => {
                Known::Nothing("its password has expired (VALID UNTIL of the role, or valid_until in users_file)")
            }
            Some(account) => Known::Account(account),
        })
    }
}

fn accounts(login: &Login) -> Accounts {
    match login {
        Login::Relay | Login::Query(_) => Accounts::default(),
        Login::Users(users) => Accounts::new(&users.users),
    }
}

fn query(login: &Login) -> Option<AuthQuery> {
    match login {
        Login::Query(query) => Some(query.clone()),
        Login::Relay | Login::Users(_) => None,
    }
}

/// The client's next message, which must be an answer.
async fn answer(client: &mut Framed<Stream>) -> Result<Bytes, Unproven> {
    loop {
        if let Some((_, message)) = client.frame(password_head)? {
            return Ok(message);
        }
        client.fill().await?;
    }
}

/// During a login a client may only answer what it was asked.
fn password_head(buf: &[u8]) -> Result<Option<Head>, Malformed> {
    match frame::client_head(buf)? {
        Some(head) if head.code != PASSWORD => Err(Malformed::Code),
        head => Ok(head),
    }
}

async fn send(client: &mut Framed<Stream>, message: &[u8]) -> Result<(), Unproven> {
    client.send(message).await.map_err(|_| Unproven::Gone)
}

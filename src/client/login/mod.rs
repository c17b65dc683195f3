//! Checks who a client is, where `login` says that Floodwall does.
//!
//! A name that does not exist, an account whose time is over and a wrong password look alike from outside: the same exchange, the
//! same words, and about the same time. Only the log tells them apart.

mod cleartext;
mod hashed;
mod scram;
#[cfg(test)]
mod tests;

use std::net::IpAddr;
use std::sync::Arc;

use arc_swap::ArcSwap;
use bytes::Bytes;

use crate::auth::Proof;
use crate::auth::accounts::{Account, Accounts};
use crate::auth::derive::{Deriver, NotDerived};
use crate::auth::scram::Turned;
use crate::clock;
use crate::config::Login;
use crate::net::framed::{Broken, Framed};
use crate::net::stream::Stream;
use crate::wire::pg::code::client::PASSWORD;
use crate::wire::pg::frame;
use crate::wire::{Head, Malformed};

/// What the logins of one listener share.
pub struct Logins {
    accounts: ArcSwap<Accounts>,
    deriver: Arc<Deriver>,
    /// Of what names that do not exist are made to look like.
    seed: [u8; 32],
}

impl std::fmt::Debug for Logins {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Logins").finish_non_exhaustive()
    }
}

/// Who wants to come in, and how.
#[derive(Debug, Clone, Copy)]
pub struct Applicant<'a> {
    /// Who it says it is.
    pub user: &'a str,
    /// Where it comes from.
    pub address: IpAddr,
    /// How it shall prove that.
    pub method: Method,
    /// The hash of our certificate (`tls-server-end-point`), where it came by TLS.
    pub binding: Option<&'a [u8]>,
}

/// How a client proves who it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// SCRAM-SHA-256.
    Scram,
    /// The older hash; SCRAM where that is what is stored.
    Md5,
    /// The password as it is.
    Plain,
}

/// Why a client was not believed.
#[derive(Debug)]
pub enum Unproven {
    /// It did not prove it. The words are for the log alone.
    Wrong(&'static str),
    /// It sent what is no message.
    Malformed(Malformed),
    /// It left.
    Gone,
    /// Keys could not be derived in time.
    NotDerived(NotDerived),
}

impl From<Broken> for Unproven {
    fn from(broken: Broken) -> Self {
        match broken {
            Broken::Malformed(why) => Self::Malformed(why),
            Broken::Closed | Broken::Io(_) => Self::Gone,
        }
    }
}

impl From<Malformed> for Unproven {
    fn from(why: Malformed) -> Self {
        Self::Malformed(why)
    }
}

impl From<NotDerived> for Unproven {
    fn from(why: NotDerived) -> Self {
        Self::NotDerived(why)
    }
}

impl From<Turned> for Unproven {
    fn from(why: Turned) -> Self {
        match why {
            Turned::Malformed => Self::Malformed(Malformed::Content),
            Turned::Mechanism => Self::Wrong("it chose a mechanism that was not offered"),
            Turned::Downgrade => {
                Self::Wrong("it was told that channel binding is not possible: somebody stands between")
            }
            Turned::Binding => Self::Wrong("it is bound to another TLS channel: somebody stands between"),
            Turned::Proof => Self::Wrong(WRONG_PASSWORD),
            Turned::Random => Self::Wrong("the system has no random numbers"),
        }
    }
}

const WRONG_PASSWORD: &str = "wrong password";

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
    pub fn new(login: &Login, deriver: Arc<Deriver>) -> Result<Self, getrandom::Error> {
        let mut seed = [0; 32];
        getrandom::fill(&mut seed)?;
        Ok(Self { accounts: ArcSwap::from_pointee(accounts(login)), deriver, seed })
    }

    /// Takes a new configuration. Who is logged in stays.
    pub fn reload(&self, login: &Login) {
        self.accounts.store(Arc::new(accounts(login)));
    }

    /// Lets a client prove who it is; gives what logs in to a server in its name. Not cancel-safe: the exchange is lost.
    ///
    /// # Errors
    /// See [`Unproven`]. Nothing was said to the client then.
    pub async fn prove(&self, client: &mut Framed<Stream>, applicant: &Applicant<'_>) -> Result<Proof, Unproven> {
        let known = self.find(applicant.user);
        match applicant.method {
            Method::Scram => self.scram(client, applicant, known).await,
            Method::Md5 => self.md5(client, applicant, known).await,
            Method::Plain => self.cleartext(client, applicant, known).await,
        }
    }

    fn find(&self, user: &str) -> Known {
        let now = i64::try_from(clock::wall().as_secs()).unwrap_or(i64::MAX);
        match self.accounts.load().get(user) {
            None => Known::Nothing("no such user"),
            Some(account) if account.is_over(now) => Known::Nothing("valid_until is over"),
            Some(account) => Known::Account(account),
        }
    }
}

fn accounts(login: &Login) -> Accounts {
    match login {
        Login::Relay => Accounts::default(),
        Login::Users(users) => Accounts::new(&users.users),
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

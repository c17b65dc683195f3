//! What the server demands, and what we answer with the proof that we have.

use bytes::BytesMut;

use super::account::Account;
use super::failed::LoginFailed;
use super::lacking::Lacking;
use crate::auth::Proof;
use crate::auth::md5::Md5Hash;
use crate::auth::scram::{Challenged, ClientExchange, ClientKeys, Expected};
use crate::net::stream::Stream;
use crate::wire::Malformed;
use crate::wire::pg::auth::{Demand, demand, offers};
use crate::wire::pg::password;

/// A login: its account, and how far it has come.
pub(super) struct Login<'a> {
    account: &'a Account,
    /// The hash of the server's certificate (`tls-server-end-point`), where the connection is encrypted.
    binding: Option<Box<[u8]>>,
    stage: Stage,
}

enum Stage {
    /// Nothing was asked yet.
    Unasked,
    /// A password was sent.
    Answered,
    /// Our first message was sent.
    Begun(ClientExchange),
    /// Our last message was sent.
    Proven(Expected),
    /// The server has proven itself.
    Trusted,
    /// The server is content.
    Done,
}

/// The one mechanism that `oauth` in pg_hba.conf offers, from PostgreSQL 18 on.
const OAUTH: &[u8] = b"OAUTHBEARER\0";

impl<'a> Login<'a> {
    pub(super) fn new(account: &'a Account, stream: &Stream) -> Self {
        Self { account, binding: stream.channel_binding().map(Into::into), stage: Stage::Unasked }
    }

    pub(super) const fn is_done(&self) -> bool {
        matches!(self.stage, Stage::Done)
    }

    /// What to answer to an Authentication message.
    pub(super) async fn answer(&mut self, message: &[u8]) -> Result<Option<BytesMut>, LoginFailed> {
        let stage = std::mem::replace(&mut self.stage, Stage::Unasked);
        let mut out = BytesMut::new();
        self.stage = match (demand(message)?, stage) {
            // Not before the server has proven itself, where it began to: or somebody in its place could leave that out.
            (Demand::Ok, Stage::Unasked | Stage::Answered | Stage::Trusted) => Stage::Done,
            (Demand::Cleartext, Stage::Unasked) => {
                password::password(self.cleartext()?.as_bytes(), &mut out);
                Stage::Answered
            }
            (Demand::Md5(salt), Stage::Unasked) => {
                password::password(self.md5(salt)?.as_bytes(), &mut out);
                Stage::Answered
            }
            (Demand::Sasl(mechanisms), Stage::Unasked) => {
                let exchange = self.begin(mechanisms)?;
                password::sasl_initial(exchange.mechanism(), exchange.first().as_bytes(), &mut out);
                Stage::Begun(exchange)
            }
            (Demand::SaslContinue(challenge), Stage::Begun(exchange)) => {
                let challenged = exchange.challenge(challenge).map_err(distrusted)?;
                let (last, expected) = {
                    let keys = self.keys(&challenged).await?;
                    challenged.answer(&keys)
                };
                password::sasl_response(last.as_bytes(), &mut out);
                Stage::Proven(expected)
            }
            (Demand::SaslFinal(last), Stage::Proven(expected)) => {
                expected.verify(last).map_err(distrusted)?;
                Stage::Trusted
            }
            (Demand::Other(_), Stage::Unasked) => return Err(LoginFailed::NoProof(Lacking::Way)),
            _ => return Err(Malformed::Content.into()),
        };
        Ok(Some(out).filter(|out| !out.is_empty()))
    }

    fn cleartext(&self) -> Result<&str, LoginFailed> {
        match &self.account.proof {
            Proof::Password(password) => Ok(password.reveal()),
            _ => Err(LoginFailed::NoProof(Lacking::Password)),
        }
    }

    fn md5(&self, salt: [u8; 4]) -> Result<String, LoginFailed> {
        match &self.account.proof {
            Proof::Password(password) => Ok(Md5Hash::of(password.reveal(), &self.account.user).answer(salt)),
            Proof::Md5(hash) => Ok(hash.answer(salt)),
            Proof::Nothing | Proof::ScramKeys(_) => Err(LoginFailed::NoProof(Lacking::Md5)),
        }
    }

    fn begin(&self, mechanisms: &[u8]) -> Result<ClientExchange, LoginFailed> {
        if mechanisms.starts_with(OAUTH) {
            return Err(LoginFailed::NoProof(Lacking::Token));
        }
        match &self.account.proof {
            Proof::Password(_) | Proof::ScramKeys(_) => {
                ClientExchange::begin(|mechanism| offers(mechanisms, mechanism), self.binding.as_deref())
                    .map_err(distrusted)
            }
            Proof::Nothing | Proof::Md5(_) => Err(LoginFailed::NoProof(Lacking::Scram)),
        }
    }

    async fn keys(&self, challenged: &Challenged) -> Result<ClientKeys, LoginFailed> {
        let Challenged { salt, iterations, .. } = challenged;
        match &self.account.proof {
            Proof::Password(password) => {
                let keys = password.keys(&self.account.user, salt, *iterations).await;
                keys.map_err(|why| LoginFailed::Crowded(why.to_string()))
            }
            Proof::ScramKeys(keys) if *keys.salt == **salt && keys.iterations == *iterations => Ok(keys.keys.clone()),
            _ => Err(LoginFailed::NoProof(Lacking::SameVerifier)),
        }
    }
}

fn distrusted(why: crate::auth::scram::Unfit) -> LoginFailed {
    LoginFailed::Distrusted(why.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_server_that_wants_a_token_is_told_from_one_that_lies() {
        let account = Account {
            user: "app".to_owned(),
            database: "shop".to_owned(),
            parameters: Vec::new(),
            proof: Proof::Nothing,
        };
        let mut login = Login::new(&account, &Stream::Gone);
        let failed = login.answer(b"R\0\0\0\x15\0\0\0\x0aOAUTHBEARER\0\0").await.unwrap_err();
        assert!(matches!(failed, LoginFailed::NoProof(Lacking::Token)), "{failed}");
    }
}

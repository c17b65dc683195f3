//! SCRAM with a client.

use bytes::BytesMut;

use super::{Applicant, Known, Logins, Unproven, answer, send};
use crate::auth::accounts::Credential;
use crate::auth::derive::{NotDerived, Order};
use crate::auth::scram::{Accepted, ITERATIONS, ServerExchange, Verifier};
use crate::auth::{Password, Proof};
use crate::config::Secret;
use crate::net::framed::Framed;
use crate::net::stream::Stream;
use crate::wire::pg::greeting;
use crate::wire::pg::password::{read_sasl, read_sasl_initial};

impl Logins {
    /// The exchange. The server's last message waits for what is sent next, AuthenticationOk, as it does with PostgreSQL.
    pub(super) async fn scram(
        &self,
        client: &mut Framed<Stream>,
        applicant: &Applicant<'_>,
        known: Known,
    ) -> Result<Proof, Unproven> {
        let binding = applicant.channel.binding.as_deref();
        let mut out = BytesMut::new();
        greeting::ask_sasl(ServerExchange::mechanisms(binding), &mut out);
        send(client, &out.split()).await?;
        let against = self.against(applicant.user, known).await?;
        let first = answer(client).await?;
        let (mechanism, first) = read_sasl_initial(&first)?;
        let (exchange, challenge) = ServerExchange::begin(mechanism, first, binding, against.verifier)?;
        greeting::sasl_continue(challenge.as_bytes(), &mut out);
        send(client, &out.split()).await?;
        let last = answer(client).await?;
        let finished = exchange.finish(read_sasl(&last));
        // The reason comes second to what the exchange says: a mock verifier fits no password.
        let Accepted { last, keys } =
            finished.map_err(|why| against.doomed.map_or_else(|| why.into(), Unproven::Wrong))?;
        if let Some(why) = against.doomed {
            return Err(Unproven::Wrong(why));
        }
        greeting::sasl_final(last.as_bytes(), &mut out);
        client.hold(&out);
        Ok(match against.password {
            Some(password) => Proof::Password(Password::new(password, self.deriver.clone())),
            None => Proof::ScramKeys(Box::new(keys)),
        })
    }

    async fn against(&self, user: &str, known: Known) -> Result<Against, NotDerived> {
        let mock = Verifier::mock(&self.seed, user);
        let account = match known {
            Known::Account(account) => account,
            Known::Nothing(why) => return Ok(Against { verifier: mock, password: None, doomed: Some(why) }),
        };
        match &account.credential {
            Credential::Verifier(verifier) => Ok(Against { verifier: verifier.clone(), password: None, doomed: None }),
            Credential::Password(password) => {
                let order = Order::new(password.reveal(), &mock.salt, ITERATIONS);
                let keys = self.deriver.derive(user, order).await?;
                let verifier = keys.verifier(&mock.salt, ITERATIONS);
                Ok(Against { verifier, password: Some(password.clone()), doomed: None })
            }
            Credential::Md5(_) => Ok(Against { verifier: mock, password: None, doomed: Some(ONLY_MD5) }),
        }
    }
}

const ONLY_MD5: &str = "only an md5 hash is stored for this user, and the client is asked for SCRAM: an [[access]] rule with \
                        method = \"md5\" lets it in";

/// What an exchange is checked against.
struct Against {
    verifier: Verifier,
    /// The password, where it is known.
    password: Option<Secret>,
    /// Why it can't succeed.
    doomed: Option<&'static str>,
}

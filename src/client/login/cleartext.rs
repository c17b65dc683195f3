//! The password as it is.

use bytes::BytesMut;
use subtle::ConstantTimeEq as _;

use super::unproven::WRONG_PASSWORD;
use super::{Applicant, Known, Logins, Unproven, answer, send};
use crate::auth::accounts::Credential;
use crate::auth::derive::{NotDerived, Order};
use crate::auth::md5::Md5Hash;
use crate::auth::scram::Verifier;
use crate::auth::{Password, Proof};
use crate::config::Secret;
use crate::net::framed::Framed;
use crate::net::stream::Stream;
use crate::wire::pg::greeting;
use crate::wire::pg::password::read_password;

/// No password is longer, nor a token that stands in its place: PostgreSQL takes no longer message from whoever logs in, and a frame of one
/// fits what a login may send.
const PASSWORD_MAX: usize = 65_530;

impl Logins {
    /// Asks for the password.
    pub(super) async fn cleartext(
        &self,
        client: &mut Framed<Stream>,
        applicant: &Applicant<'_>,
        known: Known,
    ) -> Result<Proof, Unproven> {
        let mut out = BytesMut::new();
        greeting::ask_cleartext(&mut out);
        send(client, &out).await?;
        let given = answer(client).await?;
        let given = read_password(&given)?;
        if given.len() > PASSWORD_MAX {
            return Err(Unproven::Wrong("a password of more than 65,530 bytes"));
        }
        let given = std::str::from_utf8(given).map_err(|_| Unproven::Wrong("a password that is no UTF-8"))?;
        let given = Secret::new(given);
        if given.reveal().is_empty() {
            return Err(Unproven::Empty);
        }
        self.check(applicant, known, &given).await?;
        Ok(Proof::Password(Password::new(given, self.deriver.clone())))
    }

    async fn check(&self, applicant: &Applicant<'_>, known: Known, given: &Secret) -> Result<(), Unproven> {
        let (right, doomed) = match known {
            Known::Account(account) => match &account.credential {
                Credential::Password(password) => {
                    let right = password.reveal().as_bytes().ct_eq(given.reveal().as_bytes()).into();
                    (right, None)
                }
                Credential::Verifier(verifier) => (self.fits(applicant, verifier, given).await?, None),
                Credential::Md5(hash) => (Md5Hash::of(given.reveal(), applicant.user) == *hash, None),
            },
            Known::Nothing(why) => {
                // As long as a name with a verifier takes.
                let mock = Verifier::mock(&self.seed, applicant.user);
                (self.fits(applicant, &mock, given).await?, Some(why))
            }
        };
        match (right, doomed) {
            (_, Some(why)) => Err(Unproven::Wrong(why)),
            (true, None) => Ok(()),
            (false, None) => Err(Unproven::Wrong(WRONG_PASSWORD)),
        }
    }

    /// Each address takes turns with the others, whatever names it gives.
    async fn fits(&self, applicant: &Applicant<'_>, verifier: &Verifier, given: &Secret) -> Result<bool, NotDerived> {
        let order = Order::new(given.reveal(), &verifier.salt, verifier.iterations);
        let keys = self.deriver.derive(&applicant.address.to_string(), order).await?;
        Ok(keys.verifier(&verifier.salt, verifier.iterations) == *verifier)
    }
}

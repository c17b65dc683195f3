//! The older challenge, by md5.

use bytes::BytesMut;

use super::unproven::WRONG_PASSWORD;
use super::{Applicant, Known, Logins, Unproven, answer, send};
use crate::auth::accounts::Credential;
use crate::auth::md5::Md5Hash;
use crate::auth::{Password, Proof};
use crate::net::framed::Framed;
use crate::net::stream::Stream;
use crate::wire::pg::greeting;
use crate::wire::pg::password::read_password;

impl Logins {
    /// Asks for md5. Where a SCRAM verifier is stored, asks for SCRAM instead, as PostgreSQL does.
    pub(super) async fn md5(
        &self,
        client: &mut Framed<Stream>,
        applicant: &Applicant<'_>,
        known: Known,
    ) -> Result<Proof, Unproven> {
        if let Known::Account(account) = &known
            && let Credential::Verifier(_) = account.credential
        {
            return self.scram(client, applicant, known).await;
        }
        let mut salt = [0; 4];
        getrandom::fill(&mut salt).map_err(|_| Unproven::Wrong("the system has no random numbers"))?;
        let mut out = BytesMut::new();
        greeting::ask_md5(salt, &mut out);
        send(client, &out).await?;
        let given = answer(client).await?;
        let given = read_password(&given)?;
        let account = match known {
            Known::Account(account) => account,
            Known::Nothing(why) => return Err(Unproven::Wrong(why)),
        };
        let (hash, proof) = match &account.credential {
            Credential::Password(password) => {
                let proof = Proof::Password(Password::new(password.clone(), self.deriver.clone()));
                (Md5Hash::of(password.reveal(), applicant.user), proof)
            }
            Credential::Md5(hash) => (hash.clone(), Proof::Md5(hash.clone())),
            Credential::Verifier(_) => return Err(Unproven::Wrong(WRONG_PASSWORD)),
        };
        if hash.is_answered(salt, given) { Ok(proof) } else { Err(Unproven::Wrong(WRONG_PASSWORD)) }
    }
}

//! Clients that are asked for nothing: by trust, or since their certificate says who they are.

use super::{Applicant, Known, Logins, Unproven};
use crate::auth::accounts::Credential;
use crate::auth::{Password, Proof};

impl Logins {
    /// A certificate of that name, which TLS has verified.
    pub(super) fn certificate(&self, applicant: &Applicant<'_>, known: &Known) -> Result<Proof, Unproven> {
        match applicant.channel.certificate.as_deref() {
            Some(name) if name == applicant.user => Ok(self.on_trust(known)),
            Some(_) => Err(Unproven::Wrong("its certificate is of another name")),
            None => Err(Unproven::Wrong("it has no certificate")),
        }
    }

    /// The server says whether the user exists.
    pub(super) fn on_trust(&self, known: &Known) -> Proof {
        let Known::Account(account) = known else { return Proof::Nothing };
        match &account.credential {
            Credential::Password(password) => Proof::Password(Password::new(password.clone(), self.deriver.clone())),
            Credential::Md5(hash) => Proof::Md5(hash.clone()),
            Credential::Verifier(_) => Proof::Nothing,
        }
    }
}

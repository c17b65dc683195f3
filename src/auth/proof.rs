//! With what Floodwall logs in to a server in a client's name.

use std::sync::Arc;

use super::derive::{Deriver, NotDerived, Order};
use super::md5::Md5Hash;
use super::scram::{ClientKeys, ScramKeys};
use crate::config::Secret;

/// With what Floodwall logs in to a server in a client's name. Two proofs are equal where the same server would take both.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Proof {
    /// With nothing: only a server that asks for nothing lets us in.
    #[default]
    Nothing,
    /// With the password: fits every way of asking.
    Password(Password),
    /// With the keys of a SCRAM exchange: fits a server that has the same verifier.
    ScramKeys(Box<ScramKeys>),
    /// With the hash that PostgreSQL stores: fits a server that asks for md5.
    Md5(Md5Hash),
}

/// A password, and the threads that make keys of it.
#[derive(Debug, Clone)]
pub struct Password {
    secret: Secret,
    deriver: Arc<Deriver>,
}

impl PartialEq for Password {
    fn eq(&self, other: &Self) -> bool {
        self.secret == other.secret
    }
}

impl Eq for Password {}

impl Password {
    /// A password whose keys `deriver` makes.
    pub const fn new(secret: Secret, deriver: Arc<Deriver>) -> Self {
        Self { secret, deriver }
    }

    /// The password itself.
    pub fn reveal(&self) -> &str {
        self.secret.reveal()
    }

    /// The keys for a server's salt and iterations. Waits for the threads; cancel-safe.
    ///
    /// # Errors
    /// Too many wait already, or more iterations than anybody needs.
    pub async fn keys(&self, who: &str, salt: &[u8], iterations: u32) -> Result<ClientKeys, NotDerived> {
        self.deriver.derive(who, Order::new(self.secret.reveal(), salt, iterations)).await
    }
}

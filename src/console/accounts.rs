//! Who may log in to the console.

use std::collections::HashMap;
use std::fmt;
use std::io;
use std::path::Path;
use std::sync::Arc;

use arc_swap::ArcSwap;
use pgwire::api::auth::sasl::scram::{SCRAM_ITERATIONS, ScramSecret, gen_salted_password};

use super::password;
use crate::config::{AdminUser, Role};

/// Who logged in.
#[derive(Debug, Clone)]
pub(super) struct Operator {
    /// Who they have proved to be, fit for a log.
    pub(super) name: String,
    /// What they may do.
    pub(super) role: Role,
}

/// The accounts of the console, replaced whole by RELOAD.
///
/// Only SCRAM verifiers are kept. Salts come from the name and a seed of this process, for names that exist and for names
/// that do not, so an exchange does not tell which names exist. `pgwire` compares the hash of the client's key with `==`:
/// the hash is of a value that the server's fresh nonce changes each time, so its timing tells nothing that can be used
/// again.
pub struct Accounts {
    seed: [u8; 32],
    users: ArcSwap<HashMap<String, Account>>,
    generated: bool,
}

struct Account {
    role: Role,
    keys: Keys,
}

#[derive(Clone)]
struct Keys {
    stored: Vec<u8>,
    server: Vec<u8>,
}

/// Why there are no accounts.
#[derive(Debug, thiserror::Error)]
pub enum AccountsError {
    /// The generated password could not be read or written.
    #[error("cannot keep the console password in {path}: {source}")]
    Password {
        /// The folder.
        path: String,
        /// What the system said.
        source: io::Error,
    },
    /// The system has no random numbers.
    #[error("no random numbers: {0}")]
    Random(getrandom::Error),
}

impl Accounts {
    /// The configured accounts, or `admin` with a generated password where there are none.
    ///
    /// # Errors
    /// The generated password can't be kept in `state_dir`, or the system has no random numbers.
    pub fn open(users: &[AdminUser], state_dir: &Path) -> Result<Arc<Self>, AccountsError> {
        let mut seed = [0u8; 32];
        getrandom::fill(&mut seed).map_err(AccountsError::Random)?;
        let accounts = Self { seed, users: ArcSwap::default(), generated: users.is_empty() };
        if users.is_empty() {
            let (password, _) = password::read_or_make(state_dir, password::FILE)
                .map_err(|source| AccountsError::Password { path: state_dir.display().to_string(), source })?;
            accounts.replace(&[AdminUser { name: "admin".to_owned(), role: Role::Admin, password }]);
        } else {
            accounts.replace(users);
        }
        Ok(Arc::new(accounts))
    }

    /// Replaces the configured accounts; who is logged in stays. Costs about a millisecond for each, so call it from where
    /// that may be. Without any, the accounts stay as they are.
    pub fn replace(&self, users: &[AdminUser]) {
        if users.is_empty() {
            return;
        }
        let made = users.iter().map(|user| {
            let salted = gen_salted_password(user.password.reveal(), &self.salt(&user.name), SCRAM_ITERATIONS);
            (user.name.clone(), Account { role: user.role, keys: Keys::of(salted) })
        });
        self.users.store(Arc::new(made.collect()));
    }

    /// Whether the only account is the generated one.
    pub const fn is_generated(&self) -> bool {
        self.generated
    }

    /// What the SCRAM exchange of a name needs, and the role if the name exists. For other names the exchange fails at its
    /// end, like one with a wrong password.
    pub(super) fn secret(&self, name: &str) -> (ScramSecret, Option<Role>) {
        let users = self.users.load();
        let account = users.get(name);
        // No password leads to the seed as a key.
        let keys =
            account.map_or_else(|| Keys { stored: self.seed.into(), server: self.seed.into() }, |a| a.keys.clone());
        let secret = ScramSecret::Verifier {
            salt: self.salt(name),
            iterations: SCRAM_ITERATIONS,
            stored_key: keys.stored,
            server_key: keys.server,
        };
        (secret, account.map(|account| account.role))
    }

    fn salt(&self, name: &str) -> Vec<u8> {
        let mut salt = gen_salted_password(name, &self.seed, 1);
        salt.truncate(16);
        salt
    }
}

impl Keys {
    fn of(salted_password: Vec<u8>) -> Self {
        match ScramSecret::verifier_from_salted_password(Vec::new(), salted_password, SCRAM_ITERATIONS) {
            ScramSecret::Verifier { stored_key, server_key, .. } => Self { stored: stored_key, server: server_key },
            ScramSecret::SaltedPassword { .. } => Self { stored: Vec::new(), server: Vec::new() },
        }
    }
}

impl fmt::Debug for Accounts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Accounts").field("users", &self.users.load().len()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Secret;

    fn salt(accounts: &Accounts, name: &str) -> Vec<u8> {
        match accounts.secret(name).0 {
            ScramSecret::Verifier { salt, .. } | ScramSecret::SaltedPassword { salt, .. } => salt,
        }
    }

    #[test]
    fn unknown_names_look_like_known_ones() {
        let dir = tempfile::tempdir().unwrap();
        let accounts = Accounts::open(&[], dir.path()).unwrap();
        assert!(accounts.is_generated());
        assert_eq!(accounts.secret("admin").1, Some(Role::Admin));
        assert_eq!(accounts.secret("nobody").1, None);
        assert_eq!(salt(&accounts, "nobody"), salt(&accounts, "nobody"));
        assert_ne!(salt(&accounts, "nobody"), salt(&accounts, "admin"));
        assert_eq!(salt(&accounts, "nobody").len(), salt(&accounts, "admin").len());
    }

    #[test]
    fn reload_replaces_accounts_and_keeps_salts() {
        let dir = tempfile::tempdir().unwrap();
        let user = |name: &str, role| AdminUser { name: name.to_owned(), role, password: Secret::new("secret") };
        let accounts = Accounts::open(&[user("a", Role::Read)], dir.path()).unwrap();
        let before = salt(&accounts, "b");
        accounts.replace(&[user("b", Role::Admin)]);
        assert_eq!((accounts.secret("a").1, accounts.secret("b").1), (None, Some(Role::Admin)));
        assert_eq!(salt(&accounts, "b"), before);
        assert!(!dir.path().join(password::FILE).exists());
    }
}

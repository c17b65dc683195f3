//! What proves that somebody is a user.

use std::collections::HashMap;
use std::sync::Arc;

use super::md5::Md5Hash;
use super::scram::Verifier;
use crate::config::{Secret, User, UserSecret};

/// What proves that somebody is a user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Credential {
    /// The password itself.
    Password(Secret),
    /// What SCRAM leaves of it.
    Verifier(Verifier),
    /// What md5 leaves of it.
    Md5(Md5Hash),
}

impl Credential {
    /// Reads what a server stores in `rolpassword`; `None` where it is neither kind of hash.
    pub fn stored(text: &str) -> Option<Self> {
        Verifier::parse(text).map(Self::Verifier).or_else(|| Md5Hash::parse(text).map(Self::Md5))
    }
}

/// A user who may log in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// What proves it.
    pub credential: Credential,
    /// From then on it proves nothing: seconds since 1970.
    pub valid_until: Option<i64>,
}

impl Account {
    /// True where its time is over, at `now` in seconds since 1970.
    pub fn is_over(&self, now: i64) -> bool {
        self.valid_until.is_some_and(|end| now >= end)
    }
}

/// Users by name.
#[derive(Debug, Default)]
pub struct Accounts(HashMap<Box<str>, Arc<Account>>);

impl Accounts {
    /// Of a file of users.
    pub fn new(users: &[User]) -> Self {
        let account = |user: &User| {
            let credential = match &user.secret {
                UserSecret::Password(password) => Some(Credential::Password(password.clone())),
                UserSecret::Verifier(text) | UserSecret::Md5(text) => Credential::stored(text.reveal()),
            };
            let account = Account { credential: credential?, valid_until: user.valid_until };
            Some((user.name.as_str().into(), Arc::new(account)))
        };
        Self(users.iter().filter_map(account).collect())
    }

    /// The user of that name.
    pub fn get(&self, user: &str) -> Option<Arc<Account>> {
        self.0.get(user).cloned()
    }
}

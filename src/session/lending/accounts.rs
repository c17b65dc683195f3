//! As whom the servers of each pool are logged in: the same for all workers, since the client that has proven it last may be another
//! worker's. After a change of its password the old proof opens no server.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use super::Key;
use crate::server::account::Account;

/// One pool's account.
#[derive(Debug)]
pub(super) struct Shared(Mutex<Account>);

/// The accounts of all pools of a listener.
#[derive(Debug, Default)]
pub(super) struct Accounts(Mutex<HashMap<Key, Weak<Shared>>>);

impl Accounts {
    /// The account of a pool, which is `account` from now on, on every worker. Gone with the last worker's part of the pool.
    pub(super) fn of(&self, key: &Key, account: Account) -> Arc<Shared> {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(shared) = known.get(key).and_then(Weak::upgrade) {
            shared.set(account);
            return shared;
        }
        known.retain(|_, shared| shared.strong_count() > 0);
        let shared = Arc::new(Shared(Mutex::new(account)));
        known.insert(key.clone(), Arc::downgrade(&shared));
        shared
    }
}

impl Shared {
    /// What the next server is logged in with.
    pub(super) fn set(&self, account: Account) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = account;
    }

    /// The account as it is now.
    pub(super) fn get(&self) -> Account {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::auth::Proof;

    fn account(parameter: &str) -> Account {
        let parameters = vec![(parameter.to_owned(), String::new())];
        Account { user: "app".to_owned(), database: "shop".to_owned(), parameters, proof: Proof::Nothing }
    }

    #[test]
    fn what_was_proven_last_holds_on_every_worker() {
        let accounts = Accounts::default();
        let key = Key { user: "app".to_owned(), database: "shop".to_owned() };
        let here = accounts.of(&key, account("old"));
        let there = accounts.of(&key, account("new"));
        assert_eq!(here.get().parameters[0].0, "new");
        drop((here, there));
        let other = Key { user: "web".to_owned(), ..key };
        let _web = accounts.of(&other, account("web"));
        assert_eq!(accounts.0.lock().unwrap().len(), 1, "a pool that is gone leaves nothing");
    }
}

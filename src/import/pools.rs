//! The pools of single databases and users, in the order in which PgBouncer asks them.

use super::listener::Listener;
use super::sizes::{Sizes, Whose};

/// The entries for all pools, in their order: what is said of a user goes before what is said of a database, as with PgBouncer, and what
/// only the database says stands with both.
pub(super) fn entries(listeners: &[&Listener], users: &[(String, Sizes)], least: u64) -> Vec<String> {
    let several = listeners.len() > 1;
    let databases = || {
        listeners.iter().flat_map(|listener| {
            let whose = move |database| Whose {
                database: Some(database),
                listener: several.then_some(&*listener.name),
                user: None,
            };
            listener.databases.iter().map(move |known| (whose(&known.key), listener.beyond(known.sizes)))
        })
    };
    let mut texts = Vec::new();
    for (user, sizes) in users {
        let more = databases().filter(|(_, beyond)| sizes.or(*beyond) != *sizes);
        let both = more.map(|(whose, beyond)| (Whose { user: Some(user), ..whose }, sizes.or(beyond)));
        texts.extend(both.filter_map(|(whose, sizes)| sizes.within(least).text(whose)));
        texts.extend(sizes.within(least).text(Whose { user: Some(user), ..Whose::default() }));
    }
    texts.extend(databases().filter_map(|(whose, sizes)| sizes.within(least).text(whose)));
    texts
}

impl Listener {
    /// What pools of a database have that those of all others have not.
    fn beyond(&self, own: Sizes) -> Sizes {
        let size = own.pool_size.unwrap_or(self.pool_size);
        Sizes {
            pool_size: own.pool_size.filter(|size| *size != self.pool_size),
            min_pool_size: own.min_pool_size.map(|least| least.min(size)),
            ..own
        }
    }
}

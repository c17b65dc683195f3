//! The pools of single databases and users, in the order in which PgBouncer asks them.

use super::database::Database;
use super::listener::Listener;
use super::pattern::is_pattern;
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
            let named = listener.databases.iter().filter(|known| !is_pattern(&known.key));
            named.map(move |known| (whose(&known.key), listener.beyond(known), listener.pool))
        })
    };
    let mut texts = Vec::new();
    for (user, sizes) in users.iter().filter(|(_, sizes)| *sizes != Sizes::default()) {
        let both = databases().map(|(whose, beyond, usual)| (whose, sizes.or(beyond).beside(usual), usual));
        let more = both.filter(|(_, own, usual)| *own != sizes.beside(*usual));
        // The first entry that fits decides, so these go before the one for all databases.
        let first = more.map(|(whose, own, _)| (Whose { user: Some(user), ..whose }, own));
        texts.extend(first.filter_map(|(whose, own)| own.within(least).text(whose)));
        texts.extend(sizes.of_mode().within(least).text(Whose { user: Some(user), ..Whose::default() }));
    }
    texts.extend(databases().filter_map(|(whose, beyond, usual)| beyond.beside(usual).within(least).text(whose)));
    texts
}

impl Listener {
    /// What pools of a database have that those of all others have not, and their mode.
    fn beyond(&self, known: &Database) -> Sizes {
        Sizes {
            mode: Some(known.mode),
            pool_size: Some(known.pool_size).filter(|size| *size != self.pool_size),
            min_pool_size: known.sizes.min_pool_size.map(|least| least.min(known.pool_size)),
            ..known.sizes
        }
    }
}

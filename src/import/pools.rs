//! The pools of single databases and users, in the order in which PgBouncer asks them.

use super::database::Database;
use super::listener::Listener;
use super::pattern::is_pattern;
use super::sizes::{Sizes, Whose};

/// The entries for all pools, in their order: what is said of a user goes before what is said of a database, as with PgBouncer, and what
/// only the database says stands with both.
pub(super) fn entries(listeners: &[Listener], users: &[(String, Sizes)], least: u64) -> Vec<String> {
    let several = listeners.len() > 1;
    let databases = || {
        listeners.iter().flat_map(|listener| {
            let whose = move |database| Whose {
                database: Some(database),
                listener: several.then_some(&*listener.name),
                user: None,
            };
            let named = listener.databases.iter().filter(|known| !is_pattern(&known.key));
            named.map(move |known| (known, whose(&known.key), listener))
        })
    };
    let mut texts = Vec::new();
    for (user, sizes) in users.iter().filter(|(_, sizes)| *sizes != Sizes::default()) {
        // Where all clients are one role, pools are of that one.
        let theirs = databases().filter(|(known, ..)| known.role.as_ref().is_none_or(|role| role.name == *user));
        let both = theirs.map(|(known, whose, listener)| {
            let own = sizes.or(listener.beyond(known)).beside(listener.pool);
            (whose, own, sizes.beside(listener.pool))
        });
        // The first entry that fits decides, so these go before the one for all databases.
        let first = both.filter(|(_, own, usual)| own != usual);
        texts.extend(first.filter_map(|(whose, own, _)| own.within(least).text(Whose { user: Some(user), ..whose })));
        texts.extend(sizes.of_mode().within(least).text(Whose { user: Some(user), ..Whose::default() }));
    }
    texts.extend(
        databases().filter_map(|(known, whose, listener)| {
            listener.beyond(known).beside(listener.pool).within(least).text(whose)
        }),
    );
    texts
}

impl Listener {
    /// What pools of a database have that those of all others have not, and their mode.
    fn beyond(&self, known: &Database) -> Sizes {
        Sizes {
            mode: Some(known.mode),
            pool_size: Some(known.pool_size).filter(|size| *size != self.pool_size),
            max_db_connections: Some(known.max_connections).filter(|most| *most != self.max_db_connections),
            min_pool_size: known.sizes.min_pool_size.map(|least| least.min(known.pool_size)),
            ..known.sizes
        }
    }
}

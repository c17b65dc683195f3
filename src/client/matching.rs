//! Whom a `[[client]]` entry means.

use ipnet::IpNet;
use wildmatch::WildMatch;

use crate::config::ClientMatch;
use crate::roster::Identity;

/// Names of PostgreSQL are cut at 63 bytes (`NAMEDATALEN` less one): a longer name is the same role, not a new client.
pub const NAME_BYTES_MAX: usize = 63;

/// The `match` table of a `[[client]]`, ready to be asked.
#[derive(Debug)]
pub struct Matcher {
    user: WildMatch,
    database: WildMatch,
    application_name: WildMatch,
    by_application_name: bool,
    networks: Vec<IpNet>,
    listener: WildMatch,
}

impl Matcher {
    /// Compiles the globs.
    pub fn new(matches: &ClientMatch) -> Self {
        Self {
            user: glob(&matches.user),
            database: glob(&matches.database),
            application_name: glob(&matches.application_name),
            by_application_name: matches.application_name != "*",
            networks: matches.addresses.clone(),
            listener: WildMatch::new(&matches.listener),
        }
    }

    /// True where every part matches.
    pub fn matches(&self, identity: &Identity) -> bool {
        let address = identity.address.to_canonical();
        self.user.matches(cut(&identity.user))
            && self.database.matches(cut(&identity.database))
            && self.application_name.matches(cut(&identity.application_name))
            && self.listener.matches(&identity.listener)
            && (self.networks.is_empty() || self.networks.iter().any(|network| network.contains(&address)))
    }

    /// True where it looks at a name that the client chooses freely: such an entry may only tighten.
    pub const fn by_application_name(&self) -> bool {
        self.by_application_name
    }
}

/// A glob over names of the server: one without a pattern is cut as they are, or it would match nobody.
pub fn glob(text: &str) -> WildMatch {
    WildMatch::new(if text.contains(['*', '?']) { text } else { cut(text) })
}

/// A name as the server cuts it.
pub fn cut(name: &str) -> &str {
    let end = (0..=NAME_BYTES_MAX.min(name.len())).rev().find(|at| name.is_char_boundary(*at));
    end.and_then(|end| name.get(..end)).unwrap_or_default()
}

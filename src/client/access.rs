//! Who may come in from where, and how they prove who they are: `[[access]]`.

use ipnet::IpNet;
use wildmatch::WildMatch;

use super::channel::Channel;
use super::matching::{cut, glob};
use crate::config::{AccessMethod, AccessRule};
use crate::roster::Identity;

/// The entries of one listener, in their order.
#[derive(Debug, Default)]
pub struct Access {
    entries: Vec<Entry>,
}

#[derive(Debug)]
struct Entry {
    user: WildMatch,
    database: WildMatch,
    networks: Vec<IpNet>,
    tls: Option<bool>,
    method: AccessMethod,
}

impl Access {
    /// Those entries of `rules` that hold for `listener`.
    pub fn new(rules: &[AccessRule], listener: &str) -> Self {
        // An entry for another listener must not count as one that did not match.
        let own = rules.iter().filter(|rule| WildMatch::new(&rule.listener).matches(listener));
        Self { entries: own.map(Entry::new).collect() }
    }

    /// How somebody has to prove who they are; `None`: no entry lets them in. Without any entry everybody comes in by SCRAM.
    pub fn method(&self, identity: &Identity, channel: &Channel) -> Option<AccessMethod> {
        if self.entries.is_empty() {
            return Some(AccessMethod::Scram);
        }
        let entry = self.entries.iter().find(|entry| entry.matches(identity, channel));
        entry.map(|entry| entry.method).filter(|method| *method != AccessMethod::Reject)
    }
}

impl Entry {
    fn new(rule: &AccessRule) -> Self {
        Self {
            user: glob(&rule.user),
            database: glob(&rule.database),
            networks: rule.addresses.clone(),
            tls: rule.tls,
            method: rule.method,
        }
    }

    fn matches(&self, identity: &Identity, channel: &Channel) -> bool {
        let address = identity.address.to_canonical();
        self.user.matches(cut(&identity.user))
            && self.database.matches(cut(&identity.database))
            && self.tls.is_none_or(|wanted| wanted == channel.tls)
            && (self.networks.is_empty() || self.networks.iter().any(|network| network.contains(&address)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(user: &str, address: &str, tls: Option<bool>, method: AccessMethod) -> AccessRule {
        AccessRule {
            listener: "main".to_owned(),
            user: user.to_owned(),
            database: "*".to_owned(),
            addresses: vec![address.parse().unwrap()],
            tls,
            method,
        }
    }

    fn who(user: &str, address: &str) -> Identity {
        Identity {
            listener: "main".into(),
            user: user.to_owned(),
            database: "shop".to_owned(),
            role: None,
            application_name: String::new(),
            address: address.parse().unwrap(),
        }
    }

    /// PostgreSQL cuts names at 63 bytes: who is kept out by a longer one came in by the same.
    #[test]
    fn a_name_that_is_too_long_keeps_out_whom_the_server_takes_for_it() {
        let long = "a".repeat(70);
        let rules =
            [rule(&long, "0.0.0.0/0", None, AccessMethod::Reject), rule("*", "0.0.0.0/0", None, AccessMethod::Scram)];
        let access = Access::new(&rules, "main");
        let method = |user: &str| access.method(&who(user, "127.0.0.1"), &Channel::default());
        assert_eq!((method(&long), method(long.get(..63).unwrap())), (None, None));
        assert_eq!(method(long.get(..62).unwrap()), Some(AccessMethod::Scram));
    }

    #[test]
    fn the_first_entry_that_matches_decides() {
        let rules = [
            rule("root*", "0.0.0.0/0", None, AccessMethod::Reject),
            rule("*", "127.0.0.0/8", None, AccessMethod::Trust),
            rule("*", "10.0.0.0/8", Some(true), AccessMethod::Cert),
            rule("*", "10.0.0.0/8", None, AccessMethod::Scram),
        ];
        let access = Access::new(&rules, "main");
        for (user, address, tls, expected) in [
            ("root", "127.0.0.1", false, None),
            ("app", "127.0.0.1", false, Some(AccessMethod::Trust)),
            ("app", "::ffff:127.0.0.1", false, Some(AccessMethod::Trust)),
            ("app", "10.1.1.1", true, Some(AccessMethod::Cert)),
            ("app", "10.1.1.1", false, Some(AccessMethod::Scram)),
            ("app", "192.0.2.1", false, None),
        ] {
            assert_eq!(
                access.method(&who(user, address), &Channel { tls, ..Channel::default() }),
                expected,
                "{user} {address} {tls}"
            );
        }
        assert_eq!(
            Access::new(&rules, "other").method(&who("root", "192.0.2.1"), &Channel::default()),
            Some(AccessMethod::Scram)
        );
    }
}

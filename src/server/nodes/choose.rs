//! The choice itself: a function of what is known.

use std::sync::Arc;

use super::health::{Health, State};
use super::probe::Role;

/// One server with what is known of it.
#[derive(Debug)]
pub(super) struct Candidate {
    pub(super) server: Arc<str>,
    pub(super) health: Health,
}

/// The server to use: the one used last while it is fit, else the first primary that answers, else the first that answers and is
/// not known to be a standby. `None`: nobody is fit.
pub(super) fn choose(candidates: &[Candidate], last: Option<&str>) -> Option<Arc<str>> {
    let fit = |role: Role| {
        let fit = move |candidate: &&Candidate| (candidate.health.state, candidate.health.role) == (State::Up, role);
        let kept = candidates.iter().filter(fit).find(|candidate| last == Some(&candidate.server));
        kept.or_else(|| candidates.iter().find(fit))
    };
    fit(Role::Primary).or_else(|| fit(Role::Unknown)).map(|candidate| Arc::clone(&candidate.server))
}

#[cfg(test)]
mod tests {
    use super::super::probe::Found;
    use super::*;

    /// What was found of `a` and `b`, the server used last, and the one to use.
    type Case<'a> = (&'a [&'a Vec<Found>; 2], Option<&'a str>, Option<&'a str>);

    fn candidate(server: &str, seen: &[Found]) -> Candidate {
        let mut health = Health::unknown();
        for found in seen {
            health.note(found);
        }
        Candidate { server: server.into(), health }
    }

    #[test]
    fn the_first_primary_that_answers_is_used_and_kept() {
        let is = |role| vec![Found::Role(role)];
        let (primary, standby, unknown) = (is(Role::Primary), is(Role::Standby), is(Role::Unknown));
        let down = vec![Found::Role(Role::Primary), Found::Down("gone".into())];
        let full = vec![Found::Role(Role::Primary), Found::Refused("53300".into())];
        let refused = vec![Found::Refused("28P01".into())];
        let table: [Case<'_>; 12] = [
            (&[&primary, &standby], None, Some("a")),
            (&[&standby, &primary], None, Some("b")),
            (&[&standby, &primary], Some("a"), Some("b")),
            (&[&primary, &primary], None, Some("a")),
            (&[&primary, &primary], Some("b"), Some("b")),
            (&[&down, &standby], Some("a"), None),
            (&[&down, &primary], Some("a"), Some("b")),
            (&[&full, &standby], Some("a"), Some("a")),
            (&[&unknown, &standby], None, Some("a")),
            (&[&unknown, &primary], Some("a"), Some("b")),
            (&[&refused, &refused], None, Some("a")),
            (&[&standby, &standby], Some("a"), None),
        ];
        for ([a, b], last, used) in table {
            let candidates = [candidate("a", a), candidate("b", b)];
            assert_eq!(choose(&candidates, last).as_deref(), used, "{candidates:?} after {last:?}");
        }
        assert_eq!(choose(&[candidate("a", &[])], None), None, "nobody is chosen unseen");
    }
}

//! What the server reports of a session's parameters, as one client was told and as one server has told.

use crate::wire::pg::reply::Parameter;

/// Parameters that are kept; servers report about 15.
const PARAMETERS_MAX: usize = 64;

/// Values of reported parameters by name, sorted.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Reported(Vec<Parameter>);

impl Reported {
    /// What a server reported while it was logged in to.
    pub fn of(parameters: impl IntoIterator<Item = Parameter>) -> Self {
        let mut reported = Self::default();
        parameters.into_iter().for_each(|parameter| reported.take(parameter));
        reported
    }

    /// A parameter has changed.
    pub fn take(&mut self, parameter: Parameter) {
        match self.0.binary_search_by(|known| known.name.cmp(&parameter.name)) {
            Ok(at) => {
                if let Some(known) = self.0.get_mut(at) {
                    *known = parameter;
                }
            }
            Err(at) if self.0.len() < PARAMETERS_MAX => self.0.insert(at, parameter),
            Err(_) => {}
        }
    }

    /// The value of a parameter.
    pub fn value(&self, name: &[u8]) -> Option<&[u8]> {
        let at = self.0.binary_search_by(|known| (*known.name).cmp(name)).ok()?;
        self.0.get(at).map(|known| &*known.value)
    }

    /// What a client that was told this must be told when it gets a server that has told `server`. Once its settings are replayed,
    /// nearly always nothing.
    pub fn news<'a>(&'a self, server: &'a Self) -> impl Iterator<Item = &'a Parameter> {
        // Most often both are equal in length and order.
        server.0.iter().enumerate().filter_map(|(at, now)| {
            let told = self.0.get(at).filter(|told| told.name == now.name).map(|told| &*told.value);
            (told.or_else(|| self.value(&now.name)) != Some(&*now.value)).then_some(now)
        })
    }

    /// All of them, sorted by name.
    pub fn iter(&self) -> impl Iterator<Item = &Parameter> {
        self.0.iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parameter(name: &str, value: &str) -> Parameter {
        Parameter { name: name.as_bytes().into(), value: value.as_bytes().into() }
    }

    #[test]
    fn a_client_is_told_what_differs_and_nothing_else() {
        let server = Reported::of([parameter("b", "1"), parameter("a", "1"), parameter("c", "1")]);
        let mut client = server.clone();
        assert_eq!(client.news(&server).count(), 0);
        client.take(parameter("b", "2"));
        assert_eq!(client.news(&server).collect::<Vec<_>>(), [&parameter("b", "1")]);
        let less = Reported::of([parameter("b", "1")]);
        assert_eq!(less.news(&server).map(|news| &*news.name).collect::<Vec<_>>(), [b"a", b"c"]);
        assert_eq!(server.news(&less).count(), 0);
    }

    #[test]
    fn no_server_makes_it_grow_without_bound() {
        let reported = Reported::of((0..1_000).map(|n| parameter(&n.to_string(), "x")));
        assert_eq!(reported.iter().count(), PARAMETERS_MAX);
    }
}

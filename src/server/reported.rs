//! What the server reports of a session's parameters, as one client was told and as one server has told.

use crate::wire::pg::reply::Parameter;

/// Parameters that are kept; servers report about 15.
const PARAMETERS_MAX: usize = 64;

/// Values of reported parameters by name, sorted.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Reported {
    parameters: Vec<Parameter>,
    /// See [`Reported::literals`].
    literals: Vec<u8>,
}

/// Parameters by which the server makes values of literals, and characters of bytes. Source: PostgreSQL manual, "Date/Time Input",
/// "Interval Input", "String Constants".
const LITERALS: [&[u8]; 5] =
    [b"DateStyle", b"IntervalStyle", b"TimeZone", b"client_encoding", b"standard_conforming_strings"];

impl Reported {
    /// What a server reported while it was logged in to.
    pub fn of(parameters: impl IntoIterator<Item = Parameter>) -> Self {
        let mut reported = Self::default();
        parameters.into_iter().for_each(|parameter| reported.take(parameter));
        reported
    }

    /// A parameter has changed.
    pub fn take(&mut self, parameter: Parameter) {
        let is_of_literals = LITERALS.contains(&&*parameter.name);
        match self.parameters.binary_search_by(|known| known.name.cmp(&parameter.name)) {
            Ok(at) => {
                if let Some(known) = self.parameters.get_mut(at) {
                    *known = parameter;
                }
            }
            Err(at) if self.parameters.len() < PARAMETERS_MAX => self.parameters.insert(at, parameter),
            Err(_) => {}
        }
        if is_of_literals {
            self.read_literals();
        }
    }

    fn read_literals(&mut self) {
        let known = self.parameters.iter().filter(|known| LITERALS.contains(&&*known.name));
        self.literals = pairs(known.map(|known| [&*known.name, &*known.value]));
    }

    /// Those that decide what a literal means: name and value, each ended by a NUL.
    pub fn literals(&self) -> &[u8] {
        &self.literals
    }

    /// The value of a parameter.
    pub fn value(&self, name: &[u8]) -> Option<&[u8]> {
        let at = self.parameters.binary_search_by(|known| (*known.name).cmp(name)).ok()?;
        self.parameters.get(at).map(|known| &*known.value)
    }

    /// What a client that was told this must be told when it gets a server that has told `server`. Once its settings are replayed,
    /// nearly always nothing.
    pub fn news<'a>(&'a self, server: &'a Self) -> impl Iterator<Item = &'a Parameter> {
        // Most often both are equal in length and order.
        server.parameters.iter().enumerate().filter_map(|(at, now)| {
            let told = self.parameters.get(at).filter(|told| told.name == now.name).map(|told| &*told.value);
            (told.or_else(|| self.value(&now.name)) != Some(&*now.value)).then_some(now)
        })
    }

    /// All of them, sorted by name.
    pub fn iter(&self) -> impl Iterator<Item = &Parameter> {
        self.parameters.iter()
    }
}

/// Names and values, each ended by a NUL, which neither holds.
pub fn pairs<'a>(pairs: impl Iterator<Item = [&'a [u8]; 2]>) -> Vec<u8> {
    pairs.flatten().flat_map(|part| part.iter().chain(&[0])).copied().collect()
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
    fn what_literals_depend_on_is_as_it_was_told_last() {
        let mut reported = Reported::of([parameter("TimeZone", "UTC"), parameter("is_superuser", "off")]);
        assert_eq!(reported.literals(), b"TimeZone\0UTC\0");
        reported.take(parameter("DateStyle", "ISO, MDY"));
        reported.take(parameter("TimeZone", "GB"));
        reported.take(parameter("session_authorization", "x"));
        assert_eq!(reported.literals(), b"DateStyle\0ISO, MDY\0TimeZone\0GB\0");
    }

    #[test]
    fn no_server_makes_it_grow_without_bound() {
        let reported = Reported::of((0..1_000).map(|n| parameter(&n.to_string(), "x")));
        assert_eq!(reported.iter().count(), PARAMETERS_MAX);
    }
}

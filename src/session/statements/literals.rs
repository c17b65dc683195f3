//! A statement's literals became values when its client prepared it, and stay what they were: a server that learns it later reads its text
//! under the settings of then, whatever its client has set since.
//!
//! They are set around our Parse until the transaction ends, and back at once. Names and values are those that a server has reported.

use bytes::BytesMut;

use super::entry::{Undo, Wants};
use super::plan::Plan;
use crate::session::state::set_config::{Lasts, calls};
use crate::wire::pg::own;

/// What sets them, as a statement and as a portal. No client can have either.
const SETTER: &[u8] = b"FLOODWALL_SET";

/// Settings under which a text was prepared, where the server has others.
#[derive(Debug)]
pub(super) struct Differing<'a> {
    then: Vec<&'a [u8]>,
    now: Vec<&'a [u8]>,
}

impl<'a> Differing<'a> {
    /// Of two lists as in [`Context::reported`](super::Context::reported); `None` where there is nothing to set.
    pub(super) fn of(then: &'a [u8], now: &'a [u8]) -> Option<Self> {
        let mut differing = Self { then: Vec::new(), now: Vec::new() };
        for (name, value) in pairs(then) {
            let has = pairs(now).find(|(other, _)| *other == name).map(|(_, value)| value);
            if let Some(has) = has.filter(|has| *has != value) {
                differing.then.extend([name, value]);
                differing.now.extend([name, has]);
            }
        }
        (!differing.then.is_empty()).then_some(differing)
    }
}

fn pairs(list: &[u8]) -> impl Iterator<Item = (&[u8], &[u8])> {
    let mut parts = list.split(|&byte| byte == 0);
    std::iter::from_fn(move || Some((parts.next()?, parts.next()?)))
}

impl Plan {
    /// In front of our Parse.
    pub(super) fn sets(&mut self, differing: &Differing<'_>, out: &mut BytesMut) {
        // An earlier one may have failed halfway.
        own::close(SETTER, out);
        own::parse(SETTER, &setter(differing.then.len()), out);
        self.ours(Wants::Close, Undo::Nothing);
        self.ours(Wants::Parse, Undo::Nothing);
        self.runs_setter(&differing.then, out);
    }

    /// Behind it.
    pub(super) fn sets_back(&mut self, differing: &Differing<'_>, out: &mut BytesMut) {
        self.runs_setter(&differing.now, out);
        own::close(SETTER, out);
        self.ours(Wants::Close, Undo::Nothing);
    }

    fn runs_setter(&mut self, values: &[&[u8]], out: &mut BytesMut) {
        own::run(SETTER, values, out);
        [Wants::Bind, Wants::Executed, Wants::Close].into_iter().for_each(|wants| self.ours(wants, Undo::Nothing));
    }
}

/// Sets names to values, as many of both together as there are parameters, and returns no row: nobody would take one. OFFSET keeps the
/// condition behind the calls.
fn setter(parameters: usize) -> Vec<u8> {
    let calls = calls(parameters / 2, Lasts::Transaction);
    format!("SELECT FROM (SELECT {calls} OFFSET 0) s(v) WHERE v IS NULL\0\0\0").into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_differs_is_set() {
        let then = b"DateStyle\0ISO, MDY\0TimeZone\0UTC\0";
        assert!(Differing::of(then, then).is_none() && Differing::of(b"", then).is_none());
        let differing = Differing::of(then, b"DateStyle\0ISO, MDY\0TimeZone\0GB\0").unwrap();
        assert_eq!((differing.then, differing.now), (vec![&b"TimeZone"[..], b"UTC"], vec![&b"TimeZone"[..], b"GB"]));
        let text = String::from_utf8(setter(4)).unwrap();
        assert!(text.contains("($3, $4, true) OFFSET 0"), "{text}");
    }
}

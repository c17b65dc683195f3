//! Makes the settings of a server those of the client that gets it: one exchange in front of the client's first statement.
//!
//! Its messages may go out in one write with that statement; its replies, up to the first ReadyForQuery, are ours. If it fails, the
//! statement must not run: both are of one pipeline only up to the Sync, so whoever sends them together waits for neither and closes
//! the server on a failure; [`Replaying::take`] tells.

use bytes::BytesMut;

use super::set_config::{Lasts, calls};
use super::settings::{Setting, Settings};
use crate::server::reported::Reported;
use crate::wire::Transaction;
use crate::wire::pg::NAME_MAX;
use crate::wire::pg::own::{self, Event, Raised};

/// Whether a server may have settings that nobody knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Stain {
    /// All that it has is known.
    #[default]
    None,
    /// A function may have set more: reset it before another client has it.
    Stained,
}

/// Writes what turns a server that has `has` into one that has `wants`, Sync included; nothing where they are the same.
pub fn replay(has: &Settings, wants: &Settings, stain: Stain, out: &mut BytesMut) -> Replay {
    let differs = |setting: &&Setting| has.value(&setting.name) != Some(&*setting.value);
    let extra = has.iter().any(|setting| wants.value(&setting.name).is_none());
    let resets = stain == Stain::Stained || extra;
    let missing: Vec<&Setting> = wants.iter().filter(|setting| resets || differs(setting)).collect();
    if !resets && missing.is_empty() {
        return Replay::NotNeeded;
    }
    if resets {
        own::ask("RESET ALL", &[], out);
    }
    // Values are in the client's encoding: the server must know it before it reads them.
    let (encoding, others): (Vec<_>, Vec<_>) = missing.into_iter().partition(|setting| *setting.name == *ENCODING);
    set(&encoding, out);
    set(&others, out);
    own::sync(out);
    Replay::Sent
}

/// Writes what gives a server that has `has` the name of the application that is in `wants`; nothing where more than that differs, or
/// the name is not plain enough to stand in a text as it is.
pub fn rename(has: &Settings, wants: &Settings, out: &mut BytesMut) -> Replay {
    let is_same = |one: &Settings, other: &Settings| {
        one.iter().all(|setting| *setting.name == *NAME || other.value(&setting.name) == Some(&*setting.value))
    };
    let name = wants.value(NAME).filter(|name| is_plain(name)).and_then(|name| std::str::from_utf8(name).ok());
    let Some(name) = name.filter(|_| is_same(has, wants) && is_same(wants, has)) else { return Replay::NotNeeded };
    own::query(&format!("SET application_name TO '{name}'"), out);
    Replay::Sent
}

/// The name of a session's application, among settings and reports alike.
pub const NAME: &[u8] = b"application_name";

/// Is it the same in every encoding and under every setting, and what the server makes of it?
fn is_plain(name: &[u8]) -> bool {
    let is_plain = |byte: &u8| matches!(byte, b' '..=b'~') && !matches!(byte, b'\'' | b'\\');
    (1..=NAME_MAX).contains(&name.len()) && name.iter().all(is_plain)
}

/// Whether there is an exchange to wait for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub enum Replay {
    /// The server has what the client wants.
    NotNeeded,
    /// Its replies are ours up to ReadyForQuery.
    Sent,
}

const ENCODING: &[u8] = b"client_encoding";

fn set(settings: &[&Setting], out: &mut BytesMut) {
    if settings.is_empty() {
        return;
    }
    let values: Vec<&[u8]> = settings.iter().flat_map(|setting| [&*setting.name, &*setting.value]).collect();
    own::ask(&format!("SELECT {}", calls(settings.len(), Lasts::Session)), &values, out);
}

/// Writes what makes a server fit for anybody again whose pinned client has left, Sync included. Its prepared statements are gone with
/// the rest. A server that has loaded a library must be closed instead.
pub fn discard(out: &mut BytesMut) {
    own::ask("DISCARD ALL", &[], out);
    own::sync(out);
}

/// An exchange of ours while its replies come.
#[derive(Debug, Default)]
pub struct Replaying {
    raised: Option<Raised>,
}

/// How an exchange of ours stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Progress {
    /// More is to come.
    Going,
    /// The server has what it was to have.
    Done,
    /// It has not, and must be closed.
    Failed(Raised),
}

impl Replaying {
    /// Takes in a message of the server. What it reports of parameters is the server's: the client is told what is news to it once
    /// the exchange is done, by [`Reported::news`].
    pub fn take(&mut self, event: Event<'_>, server: &mut Reported) -> Progress {
        match event {
            Event::Parameter(parameter) => server.take(parameter),
            Event::Failed(failure, message) => self.raised = Some(Raised::of(failure, message)),
            Event::Done(Transaction::None) => {
                return self.raised.take().map_or(Progress::Done, Progress::Failed);
            }
            Event::Done(_) => {
                // Our exchange began outside of a transaction and holds none: the server is not where it should be.
                return Progress::Failed(self.raised.take().unwrap_or_else(Raised::silent));
            }
            Event::Row(_) | Event::Other | Event::Notice | Event::Notification => {}
        }
        Progress::Going
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::{Failure, Severity};

    fn settings(values: &[(&str, &str)]) -> Settings {
        Settings::new(values.iter().copied()).unwrap()
    }

    fn sent(has: &[(&str, &str)], wants: &[(&str, &str)], stain: Stain) -> String {
        let mut out = BytesMut::new();
        let replay = replay(&settings(has), &settings(wants), stain, &mut out);
        assert_eq!(replay == Replay::NotNeeded, out.is_empty());
        out.escape_ascii().to_string()
    }

    #[test]
    fn equal_settings_need_nothing() {
        assert_eq!(sent(&[("a", "1")], &[("a", "1")], Stain::None), "");
        assert_eq!(sent(&[], &[], Stain::None), "");
    }

    #[test]
    fn what_is_missing_is_set_and_what_is_too_much_reset_before() {
        let more = sent(&[("a", "1")], &[("a", "1"), ("b", "it's"), ("c", "2")], Stain::None);
        assert!(
            !more.contains("RESET") && more.contains("set_config($3, $4, false)") && more.contains("it\\'s"),
            "{more}"
        );
        assert!(!more.contains("\\x01a"), "{more}");
        for (has, stain) in [(&[("z", "1")][..], Stain::None), (&[("a", "1")], Stain::Stained)] {
            let all = sent(has, &[("a", "1")], stain);
            assert!(all.find("RESET ALL").unwrap() < all.find("set_config").unwrap(), "{all}");
        }
        assert!(sent(&[("z", "1")], &[], Stain::None).ends_with("S\\x00\\x00\\x00\\x04"));
    }

    #[test]
    fn a_name_goes_alone_where_nothing_else_differs_and_it_is_plain() {
        let renamed = |has: &[(&str, &str)], wants: &[(&str, &str)]| {
            let mut out = BytesMut::new();
            let sent = rename(&settings(has), &settings(wants), &mut out);
            assert_eq!(sent == Replay::NotNeeded, out.is_empty());
            out.escape_ascii().to_string()
        };
        let plain = "Q\\x00\\x00\\x00$SET application_name TO \\'web 1\\'\\x00";
        assert_eq!(
            renamed(&[("a", "1"), ("application_name", "x")], &[("a", "1"), ("application_name", "web 1")]),
            plain
        );
        assert_eq!(renamed(&[], &[("application_name", "web 1")]), plain);
        for (has, wants) in [
            (&[("application_name", "x")][..], &[][..]),
            (&[("a", "1")], &[("application_name", "x")]),
            (&[("a", "1")], &[("a", "2"), ("application_name", "x")]),
            (&[], &[("a", "1"), ("application_name", "x")]),
        ] {
            assert_eq!(renamed(has, wants), "", "{has:?} {wants:?}");
        }
        for name in ["", "it's", "back\\slash", "t\tb", "\u{e9}", &"x".repeat(64)] {
            assert_eq!(renamed(&[], &[("application_name", name)]), "", "{name}");
        }
        assert!(!renamed(&[], &[("application_name", &"x".repeat(63))]).is_empty());
    }

    #[test]
    fn the_encoding_comes_first() {
        let all = sent(&[], &[("a", "1"), ("client_encoding", "LATIN1"), ("z", "2")], Stain::None);
        assert_eq!(all.matches("SELECT").count(), 2);
        assert!(all.find("LATIN1").unwrap() < all.rfind("SELECT").unwrap(), "{all}");
    }

    #[test]
    fn an_exchange_ends_well_only_outside_of_a_transaction_and_without_an_error() {
        let failure = Failure { sqlstate: *b"22023", fatal: Severity::Error };
        let run = |events: Vec<Event<'_>>| {
            let mut replaying = Replaying::default();
            let mut server = Reported::default();
            events.into_iter().map(|event| replaying.take(event, &mut server)).last()
        };
        assert_eq!(run(vec![Event::Other, Event::Done(Transaction::None)]), Some(Progress::Done));
        let failed = vec![Event::Failed(failure, b"wrong"), Event::Done(Transaction::None)];
        assert_eq!(run(failed), Some(Progress::Failed(Raised::of(failure, b"wrong"))));
        assert!(matches!(run(vec![Event::Done(Transaction::Open)]), Some(Progress::Failed(_))));
        assert_eq!(run(vec![Event::Other]), Some(Progress::Going));
    }
}

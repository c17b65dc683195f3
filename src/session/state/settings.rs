//! The settings of a session beside its role's and database's defaults: small, never changed, shared by all sessions that have the same.

use std::collections::HashMap;
use std::sync::{Arc, Weak};

use rapidhash::fast::GlobalState;

use crate::server::reported::pairs;

/// Values by name, sorted; names in lower case, since the server tells no other difference.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct Settings {
    settings: Box<[Setting]>,
    /// See [`Settings::context`].
    context: Box<[u8]>,
}

/// One of them.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Setting {
    /// In lower case.
    pub name: Box<[u8]>,
    /// As the server shows it in `pg_settings`, or as the client gave it; in the client's encoding.
    pub value: Box<[u8]>,
}

/// A session has more settings, or longer ones, than are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a session has more than {SETTINGS_MAX} settings of its own, or settings of more than {BYTES_MAX} bytes")]
pub struct TooMany;

/// Settings that one session may have.
pub const SETTINGS_MAX: usize = 200;
/// Bytes of the names and values of one session.
pub const BYTES_MAX: usize = 16 * 1024;

/// Settings of a transaction, which the server lists although no session keeps them.
const OF_TRANSACTIONS: [&[u8]; 3] = [b"transaction_isolation", b"transaction_read_only", b"transaction_deferrable"];

impl Settings {
    /// Of several values for one name the last counts.
    ///
    /// # Errors
    /// [`TooMany`].
    pub fn new<N: AsRef<[u8]>, V: AsRef<[u8]>>(values: impl IntoIterator<Item = (N, V)>) -> Result<Self, TooMany> {
        let mut kept: Vec<Setting> = Vec::new();
        let mut bytes = 0_usize;
        for (name, value) in values {
            let name = name.as_ref().to_ascii_lowercase().into_boxed_slice();
            if OF_TRANSACTIONS.contains(&&*name) {
                continue;
            }
            bytes = bytes.saturating_add(name.len()).saturating_add(value.as_ref().len());
            let value = value.as_ref().into();
            match kept.iter_mut().find(|known| known.name == name) {
                Some(known) => known.value = value,
                None => kept.push(Setting { name, value }),
            }
            if kept.len() > SETTINGS_MAX || bytes > BYTES_MAX {
                return Err(TooMany);
            }
        }
        kept.sort_unstable();
        Ok(Self { context: context(&kept), settings: kept.into() })
    }

    /// The value of a name in lower case.
    pub fn value(&self, name: &[u8]) -> Option<&[u8]> {
        let at = self.settings.binary_search_by(|setting| (*setting.name).cmp(name)).ok()?;
        self.settings.get(at).map(|setting| &*setting.value)
    }

    /// All of them, sorted by name.
    pub fn iter(&self) -> impl Iterator<Item = &Setting> {
        self.settings.iter()
    }

    /// How many there are.
    pub const fn len(&self) -> usize {
        self.settings.len()
    }

    /// True where there are none.
    pub const fn is_empty(&self) -> bool {
        self.settings.is_empty()
    }

    /// Those of them that change what a text means and that the server does not report: name and value, each ended by a NUL.
    pub const fn context(&self) -> &[u8] {
        &self.context
    }
}

/// Settings by which the server looks names up, cuts a text into words or makes values of literals, beside those that it reports
/// ([`Reported::literals`](super::Reported::literals)). Source: PostgreSQL manual, "Client Connection Defaults", "Version and Platform
/// Compatibility", and the input of `money`, `xml` and arrays.
const CONTEXT: [&[u8]; 5] =
    [b"array_nulls", b"backslash_quote", b"lc_monetary", b"transform_null_equals", b"xmloption"];
/// The same, but that the server minds it itself: it looks names up anew wherever this has changed.
const PATH: &[u8] = b"search_path";

/// May a text that sets something, or a list of settings, name one of those that no server reports and that a statement keeps from
/// when it was prepared? A long text may.
pub fn tells_unreported(text: &[u8]) -> bool {
    let has = |name: &&[u8]| text.windows(name.len()).any(|part| part.eq_ignore_ascii_case(name));
    text.len() > LOOKED_THROUGH_MAX || CONTEXT.iter().any(has)
}

/// Longer texts are not looked through.
const LOOKED_THROUGH_MAX: usize = 4096;

fn context(sorted: &[Setting]) -> Box<[u8]> {
    let read = sorted.iter().filter(|setting| CONTEXT.contains(&&*setting.name) || *setting.name == *PATH);
    pairs(read.map(|setting| [&*setting.name, &*setting.value])).into()
}

/// The settings of one worker's sessions, each kept once: equal ones are the same.
#[derive(Debug, Default)]
pub struct Interner {
    known: HashMap<Settings, Weak<Settings>, GlobalState>,
    /// When so many are known, those that nobody has any more are forgotten.
    sweep_at: usize,
}

impl Interner {
    /// The one copy of these settings.
    pub fn shared(&mut self, settings: Settings) -> Arc<Settings> {
        if let Some(known) = self.known.get(&settings).and_then(Weak::upgrade) {
            return known;
        }
        if self.known.len() >= self.sweep_at {
            self.known.retain(|_, settings| settings.strong_count() > 0);
            self.sweep_at = self.known.len().saturating_mul(2).max(SWEEP_MIN);
        }
        let shared = Arc::new(settings.clone());
        self.known.insert(settings, Arc::downgrade(&shared));
        shared
    }

    /// How many are known, those included that nobody has any more.
    pub fn len(&self) -> usize {
        self.known.len()
    }

    /// True where none is.
    pub fn is_empty(&self) -> bool {
        self.known.is_empty()
    }
}

const SWEEP_MIN: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(values: &[(&str, &str)]) -> Settings {
        Settings::new(values.iter().copied()).unwrap()
    }

    #[test]
    fn equal_settings_are_the_same_whatever_their_order_and_case() {
        let mut interner = Interner::default();
        let one = interner.shared(settings(&[("TimeZone", "UTC"), ("a", "1"), ("a", "2")]));
        let two = interner.shared(settings(&[("a", "2"), ("timezone", "UTC")]));
        assert!(Arc::ptr_eq(&one, &two));
        assert!(!Arc::ptr_eq(&one, &interner.shared(settings(&[("a", "2")]))));
        assert_eq!((one.value(b"timezone"), one.value(b"b"), one.context()), (Some(&b"UTC"[..]), None, &b""[..]));
        let read = settings(&[("search_path", "a"), ("work_mem", "1MB"), ("Array_Nulls", "off")]);
        assert_eq!(read.context(), b"array_nulls\0off\0search_path\0a\0");
    }

    #[test]
    fn settings_that_no_server_reports_are_found_in_a_text() {
        for (text, tells) in [
            ("SET LOCAL transform_null_equals TO on", true),
            ("select set_config('LC_Monetary', $1, true)", true),
            ("SET search_path TO a", false),
            ("SET LOCAL statement_timeout = 5", false),
            ("", false),
        ] {
            assert_eq!(tells_unreported(text.as_bytes()), tells, "{text}");
        }
        assert!(tells_unreported(&[b' '; LOOKED_THROUGH_MAX + 1]));
    }

    #[test]
    fn what_nobody_has_is_forgotten() {
        let mut interner = Interner::default();
        let kept = interner.shared(settings(&[("kept", "x")]));
        for n in 0..10_000 {
            interner.shared(settings(&[("n", &n.to_string())]));
        }
        assert!(interner.len() <= 2 * SWEEP_MIN, "{}", interner.len());
        assert!(Arc::ptr_eq(&kept, &interner.shared(settings(&[("kept", "x")]))));
    }

    #[test]
    fn sessions_keep_no_more_than_is_sound() {
        assert_eq!(Settings::new((0..=SETTINGS_MAX).map(|n| (format!("a.{n}"), ""))), Err(TooMany));
        assert_eq!(Settings::new([("a.b", "x".repeat(BYTES_MAX))]), Err(TooMany));
        assert_eq!(settings(&[("transaction_read_only", "on")]), Settings::default());
    }
}

//! The keys of `[pgbouncer]`, and what is noted while they are read.

use std::collections::BTreeMap;

use super::Note;
use super::ini::Entry;

/// The keys of `[pgbouncer]`, the last of each, and what was noted.
pub(super) struct Convert<'a> {
    pub(super) settings: BTreeMap<String, &'a Entry>,
    pub(super) notes: Vec<Note>,
    /// Files with the passwords of roles that are the same for all clients of a database.
    pub(super) passwords: Vec<(String, String)>,
    /// The `auth_user` of all databases, where that became the listeners'.
    pub(super) asker: Option<String>,
}

/// The longest time that a key may have, in seconds.
pub(super) const DAY: f64 = DAY_SECONDS as f64;
pub(super) const DAY_SECONDS: u64 = 86_400;
pub(super) const LONGER_THAN_A_DAY: &str = "no time here is longer than a day: a day was taken";

/// PgBouncer's limits of time that are rules here.
pub(super) const TIMEOUTS: [(&str, &str); 3] = [
    ("query_timeout", "statement_timeout"),
    ("transaction_timeout", "transaction_timeout"),
    ("idle_transaction_timeout", "idle_transaction_timeout"),
];

impl Convert<'_> {
    pub(super) fn note(&mut self, entry: &Entry, advice: &str) {
        self.note_key(entry, &entry.key, advice);
    }

    pub(super) fn note_key(&mut self, entry: &Entry, key: &str, advice: &str) {
        self.notes.push(Note { place: entry.place.clone(), key: key.to_owned(), advice: advice.to_owned() });
    }

    /// Adds what was noted elsewhere.
    pub(super) fn tell(&mut self, notes: Vec<Note>) {
        self.notes.extend(notes);
    }

    /// Notes a key of `[pgbouncer]`, if it is there.
    pub(super) fn note_setting(&mut self, key: &str, advice: &str) {
        if let Some(&entry) = self.settings.get(key) {
            self.note(entry, advice);
        }
    }

    pub(super) fn text(&self, key: &str) -> Option<&str> {
        self.settings.get(key).map(|entry| entry.value.as_str()).filter(|value| !value.is_empty())
    }

    pub(super) fn number(&mut self, key: &str, default: u64) -> u64 {
        let Some(text) = self.text(key) else { return default };
        match text.parse() {
            Ok(number) => number,
            Err(_) => {
                self.note_setting(key, &format!("is no number: {default}, PgBouncer's default, was taken"));
                default
            }
        }
    }

    /// A number that has no 0 here.
    pub(super) fn at_least_one(&mut self, key: &str, default: u64, why: &str) -> u64 {
        let number = self.number(key, default);
        if number == 0 {
            self.note_setting(key, &format!("there is no 0 here, {why}: {default}, PgBouncer's default, was taken"));
        }
        if number == 0 { default } else { number }
    }

    /// Seconds, as far as they can be had here; `None` for 0.
    pub(super) fn seconds(&mut self, key: &str, default: f64) -> Option<f64> {
        let seconds = self.seconds_as_told(key, default)?;
        if seconds > DAY {
            self.note_setting(key, LONGER_THAN_A_DAY);
        }
        Some(seconds.min(DAY))
    }

    fn seconds_as_told(&mut self, key: &str, default: f64) -> Option<f64> {
        let seconds = match self.text(key).map(str::parse::<f64>) {
            None => default,
            Some(Ok(seconds)) if seconds.is_finite() && seconds >= 0.0 => seconds,
            Some(_) => {
                self.note_setting(key, &format!("is no number of seconds: {default}, PgBouncer's default, was taken"));
                default
            }
        };
        Some(seconds).filter(|seconds| *seconds > 0.0)
    }
}

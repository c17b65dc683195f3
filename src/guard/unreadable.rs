//! What becomes of a statement that nobody could read, where the choice is to refuse it.

use super::breach::Breach;
use super::intake::{Entry, Whole};
use crate::sql::facts::Source;
use crate::units::Unit;

/// What becomes of a statement that nobody could read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnUnreadable {
    /// It passes, judged by what is known of it.
    Allow,
    /// It is refused.
    Refuse,
}

/// Name of what `on_unreadable` refuses: it has no settings of its own.
pub const UNREADABLE: &str = "unreadable";

pub(super) fn breach(entry: &Entry<'_>) -> Option<Breach> {
    let reason = match (entry.facts.source, entry.cut) {
        (Source::Scanned(reason), _) => reason.label(),
        (_, Whole::PrefixOnly) => "too long",
        (Source::Verb | Source::Parsed, Whole::Whole) => return None,
    };
    Some(Breach {
        rule: UNREADABLE,
        statement: entry.index,
        measured: reason.to_owned(),
        limit: 0,
        unit: Unit::Count,
        message: format!("the statement could not be read: {reason}"),
        hint: "Write it in simpler SQL; on_unreadable = \"allow\" lets such statements pass".to_owned(),
    })
}

//! The form of all of them.

use crate::wire::{Refusal, Severity};

/// A refusal that the session outlives.
pub(super) fn statement(sqlstate: &'static str, rule: &'static str, message: &str, hint: &str) -> Refusal {
    Refusal { severity: Severity::Error, ..fatal(sqlstate, rule, message, hint) }
}

/// One that ends it.
pub(super) fn fatal(sqlstate: &'static str, rule: &'static str, message: &str, hint: &str) -> Refusal {
    Refusal {
        severity: Severity::Fatal,
        sqlstate,
        rule,
        message: prefixed(rule, message),
        detail: String::new(),
        hint: hint.to_owned(),
    }
}

/// Every text begins with its rule.
pub(super) fn prefixed(rule: &str, message: &str) -> String {
    format!("FLOODWALL[rule={rule}] {message}")
}

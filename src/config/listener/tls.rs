//! Encryption between a listener and its clients, and between it and its servers.

use toml::Value;

use super::super::context::Context;
use super::super::document::Section;
use super::super::problem::{Fault, not_yet};
use super::super::value;

/// Encryption on either side.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Tls {}

/// Reads the keys of a `[[listener]]` that belong here.
pub(super) fn resolve(section: &mut Section<'_>, _context: &Context<'_>) -> Tls {
    for key in ["client_tls", "server_tls"] {
        section.read(key, no_tls);
    }
    Tls {}
}

/// The modes of libpq's `sslmode`.
const TLS_MODES_LATER: [&str; 5] = ["allow", "prefer", "require", "verify-ca", "verify-full"];

fn no_tls(value: &Value) -> Result<(), Fault> {
    let table =
        value.as_table().ok_or_else(|| Fault::new("expected a table").advise("write { mode = \"disable\" }"))?;
    if let Some(mode) = table.get("mode") {
        value::only(mode, "disable", &TLS_MODES_LATER)
            .map_err(|fault| Fault { message: format!("mode {}", fault.message), ..fault })?;
    }
    match table.keys().find(|key| *key != "mode") {
        Some(key) => Err(not_yet(&format!("TLS, which \"{key}\" belongs to,")).advise("write { mode = \"disable\" }")),
        None => Ok(()),
    }
}

//! How a listener's clients share server connections.

use super::super::context::Context;
use super::super::document::Section;
use super::super::problem::Fault;
use super::super::value;

/// How server connections are shared.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Pool {
    /// One for each client, for as long as it stays.
    #[default]
    Session,
}

/// Reads the keys of a `[[listener]]` that belong here.
pub(super) fn resolve(section: &mut Section<'_>, _context: &Context<'_>) -> Pool {
    section.read("pool", |value| value::only(value, "session", &["transaction"]));
    if section.read("pool_size", value::count).is_some() {
        let fault = Fault::new("has no effect: it belongs to pool = \"transaction\", which is not in this version yet");
        section.warn("pool_size", fault.advise("max_server_connections bounds what session mode opens"));
    }
    Pool::Session
}

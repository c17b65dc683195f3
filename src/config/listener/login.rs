//! Who checks the passwords of a listener's clients.

use super::super::context::Context;
use super::super::document::Section;
use super::super::problem::Fault;
use super::super::value;

/// Who checks passwords.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Login {
    /// The server, through Floodwall.
    #[default]
    Relay,
}

/// Reads the keys of a `[[listener]]` that belong here.
pub(super) fn resolve(section: &mut Section<'_>, _context: &Context<'_>) -> Login {
    section.read("login", |value| value::only(value, "relay", &["users", "query"]));
    if section.read("users_file", value::path).is_some() {
        let fault = Fault::new("has no effect: it belongs to login = \"users\", which is not in this version yet");
        section.warn("users_file", fault.advise("with login = \"relay\" the server checks each password"));
    }
    Login::Relay
}

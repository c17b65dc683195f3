//! Who checks the passwords of a listener's clients.

use std::path::PathBuf;

use super::super::context::Context;
use super::super::document::Section;
use super::super::problem::{Fault, not_yet};
use super::super::users::{self, User};
use super::super::value;

/// Who checks passwords.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Login {
    /// The server, through Floodwall.
    #[default]
    Relay,
    /// Floodwall, by a file of users.
    Users(Users),
}

impl Login {
    /// The word of the file.
    pub const fn label(&self) -> &'static str {
        match self {
            Self::Relay => "relay",
            Self::Users(_) => "users",
        }
    }
}

/// `login = "users"`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Users {
    /// The file.
    pub file: PathBuf,
    /// What it said when the configuration was read.
    pub users: Vec<User>,
}

/// The words of `login`.
#[derive(Clone, Copy, PartialEq)]
enum Word {
    Relay,
    Users,
    Query,
}

const WORDS: [(&str, Word); 3] = [("relay", Word::Relay), ("users", Word::Users), ("query", Word::Query)];

/// Reads the keys of a `[[listener]]` that belong here.
pub(super) fn resolve(section: &mut Section<'_>, context: &Context<'_>) -> Login {
    let word = section.read("login", |value| value::one_of(value, &WORDS)).unwrap_or(Word::Relay);
    let file = section.read("users_file", value::path).map(|path| context.folder.join(path));
    if word != Word::Users && file.is_some() {
        let fault = Fault::new("has no effect: it belongs to login = \"users\"");
        section.warn("users_file", fault.advise("with login = \"relay\" the server checks each password"));
    }
    match (word, file) {
        (Word::Relay, _) => Login::Relay,
        (Word::Users, Some(file)) => {
            let users = users::read(&file, section, context);
            Login::Users(Users { file, users })
        }
        (Word::Users, None) => {
            if !section.has("users_file") {
                let fault = Fault::new("\"users\" needs a file of users");
                section.error("login", fault.advise("add users_file = \"users.toml\""));
            }
            Login::Relay
        }
        (Word::Query, _) => {
            section.error("login", not_yet("\"query\""));
            Login::Relay
        }
    }
}

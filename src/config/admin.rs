//! `[admin]`: where the console and HTTP listen, and who may use them.

use std::net::SocketAddr;

use super::Secret;
use super::context::{Context, secret};
use super::document::{Document, Section};
use super::problem::Fault;
use super::value;

/// `[admin]`.
#[derive(Debug, Clone, PartialEq)]
pub struct Admin {
    /// HTTP address; `None` where the file says `http = "off"`.
    pub http: Option<SocketAddr>,
    /// Console address; `None` where the file says `console = "off"`.
    pub console: Option<SocketAddr>,
    /// Who may log in to the console; empty means the generated `admin`.
    pub users: Vec<AdminUser>,
}

/// `[[admin.user]]`.
#[derive(Debug, Clone, PartialEq)]
pub struct AdminUser {
    /// Login name.
    pub name: String,
    /// What the user may do.
    pub role: Role,
    /// The password, already read from its environment variable or file.
    pub password: Secret,
}

/// What a console user may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// SHOW and the commands that change things.
    Admin,
    /// SHOW only.
    Read,
}

impl Role {
    /// The word of the file.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Admin => "admin",
            Self::Read => "read",
        }
    }
}

/// Reads `[admin]`.
pub(super) fn resolve(mut section: Section<'_>, context: &Context<'_>) -> Admin {
    let default = Admin::default();
    let http = section.read("http", value::bind_or_off).unwrap_or(default.http);
    let console = section.read("console", value::bind_or_off).unwrap_or(default.console);
    let entries = section.sections("user");
    let configured = !entries.is_empty();
    let users = entries.into_iter().filter_map(|entry| resolve_user(entry, context)).collect();
    for (key, address) in [("http", http), ("console", console)] {
        if !configured && address.is_some_and(|address| !address.ip().is_loopback()) {
            section.error(key, open_to_others());
        }
    }
    section.finish();
    Admin { http, console, users }
}

/// Names must be unique, since the console knows its users by them.
pub(super) fn check(admin: &Admin, document: &Document<'_>) {
    for (index, user) in admin.users.iter().enumerate() {
        if admin.users.iter().take(index).any(|other| other.name == user.name) {
            let path = ["admin", "user", &index.to_string(), "name"].map(str::to_owned);
            document.error(&path, Fault::new(format!("\"{}\" is the name of an earlier user", user.name)));
        }
    }
}

fn resolve_user(mut section: Section<'_>, context: &Context<'_>) -> Option<AdminUser> {
    let name = section.read("name", value::name);
    let role = section.read("role", |value| value::one_of(value, &ROLES));
    let password = secret(&mut section, context);
    if !section.has("name") {
        section.error("", Fault::new("a user needs a name"));
    }
    if password.is_none() && !["password", "password_env", "password_file"].iter().any(|key| section.has(key)) {
        section.error("", Fault::new("a user needs a password").advise("give password_env or password_file"));
    }
    section.finish();
    // The least that a user can be, where the file does not say.
    Some(AdminUser { name: name?, role: role.unwrap_or(Role::Read), password: password? })
}

const ROLES: [(&str, Role); 2] = [("admin", Role::Admin), ("read", Role::Read)];

fn open_to_others() -> Fault {
    Fault::new("other hosts could reach this address and no [[admin.user]] is given")
        .advise("give an [[admin.user]] with a password, or listen on 127.0.0.1")
}

//! Who logs in where, and how: what `auth_type` and `auth_hba_file` say.

use std::collections::BTreeSet;

use super::doors::{self, Proof};
use super::hba;
use super::listener::Listener;
use super::pattern::{HASHED, LINE, is_pattern};
use super::settings::Convert;
use super::userlist::{Secret, User};
use super::users::Source;

/// Methods that ask for no password, so that nothing but its name says whether there is such a user.
const UNASKED: [&str; 2] = ["trust", "cert"];

/// The users of `auth_file`.
#[derive(Debug, Clone, Copy)]
pub(super) struct Known<'a> {
    pub(super) users: &'a [User],
    /// Nobody else is known: PgBouncer lets in no user that it does not know, whatever the method.
    pub(super) all: bool,
}

impl<'a> Known<'a> {
    /// Names that stand for themselves in `[[access]]`.
    fn names(self) -> impl Iterator<Item = &'a str> {
        let names: BTreeSet<_> = self.users.iter().map(|user| &*user.name).filter(|name| !is_pattern(name)).collect();
        names.into_iter()
    }

    /// All that are known, or anybody where others may be.
    fn each(self, method: &'static str) -> Vec<Proof<'a>> {
        if self.all && !self.users.is_empty() {
            return self.names().map(|name| Proof { user: Some(name), method }).collect();
        }
        vec![Proof { user: None, method: if self.all { "reject" } else { method } }]
    }

    fn instead_of_any(self, users: &mut Vec<Option<String>>) {
        if self.all && users.contains(&None) {
            *users = self.names().map(|name| Some(name.to_owned())).collect();
        }
    }
}

/// As PgBouncer keeps them out.
const KEPT_OUT: &str = "with auth_type = scram-sha-256 users that have an md5 hash do not get in: give them SCRAM verifiers (see pg_authid)";

impl Convert<'_> {
    /// Who is let in where, and how.
    pub(super) fn access(&mut self, listeners: &[Listener], known: Known<'_>, source: &Source<'_>) -> Vec<String> {
        if let Some(listed) = self.hba(source, listeners, known) {
            return listed;
        }
        doors::of_proofs(listeners, &self.proofs(known))
    }

    /// Who logs in how, where `auth_hba_file` says so.
    pub(super) fn hba(&mut self, source: &Source<'_>, listeners: &[Listener], known: Known<'_>) -> Option<Vec<String>> {
        if self.text("auth_type") != Some("hba") {
            return None;
        }
        let read = self.text("auth_hba_file").map(|file| source.beside(file));
        let Some((path, Ok(text))) = read else {
            let advice = "auth_hba_file cannot be read, so nobody is let in: write its lines as [[access]] entries";
            self.note_setting("auth_type", advice);
            return Some(doors::of_lines(listeners, &[]));
        };
        let mut read = hba::read(&path, &text);
        self.tell(read.notes);
        let unasked = read.lines.iter_mut().filter(|line| UNASKED.contains(&line.method));
        unasked.for_each(|line| known.instead_of_any(&mut line.users));
        Some(doors::of_lines(listeners, &read.lines))
    }

    /// Who logs in without being asked for a password.
    fn unasked<'u>(&mut self, method: &'static str, known: Known<'u>) -> Vec<Proof<'u>> {
        if known.all && known.users.iter().any(|user| is_pattern(&user.name)) {
            self.note_setting("auth_file", LINE);
        }
        known.each(method)
    }

    /// Who logs in otherwise than by SCRAM.
    pub(super) fn proofs<'u>(&mut self, known: Known<'u>) -> Vec<Proof<'u>> {
        let of = |user, method| Proof { user, method };
        let users = known.users;
        match self.text("auth_type").unwrap_or("md5") {
            "any" => vec![of(None, "trust")],
            "trust" => self.unasked("trust", known),
            "cert" => self.unasked("cert", known),
            "plain" => vec![of(None, "plain")],
            "scram-sha-256" => {
                if users.iter().any(|user| matches!(user.secret, Secret::Md5(_))) {
                    self.note_setting("auth_file", KEPT_OUT);
                }
                Vec::new()
            }
            _ => {
                let hashed = users.iter().filter(|user| matches!(user.secret, Secret::Md5(_)));
                let (patterns, hashed): (Vec<_>, Vec<_>) = hashed.partition(|user| is_pattern(&user.name));
                if !patterns.is_empty() {
                    self.note_setting("auth_file", HASHED);
                }
                let mut proofs: Vec<_> = hashed.into_iter().map(|user| of(Some(&*user.name), "md5")).collect();
                if !proofs.is_empty() {
                    proofs.push(of(None, "scram"));
                    let advice = "users with an md5 hash log in by md5; SCRAM verifiers (see pg_authid) are safer";
                    self.note_setting("auth_file", advice);
                }
                proofs
            }
        }
    }
}

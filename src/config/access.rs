//! `[[access]]`: who may come in from where, and how they prove who they are. As `pg_hba.conf`: the first entry that matches decides.

use ipnet::IpNet;

use super::client;
use super::document::{Document, Section};
use super::problem::Fault;
use super::{Config, Listener, Login, TlsMode, value};

/// `[[access]]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccessRule {
    /// Glob over the listener's name; `*` where not given.
    pub listener: String,
    /// Glob over the user.
    pub user: String,
    /// Glob over the database.
    pub database: String,
    /// Networks; empty means any.
    pub addresses: Vec<IpNet>,
    /// Only encrypted connections, or only others.
    pub tls: Option<bool>,
    /// What becomes of whoever matches.
    pub method: AccessMethod,
}

/// How somebody proves who they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AccessMethod {
    /// By SCRAM-SHA-256.
    Scram,
    /// By the older hash; by SCRAM where that is what is stored.
    Md5,
    /// By the password as it is.
    Plain,
    /// By a certificate for the user: common name or an alternative name.
    Cert,
    /// Not at all.
    Trust,
    /// They may not come in.
    Reject,
}

const METHODS: [(&str, AccessMethod); 6] = [
    ("scram", AccessMethod::Scram),
    ("md5", AccessMethod::Md5),
    ("plain", AccessMethod::Plain),
    ("cert", AccessMethod::Cert),
    ("trust", AccessMethod::Trust),
    ("reject", AccessMethod::Reject),
];

impl AccessMethod {
    /// The word of the file.
    pub fn label(self) -> &'static str {
        METHODS.iter().find(|(_, method)| *method == self).map_or("", |(word, _)| word)
    }
}

/// Reads one `[[access]]`.
pub(super) fn resolve(mut section: Section<'_>) -> Option<AccessRule> {
    let any = || "*".to_owned();
    let method = section.read("method", |value| value::one_of(value, &METHODS));
    if !section.has("method") {
        section.error("", Fault::new("an [[access]] needs a method").advise("write method = \"scram\" or \"reject\""));
    }
    let rule = AccessRule {
        listener: section.read("listener", value::text).unwrap_or_else(any),
        user: section.read("user", value::text).unwrap_or_else(any),
        database: section.read("database", value::text).unwrap_or_else(any),
        addresses: section.read("address", value::networks).unwrap_or_default(),
        tls: section.read("tls", value::flag),
        // What is wrong is told; until then nobody comes in by it.
        method: method.unwrap_or(AccessMethod::Reject),
    };
    section.finish();
    Some(rule)
}

/// What only the whole file can show: entries that match no listener, and secrets on open networks.
pub(super) fn check(config: &Config, document: &Document<'_>) {
    let mut told = false;
    for (index, rule) in config.access.iter().enumerate() {
        let path = |key: &str| ["access", &index.to_string(), key].map(str::to_owned);
        let listeners = client::listeners_of(config, &rule.listener);
        if listeners.is_empty() {
            document.warn(&path("listener"), client::no_listener(&rule.listener));
        }
        let relayed = listeners.iter().all(|listener| listener.login == Login::Relay) && !listeners.is_empty();
        // It is the same for all of them.
        if relayed && rule.method != AccessMethod::Reject && !std::mem::replace(&mut told, true) {
            let fault =
                Fault::new("only lets in: with login = \"relay\" the server says how a client proves who it is");
            document.warn(&path("method"), fault);
        }
        if !relayed && rule.method == AccessMethod::Trust && rule.addresses.is_empty() {
            let fault = Fault::new("lets everybody in, from every address, who names a user");
            document.warn(&path("method"), fault.advise("add address = \"127.0.0.1\", or ask for scram"));
        }
        if let Some(fault) = unproven(rule, &listeners) {
            document.warn(&path("method"), fault);
        }
        if let Some((key, fault)) = unencrypted(rule, &listeners) {
            document.warn(&path(key), fault);
        }
    }
}

/// An entry by which a client shows no password, where Floodwall needs one, or what a SCRAM login shows, for its own login at the server.
fn unproven(rule: &AccessRule, listeners: &[&Listener]) -> Option<Fault> {
    let method = rule.method;
    let asked = listeners.iter().any(|listener| matches!(listener.login, Login::Query(_)));
    (asked && matches!(method, AccessMethod::Cert | AccessMethod::Trust)).then(|| {
        let message = format!(
            "with login = \"query\" and method = \"{}\" nothing is known that a server takes which asks for SCRAM, until the user has come \
             in by scram as well",
            method.label()
        );
        Fault::new(message).advise("take login = \"users\" with the user's password, or let the server ask for md5 or nothing")
    })
}

/// An entry that lets nobody in, since none of its listeners has the TLS for it.
fn unencrypted(rule: &AccessRule, listeners: &[&Listener]) -> Option<(&'static str, Fault)> {
    let none =
        |fits: fn(TlsMode) -> bool| !listeners.is_empty() && !listeners.iter().any(|of| fits(of.tls.client.mode));
    if rule.method == AccessMethod::Cert && none(TlsMode::verifies) {
        let fault = Fault::new("lets nobody in: no listener that it holds for checks the certificates of its clients");
        return Some(("method", fault.advise("write client_tls = { mode = \"verify-ca\", … } there")));
    }
    if rule.method != AccessMethod::Reject && rule.tls == Some(true) && none(|mode| mode != TlsMode::Disable) {
        let fault = Fault::new("never applies: no listener that it holds for has client_tls");
        return Some(("tls", fault.advise("write client_tls = { mode = \"require\", … } there")));
    }
    None
}

//! Which databases each listener lets in, as `[[access]]`: those that PgBouncer was told of, at the port of their server and pool mode.
//!
//! Whoever goes on asking the first port for a database of another listener would otherwise be given that name's database at the wrong
//! server, or a server for a transaction where it counts on one for its session.

use super::listener::{Listener, Others, quoted};

/// How a user, or everybody else, proves who it is.
#[derive(Debug, Clone, Copy)]
pub(super) struct Proof<'a> {
    pub(super) user: Option<&'a str>,
    pub(super) method: &'static str,
}

/// What holds where nothing is said of it.
const SCRAM: Proof<'static> = Proof { user: None, method: "scram" };

/// The entries for users who prove themselves like this; none where everybody may come in everywhere, by SCRAM.
pub(super) fn entries(listeners: &[Listener], proofs: &[Proof<'_>]) -> Vec<String> {
    if let [Listener { others: Others::LetIn, .. }] = listeners {
        return everywhere(proofs);
    }
    let proofs = if proofs.is_empty() { &[SCRAM] } else { proofs };
    let of = |listener: &Listener| match listener.others {
        Others::LetIn => {
            let by_name = proofs.iter().map(|proof| entry(Some(&listener.name), None, *proof));
            refused(listener, listeners).into_iter().chain(by_name).collect::<Vec<_>>()
        }
        Others::Unknown => {
            let place = (listeners.len() > 1).then_some(listener.name.as_str());
            let of = |name| proofs.iter().map(move |proof| entry(place, Some(name), *proof));
            listener.names.iter().flat_map(|name| of(name)).collect()
        }
    };
    listeners.iter().flat_map(of).collect()
}

/// The same where the server asks for the proof, and knows which databases there are.
pub(super) fn relayed(listeners: &[Listener], proofs: &[Proof<'_>]) -> Vec<String> {
    let apart = apart(listeners);
    // Where there is an entry, whoever fits none stays outside.
    let proofs = if proofs.is_empty() && !apart.is_empty() { &[SCRAM] } else { proofs };
    apart.into_iter().chain(everywhere(proofs)).collect()
}

fn everywhere(proofs: &[Proof<'_>]) -> Vec<String> {
    proofs.iter().map(|proof| entry(None, None, *proof)).collect()
}

/// Entries that keep each database from the listeners of others, in front of such as know nothing of listeners.
pub(super) fn apart(listeners: &[Listener]) -> Vec<String> {
    listeners.iter().flat_map(|listener| refused(listener, listeners)).collect()
}

fn refused(listener: &Listener, all: &[Listener]) -> Vec<String> {
    let elsewhere = all.iter().flat_map(|other| &other.names).filter(|name| !listener.names.contains(name));
    let reject = Proof { user: None, method: "reject" };
    elsewhere.map(|name| entry(Some(&listener.name), Some(name), reject)).collect()
}

fn entry(listener: Option<&str>, database: Option<&str>, proof: Proof<'_>) -> String {
    let mut lines = vec!["[[access]]".to_owned()];
    let parts = [("listener", listener), ("database", database), ("user", proof.user)];
    lines.extend(parts.into_iter().filter_map(|(key, part)| Some(format!("{key} = {}", quoted(part?)))));
    lines.push(format!("method = {}", quoted(proof.method)));
    lines.join("\n") + "\n"
}

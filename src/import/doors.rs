//! Which databases each listener lets in, as `[[access]]`: those that PgBouncer was told of, at the port of their server and pool mode.
//!
//! Whoever goes on asking the first port for a database of another listener would otherwise be given that name's database at the wrong
//! server, or a server for a transaction where it counts on one for its session.

use ipnet::IpNet;

use super::hba::Line;
use super::listener::{Listener, Others};
use super::pattern::is_pattern;
use super::text::quoted;

/// How a user, or everybody else, proves who it is.
#[derive(Debug, Clone, Copy)]
pub(super) struct Proof<'a> {
    pub(super) user: Option<&'a str>,
    pub(super) method: &'static str,
}

/// What holds where nothing is said of it.
const SCRAM: Proof<'static> = Proof { user: None, method: "scram" };
/// What keeps everybody out.
const REJECT: &str = "reject";

/// An `[[access]]`. What it does not name may be any.
#[derive(Debug, Clone, Copy, Default)]
struct Door<'a> {
    listener: Option<&'a str>,
    database: Option<&'a str>,
    user: Option<&'a str>,
    network: Option<IpNet>,
    tls: Option<bool>,
    method: &'static str,
}

/// The entries for users who prove themselves like this; none where everybody may come in everywhere, by SCRAM.
pub(super) fn of_proofs(listeners: &[Listener], proofs: &[Proof<'_>]) -> Vec<String> {
    if let [Listener { others: Others::LetIn, .. }] = listeners {
        return proofs.iter().map(|proof| Door::default().by(*proof).text()).collect();
    }
    let proofs = if proofs.is_empty() { &[SCRAM] } else { proofs };
    let of = |listener| {
        let places = databases(listener).into_iter().map(|database| Door { database, ..at(listener, listeners) });
        let entries = places.flat_map(|place| proofs.iter().map(move |proof| place.by(*proof)));
        let own: Vec<_> = entries.filter(|door| !door.lets_in_others()).collect();
        closed(listener, listeners, own)
    };
    listeners.iter().flat_map(of).map(|door| door.text()).collect()
}

/// The entries for the lines of `auth_hba_file`. Without any, everybody could come in: where no line holds, nobody may.
pub(super) fn of_lines(listeners: &[Listener], lines: &[Line]) -> Vec<String> {
    let of = |listener| {
        let own = lines.iter().flat_map(|line| of_line(line, listener, listeners));
        // In its place, since a later line may let the same in with less.
        let own = own.map(|door| if door.lets_in_others() { Door { method: REJECT, ..door } } else { door });
        closed(listener, listeners, own.collect())
    };
    listeners.iter().flat_map(of).map(|door| door.text()).collect()
}

/// The entries of a listener, behind those that keep out. Where there are none, nobody is let in.
fn closed<'a>(listener: &'a Listener, all: &'a [Listener], own: Vec<Door<'a>>) -> Vec<Door<'a>> {
    let none = own.is_empty().then(|| Door { method: REJECT, ..at(listener, all) });
    refused(listener, all).into_iter().chain(own).chain(none).collect()
}

/// A line at one of the listeners: an entry for each of its users and databases.
fn of_line<'a>(line: &'a Line, listener: &'a Listener, all: &'a [Listener]) -> Vec<Door<'a>> {
    let place = Door { network: line.network, tls: line.tls, method: line.method, ..at(listener, all) };
    let named = line.databases.iter().flat_map(|name| meant(name.as_deref(), line, listener));
    named
        .flat_map(|database| line.users.iter().map(move |user| Door { database, user: user.as_deref(), ..place }))
        .collect()
}

/// The databases of a listener that a line means by a name; `None` stands for any.
fn meant<'a>(name: Option<&'a str>, line: &Line, listener: &'a Listener) -> Vec<Option<&'a str>> {
    let Some(name) = name else {
        return if line.method == REJECT { vec![None] } else { databases(listener) };
    };
    let declared = listener.databases.iter().filter(|database| database.key == name);
    let declared: Vec<_> = declared.map(|database| Some(&*database.key)).collect();
    // With `*` every other name is the server's; without it nobody could ask for one.
    if declared.is_empty() && listener.others == Others::LetIn { vec![Some(name)] } else { declared }
}

/// What a listener lets in to; `None` stands for any.
fn databases(listener: &Listener) -> Vec<Option<&str>> {
    match listener.others {
        Others::LetIn => vec![None],
        Others::Unknown => listener.names().map(Some).collect(),
    }
}

/// Entries that keep the databases of other listeners from one that lets in to any.
fn refused<'a>(listener: &'a Listener, all: &'a [Listener]) -> Vec<Door<'a>> {
    if listener.others == Others::Unknown {
        return Vec::new();
    }
    let own: Vec<_> = listener.names().collect();
    let elsewhere = all.iter().flat_map(Listener::names).filter(|name| !own.contains(name));
    elsewhere.map(|name| Door { database: Some(name), method: REJECT, ..at(listener, all) }).collect()
}

/// Any way in at a listener, which needs no name where it is the only one.
fn at<'a>(listener: &'a Listener, all: &[Listener]) -> Door<'a> {
    Door { listener: (all.len() > 1).then_some(&listener.name), ..Door::default() }
}

impl<'a> Door<'a> {
    fn by(self, proof: Proof<'a>) -> Self {
        Self { user: proof.user, method: proof.method, ..self }
    }

    /// Would it let in others than it names? One that keeps out too many does no harm.
    fn lets_in_others(&self) -> bool {
        self.method != REJECT && [self.database, self.user].into_iter().flatten().any(is_pattern)
    }

    fn text(&self) -> String {
        let mut lines = vec!["[[access]]".to_owned()];
        let parts = [("listener", self.listener), ("database", self.database), ("user", self.user)];
        lines.extend(parts.into_iter().filter_map(|(key, part)| Some(format!("{key} = {}", quoted(part?)))));
        lines.extend(self.network.map(|network| format!("address = \"{network}\"")));
        lines.extend(self.tls.map(|tls| format!("tls = {tls}")));
        lines.push(format!("method = {}", quoted(self.method)));
        lines.join("\n") + "\n"
    }
}

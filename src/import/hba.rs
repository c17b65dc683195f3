//! The lines of `auth_hba_file`: who may log in from where, and how.
//!
//! Format: <https://www.pgbouncer.org/config.html#hba-file-format>. What a line says that there is no word for here leaves it out, and
//! that is told: an entry that is missing lets nobody in, unless a later one does. A Unix socket's clients count as 127.0.0.1, so that
//! `local` holds for both; where that would let anybody in without a password, SCRAM is asked for instead.

use std::net::IpAddr;
use std::path::Path;

use ipnet::IpNet;

use super::{Note, Place};

/// What a file says.
#[derive(Debug, Default)]
pub(super) struct Read {
    /// Its lines, in their order.
    pub(super) lines: Vec<Line>,
    /// What could not be taken over as it is.
    pub(super) notes: Vec<Note>,
}

/// A line, in our words.
#[derive(Debug)]
pub(super) struct Line {
    /// `all` is any.
    pub(super) users: Vec<String>,
    /// By the names that PgBouncer's clients know; `all` is any.
    pub(super) databases: Vec<String>,
    pub(super) network: Option<IpNet>,
    pub(super) tls: Option<bool>,
    pub(super) method: &'static str,
}

/// Any user, any database.
pub(super) const ALL: &str = "all";

/// Reads the text of a file.
pub(super) fn read(file: &Path, text: &str) -> Read {
    let mut read = Read::default();
    for (index, line) in text.lines().enumerate() {
        let words = words(line);
        let mut words = words.iter().map(String::as_str);
        let Some(kind) = words.next() else { continue };
        let told = match meaning(kind, &mut words) {
            Ok((line, told)) => {
                read.lines.push(line);
                told
            }
            Err(why) => Some(why),
        };
        let note = |advice: String| Note {
            place: Place { file: file.to_owned(), line: index + 1 },
            key: kind.to_owned(),
            advice,
        };
        read.notes.extend(told.map(note));
    }
    read
}

/// A line, and what is to be told of it; or why it is left out.
fn meaning<'a>(kind: &str, words: &mut impl Iterator<Item = &'a str>) -> Result<(Line, Option<String>), String> {
    let tls = match kind {
        "local" | "host" => None,
        "hostssl" => Some(true),
        "hostnossl" => Some(false),
        _ => return Err(left_out("no kind of connection of this name is known")),
    };
    let databases = names(words.next(), "a database")?;
    let users = names(words.next(), "a user")?;
    // Clients of a Unix socket count as 127.0.0.1.
    let (network, word) = match kind {
        "local" => (Some(IpNet::from(IpAddr::from([127, 0, 0, 1]))), words.next()),
        _ => network(words)?,
    };
    let (method, told) = method(kind, word.unwrap_or_default())?;
    let mapped = words.any(|option| option.starts_with("map="));
    let further = [(kind == "local", SOCKETS), (mapped, NAMES)];
    let told = told.or_else(|| further.iter().find(|(holds, _)| *holds).map(|(_, words)| (*words).to_owned()));
    Ok((Line { users, databases, network, tls, method }, told))
}

const SOCKETS: &str =
    "clients of a Unix socket count as 127.0.0.1: the line holds for whoever comes from there by TCP as well";
const NAMES: &str = "names are not mapped: a certificate has to name the user itself";

fn left_out(why: &str) -> String {
    format!("{why}: the line was left out; see that no later one lets in whom it refused")
}

/// Names between commas; `all` is any.
fn names(word: Option<&str>, what: &str) -> Result<Vec<String>, String> {
    let names: Vec<_> = word.unwrap_or_default().split(',').filter(|name| !name.is_empty()).collect();
    match names.iter().find(|name| name.starts_with(['+', '@', '/']) || OTHERS.contains(name)) {
        _ if names.is_empty() => Err(left_out(&format!("{what} is missing"))),
        Some(&"replication") => Err(left_out("replication is let in by replication = true of a [[client]]")),
        Some(other) => Err(left_out(&format!("{what} cannot be told by {other} here"))),
        None => Ok(names.into_iter().map(str::to_owned).collect()),
    }
}

/// Words that are no names.
const OTHERS: [&str; 4] = ["replication", "sameuser", "samerole", "samegroup"];

/// The network, and the word behind it: a mask may stand in a word of its own.
fn network<'a>(words: &mut impl Iterator<Item = &'a str>) -> Result<(Option<IpNet>, Option<&'a str>), String> {
    let (address, next) = (words.next().unwrap_or_default(), words.next());
    if address == ALL {
        return Ok((None, next));
    }
    if let Ok(network) = address.parse::<IpNet>() {
        return Ok((Some(network.trunc()), next));
    }
    let unknown = || left_out(&format!("{address} is no address: names and samenet are not known here"));
    let address: IpAddr = address.parse().map_err(|_| unknown())?;
    match next.and_then(|mask| mask.parse::<IpAddr>().ok()) {
        None => Ok((Some(address.into()), next)),
        Some(mask) => {
            let network = IpNet::with_netmask(address, mask).map_err(|_| unknown())?;
            Ok((Some(network.trunc()), words.next()))
        }
    }
}

fn method(kind: &str, word: &str) -> Result<(&'static str, Option<String>), String> {
    let method = match word {
        "trust" | "peer" if kind == "local" => {
            let told =
                format!("{word} of a Unix socket would hold for every client of 127.0.0.1: scram takes its place");
            return Ok(("scram", Some(told)));
        }
        "scram-sha-256" => "scram",
        "md5" => "md5",
        "plain" | "password" => "plain",
        "cert" => "cert",
        "trust" => "trust",
        "reject" => "reject",
        other => return Err(left_out(&format!("there is no method {other}"))),
    };
    Ok((method, None))
}

/// The words of a line, some of them in double quotes; `#` begins a comment.
fn words(line: &str) -> Vec<String> {
    let (mut words, mut word, mut quoted) = (Vec::new(), None::<String>, false);
    for letter in line.chars() {
        match letter {
            '"' => {
                quoted = !quoted;
                word.get_or_insert_default();
            }
            '#' if !quoted => break,
            space if space.is_whitespace() && !quoted => words.extend(word.take()),
            letter => word.get_or_insert_default().push(letter),
        }
    }
    words.extend(word);
    words
}

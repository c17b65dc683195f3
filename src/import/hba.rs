//! The lines of `auth_hba_file`: who may log in from where, and how.
//!
//! Format: <https://www.pgbouncer.org/config.html#hba-file-format>. What a line says that there is no word for here leaves it out, and
//! that is told: an entry that is missing lets nobody in, unless a later one does. A Unix socket's clients count as 127.0.0.1, so that
//! `local` holds for both; where that would let anybody in without a password, SCRAM is asked for instead.

use std::net::IpAddr;
use std::path::Path;

use ipnet::IpNet;

use super::pattern::{LINE, is_pattern};
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
    /// `None` is any.
    pub(super) users: Vec<Option<String>>,
    /// By the names that PgBouncer's clients know; `None` is any.
    pub(super) databases: Vec<Option<String>>,
    pub(super) network: Option<IpNet>,
    pub(super) tls: Option<bool>,
    pub(super) method: &'static str,
}

/// Any user, any database, any address.
const ALL: &str = "all";

/// Names between commas; most words are one.
type Word = Vec<Name>;

/// A name, or a word of the format's own: in double quotes it is none of these.
#[derive(Debug, Default, PartialEq, Eq)]
struct Name {
    text: String,
    quoted: bool,
}

/// Reads the text of a file.
pub(super) fn read(file: &Path, text: &str) -> Read {
    let mut read = Read::default();
    for (index, line) in text.lines().enumerate() {
        let words = words(line);
        let mut words = words.iter();
        let Some(kind) = words.next().map(single) else { continue };
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
fn meaning<'a>(kind: &str, words: &mut impl Iterator<Item = &'a Word>) -> Result<(Line, Option<String>), String> {
    let tls = match kind {
        "local" | "host" => None,
        "hostssl" => Some(true),
        "hostnossl" => Some(false),
        _ => return Err(left_out("no kind of connection of this name is known")),
    };
    let databases = names(words.next(), "a database")?;
    let users = names(words.next(), "a user")?;
    let mut words = words.map(single);
    // Clients of a Unix socket count as 127.0.0.1.
    let (network, word) = match kind {
        "local" => (Some(IpNet::from(IpAddr::from([127, 0, 0, 1]))), words.next()),
        _ => network(&mut words)?,
    };
    let (method, told) = method(kind, word.unwrap_or_default())?;
    let mapped = words.any(|option| option.starts_with("map="));
    let patterns = users.iter().chain(&databases).flatten().any(|name| is_pattern(name));
    let further = [(patterns, LINE), (kind == "local", SOCKETS), (mapped, NAMES)];
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
fn names(word: Option<&Word>, what: &str) -> Result<Vec<Option<String>>, String> {
    let names = word.ok_or_else(|| left_out(&format!("{what} is missing")))?;
    let own = |name: &&Name| !name.quoted && OTHERS.contains(&&*name.text);
    match names.iter().find(|name| name.text.starts_with(['+', '@', '/']) || own(name)).map(|name| &*name.text) {
        Some("replication") => Err(left_out("replication is let in by replication = true of a [[client]]")),
        Some(other) => Err(left_out(&format!("{what} cannot be told by {other} here"))),
        None => Ok(names.iter().map(|name| (name.quoted || name.text != ALL).then(|| name.text.clone())).collect()),
    }
}

/// What is no list of names.
fn single(word: &Word) -> &str {
    word.first().map_or("", |name| &name.text)
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

/// The words of a line: names between commas, behind which there may be space, some of them in double quotes, of which two inside are one.
/// `#` begins a comment.
fn words(line: &str) -> Vec<Word> {
    let (mut words, mut names, mut name, mut quoted) = (Vec::new(), Word::new(), None::<Name>, false);
    let mut letters = line.chars().peekable();
    while let Some(letter) = letters.next() {
        match letter {
            '"' if quoted && letters.next_if_eq(&'"').is_some() => name.get_or_insert_default().text.push('"'),
            '"' => {
                quoted = !quoted;
                name.get_or_insert_default().quoted = true;
            }
            letter if quoted => name.get_or_insert_default().text.push(letter),
            '#' => break,
            ',' => names.extend(name.take()),
            space if space.is_whitespace() => {
                if let Some(name) = name.take() {
                    names.push(name);
                    words.push(std::mem::take(&mut names));
                }
            }
            letter => name.get_or_insert_default().text.push(letter),
        }
    }
    names.extend(name);
    words.extend(Some(names).filter(|names| !names.is_empty()));
    words
}

//! The lines of `auth_hba_file`: who may log in from where, and how.
//!
//! Format: <https://www.pgbouncer.org/config.html#hba-file-format>. A line that PgBouncer cannot read is none there, and the next ones
//! decide: it is left out here as well, unless it rejects and there are words for it. A line that it does read, and that there are no
//! words for here, must not be missing, since a later one may let in with less: in its place all whom it may mean are kept out. Both is
//! told. A Unix socket's clients count as 127.0.0.1, so that `local` holds for both; where that would let anybody in without a password,
//! SCRAM is asked for instead.

use std::net::{IpAddr, Ipv4Addr};
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
    let Reach { network, unread, word } = match kind {
        "local" => Reach::SOCKET.method(words.next()),
        _ => network(&mut words)?,
    };
    let asked = method(kind, word)?;
    let option = words.next();
    let unread = unread.or_else(|| option.filter(|_| asked.name != LDAP).and_then(unknown_option));
    let stricter = match unread {
        Some(why) if asked.name == REJECT => {
            Some(format!("{why}: PgBouncer does not heed the line, and here it keeps out"))
        }
        Some(why) => return Err(left_out(&why)),
        None => None,
    };
    let kept_out = [databases.beyond, users.beyond].into_iter().flatten().next().or(asked.beyond);
    let (databases, users) = (databases.listed, users.listed);
    let patterns = users.iter().chain(&databases).flatten().any(|name| is_pattern(name));
    let further = [(patterns, LINE), (kind == "local", SOCKETS), (option.is_some_and(is_map), NAMES)];
    let further: Vec<_> = further.iter().filter(|(holds, _)| *holds).map(|(_, words)| *words).collect();
    let further = (!further.is_empty()).then(|| further.join("; "));
    let method = if kept_out.is_some() { REJECT } else { asked.name };
    let told = kept_out.map(|why| kept_out_for(&why)).or(stricter).or(asked.told).or(further);
    Ok((Line { users, databases, network, tls, method }, told))
}

fn is_map(option: &str) -> bool {
    option.starts_with("map=")
}

/// Why PgBouncer does not read a line that ends with this.
fn unknown_option(option: &str) -> Option<String> {
    (!is_map(option)).then(|| format!("{option} behind the method is not known"))
}

const SOCKETS: &str =
    "clients of a Unix socket count as 127.0.0.1: the line holds for whoever comes from there by TCP as well";
const NAMES: &str = "names are not mapped: a certificate has to name the user itself";

fn left_out(why: &str) -> String {
    format!("{why}: the line was left out, as PgBouncer does; see that no later one lets in whom it was to refuse")
}

fn kept_out_for(why: &str) -> String {
    format!("{why}: in the place of the line all whom it may mean are kept out; write the entries by hand")
}

/// What a word of names says.
struct Names {
    /// `None` is any.
    listed: Vec<Option<String>>,
    /// Why it means others than can be told here; any stands for them.
    beyond: Option<String>,
}

/// Names between commas; `all` is any.
fn names(word: Option<&Word>, what: &str) -> Result<Names, String> {
    let names = word.ok_or_else(|| left_out(&format!("{what} is missing")))?;
    let own = || names.iter().filter(|name| !name.quoted).map(|name| &*name.text);
    if let Some(other) = own().find(|name| name.starts_with('+') || UNREAD.contains(name)) {
        return Err(left_out(&format!("{what} cannot be told by {other}")));
    }
    if let Some(other) = own().find(|name| name.starts_with('@') || *name == SAMEUSER) {
        let beyond = Some(format!("{what} cannot be told by {other} here"));
        return Ok(Names { listed: vec![None], beyond });
    }
    let listed = names.iter().filter(|name| name.quoted || name.text != REPLICATION);
    let listed: Vec<_> = listed.map(|name| (name.quoted || name.text != ALL).then(|| name.text.clone())).collect();
    if listed.is_empty() {
        return Err("replication is let in by replication = true of a [[client]]: the line was left out".to_owned());
    }
    Ok(Names { listed, beyond: None })
}

/// What is no list of names.
fn single(word: &Word) -> &str {
    word.first().map_or("", |name| &name.text)
}

/// The database of the user's name.
const SAMEUSER: &str = "sameuser";
/// Connections of that kind; nobody's name.
const REPLICATION: &str = "replication";
/// Words that PgBouncer knows, and reads no line with.
const UNREAD: [&str; 2] = ["samerole", "samegroup"];

/// Whom a line is about by address.
struct Reach<'a> {
    /// `None` is any.
    network: Option<IpNet>,
    /// Why the line is none with PgBouncer, or holds for nobody.
    unread: Option<String>,
    /// The word behind it.
    word: &'a str,
}

impl<'a> Reach<'a> {
    /// Clients of a Unix socket count as 127.0.0.1.
    const SOCKET: Reach<'static> =
        Reach { network: Some(IpNet::new_assert(IpAddr::V4(Ipv4Addr::LOCALHOST), 32)), unread: None, word: "" };

    fn method(self, word: Option<&'a str>) -> Self {
        Self { word: word.unwrap_or_default(), ..self }
    }
}

/// The network: a mask may stand in a word of its own.
fn network<'a>(words: &mut impl Iterator<Item = &'a str>) -> Result<Reach<'a>, String> {
    let (address, next) = (words.next().unwrap_or_default(), words.next());
    if address == ALL {
        return Ok(Reach { network: None, unread: None, word: next.unwrap_or_default() });
    }
    let unknown = || left_out(&format!("{address} is no address: names and samenet are not known"));
    let (network, word) = match (address.parse::<IpNet>(), next.and_then(|mask| mask.parse::<IpAddr>().ok())) {
        (Ok(network), _) => (network, next),
        (Err(_), Some(mask)) => {
            let address: IpAddr = address.parse().map_err(|_| unknown())?;
            (IpNet::with_netmask(address, mask).map_err(|_| unknown())?, words.next())
        }
        (Err(_), None) => {
            let address: IpAddr = address.parse().map_err(|_| unknown())?;
            let unread = Some(format!("{address} has no mask"));
            return Ok(Reach { network: Some(address.into()), unread, word: next.unwrap_or_default() });
        }
    };
    // No client's address is that one once the mask was laid over it.
    let unread = (network.trunc() != network).then(|| format!("{network} has more than its mask"));
    Ok(Reach { network: Some(network.trunc()), unread, word: word.unwrap_or_default() })
}

/// How a line wants its clients to prove who they are.
struct Asked {
    name: &'static str,
    /// Why there is no word for it here.
    beyond: Option<String>,
    /// What else takes its place.
    told: Option<String>,
}

fn method(kind: &str, word: &str) -> Result<Asked, String> {
    let asked = |name| Asked { name, beyond: None, told: None };
    Ok(match word {
        "trust" | "peer" if kind == "local" => {
            let told =
                format!("{word} of a Unix socket would hold for every client of 127.0.0.1: scram takes its place");
            Asked { told: Some(told), ..asked("scram") }
        }
        "scram-sha-256" => asked("scram"),
        "md5" => asked("md5"),
        "password" => asked("plain"),
        "cert" => asked("cert"),
        "trust" => asked("trust"),
        "reject" => asked(REJECT),
        LDAP => Asked { beyond: Some("there is no method ldap here".to_owned()), ..asked(LDAP) },
        "peer" => Asked { beyond: Some("peer lets in nobody who comes by TCP".to_owned()), ..asked(REJECT) },
        other => return Err(left_out(&format!("there is no method {other}"))),
    })
}

const REJECT: &str = "reject";
/// With words of its own behind it.
const LDAP: &str = "ldap";

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

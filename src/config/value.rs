//! From one TOML value to what it means, or to a sentence that says what to write.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use ipnet::IpNet;
use toml::Value;

use super::problem::{Fault, nearest, not_yet};
use crate::units::{self, ByteSize};

/// A text that is not empty.
pub(super) fn text(value: &Value) -> Result<String, Fault> {
    let text = value.as_str().ok_or_else(|| wrong_type("a text in quotes", value))?;
    if text.is_empty() {
        return Err(Fault::new("must not be empty"));
    }
    Ok(text.to_owned())
}

/// A name that fits into a metric label, a log line and a console row.
pub(super) fn name(value: &Value) -> Result<String, Fault> {
    let name = text(value)?;
    let fits = |c: char| c.is_alphanumeric() || "_-. @/".contains(c);
    if name.len() > NAME_BYTES_MAX || !name.chars().all(fits) {
        return Err(Fault::new(format!("\"{}\" is no name", units::display_bytes(name.as_bytes())))
            .advise(format!("use at most {NAME_BYTES_MAX} bytes of letters, digits and \"_-. @/\"")));
    }
    Ok(name)
}

/// Bytes of a name at the most; longer ones are cut by the server (`NAMEDATALEN` less one).
pub(super) const NAME_BYTES_MAX: usize = 63;

/// Would the server have a role or database of this name, as it stands?
pub(super) fn is_server_name(name: &str) -> bool {
    name.len() <= NAME_BYTES_MAX && !name.contains('\0')
}

/// A path.
pub(super) fn path(value: &Value) -> Result<PathBuf, Fault> {
    text(value).map(PathBuf::from)
}

/// `true` or `false`.
pub(super) fn flag(value: &Value) -> Result<bool, Fault> {
    value.as_bool().ok_or_else(|| wrong_type("true or false", value))
}

/// A whole number from 1 on.
pub(super) fn count(value: &Value) -> Result<usize, Fault> {
    match count_or_zero(value)? {
        0 => {
            Err(Fault::new("must be at least 1")
                .advise("0 does not mean unlimited: write the largest number you accept"))
        }
        count => Ok(count),
    }
}

/// A whole number from 0 on.
pub(super) fn count_or_zero(value: &Value) -> Result<usize, Fault> {
    let number = value.as_integer().ok_or_else(|| wrong_type("a whole number", value))?;
    let in_range = usize::try_from(number).ok().filter(|count| *count <= COUNT_MAX);
    in_range.ok_or_else(|| Fault::new(format!("{number} is out of range: 0 to {COUNT_MAX}")))
}

/// Counts beyond this are typing errors: no machine has as many sockets.
const COUNT_MAX: usize = 10_000_000;

/// A number of events a second, from 1 on.
pub(super) fn rate(value: &Value) -> Result<u32, Fault> {
    let count = count(value)?;
    u32::try_from(count).map_err(|_| Fault::new(format!("{count} is too large")))
}

/// A time with its unit.
pub(super) fn duration(value: &Value) -> Result<Duration, Fault> {
    let text = value.as_str().ok_or_else(|| wrong_type("a time with its unit, as in \"15s\"", value))?;
    let duration = units::parse_duration(text).map_err(|error| Fault::new(error.to_string()))?;
    if duration > DURATION_MAX {
        return Err(Fault::new(format!("\"{text}\" is longer than a day")));
    }
    Ok(duration)
}

/// A time that is not nothing.
pub(super) fn timeout(value: &Value) -> Result<Duration, Fault> {
    match duration(value)? {
        Duration::ZERO => Err(Fault::new("must be longer than nothing")),
        duration => Ok(duration),
    }
}

const DURATION_MAX: Duration = Duration::from_secs(24 * 60 * 60);

/// A size with its unit.
pub(super) fn size(value: &Value) -> Result<ByteSize, Fault> {
    let text = value.as_str().ok_or_else(|| wrong_type("a size with its unit, as in \"512MiB\"", value))?;
    text.parse().map_err(|error: units::BadQuantity| Fault::new(error.to_string()))
}

/// An address to listen on: an IP address and a port.
pub(super) fn bind(value: &Value) -> Result<SocketAddr, Fault> {
    let text = text(value)?;
    text.parse().map_err(|_| {
        Fault::new(format!("\"{text}\" is no address to listen on"))
            .advise("write an IP address and a port, as in \"127.0.0.1:6432\" or \"[::]:6432\"")
    })
}

/// As `bind`, or `off`.
pub(super) fn bind_or_off(value: &Value) -> Result<Option<SocketAddr>, Fault> {
    match value.as_str() {
        Some("off") => Ok(None),
        _ => bind(value).map(Some),
    }
}

/// One CIDR or a list of them; a plain address is a network of one.
pub(super) fn networks(value: &Value) -> Result<Vec<IpNet>, Fault> {
    let items = match value {
        Value::Array(items) if items.is_empty() => {
            return Err(Fault::new("must not be empty").advise("leave it out to match any address"));
        }
        Value::Array(items) => items.as_slice(),
        single => std::slice::from_ref(single),
    };
    items.iter().map(network).collect()
}

fn network(value: &Value) -> Result<IpNet, Fault> {
    let text = text(value)?;
    let single = text.parse::<IpAddr>().map(IpNet::from).ok();
    let network = single.or_else(|| text.parse::<IpNet>().ok().map(|network| network.trunc()));
    network.ok_or_else(|| {
        Fault::new(format!("\"{text}\" is no network"))
            .advise("write a CIDR or an address, as in \"10.1.0.0/16\" or \"10.1.2.3\"")
    })
}

/// A `host:port` of a server, or the folder of its Unix socket with a port; the port may be left out. The name is resolved at each dial, not here.
pub(super) fn server(value: &Value) -> Result<String, Fault> {
    let text = text(value)?;
    if text.starts_with('/') {
        return unix_server(&text);
    }
    if let Ok(address) = text.parse::<IpAddr>() {
        return Ok(SocketAddr::new(address, POSTGRES_PORT).to_string());
    }
    let bad = || {
        Fault::new(format!("\"{text}\" is no server"))
            .advise("write a host and a port, as in \"db.internal:5432\" or \"[fd00::1]:5432\"")
    };
    let (host, port) = match text.rsplit_once(':') {
        Some((host, port)) => (host, port.parse::<u16>().ok().filter(|port| *port != 0).ok_or_else(bad)?),
        None => (text.as_str(), POSTGRES_PORT),
    };
    if !is_host(host) {
        return Err(bad());
    }
    Ok(format!("{host}:{port}"))
}

/// The folder of a server's Unix socket, and the port that the socket is named by.
fn unix_server(text: &str) -> Result<String, Fault> {
    let (folder, port) = match text.rsplit_once(':') {
        Some((folder, port)) => (folder, port.parse::<u16>().ok().filter(|port| *port != 0)),
        None => (text, Some(POSTGRES_PORT)),
    };
    match port {
        Some(port) if !folder.contains(':') => Ok(format!("{folder}:{port}")),
        _ => Err(Fault::new(format!("\"{text}\" is no server"))
            .advise("write the folder of its socket, as in \"/var/run/postgresql\" or \"/var/run/postgresql:5433\"")),
    }
}

const POSTGRES_PORT: u16 = 5432;

fn is_host(host: &str) -> bool {
    match host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
        Some(address) => address.parse::<std::net::Ipv6Addr>().is_ok(),
        None => !host.is_empty() && host.chars().all(|c| c.is_ascii_alphanumeric() || "-._".contains(c)),
    }
}

/// One word of a list.
pub(super) fn one_of<T: Copy>(value: &Value, known: &[(&str, T)]) -> Result<T, Fault> {
    let word = text(value)?;
    if let Some((_, meaning)) = known.iter().find(|(name, _)| *name == word) {
        return Ok(*meaning);
    }
    let names: Vec<&str> = known.iter().map(|(name, _)| *name).collect();
    let advice = match nearest(&word, names.iter().copied()) {
        Some(meant) => format!("did you mean \"{meant}\"?"),
        None => format!("known: {}", names.join(", ")),
    };
    Err(Fault::new(format!("\"{}\" is not known", units::display_bytes(word.as_bytes()))).advise(advice))
}

/// The only word that works today, among words that a later version will know.
pub(super) fn only(value: &Value, today: &'static str, later: &[&'static str]) -> Result<(), Fault> {
    let known: Vec<(&str, &str)> =
        std::iter::once(today).chain(later.iter().copied()).map(|word| (word, word)).collect();
    let word = one_of(value, &known)?;
    if word == today {
        return Ok(());
    }
    Err(not_yet(&format!("\"{word}\"")).advise(format!("\"{today}\" is what works today")))
}

fn wrong_type(expected: &str, found: &Value) -> Fault {
    Fault::new(format!("expected {expected}, found {}", found.type_str()))
}

//! Which servers are behind a listener, and how often they are looked at.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use toml::Value;

use super::super::document::Section;
use super::super::problem::Fault;
use super::super::value;

/// More than this is no cluster but a mistake.
const SERVERS_MAX: usize = 16;
/// How often each of several servers is asked whether it is there, where the file does not say.
pub(in crate::config) const CHECK_INTERVAL: Duration = Duration::from_secs(1);
/// Below this the checks themselves are a load.
const CHECK_INTERVAL_MIN: Duration = Duration::from_millis(100);

/// Reads `servers` of a listener that is bound there.
pub(super) fn names(section: &mut Section<'_>, bind: SocketAddr) -> Option<Vec<String>> {
    section.read("servers", |value| {
        let servers = servers(value)?;
        match servers.iter().find(|server| is_listener(server, bind)) {
            Some(server) => Err(Fault::new(format!("{server} is this listener itself"))
                .advise("name the server behind it, or give bind another port")),
            None => Ok(servers),
        }
    })
}

/// Reads `server_check_interval`.
pub(super) fn check_interval(section: &mut Section<'_>) -> Duration {
    section.read("server_check_interval", interval).unwrap_or(CHECK_INTERVAL)
}

fn interval(value: &Value) -> Result<Duration, Fault> {
    let interval = value::duration(value)?;
    if interval < CHECK_INTERVAL_MIN {
        return Err(Fault::new("must be at least 100ms"));
    }
    Ok(interval)
}

fn servers(value: &Value) -> Result<Vec<String>, Fault> {
    let example = "write a list, as in [\"127.0.0.1:5432\"]";
    let items = value.as_array().ok_or_else(|| Fault::new("expected a list").advise(example))?;
    if items.is_empty() {
        return Err(Fault::new("must not be empty").advise(example));
    }
    if items.len() > SERVERS_MAX {
        return Err(Fault::new(format!("names more than {SERVERS_MAX} servers")));
    }
    let servers = items.iter().map(value::server).collect::<Result<Vec<_>, _>>()?;
    let twice = servers.iter().enumerate().find(|(at, server)| servers.iter().take(*at).any(|other| other == *server));
    match twice {
        Some((_, server)) => Err(Fault::new(format!("\"{server}\" is named twice"))),
        None => Ok(servers),
    }
}

/// True where that server is the listener itself: each client would come back as a newcomer, until no place is left. Only an address that
/// is certain to be ours counts.
fn is_listener(server: &str, bind: SocketAddr) -> bool {
    let Some((host, port)) = server.rsplit_once(':') else { return false };
    if port.parse() != Ok(bind.port()) {
        return false;
    }
    let address = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
    match address {
        Ok(address) => address == bind.ip() || bind.ip().is_unspecified() && address.is_loopback(),
        Err(_) => host == "localhost" && (bind.ip().is_loopback() || bind.ip().is_unspecified()),
    }
}

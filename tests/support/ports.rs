//! Free TCP ports for servers that tests start.

use std::collections::HashSet;
use std::net::SocketAddr;
use std::sync::Mutex;

use rustix::net::sockopt::set_socket_reuseaddr;
use rustix::net::{AddressFamily, SocketFlags, SocketType, bind, socket_with};

/// Ports handed out by this process: two tests never get the same one.
static TAKEN: Mutex<Option<HashSet<u16>>> = Mutex::new(None);

/// Lowest and highest port tried: below the range from which the kernel takes ports of outgoing connections,
/// so that no client of another test can sit on a port between our look and the server's bind.
const RANGE: std::ops::Range<u16> = 11_000..32_000;

/// A port that was free on every address a moment ago, and that this process hands out only once.
pub fn free_port() -> u16 {
    let mut taken = TAKEN.lock().unwrap();
    let taken = taken.get_or_insert_with(HashSet::new);
    for attempt in 0..2_000_u32 {
        let port = candidate(attempt);
        if taken.contains(&port) || !is_free(port) {
            continue;
        }
        taken.insert(port);
        return port;
    }
    panic!("no free port in {RANGE:?}");
}

/// True where nobody listens there. We do not listen either: a process that another test starts at this moment has our socket as well until
/// it becomes its program, and would keep the port from the server that is meant to have it.
fn is_free(port: u16) -> bool {
    let socket = socket_with(AddressFamily::INET, SocketType::STREAM, SocketFlags::CLOEXEC, None).unwrap();
    set_socket_reuseaddr(&socket, true).unwrap();
    bind(&socket, &SocketAddr::from(([0, 0, 0, 0], port))).is_ok()
}

/// A pseudo-random port: other test processes on the machine must not walk the same row.
fn candidate(attempt: u32) -> u16 {
    use std::hash::{BuildHasher, Hasher, RandomState};
    let mut hasher = RandomState::new().build_hasher();
    hasher.write_u32(attempt);
    let span = u64::from(RANGE.end - RANGE.start);
    RANGE.start + u16::try_from(hasher.finish() % span).unwrap()
}

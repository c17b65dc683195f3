//! Free TCP ports for servers that tests start.

use std::collections::HashSet;
use std::net::TcpListener;
use std::sync::Mutex;

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
        if taken.contains(&port) || TcpListener::bind(("0.0.0.0", port)).is_err() {
            continue;
        }
        taken.insert(port);
        return port;
    }
    panic!("no free port in {RANGE:?}");
}

/// A pseudo-random port: other test processes on the machine must not walk the same row.
fn candidate(attempt: u32) -> u16 {
    use std::hash::{BuildHasher, Hasher, RandomState};
    let mut hasher = RandomState::new().build_hasher();
    hasher.write_u32(attempt);
    let span = u64::from(RANGE.end - RANGE.start);
    RANGE.start + u16::try_from(hasher.finish() % span).unwrap()
}

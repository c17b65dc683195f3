//! Descriptors: each session takes two, or one where servers are shared, so the limit of the process bounds the clients.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::config::{Caps, Config, Listener};

/// Kept for newcomers, cancels, listeners, the console, HTTP and the monitor: so many, or a quarter where there are few.
const RESERVE: u64 = 1024;
/// Servers of pools whose number nobody has bounded yet: more than most PostgreSQL servers let in, or half of what is left.
const SERVERS: u64 = 1000;

/// Raises the limit to what the system allows.
pub(super) fn raise() {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit { current: limit.maximum, maximum: limit.maximum };
    if let Err(error) = setrlimit(Resource::Nofile, raised) {
        tracing::warn!(%error, "the limit of descriptors could not be raised");
    }
}

/// Clamps `max_clients` to what fits the limit, with a warning.
pub(super) fn clamp(config: &mut Config) {
    let Some(descriptors) = getrlimit(Resource::Nofile).current else { return };
    let fit = fit(descriptors, &config.listeners);
    if config.caps.max_clients > fit {
        tracing::warn!(
            max_clients = config.caps.max_clients,
            default = Caps::default().max_clients,
            applied = fit,
            descriptors,
            "max_clients is more than the descriptors of this process allow; raise LimitNOFILE or ulimit -n"
        );
        config.caps.max_clients = fit;
    }
}

/// So many clients can be served with these descriptors: one at the least.
fn fit(descriptors: u64, listeners: &[Listener]) -> usize {
    let left = descriptors.saturating_sub(RESERVE.min(descriptors / 4));
    let each = listeners.iter().map(each).sum::<u64>().max(1);
    let shared = listeners.iter().map(|listener| shared(listener, SERVERS.min(left / 2))).sum::<u64>();
    usize::try_from(left.saturating_sub(shared) / each).unwrap_or(usize::MAX).max(1)
}

/// Those of one session: its client's, and its server's where it has one of its own.
fn each(listener: &Listener) -> u64 {
    // Those that have a server beside others that are lent one share its bound with them.
    if listener.lends() { 1 } else { 2 }
}

/// Those of the servers that sessions share; `unbounded` where nobody has said how many.
fn shared(listener: &Listener, unbounded: u64) -> u64 {
    if !listener.lends() {
        return 0;
    }
    listener.max_server_connections.map_or(unbounded, |most| most as u64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::PoolMode;

    fn listener(mode: PoolMode, max_server_connections: Option<usize>) -> Listener {
        let mut listener = Listener { max_server_connections, ..Listener::default() };
        listener.pool.mode = mode;
        listener
    }

    #[test]
    fn a_small_limit_serves_hundreds_and_a_large_one_all() {
        let (session, transaction) = (listener(PoolMode::Session, None), listener(PoolMode::Transaction, None));
        let bounded = listener(PoolMode::Transaction, Some(100));
        for (descriptors, listener, clients) in [
            (1_024, &session, 384),
            (1_024, &transaction, 384),
            (1_024, &bounded, 668),
            (20_000, &session, 9_488),
            (20_000, &transaction, 17_976),
            (20_000, &bounded, 18_876),
            (64, &listener(PoolMode::Transaction, Some(500)), 1),
        ] {
            assert_eq!(fit(descriptors, std::slice::from_ref(listener)), clients, "{descriptors}: {listener:?}");
        }
        assert_eq!(fit(20_000, &[session, transaction]), 5_992);
    }
}

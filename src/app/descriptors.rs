//! Descriptors: each session takes two, or one where servers are shared, so the limit of the process bounds the clients.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::config::{Config, Listener, PoolMode};

/// Kept for newcomers, cancels, listeners, the console, HTTP and the monitor.
const RESERVE: u64 = 1024;
/// Servers of pools whose number nobody has bounded yet: more than most PostgreSQL servers let in.
const SERVERS: usize = 1000;

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
    let each = config.listeners.iter().map(each).sum::<u64>().max(1);
    let shared = config.listeners.iter().map(shared).sum::<u64>();
    let left = descriptors.saturating_sub(RESERVE).saturating_sub(shared);
    let fit = usize::try_from(left / each).unwrap_or(usize::MAX).max(1);
    if config.caps.max_clients > fit {
        tracing::warn!(
            configured = config.caps.max_clients,
            applied = fit,
            descriptors,
            "max_clients is more than the descriptors of this process allow; raise LimitNOFILE or ulimit -n"
        );
        config.caps.max_clients = fit;
    }
}

/// Those of one session: its client's, and its server's where it has one of its own.
const fn each(listener: &Listener) -> u64 {
    match listener.pool.mode {
        PoolMode::Session => 2,
        PoolMode::Transaction => 1,
    }
}

/// Those of the servers that sessions share.
fn shared(listener: &Listener) -> u64 {
    match listener.pool.mode {
        PoolMode::Session => 0,
        PoolMode::Transaction => listener.max_server_connections.unwrap_or(SERVERS) as u64,
    }
}

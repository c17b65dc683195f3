//! Descriptors: each session takes two, so the limit of the process bounds the clients.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::config::Config;

/// Kept for newcomers, cancels, listeners, the console, HTTP and the monitor.
const RESERVE: u64 = 1024;
/// Those of a session: its client's and its server's.
const EACH: u64 = 2;

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
    let listeners = config.listeners.len().max(1) as u64;
    let fit = usize::try_from(descriptors.saturating_sub(RESERVE) / EACH / listeners).unwrap_or(usize::MAX).max(1);
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

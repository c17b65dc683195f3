//! How `[limits] memory` is divided.

use std::sync::Arc;

use crate::config::Config;
use crate::session::memory::Budget;

/// Of `[limits] memory`, the part that the caches of all workers may take: one in this many.
const CACHES_SHARE: usize = 8;
/// More than this helps no worker.
const CACHES_MAX: usize = 64 << 20;

fn memory_bytes(config: &Config) -> usize {
    usize::try_from(config.limits.memory_bytes).unwrap_or(usize::MAX)
}

/// What the caches of one worker may take.
pub(super) fn cache_bytes(config: &Config) -> usize {
    (memory_bytes(config) / CACHES_SHARE / config.workers.max(1)).min(CACHES_MAX)
}

/// What sessions may hold: all that the caches leave.
pub(super) fn budget(config: &Config) -> Arc<Budget> {
    let caches = cache_bytes(config).saturating_mul(config.workers.max(1));
    Budget::new(memory_bytes(config).saturating_sub(caches))
}

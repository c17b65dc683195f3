//! Makes the processes of a hand-over known to each other.

use std::sync::Arc;

use crate::config::Config;
use crate::session::cancel::siblings::{Counter, Siblings};
use crate::session::house::Common;

/// The way to the others, where a listener may be handed over.
pub(super) fn open(config: &Config) -> Option<(Siblings, Counter)> {
    if !config.listeners.iter().any(|listener| listener.entry.reuse_port) {
        return None;
    }
    match Siblings::open(&config.state_dir) {
        Ok(opened) => Some(opened),
        Err(error) => {
            let folder = config.state_dir.display();
            tracing::warn!(%error, %folder, "in a hand-over, cancel requests for sessions of the other process are lost");
            None
        }
    }
}

/// Answers the others until the process ends, its drain included.
pub(super) fn serve(counter: Counter, common: &Common) {
    tokio::spawn(counter.serve(Arc::clone(&common.keys), Arc::clone(&common.metrics)));
}

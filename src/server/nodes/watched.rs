//! What is watched: the servers of one version of the settings.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::health::Health;
use crate::config::{Listener, Monitor};

/// One version of what is watched.
#[derive(Debug)]
pub(super) struct Watched {
    pub(super) nodes: Vec<Node>,
    pub(super) monitor: Option<Monitor>,
    pub(super) interval: Duration,
}

/// One server.
#[derive(Debug)]
pub(super) struct Node {
    pub(super) server: Arc<str>,
    pub(super) health: Mutex<Health>,
}

impl Watched {
    pub(super) fn new(listener: &Listener) -> Self {
        let node = |server: &String| Node { server: server.as_str().into(), health: Mutex::new(Health::unknown()) };
        Self {
            nodes: listener.servers.iter().map(node).collect(),
            monitor: listener.monitor.clone(),
            interval: listener.server_check_interval,
        }
    }

    /// The only server, which is used whatever a probe finds.
    pub(super) fn only(&self) -> Option<&Arc<str>> {
        match self.nodes.as_slice() {
            [only] => Some(&only.server),
            _ => None,
        }
    }

    pub(super) fn find(&self, server: &str) -> Option<&Node> {
        self.nodes.iter().find(|node| *node.server == *server)
    }
}

impl Node {
    pub(super) fn health(&self) -> Health {
        self.health.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

//! Probes the servers and puts choices in force.

use std::sync::{Arc, PoisonError};

use futures::future::join_all;
use tokio::time::sleep;

use super::choose::{self, Candidate};
use super::health::Health;
use super::probe::Prober;
use super::watched::{Node, Watched};
use super::{Choice, Nodes, PAST_MAX};

impl Nodes {
    /// Probes the servers, where there are several, and chooses. Never returns.
    pub async fn run(&self) {
        loop {
            let watched = self.watched.load_full();
            let probing = async {
                if watched.only().is_some() {
                    return std::future::pending().await;
                }
                self.announce(&watched);
                join_all(watched.nodes.iter().map(|node| self.attend(&watched, node))).await;
            };
            tokio::select! {
                () = probing => {}
                () = self.replaced.notified() => {}
            }
        }
    }

    fn announce(&self, watched: &Watched) {
        if watched.monitor.is_none() {
            let listener = &*self.listener;
            tracing::warn!(
                listener,
                "several servers and no monitor: which one is the primary cannot be asked, so the first that answers is used"
            );
        }
    }

    /// Probes one server for ever.
    async fn attend(&self, watched: &Watched, node: &Node) {
        let mut prober = Prober::new(&node.server, watched.monitor.as_ref());
        loop {
            let found = prober.probe().await;
            let news = node.health.lock().unwrap_or_else(PoisonError::into_inner).note(&found);
            if news {
                let Health { state, role, error, .. } = node.health();
                let (state, role) = (state.label(), role.label());
                tracing::warn!(
                    listener = &*self.listener,
                    server = &*node.server,
                    state,
                    role,
                    error,
                    "a server changed"
                );
            }
            self.choose(watched);
            sleep(watched.interval).await;
        }
    }

    fn choose(&self, watched: &Watched) {
        let candidate = |node: &Node| Candidate { server: Arc::clone(&node.server), health: node.health() };
        let candidates: Vec<Candidate> = watched.nodes.iter().map(candidate).collect();
        let last = self.choice.borrow().last.clone();
        let server = choose::choose(&candidates, last.as_deref());
        let demoted = |last: &Arc<str>| watched.find(last).is_some_and(|node| node.health().is_standby());
        let gone = last.as_ref().is_some_and(demoted);
        if server.is_some() || gone {
            self.settle(server);
        } else {
            // The server of this choice may come back as it was.
            self.choice.send_if_modified(|choice| choice.server.take().is_some());
        }
    }

    /// Puts a choice in force, if it is another one.
    pub(super) fn settle(&self, server: Option<Arc<str>>) {
        let changed = self.choice.send_if_modified(|choice| {
            if choice.server == server && choice.last == server {
                return false;
            }
            if choice.last != server {
                self.remember(choice);
                choice.generation = choice.generation.wrapping_add(1);
            }
            choice.server.clone_from(&server);
            choice.last.clone_from(&server);
            true
        });
        if changed && self.several() {
            let server = server.as_deref().unwrap_or("none");
            tracing::warn!(listener = &*self.listener, server, "the primary changed");
        }
    }

    /// Notes a choice that is about to end.
    fn remember(&self, choice: &Choice) {
        let Some(server) = &choice.last else { return };
        let mut past = self.past.lock().unwrap_or_else(PoisonError::into_inner);
        past.truncate(PAST_MAX);
        past.push_front((choice.generation, Arc::clone(server)));
    }
}

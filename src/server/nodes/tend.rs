//! Probes the servers and puts choices in force.

use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};

use futures::future::join_all;
use tokio::time::sleep;

use super::choose::{self, Candidate};
use super::health::{Health, State};
use super::probe::Prober;
use super::watched::{Node, Watched};
use super::{Choice, Nodes, PAST_MAX};
use crate::net::tls::Live;

impl Nodes {
    /// Probes the servers, by the `server_tls` that is in force at each dial, and chooses where there are several. A single one is
    /// asked through a monitor only, and for the operator's sake: it is used whatever it answers. Never returns.
    pub async fn run(&self, tls: &Live) {
        loop {
            let watched = self.watched.load_full();
            let probing = async {
                if watched.only().is_some() && watched.monitor.is_none() {
                    return std::future::pending().await;
                }
                self.announce(&watched);
                join_all(watched.nodes.iter().map(|node| self.attend(&watched, node, tls))).await;
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
    async fn attend(&self, watched: &Watched, node: &Node, tls: &Live) {
        let mut prober = Prober::new(&node.server, watched.monitor.as_ref(), tls);
        loop {
            let found = prober.probe().await;
            let before = node.health.lock().unwrap_or_else(PoisonError::into_inner).note(&found);
            if let Some(before) = before {
                self.tell(before, node, found.fault());
            }
            self.choose(watched);
            sleep(watched.interval).await;
        }
    }

    /// Logs how a server is now; `error`: what this probe met, since the last one may have passed long ago. That it is there when somebody looks for the first time is as it should be.
    fn tell(&self, before: State, node: &Node, error: Option<&str>) {
        let Health { state, role, .. } = node.health();
        let (listener, server, role) = (&*self.listener, &*node.server, role.label());
        if (before, state) == (State::Unknown, State::Up) {
            tracing::info!(listener, server, role, "a server is up");
        } else {
            tracing::warn!(listener, server, state = state.label(), role, error, "a server changed");
        }
    }

    fn choose(&self, watched: &Watched) {
        if watched.only().is_some() {
            return;
        }
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
        self.generation.store(self.choice.borrow().generation, Ordering::Relaxed);
        if changed && self.several() {
            let server = server.as_deref().unwrap_or("none");
            tracing::warn!(listener = &*self.listener, server, "the primary changed");
        }
    }

    /// Has servers of pools that were made until now end with their transaction, as if another server had been chosen: the way to it
    /// has changed.
    pub fn renew(&self) {
        self.choice.send_modify(|choice| {
            self.remember(choice);
            choice.generation = choice.generation.wrapping_add(1);
        });
        self.generation.store(self.choice.borrow().generation, Ordering::Relaxed);
    }

    /// Notes a choice that is about to end.
    fn remember(&self, choice: &Choice) {
        let Some(server) = &choice.last else { return };
        let mut past = self.past.lock().unwrap_or_else(PoisonError::into_inner);
        past.truncate(PAST_MAX);
        past.push_front((choice.generation, Arc::clone(server)));
    }
}

#[cfg(test)]
mod tests {
    use super::super::Leave;
    use super::super::probe::{Found, Role};
    use super::*;
    use crate::config::Listener;

    fn nodes(servers: &[&str]) -> Arc<Nodes> {
        Nodes::new(&Listener { servers: servers.iter().map(ToString::to_string).collect(), ..Listener::default() })
    }

    /// Notes what a probe found and chooses; the server that is used then, and its number.
    fn see(nodes: &Nodes, server: &str, found: Found) -> (Option<String>, u64) {
        let watched = nodes.watched.load_full();
        watched.find(server).unwrap().health.lock().unwrap().note(&found);
        nodes.choose(&watched);
        let Choice { generation, server, .. } = nodes.primary();
        (server.map(|server| server.to_string()), generation)
    }

    fn down() -> Found {
        Found::Down("silent".to_owned())
    }

    fn used(server: &str, generation: u64) -> (Option<String>, u64) {
        (Some(server.to_owned()), generation)
    }

    #[test]
    fn a_single_server_is_used_unseen_and_its_sessions_stay() {
        let nodes = nodes(&["a:1"]);
        assert_eq!(nodes.primary().server.as_deref(), Some("a:1"));
        assert_eq!(nodes.outdated(7), None);
        let other = Listener { servers: vec!["b:1".to_owned()], ..Listener::default() };
        nodes.reload(&other);
        assert_eq!(nodes.primary().server.as_deref(), Some("b:1"));
        assert_eq!(nodes.outdated(0), None, "a reload moves newcomers only");
    }

    #[test]
    fn a_number_stands_for_one_server_and_sessions_of_a_silent_one_end_at_once() {
        let nodes = nodes(&["a:1", "b:1"]);
        assert_eq!(nodes.primary().server, None, "nobody is used unseen");
        assert_eq!(see(&nodes, "b:1", Found::Role(Role::Standby)), (None, 0));
        assert_eq!(see(&nodes, "a:1", Found::Role(Role::Primary)), used("a:1", 1));
        assert_eq!(see(&nodes, "a:1", Found::Refused("53300".to_owned())), used("a:1", 1), "full is not dead");
        assert_eq!(see(&nodes, "a:1", down()), (None, 1));
        assert_eq!(see(&nodes, "a:1", Found::Role(Role::Primary)), used("a:1", 1), "back as it was");
        assert_eq!(nodes.outdated(1), None);
        assert_eq!(see(&nodes, "a:1", down()), (None, 1));
        assert_eq!(see(&nodes, "b:1", Found::Role(Role::Primary)), used("b:1", 2));
        assert_eq!((nodes.outdated(1), nodes.outdated(2)), (Some(Leave::Now), None));
        assert_eq!(see(&nodes, "a:1", Found::Role(Role::Primary)), used("b:1", 2), "the choice stays");
        assert_eq!(nodes.outdated(1), Some(Leave::AtBoundary), "it answers again");
        assert_eq!(see(&nodes, "b:1", Found::Role(Role::Standby)), used("a:1", 3));
    }

    #[test]
    fn a_primary_that_turns_standby_is_left_though_there_is_no_other() {
        let nodes = nodes(&["a:1", "b:1"]);
        assert_eq!(see(&nodes, "a:1", Found::Role(Role::Primary)), used("a:1", 1));
        assert_eq!(see(&nodes, "a:1", Found::Role(Role::Standby)), (None, 2));
        assert_eq!(nodes.outdated(1), Some(Leave::AtBoundary));
    }

    #[test]
    fn a_server_of_which_nobody_knows_what_it_is_need_not_be_the_primary() {
        let nodes = nodes(&["a:1", "b:1"]);
        assert_eq!(see(&nodes, "a:1", Found::Refused("28P01".to_owned())), used("a:1", 1));
        assert!(!nodes.knows_primary(1), "it may be a standby for all that is known");
        assert!(nodes.knows_primary(0), "another one is used by now");
        see(&nodes, "a:1", Found::Role(Role::Primary));
        assert!(nodes.knows_primary(1));
        see(&nodes, "a:1", down());
        assert!(nodes.knows_primary(1), "what it was when it was asked last");
        assert!(!self::nodes(&["a:1"]).knows_primary(0), "there is no other");
    }

    /// Whoever had waited came again in between, and met nobody.
    #[tokio::test]
    async fn a_primary_that_is_gone_is_no_other_server_yet() {
        let nodes = nodes(&["a:1", "b:1"]);
        assert_eq!(see(&nodes, "a:1", Found::Role(Role::Primary)), used("a:1", 1));
        let mut another = std::pin::pin!(nodes.another_server(1));
        assert!(futures::poll!(another.as_mut()).is_pending());
        assert_eq!(see(&nodes, "a:1", Found::Role(Role::Standby)), (None, 2));
        assert!(futures::poll!(another.as_mut()).is_pending());
        assert_eq!(see(&nodes, "b:1", Found::Role(Role::Primary)), used("b:1", 3));
        assert!(futures::poll!(another.as_mut()).is_ready());
    }

    #[tokio::test(start_paused = true)]
    async fn newcomers_wait_for_a_primary_and_no_longer_than_they_may() {
        let nodes = nodes(&["a:1", "b:1"]);
        let soon = || crate::clock::now() + std::time::Duration::from_secs(5);
        assert!(nodes.primary_by(soon()).await.unwrap_err().why.contains("none of its servers"));
        let later = async {
            sleep(std::time::Duration::from_secs(3)).await;
            see(&nodes, "b:1", Found::Role(Role::Primary))
        };
        let (got, _) = tokio::join!(nodes.primary_by(soon()), later);
        assert_eq!(got.unwrap(), ("b:1".into(), 1));
    }
}

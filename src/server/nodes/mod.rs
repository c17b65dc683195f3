//! Which of a listener's servers is used: the first that answers and is no standby.
//!
//! One server is used as it is; where there is a monitor it is probed, so that an operator sees that it does not answer. Several are
//! probed, each for itself; after each probe the choice is made anew. A choice is kept for as long as it holds, so that a second
//! primary is not run to and fro between. Each choice has a number: connections made by an earlier one lead to a server that is no
//! longer used.
//!
//! A probe that is refused for want of a slot (53300) or of a right shows that the server is there: a saturated server is not a
//! dead one. Where no role can be learnt, a server counts as primary while no other is known to be.

mod choose;
mod health;
mod probe;
mod tend;
mod watched;

use std::collections::VecDeque;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwap;
use tokio::sync::{Notify, watch};
use tokio::time::{Instant, timeout_at};

use self::watched::Watched;
use super::dial::Unreachable;
use crate::clock;
use crate::config::Listener;
use crate::telemetry::rows::NodeRow;

/// Between two dials of a server that was chosen and can't be reached.
const RETRY: Duration = Duration::from_millis(100);

/// How often whoever waits for a server's silence looks.
const LOOK: Duration = Duration::from_millis(500);

/// Past choices that are remembered, less one: connections of older ones end with their transaction.
const PAST_MAX: usize = 15;

/// The servers of a listener.
#[derive(Debug)]
pub struct Nodes {
    listener: Box<str>,
    watched: ArcSwap<Watched>,
    choice: watch::Sender<Choice>,
    generation: Arc<AtomicU64>,
    /// Which servers the latest choices were, with their numbers.
    past: Mutex<VecDeque<(u64, Arc<str>)>>,
    /// Other servers are in place.
    replaced: Notify,
}

/// Which server is used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Choice {
    /// Grows when another server is chosen, and when the one that was turns out to be a standby.
    pub generation: u64,
    /// The server, as in `servers`; `None` while none is fit.
    pub server: Option<Arc<str>>,
    /// The server of this generation, fit or not.
    last: Option<Arc<str>>,
}

impl Choice {
    /// The listener as whoever follows this choice sees it: with no server but the one that is used, if there is one.
    pub fn narrow(&self, listener: &Listener) -> Listener {
        Listener { servers: self.server.iter().map(ToString::to_string).collect(), ..listener.clone() }
    }
}

/// How connections of an earlier choice end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Leave {
    /// With their transaction.
    AtBoundary,
    /// Now: their server does not answer.
    Now,
}

impl Nodes {
    /// The servers of a listener; of several none is chosen before [`Self::run`] has seen them.
    pub fn new(listener: &Listener) -> Arc<Self> {
        let watched = Watched::new(listener);
        let only = watched.only().cloned();
        Arc::new(Self {
            listener: listener.name.as_str().into(),
            choice: watch::Sender::new(Choice { generation: 0, server: only.clone(), last: only }),
            generation: Arc::default(),
            watched: ArcSwap::from_pointee(watched),
            past: Mutex::default(),
            replaced: Notify::new(),
        })
    }

    /// The choice as it stands.
    pub fn primary(&self) -> Choice {
        self.choice.borrow().clone()
    }

    /// Tells of every other choice. Cancel-safe, as [`watch::Receiver::changed`].
    pub fn watch(&self) -> watch::Receiver<Choice> {
        self.choice.subscribe()
    }

    /// The number of the choice as it stands, for whoever has to look at it often.
    pub fn generation(&self) -> &Arc<AtomicU64> {
        &self.generation
    }

    /// True where there is a choice at all.
    pub fn several(&self) -> bool {
        self.watched.load().only().is_none()
    }

    /// True where the server of this choice was a primary when it was asked last: if it turns out not to be one, there is another one to
    /// come. Where nobody can ask, the server that answers is used, whatever it is.
    pub fn knows_primary(&self, generation: u64) -> bool {
        if !self.several() {
            return false;
        }
        let choice = self.primary();
        if choice.generation != generation {
            return true;
        }
        let watched = self.watched.load();
        choice.last.and_then(|server| watched.find(&server).map(|node| node.health().is_primary())).unwrap_or_default()
    }

    /// Waits for a server that is fit, with the number of its choice. Cancel-safe.
    pub(super) async fn primary_by(&self, deadline: Instant) -> Result<(Arc<str>, u64), Unreachable> {
        let mut choice = self.watch();
        let fit = async {
            let choice = choice.wait_for(|choice| choice.server.is_some()).await.ok()?;
            choice.server.clone().map(|server| (server, choice.generation))
        };
        let none = || Unreachable { why: "none of its servers is a primary that answers".to_owned() };
        timeout_at(deadline, fit).await.ok().flatten().ok_or_else(none)
    }

    /// Waits a little for another choice, after a dial that came to nothing. Cancel-safe.
    pub async fn doubt(&self, deadline: Instant) {
        let mut choice = self.watch();
        let until = deadline.min(clock::now() + RETRY);
        drop(timeout_at(until, choice.changed()).await);
    }

    /// How connections that go by `generation` are to end; `None`: they stay.
    pub fn outdated(&self, generation: u64) -> Option<Leave> {
        if !self.several() || self.choice.borrow().generation == generation {
            return None;
        }
        let past = self.past.lock().unwrap_or_else(PoisonError::into_inner);
        let server = past.iter().find(|(number, _)| *number == generation).map(|(_, server)| Arc::clone(server));
        drop(past);
        let watched = self.watched.load();
        let is_down = |server: &Arc<str>| watched.find(server).is_some_and(|node| node.health().is_down());
        Some(if server.as_ref().is_some_and(is_down) { Leave::Now } else { Leave::AtBoundary })
    }

    /// Done once connections that go by `generation` lead to a server that does not answer, and another is used. Cancel-safe.
    pub async fn silent(&self, generation: u64) {
        while self.outdated(generation) != Some(Leave::Now) {
            tokio::time::sleep(LOOK).await;
        }
    }

    /// Done once another choice than `generation` is in force. Cancel-safe.
    pub async fn another_than(&self, generation: u64) {
        self.chosen(|choice| choice.generation != generation).await;
    }

    /// Done once another server is used than by the choice `generation`: in between there may be none. Cancel-safe.
    pub async fn another_server(&self, generation: u64) {
        self.chosen(|choice| choice.generation != generation && choice.server.is_some()).await;
    }

    /// Done once a choice is in force that `fits`; never where nobody chooses any more.
    async fn chosen(&self, fits: impl FnMut(&Choice) -> bool) {
        let mut choice = self.watch();
        if choice.wait_for(fits).await.is_err() {
            std::future::pending().await
        }
    }

    /// Takes up a listener's new settings. A choice that is still named stays.
    pub fn reload(&self, listener: &Listener) {
        let new = Watched::new(listener);
        let old = self.watched.load();
        let names = |watched: &Watched| watched.nodes.iter().map(|node| Arc::clone(&node.server)).collect::<Vec<_>>();
        if names(&old) == names(&new) && old.monitor == new.monitor && old.interval == new.interval {
            return;
        }
        let only = new.only().cloned();
        self.watched.store(Arc::new(new));
        if only.is_some() {
            self.settle(only);
        }
        self.replaced.notify_one();
    }

    /// What was found of the server that is used, or was last, where it does not answer; `None` too where nobody asks it.
    pub fn fault(&self) -> Option<String> {
        let server = self.primary().last?;
        let health = self.watched.load().find(&server)?.health();
        if health.is_down() { health.error } else { None }
    }

    /// Each server as it was last seen.
    pub fn rows(&self) -> Vec<NodeRow> {
        let chosen = self.primary().server;
        let watched = self.watched.load();
        let row = |node: &watched::Node| node.health().row(&self.listener, &node.server, chosen.as_deref());
        watched.nodes.iter().map(row).collect()
    }
}

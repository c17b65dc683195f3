//! What all sessions of a listener share.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use arc_swap::ArcSwap;

use super::cancel::Keys;
use super::cancel::siblings::Siblings;
use super::lending::Lending;
use super::memory::{Budget, Prepared};
use super::pace::Waits;
use super::policy::Policies;
use crate::auth::derive::Deriver;
use crate::catalog::Catalog;
use crate::client::admission::Admission;
use crate::client::login::Logins;
use crate::client::pools::PoolRules;
use crate::config::{Caps, Config, Listener};
use crate::control::Control;
use crate::guard::pass::Key;
use crate::net::tls::Live;
use crate::roster::{Entry, Roster};
use crate::server::nodes::Nodes;
use crate::server::secure::Security;
use crate::telemetry::Gate;
use crate::telemetry::Metrics;
use crate::telemetry::shapes::Shapes;

/// One listener with everything its sessions use.
#[derive(Debug)]
pub struct House {
    /// Name of the listener.
    pub name: Arc<str>,
    /// Who may come in.
    pub admission: Arc<Admission>,
    /// Server connections that its clients share.
    pub lending: Lending,
    /// What is known of the server's tables.
    pub catalog: Arc<Catalog>,
    /// Certificates of both sides, and whom they are checked against.
    pub tls: Arc<Live>,
    /// Its servers, and which of them is used.
    pub nodes: Arc<Nodes>,
    /// What proves who a client is, where Floodwall checks that.
    pub logins: Arc<Logins>,
    /// What the configuration says; swapped whole on reload.
    pub settings: Settings,
    /// Common to all listeners.
    pub common: Arc<Common>,
}

/// What all listeners share.
#[derive(Debug)]
pub struct Common {
    /// Live sessions.
    pub roster: Arc<Roster>,
    /// Their cancel keys.
    pub keys: Arc<Keys>,
    /// What operators changed.
    pub control: Arc<Control>,
    /// Counters.
    pub metrics: Arc<Metrics>,
    /// What each shape cost.
    pub shapes: Arc<Shapes>,
    /// Bytes that sessions hold.
    pub memory: Arc<Budget>,
    /// Those of them that prepared statements take.
    pub prepared: Arc<Prepared>,
    /// How long logins had to wait for their turns.
    pub login_waits: Arc<Waits>,
    /// The other processes of a hand-over, where there may be any.
    pub siblings: Option<Siblings>,
    /// Rate of the log lines that clients can trigger.
    pub gate: Gate,
}

impl House {
    /// A listener whose sessions begin with these settings. Nothing of it runs yet.
    ///
    /// # Errors
    /// The system has no random numbers.
    pub fn new(
        config: &Config,
        current: Current,
        tls: Arc<Live>,
        deriver: &Arc<Deriver>,
        common: &Arc<Common>,
    ) -> Result<Self, getrandom::Error> {
        let listener = &current.listener;
        let nodes = Nodes::new(listener);
        // Of several servers none is read before one is chosen.
        let catalog = Catalog::new(&nodes.primary().narrow(listener));
        catalog.secure(Arc::clone(&tls));
        Ok(Self {
            name: listener.name.as_str().into(),
            admission: Admission::new(config, &listener.name),
            lending: Lending::new(config, listener),
            catalog,
            tls,
            nodes,
            logins: Arc::new(Logins::new(config, listener, Arc::clone(deriver))?),
            settings: Settings::new(current),
            common: Arc::clone(common),
        })
    }

    /// How long a login may wait for its places, and so for its turns.
    pub fn login_wait_max(&self) -> Duration {
        let caps = &self.settings.load().caps;
        caps.queue_wait.min(caps.login_timeout)
    }

    /// How servers are met, as things are now.
    pub fn security(&self) -> Security {
        Security::new(self.tls.server(), Arc::clone(&self.common.metrics))
    }
}

impl Common {
    /// What so many workers begin with, and this for all that their sessions hold.
    pub fn new(workers: usize, memory: Arc<Budget>, siblings: Option<Siblings>) -> Self {
        Self {
            roster: Arc::default(),
            keys: Arc::default(),
            control: Arc::default(),
            metrics: Metrics::new(workers),
            shapes: Arc::default(),
            prepared: Prepared::of(&memory),
            memory,
            login_waits: Arc::default(),
            siblings,
            gate: Gate::default(),
        }
    }
}

/// The settings of one listener, with a number that changes when they do.
#[derive(Debug)]
pub struct Settings {
    current: ArcSwap<Current>,
    generation: AtomicU64,
}

/// One version of the settings.
#[derive(Debug)]
pub struct Current {
    /// The `[[listener]]`.
    pub listener: Listener,
    /// `[caps]`.
    pub caps: Caps,
    /// Rules, by client.
    pub policies: Policies,
    /// Signs break-glass passes; `None`: there are none.
    pub break_glass: Option<Arc<Key>>,
    /// For how long clients have a server, and how many there may be.
    pub pools: PoolRules,
}

impl Current {
    /// What the configuration says of this listener.
    pub fn new(listener: &Listener, caps: &Caps, policies: Policies, break_glass: Option<Arc<Key>>) -> Self {
        let (listener, caps, pools) = (listener.clone(), caps.clone(), PoolRules::new(listener));
        Self { listener, caps, policies, break_glass, pools }
    }

    /// The server's name of a client's database.
    pub fn at_server<'a>(&'a self, who: &'a Entry) -> &'a str {
        self.listener.databases.at_server(&who.identity.database)
    }
}

impl Settings {
    /// The first version.
    pub fn new(current: Current) -> Self {
        Self { current: ArcSwap::from_pointee(current), generation: AtomicU64::new(0) }
    }

    /// The version in force.
    pub fn load(&self) -> Arc<Current> {
        self.current.load_full()
    }

    /// Changes when the version does: one relaxed load.
    pub fn generation(&self) -> u64 {
        self.generation.load(Ordering::Relaxed)
    }

    /// Puts a new version in force. Sessions take it up with their next statement.
    pub fn swap(&self, current: Current) {
        self.current.store(Arc::new(current));
        self.generation.fetch_add(1, Ordering::Release);
    }
}

//! A client and a server over in-memory pipes, and what stands between them: a whole session with every rule on, or a plain copy.

#![allow(dead_code, reason = "each bench takes what it needs of what they share")]

use std::cell::Cell;
use std::future::poll_fn;
use std::net::{IpAddr, Ipv4Addr};
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use floodwall::auth::derive::Deriver;
use floodwall::client::admission::Party;
use floodwall::clock;
use floodwall::config::{self, Config, RulesTable, Secret, SecretSource, SettingError, Surroundings};
use floodwall::roster::{Identity, Newcomer};
use floodwall::session::house::{Common, Current, House};
use floodwall::session::ledger::Ledger;
use floodwall::session::local::Local;
use floodwall::session::memory::Budget;
use floodwall::session::policy::Policies;
use floodwall::session::reader::analyst::Means;
use floodwall::session::relay::{Owned, Relay};
use floodwall::session::timing::beat::Beat;
use floodwall::session::welcome::{Permits, Stay};
use floodwall::wire::pg::Pg;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, copy_bidirectional, duplex};
use tokio::task::LocalSet;

pub(crate) mod flood;
pub(crate) mod giant;
pub(crate) mod traffic;

use traffic::Scenario;

/// Bytes that a pipe holds: as much as a socket would.
const PIPE: usize = 64 * 1024;
const CACHES: usize = 16 << 20;

/// What stands between the two ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Between {
    /// A session after its login, with every rule on.
    Floodwall,
    /// The same with every rule off.
    RulesOff,
    /// Bytes are copied and nothing is looked at.
    Copy,
}

impl Between {
    /// The configuration of the session that stands there.
    const fn config(self) -> &'static str {
        match self {
            Self::Floodwall => ALL_ON,
            Self::RulesOff | Self::Copy => "[[listener]]\n[rules]\nmode = \"off\"\n",
        }
    }
}

/// Every rule as an operator would have it who wants them all, the timeouts included.
const ALL_ON: &str = "[[listener]]\n[rules]\nmode = \"enforce\"\n";

/// One worker's things, kept from run to run as in a real worker.
pub(crate) struct Worker {
    runtime: tokio::runtime::Runtime,
    between: Between,
    house: Arc<House>,
    local: Rc<Local>,
}

struct Machine;

impl Surroundings for Machine {
    fn variable(&self, _name: &str) -> Option<String> {
        Some("/tmp".to_owned())
    }

    fn secret(&self, _source: &SecretSource) -> Result<Secret, String> {
        Err("there is none".to_owned())
    }

    fn is_root(&self) -> bool {
        true
    }

    fn cores(&self) -> usize {
        1
    }
}

fn any_rules(_: RulesTable<'_>) -> Vec<SettingError> {
    Vec::new()
}

impl Worker {
    /// A worker with what stands between.
    pub(crate) fn start(between: Between) -> Self {
        let config = config::read(between.config(), &Machine, &any_rules).unwrap().config;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let house = house(&config);
        let common = &house.common;
        let (memory, prepared) = (Arc::clone(&common.memory), Arc::clone(&common.prepared));
        let (ceiling, metrics) = (config.limits.guard_time, common.metrics.worker(0));
        let means = Means { cache_bytes: CACHES, ceiling, memory, prepared, metrics };
        let local = Local::start(means, Arc::clone(&common.shapes), beat()).unwrap();
        Self { runtime, between, house, local: Rc::new(local) }
    }

    /// Lets a client run so many statements.
    pub(crate) fn run(&self, scenario: Scenario, statements: usize) {
        let (client, client_far) = duplex(PIPE);
        let (server, server_far) = duplex(PIPE);
        let ends =
            async { tokio::join!(traffic::client(client, scenario, statements), traffic::server(server, scenario)) };
        self.runtime.block_on(LocalSet::new().run_until(async {
            match self.between {
                Between::Copy => tokio::join!(copy(client_far, server_far), ends),
                Between::Floodwall | Between::RulesOff => tokio::join!(self.session(client_far, server_far), ends),
            };
        }));
    }

    /// Lets two ends talk, and notes the longest time for which the session's task had the thread.
    pub(crate) fn timed<E: Future<Output = ()>>(
        &self,
        longest: &Cell<Duration>,
        ends: impl FnOnce(DuplexStream, DuplexStream) -> E,
    ) {
        let (client, client_far) = duplex(PIPE);
        let (server, server_far) = duplex(PIPE);
        let ends = ends(client, server);
        self.runtime.block_on(LocalSet::new().run_until(async {
            let mut session = pin!(self.session(client_far, server_far));
            let turns = poll_fn(|cx| {
                let began = thread_time();
                let poll = session.as_mut().poll(cx);
                longest.set(longest.get().max(thread_time().saturating_sub(began)));
                poll
            });
            tokio::join!(turns, ends);
        }));
    }

    async fn session(&self, client: DuplexStream, server: DuplexStream) {
        let ledger = Ledger::new(Arc::clone(&self.house), Rc::clone(&self.local), self.stay().await);
        let relay = Relay::<Pg, _, _, _>::new(client, Owned(server), Rc::clone(&self.local.lent), ledger);
        drop(Box::new(relay).run().await);
    }

    async fn stay(&self) -> Stay {
        let address = IpAddr::V4(Ipv4Addr::LOCALHOST);
        let identity = Identity {
            listener: Arc::clone(&self.house.name),
            user: "app".to_owned(),
            database: "shop".to_owned(),
            role: None,
            application_name: String::new(),
            address,
        };
        let deadline = clock::now() + Duration::from_secs(60);
        let admission = &self.house.admission;
        let house = admission.enter(address, deadline).await.unwrap();
        let login = admission.claim(&identity, deadline).await.unwrap();
        let server = admission.server(&Party::new("app", "shop"), deadline).await.unwrap();
        let client = admission.prove(login, deadline).await.unwrap();
        let common = &self.house.common;
        let label = Arc::clone(client.label());
        let endpoint = |port: u16| std::net::SocketAddr::from((address, port)).into();
        let newcomer =
            Newcomer { identity, client: label, peer: endpoint(1), server: endpoint(5432), server_generation: Some(0) };
        Stay {
            seat: common.roster.join(newcomer),
            key: None,
            gauges: (common.metrics.client_connected("main"), Some(common.metrics.server_connected("main"))),
            permits: Permits { client: Box::new(client), house: Box::new(house), server: Some(Box::new(server)) },
        }
    }
}

/// On another thread, as in a real proxy.
fn beat() -> Arc<Beat> {
    let beat = Arc::new(Beat::default());
    let beats = Arc::clone(&beat);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    std::thread::spawn(move || runtime.block_on(beats.run()));
    beat
}

fn house(config: &Config) -> Arc<House> {
    let current = Current::new(&config.listeners[0], &config.caps, Policies::new(config).unwrap(), None);
    let common = Arc::new(Common::new(1, Budget::new(512 << 20), None));
    Arc::new(House::new(config, current, Arc::default(), &Deriver::new(1).unwrap(), &common).unwrap())
}

/// Processor time of this thread, which stands still while others have the core.
fn thread_time() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    Duration::try_from(time).unwrap_or_default()
}

async fn copy(mut client: DuplexStream, mut server: DuplexStream) {
    drop(copy_bidirectional(&mut client, &mut server).await);
}

/// Reads so many bytes; false at the end of the stream.
async fn read(stream: &mut DuplexStream, buf: &mut Vec<u8>, count: usize) -> bool {
    buf.resize(count, 0);
    stream.read_exact(buf).await.is_ok()
}

async fn write(stream: &mut DuplexStream, bytes: &[u8]) {
    stream.write_all(bytes).await.unwrap();
}

//! A server, the strait, the proxy, its clients and the storm over all of it.

use std::collections::{BTreeMap, VecDeque};
use std::fs::Permissions;
use std::hash::{BuildHasher, RandomState};
use std::os::unix::fs::PermissionsExt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use crate::after;
use crate::client::live;
use crate::conn::{Conn, Fault};
use crate::landing::Landings;
use crate::ledger::Ledger;
use crate::picture;
use crate::seed::Dice;
use crate::storm;
use crate::strait::Strait;
use crate::support::cluster::{Cluster, password};
use crate::support::floodwall::Proxy;
use crate::support::process::Scratch;
use crate::weather::Weather;

/// How clients come by a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    /// Each has one of its own.
    Session,
    /// All of them share so many, each for a transaction.
    Transaction(usize),
    /// Half of them share so many; each of the others has one of its own, at the same listener.
    Mixed(usize),
}

/// A client that waits longer than this for anything hangs. Far beyond every time-out of the proxy, on a machine with other things to do as well.
pub(crate) const DEADLINE: Duration = Duration::from_secs(60);

/// Clients that say nothing any more and stay.
const SILENT_MOST: usize = 6;

#[derive(Debug)]
pub(crate) struct Scene {
    pub(crate) mode: Mode,
    pub(crate) seed: u64,
    pub(crate) began: Instant,
    pub(crate) cluster: Cluster,
    pub(crate) strait: Strait,
    pub(crate) proxy: Proxy,
    pub(crate) weather: Weather,
    pub(crate) ledger: Ledger,
    silent: Mutex<VecDeque<Conn>>,
    failures: Mutex<Vec<String>>,
    tally: Mutex<BTreeMap<String, usize>>,
    /// The longest time that anybody waited for a byte, and who.
    longest: Mutex<(Duration, String)>,
    over: AtomicBool,
    _folder: Scratch,
}

/// One scene after the other: they would only take each other's time.
static TURN: Mutex<()> = Mutex::new(());

/// How many scenes share the time.
const SCENES: u64 = 5;

pub(crate) fn run(mode: Mode) {
    let turn = TURN.lock();
    let seed = number("FLOODWALL_CHAOS_SEED").unwrap_or_else(|| RandomState::new().hash_one("chaos") >> 32);
    println!("{mode:?}: FLOODWALL_CHAOS_SEED={seed}");
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let cluster = Cluster::start(&[("max_connections", "120")]);
    cluster.sql("app", TABLES);
    let strait = runtime.block_on(Strait::open(cluster.port));
    let folder = Scratch::new("chaos");
    let proxy = Proxy::start_for(&format!("127.0.0.1:{}", strait.port), &mode.config(&folder));
    let scene = Arc::new(Scene {
        mode,
        seed,
        began: Instant::now(),
        cluster,
        strait,
        proxy,
        weather: Weather::default(),
        ledger: Ledger::default(),
        silent: Mutex::default(),
        failures: Mutex::default(),
        tally: Mutex::default(),
        longest: Mutex::default(),
        over: AtomicBool::new(false),
        _folder: folder,
    });
    let before = after::Held::of(&scene.proxy);
    let time = Duration::from_secs(number("FLOODWALL_CHAOS_SECONDS").unwrap_or(30)) / u32::try_from(SCENES).unwrap();
    runtime.block_on(scene.play(time));
    after::check(&scene, &before);
    let failures = std::mem::take(&mut *scene.failures.lock().unwrap());
    if !failures.is_empty() {
        let log = scene.cluster.log();
        let lines: Vec<&str> = log.lines().collect();
        println!("--- log of the server ---\n{}", lines[lines.len().saturating_sub(60)..].join("\n"));
    }
    drop(turn);
    assert!(failures.is_empty(), "FLOODWALL_CHAOS_SEED={seed} {mode:?}:\n{}", failures.join("\n"));
}

impl Mode {
    /// Who a client is.
    pub(crate) fn user(self, dice: &mut Dice) -> &'static str {
        match self {
            Self::Session => "trusted",
            Self::Mixed(_) if dice.once_in(2) => OWN,
            Self::Transaction(_) | Self::Mixed(_) => LENT,
        }
    }

    /// May clients keep a server between their turns? Where there is one, all others would wait for a client that is pinned to it.
    pub(crate) fn has_servers_to_spare(self) -> bool {
        self != Self::Transaction(1)
    }

    /// The proxy's configuration, and the users beside it.
    pub(crate) fn config(self, folder: &Scratch) -> String {
        let (size, pool) = match self {
            Self::Session => return COMMON.to_owned(),
            Self::Transaction(size) => (size, String::new()),
            Self::Mixed(size) => (size, format!("[[pool]]\nmatch = {{ user = '{OWN}' }}\npool = 'session'\n")),
        };
        let file = folder.path().join("users.toml");
        let users = [LENT, OWN].map(|user| format!("[[user]]\nname = '{user}'\npassword = '{}'\n", password(user)));
        std::fs::write(&file, users.concat()).unwrap();
        std::fs::set_permissions(&file, Permissions::from_mode(0o600)).unwrap();
        let file = file.display();
        format!(
            "{COMMON}\n[[access]]\nmethod = 'plain'\n[[listener]]\npool = 'transaction'\npool_size = {size}\n\
             login = 'users'\nusers_file = '{file}'\nserver_idle_timeout = '1s'\nquery_wait_timeout = '15s'\n{pool}"
        )
    }
}

impl Scene {
    async fn play(self: &Arc<Self>, time: Duration) {
        let count = number("FLOODWALL_CHAOS_CLIENTS").unwrap_or(24);
        let mut tasks: Vec<_> = (0..count).map(|id| tokio::spawn(live(Arc::clone(self), id))).collect();
        tasks.push(tokio::spawn(storm::rage(Arc::clone(self))));
        let end = Instant::now() + time;
        while Instant::now() < end && !self.is_over() {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        self.over.store(true, Ordering::Relaxed);
        for task in tasks {
            // A panic of a client is a failure of its own.
            match tokio::time::timeout(DEADLINE * 2, task).await {
                Ok(Ok(())) => {}
                other => self.fail(format!("a client of the test did not end in order: {other:?}")),
            }
        }
        self.silent.lock().unwrap().clear();
        println!("{} writes, {:?}", self.ledger.len(), self.tally.lock().unwrap());
        println!("the longest wait: {:?}", self.longest.lock().unwrap());
    }

    pub(crate) fn is_over(&self) -> bool {
        self.over.load(Ordering::Relaxed)
    }

    pub(crate) fn count(&self, what: &str) {
        *self.tally.lock().unwrap().entry(what.to_owned()).or_default() += 1;
    }

    /// What befalls the servers, as it comes.
    pub(crate) fn tell(&self, what: &str) {
        println!("{:?} {what}", self.began.elapsed());
    }

    pub(crate) fn waited(&self, time: Duration, who: &str) {
        let mut longest = self.longest.lock().unwrap();
        if longest.0 < time {
            *longest = (time, who.to_owned());
        }
    }

    /// Ends the scene. The first failure is shown as it was at its moment.
    pub(crate) fn fail(&self, why: String) {
        self.over.store(true, Ordering::Relaxed);
        self.tell(&why);
        let mut failures = self.failures.lock().unwrap();
        failures.push(format!("{:?} {why}", self.began.elapsed()));
        if failures.len() == 1 {
            drop(failures);
            println!("{}", picture::taken(self));
        }
    }

    /// Is that fault of a client, who had no trouble until `since` and asked for these cancels, excused?
    pub(crate) fn judge(&self, fault: &Fault, who: &str, since: Instant, cancels: &Landings) {
        let calm = match fault {
            Fault::Wrong(_) | Fault::Hangs(_) => None,
            // A cancel is never excused by the weather: it is the client's own or somebody else's.
            Fault::Refused(error) if error.sqlstate() == "57014" => {
                let late = self.weather.calm_before(since).filter(|_| cancels.may_hit_late());
                if cancels.may_hit_since(since) { Some(Duration::ZERO) } else { late }
            }
            Fault::Refused(_) | Fault::Lost(_) => self.weather.calm_before(since),
        };
        let what = fault.describe();
        let Some(calm) = calm else { return self.fail(format!("{who}: {what}")) };
        if !calm.is_zero() {
            self.tell(&format!("excused, though it began {calm:?} after the storm: {who}: {what}"));
        }
        self.count(&format!("excused: {}", what.chars().take(60).collect::<String>()));
    }

    /// Keeps a connection that says nothing any more.
    pub(crate) fn keep_silent(&self, conn: Conn) {
        let mut silent = self.silent.lock().unwrap();
        silent.push_back(conn);
        if silent.len() > SILENT_MOST {
            silent.pop_front();
        }
    }
}

pub(crate) fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|value| value.parse().unwrap_or_else(|_| panic!("{name} is no number: {value}")))
}

/// Who is lent servers.
pub(crate) const LENT: &str = "app";
/// Who has one of its own beside them.
const OWN: &str = "replicator";

const TABLES: &str = "CREATE TABLE kept (token text PRIMARY KEY); CREATE TABLE copied (owner text, n int);
    CREATE INDEX ON copied (owner); GRANT ALL ON kept, copied TO app, trusted, replicator;
    GRANT TEMPORARY ON DATABASE app TO trusted, replicator";

/// Silent clients must not hold what others wait for.
const COMMON: &str = "
[caps]
login_timeout = '3s'
queue_wait = '2s'
[rules.idle_transaction_timeout]
mode = 'enforce'
limit = '3s'
";

//! Builds everything from a configuration and runs it until it is told to stop: the only module that knows everyone.
//!
//! Three kinds of threads: the workers carry sessions, and the first of them accepts; the main one reads signals and ticks; the console
//! has one of its own, so that it answers while the data path is at its limit.

pub mod certificates;
mod descriptors;
mod doors;
mod drain;
mod failed;
mod given;
mod herald;
mod idle;
mod listeners;
mod memory;
mod operator;
mod primary;
mod reload;
mod rows;
mod siblings;
mod steer;
mod workers;

use std::future::pending;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use arc_swap::ArcSwap;
use futures::future::join_all;
use tokio::time::sleep;

use self::idle::end_idle_clients;
use self::listeners::Open;
use self::primary::{follow_primary, leave_past_servers};
use self::reload::Reloader;
use crate::client::listener::Arrival;
use crate::clock;
use crate::config::{Config, LogFormat};
use crate::console::Accounts;
use crate::control::Shutdown;
use crate::server::pool::Excess;
use crate::session::house::{Common, House};
use crate::session::lending::places;
use crate::session::timing::beat::Beat;
use crate::shutdown::Signals;
use crate::telemetry::VERSION;
use crate::telemetry::log::{self, Format, Log, LogError};
use crate::worker::Workers;

pub use self::failed::Failed;
pub use self::reload::check_rules;

/// How often the surge signal looks at the connections.
const TICK: Duration = Duration::from_millis(250);

/// What to run.
#[derive(Debug)]
pub struct Start {
    /// The file, for RELOAD.
    pub config_path: PathBuf,
    /// What it said.
    pub config: Config,
}

/// What a worker is given: a client and the listener it came to.
type Job = (Arc<House>, Arrival);

/// The running proxy.
#[derive(Debug)]
struct App {
    common: Arc<Common>,
    open: Vec<Open>,
    workers: Arc<Workers<Job>>,
    reloader: Arc<Reloader>,
}

/// Runs until a signal or SHUTDOWN, then drains.
///
/// # Errors
/// It could not start. Once started, it ends well.
pub fn run(mut start: Start) -> Result<(), Failed> {
    let log = Arc::new(start_log(&start.config)?);
    descriptors::raise();
    descriptors::clamp(&mut start.config);
    let socket = start.config.console_socket();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let signals = Signals::listen()?;
        let file = start.config_path.clone();
        let app = App::build(start, Arc::clone(&log)).map_err(|failed| failed.at(&file))?;
        tracing::info!(version = VERSION, "started");
        herald::ready();
        app.run(signals).await;
        Ok::<_, Failed>(())
    })?;
    // The console answers to the last moment, so nobody else puts its socket away.
    drop(socket.map(std::fs::remove_file));
    tracing::info!("stopped");
    log.flush();
    Ok(())
}

fn start_log(config: &Config) -> Result<Log, LogError> {
    let format = match config.log.format {
        LogFormat::Text => Format::Text,
        LogFormat::Json => Format::Json,
    };
    log::start(format, &config.log.level)
}

impl App {
    fn build(start: Start, log: Arc<Log>) -> Result<Self, Failed> {
        let Start { config_path, config } = start;
        let (siblings, counter) = siblings::open(&config).unzip();
        let common = Arc::new(Common::new(config.workers, memory::budget(&config), siblings));
        if let Some(counter) = counter {
            siblings::serve(counter, &common);
        }
        let open = listeners::open(&config, &common)?;
        let workers = Arc::new(workers::start(&config, &common, &Beat::start())?);
        let config = Arc::new(config);
        let reloader = Arc::new(Reloader {
            path: config_path,
            houses: open.iter().map(|open| Arc::clone(&open.house)).collect(),
            accounts: Accounts::open(&config.admin.users, &config.state_dir)?,
            metrics: Arc::clone(&common.metrics),
            started: Arc::clone(&config),
            config: ArcSwap::new(config),
            log,
            turn: Mutex::default(),
        });
        operator::start(&common, &reloader)?;
        Ok(Self { common, open, workers, reloader })
    }

    async fn run(mut self, mut signals: Signals) {
        self.common.control.started();
        let mut shutdowns = self.common.control.shutdowns();
        let closed = doors::hand_out(&mut self.open, &self.workers).await;
        tokio::select! {
            () = self.attend(&mut signals) => {}
            () = async {
                closed.await;
                self.vacated().await;
            } => {}
            _ = shutdowns.wait_for(|how| *how == Shutdown::Now) => {}
        }
        self.drain(signals).await;
    }

    /// Everything that runs beside the doors as long as newcomers are welcome. Never returns.
    async fn attend(&self, signals: &mut Signals) {
        let catalogues = join_all(self.open.iter().map(|open| Arc::clone(&open.house.catalog).run(pending())));
        let reload = || drop(self.reloader.reload("SIGHUP"));
        tokio::join!(
            catalogues,
            join_all(self.open.iter().map(|open| open.house.nodes.run(&open.house.tls))),
            join_all(self.open.iter().map(|open| follow_primary(&open.house))),
            herald::watchdog(&self.workers),
            listeners::ask_for_verifiers(&self.open),
            self.tick(),
            self.follow_pauses(),
            certificates::watch(&self.reloader.houses, &self.common.gate),
            signals.watch(&self.common.control, reload),
        );
    }

    async fn tick(&self) {
        let registers = self.open.iter().map(|open| Arc::clone(&open.house.lending.register));
        let mut excesses: Vec<_> = registers.map(Excess::new).collect();
        loop {
            sleep(TICK).await;
            for (Open { house, .. }, excess) in self.open.iter().zip(&mut excesses) {
                house.admission.set_learnt_server_limit(house.catalog.max_server_connections());
                house.admission.tick(clock::now());
                excess.is(&places::excess(&house.admission.servers_over()));
                leave_past_servers(&self.common, house);
                end_idle_clients(&self.common, house);
            }
        }
    }

    /// Pools follow each pause, and sessions with a server of their own are woken at its end.
    async fn follow_pauses(&self) {
        let follow = || {
            steer::pause(&self.common.control, &self.reloader.houses);
            self.common.roster.list().iter().for_each(|entry| entry.wake());
        };
        self.common.control.watch_pauses(follow).await;
    }
}

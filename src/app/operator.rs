//! The operator's lane: console and HTTP on a thread of their own, fed by closures, so that neither side knows the other.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::time::sleep;

use super::Failed;
use super::certificates;
use super::reload::Reloader;
use crate::admin::{self, Http, Token, state_collector};
use crate::config::{Config, PoolMode};
use crate::console::{self, Averages, Doors, Rows, Sources};
use crate::guard::{Guard, Measure, Mode, RuleDef, State};
use crate::server::pool;
use crate::session::house::{Common, House};
use crate::telemetry::rows::{CapRow, ConfigRow, LimitRow, ListenerRow, NodeRow, PoolRow, RuleRow, SurgeRow};
use crate::telemetry::{Metrics, Series, caps_collector, series_collector, surges_collector, table};

/// Where the token of `/api/*` is kept, in `state_dir`.
const TOKEN_FILE: &str = "http.token";

/// Between two tries to open console and HTTP, while the process before us has them.
const SUCCESSION: Duration = Duration::from_millis(200);

/// Opens console and HTTP and serves them until the process ends. Returns once both listen, or could not.
pub(super) fn start(common: &Arc<Common>, reloader: &Arc<Reloader>) -> Result<(), Failed> {
    register(common, reloader);
    let (tell, told) = std::sync::mpsc::sync_channel(1);
    let (common, reloader) = (Arc::clone(common), Arc::clone(reloader));
    thread::Builder::new().name("operator".to_owned()).spawn(move || {
        let Ok(runtime) = tokio::runtime::Builder::new_current_thread().enable_all().build() else { return };
        runtime.block_on(async {
            let config = reloader.config.load_full();
            let opened = match open(&config, &reloader).await {
                Err(failed) if failed.is_taken() && hands_over(&config) => {
                    tracing::info!("console and HTTP are another process's until it ends");
                    drop(tell.send(Ok(())));
                    succeed(&config, &reloader).await
                }
                opened => opened,
            };
            match opened {
                Ok((doors, http)) => {
                    drop(tell.send(Ok(())));
                    serve(doors, http, &common, &reloader).await;
                }
                Err(failed) => drop(tell.send(Err(failed))),
            }
        });
    })?;
    told.recv().unwrap_or_else(|_| Err(io::Error::other("the operator's thread ended before it began").into()))
}

fn hands_over(config: &Config) -> bool {
    config.listeners.iter().any(|listener| listener.entry.reuse_port)
}

/// Opens both as soon as the process before us has ended: at any moment they are of one process.
async fn succeed(config: &Config, reloader: &Reloader) -> Result<(Option<Doors>, Option<TcpListener>), Failed> {
    loop {
        sleep(SUCCESSION).await;
        match open(config, reloader).await {
            Err(failed) if failed.is_taken() => {}
            opened => return opened,
        }
    }
}

async fn open(config: &Config, reloader: &Reloader) -> Result<(Option<Doors>, Option<TcpListener>), Failed> {
    let doors = match config.admin.console {
        None => None,
        address => Some(Doors::open(address, config.console_socket().as_deref(), &reloader.accounts).await?),
    };
    let http = match config.admin.http {
        None => None,
        Some(address) => Some(TcpListener::bind(address).await.map_err(|source| Failed::Http { address, source })?),
    };
    if let Some(doors) = &doors {
        let address = doors.address().map(tracing::field::display);
        tracing::info!(address, socket = doors.path().map(|path| tracing::field::display(path.display())), "console");
    }
    if let Some(address) = http.as_ref().and_then(|http| http.local_addr().ok()) {
        tracing::info!(%address, "http");
    }
    Ok((doors, http))
}

async fn serve(doors: Option<Doors>, http: Option<TcpListener>, common: &Arc<Common>, reloader: &Arc<Reloader>) {
    let console = async {
        if let Some(doors) = doors {
            let accounts = Arc::clone(&reloader.accounts);
            console::serve(doors, accounts, sources(common, reloader), std::future::pending()).await;
        }
    };
    let http = async {
        if let Some(listener) = http {
            let (metrics, control) = (Arc::clone(&common.metrics), Arc::clone(&common.control));
            let (rules, token) = (rules(common, reloader), token(&reloader.config.load().state_dir));
            admin::serve(listener, Http { metrics, control, rules, token }, std::future::pending()).await;
        }
    };
    tokio::join!(console, http);
}

fn sources(common: &Arc<Common>, reloader: &Arc<Reloader>) -> Sources {
    let (caps, surges, config, reload) =
        (Arc::clone(reloader), Arc::clone(reloader), Arc::clone(reloader), Arc::clone(reloader));
    let (nodes, pools, listeners) = (Arc::clone(reloader), Arc::clone(reloader), Arc::clone(reloader));
    Sources {
        roster: Arc::clone(&common.roster),
        control: Arc::clone(&common.control),
        metrics: Arc::clone(&common.metrics),
        shapes: Arc::clone(&common.shapes),
        caps: Arc::new(move || cap_rows(&caps.houses)),
        surges: Arc::new(move || surge_rows(&surges.houses)),
        nodes: Arc::new(move || node_rows(&nodes.houses)),
        pools: Arc::new(move || pool_rows(&pools.houses)),
        listeners: Arc::new(move || listeners.houses.iter().map(listener_row).collect()),
        averages: Arc::new(Averages::new(&common.roster)),
        rules: rules(common, reloader),
        config: Arc::new(move || config_rows(&config.config.load())),
        reload: Arc::new(move |who| reload.reload(who)),
    }
}

fn rules(common: &Arc<Common>, reloader: &Arc<Reloader>) -> Rows<RuleRow> {
    let (metrics, reloader) = (Arc::clone(&common.metrics), Arc::clone(reloader));
    Arc::new(move || rule_rows(&reloader.houses, &metrics))
}

/// The token of `/api/*`. Without a folder to keep it in nothing there is served, and all else is.
fn token(state_dir: &Path) -> Option<Token> {
    match console::generated_secret(state_dir, TOKEN_FILE) {
        Ok((secret, _)) => Token::new(secret.reveal()),
        Err(error) => {
            tracing::warn!(%error, folder = %state_dir.display(), "no /api: its token cannot be kept");
            None
        }
    }
}

/// Gauges that are read where they are kept.
fn register(common: &Arc<Common>, reloader: &Arc<Reloader>) {
    let (caps, surges, states) = (Arc::clone(reloader), Arc::clone(reloader), Arc::clone(reloader));
    common.metrics.register(series_collector([table::GUARD_STATE], move || [guard_states(&states.houses)]));
    let listeners = Arc::clone(reloader);
    let expiries = move || [certificates::expiries(&listeners.houses)];
    common.metrics.register(series_collector([table::TLS_EXPIRY], expiries));
    common.metrics.register(caps_collector(move || cap_rows(&caps.houses)));
    common.metrics.register(surges_collector(move || surge_rows(&surges.houses)));
    let nodes = Arc::clone(reloader);
    let of_nodes = move || node_series(&node_rows(&nodes.houses));
    common.metrics.register(series_collector([table::SERVER_UP, table::SERVER_USED], of_nodes));
    common.metrics.register(state_collector(Arc::clone(&common.roster), Arc::clone(&common.control)));
    let config = reloader.config.load();
    common.metrics.name_clients(config.clients.iter().map(|client| client.name.as_str()));
}

fn cap_rows(houses: &[Arc<House>]) -> Vec<CapRow> {
    houses.iter().flat_map(|house| house.admission.cap_rows()).map(Into::into).collect()
}

fn surge_rows(houses: &[Arc<House>]) -> Vec<SurgeRow> {
    houses.iter().flat_map(|house| house.admission.surge_rows()).map(Into::into).collect()
}

fn node_rows(houses: &[Arc<House>]) -> Vec<NodeRow> {
    houses.iter().flat_map(|house| house.nodes.rows()).collect()
}

fn pool_rows(houses: &[Arc<House>]) -> Vec<PoolRow> {
    let of = |house: &Arc<House>| {
        let listener = house.name.to_string();
        let row = |row: pool::PoolRow| PoolRow {
            listener: listener.clone(),
            database: row.key.database,
            user: row.key.user,
            active: row.sv_active as u64,
            being_canceled: row.sv_being_canceled as u64,
            idle: row.sv_idle as u64,
            login: row.sv_login as u64,
            max_wait: row.maxwait,
        };
        house.lending.rows().into_iter().map(row).collect::<Vec<_>>()
    };
    houses.iter().flat_map(of).collect()
}

fn listener_row(house: &Arc<House>) -> ListenerRow {
    let current = house.settings.load();
    let listener = &current.listener;
    let used = house.nodes.primary().server;
    // A path to a Unix socket has no port.
    let (host, port) = used.as_deref().map_or(("", 0), |server| match server.rsplit_once(':') {
        Some((host, port)) => (host, port.parse().unwrap_or_default()),
        None => (server, 0),
    });
    let lends = listener.pool.mode == PoolMode::Transaction;
    let lent = |number: usize| if lends { number as u64 } else { 0 };
    ListenerRow {
        listener: house.name.to_string(),
        host: host.to_owned(),
        port,
        mode: listener.pool.mode.label(),
        pool_size: lent(listener.pool.size),
        min_pool_size: lent(listener.pool.min_size),
        server_lifetime: if lends { listener.pool.server_lifetime } else { Duration::ZERO },
        max_server_connections: listener.max_server_connections.map(|most| most as u64),
        max_clients: current.caps.max_clients as u64,
    }
}

/// Whether each server answers, as far as anybody looks at it, and whether it is the one that is used.
fn node_series(rows: &[NodeRow]) -> [Series; 2] {
    let labels = |row: &NodeRow| vec![row.listener.clone(), row.server.clone(), row.role.to_owned()];
    let number = |yes: bool| f64::from(u8::from(yes));
    let seen = rows.iter().filter(|row| row.state != "unknown");
    [
        seen.map(|row| (labels(row), number(row.state == "up"))).collect(),
        rows.iter().map(|row| (labels(row), number(row.used))).collect(),
    ]
}

/// The common rules; overrides of single clients are in SHOW CONFIG. A rule that has failed on any listener shows as failed.
fn rule_rows(houses: &[Arc<House>], metrics: &Metrics) -> Vec<RuleRow> {
    let Some(house) = houses.first() else { return Vec::new() };
    let current = house.settings.load();
    let guard = current.policies.base();
    let failed: Vec<&str> = houses.iter().flat_map(failed_rules).collect();
    let row = |(def, mode): (&'static RuleDef, Mode)| RuleRow {
        rule: def.name,
        mode: mode.label(),
        state: if failed.contains(&def.name) { State::Failed.label() } else { mode.label() },
        settings: guard.settings(def),
        enforced_total: metrics.verdicts(def.name, "enforce"),
        warned_total: metrics.verdicts(def.name, "warn"),
        lifted_total: metrics.lifted(def.name),
        limits: limit_rows(guard, def),
    };
    guard.modes().map(row).collect()
}

fn failed_rules(house: &Arc<House>) -> Vec<&'static str> {
    let current = house.settings.load();
    let failed = current.policies.base().states().filter(|(_, state)| *state == State::Failed);
    failed.map(|(def, _)| def.name).collect()
}

fn limit_rows(guard: &Guard, def: &RuleDef) -> Vec<LimitRow> {
    let measures = Measure::ALL.iter().filter(|measure| measure.rule() == def.name);
    let row = |measure: &Measure| LimitRow {
        setting: measure.setting(),
        unit: measure.unit(),
        slot: (*measure).into(),
        limit: guard.limit_of(*measure),
    };
    measures.map(row).collect()
}

fn guard_states(houses: &[Arc<House>]) -> Series {
    let of = |house: &Arc<House>| {
        let current = house.settings.load();
        let states = current.policies.base().states();
        let series = |(def, state): (&RuleDef, State)| {
            (vec![house.name.to_string(), def.name.to_owned(), state.label().to_owned()], 1.0)
        };
        states.map(series).collect::<Series>()
    };
    houses.iter().flat_map(of).collect()
}

fn config_rows(config: &Config) -> Vec<ConfigRow> {
    config.rows().into_iter().map(|(key, value)| ConfigRow { key, value }).collect()
}

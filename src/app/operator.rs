//! The operator's lane: console and HTTP on a thread of their own, fed by closures, so that neither side knows the other.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::time::sleep;

use super::reload::Reloader;
use super::rows::{
    cap_rows, clients_most, config_rows, guard_states, listener_row, node_rows, node_series, parts_most, pool_rows,
    pool_series, rule_rows, surge_rows,
};
use super::steer::Pools;
use super::{Failed, certificates};
use crate::admin::{self, Http, Token, state_collector};
use crate::config::Config;
use crate::console::{self, Averages, Doors, Rows, Sources};
use crate::session::house::Common;
use crate::telemetry::rows::{NodeRow, RuleRow};
use crate::telemetry::{caps_collector, series_collector, surges_collector, table};

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
            let (rules, nodes) = (rules(common, reloader), nodes(reloader));
            let token = token(&reloader.config.load().state_dir);
            let http = Http { metrics, control, rules, nodes, token };
            admin::serve(listener, http, std::future::pending()).await;
        }
    };
    tokio::join!(console, http);
}

fn sources(common: &Arc<Common>, reloader: &Arc<Reloader>) -> Sources {
    let (caps, surges, config, reload) =
        (Arc::clone(reloader), Arc::clone(reloader), Arc::clone(reloader), Arc::clone(reloader));
    let (users, parts) = (Arc::clone(reloader), Arc::clone(reloader));
    let (pools, listeners, keys) = (Arc::clone(reloader), Arc::clone(reloader), Arc::clone(&common.keys));
    Sources {
        roster: Arc::clone(&common.roster),
        control: Arc::clone(&common.control),
        metrics: Arc::clone(&common.metrics),
        shapes: Arc::clone(&common.shapes),
        caps: Arc::new(move || cap_rows(&caps.houses)),
        surges: Arc::new(move || surge_rows(&surges.houses)),
        nodes: nodes(reloader),
        pools: Arc::new(move || pool_rows(&pools.houses)),
        cancels: Arc::new(move || keys.canceling().rows()),
        listeners: Arc::new(move || listeners.houses.iter().map(listener_row).collect()),
        clients_most: Arc::new(move |user| clients_most(&users.config.load(), user)),
        parts_most: Arc::new(move |listener, role, database| parts_most(&parts.houses, listener, role, database)),
        averages: Arc::new(Averages::new(&common.roster)),
        rules: rules(common, reloader),
        config: Arc::new(move || config_rows(&config.config.load())),
        reload: Arc::new(move |who| reload.reload(who)),
        steer: Arc::new(Pools::new(common, reloader)),
    }
}

fn rules(common: &Arc<Common>, reloader: &Arc<Reloader>) -> Rows<RuleRow> {
    let (metrics, reloader) = (Arc::clone(&common.metrics), Arc::clone(reloader));
    Arc::new(move || rule_rows(&reloader.houses, &metrics))
}

fn nodes(reloader: &Arc<Reloader>) -> Rows<NodeRow> {
    let reloader = Arc::clone(reloader);
    Arc::new(move || node_rows(&reloader.houses))
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
    let prepared = Arc::clone(&common.prepared);
    let of_prepared = move || [prepared.statements(), prepared.bytes()].map(|number| vec![(Vec::new(), number as f64)]);
    common.metrics.register(series_collector([table::PREPARED, table::PREPARED_BYTES], of_prepared));
    let nodes = Arc::clone(reloader);
    let of_nodes = move || node_series(&node_rows(&nodes.houses));
    common.metrics.register(series_collector([table::SERVER_UP, table::SERVER_USED], of_nodes));
    let pools = Arc::clone(reloader);
    let of_pools = move || pool_series(&pools.houses);
    common.metrics.register(series_collector([table::POOL_SERVERS, table::POOL_LONGEST_WAITING], of_pools));
    common.metrics.register(state_collector(Arc::clone(&common.roster), Arc::clone(&common.control)));
    let config = reloader.config.load();
    common.metrics.name_clients(config.clients.iter().map(|client| client.name.as_str()));
}

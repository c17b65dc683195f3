//! The operator's lane: console and HTTP on a thread of their own, fed by closures, so that neither side knows the other.

use std::io;
use std::sync::Arc;
use std::thread;

use tokio::net::TcpListener;

use super::Failed;
use super::reload::Reloader;
use crate::admin::{self, Http, state_collector};
use crate::config::Config;
use crate::console::{self, Doors, Sources};
use crate::session::house::{Common, House};
use crate::telemetry::rows::{CapRow, ConfigRow, RuleRow, SurgeRow};
use crate::telemetry::{Metrics, caps_collector, surges_collector};

/// Opens console and HTTP and serves them until the process ends. Returns once both listen, or could not.
pub(super) fn start(common: &Arc<Common>, reloader: &Arc<Reloader>) -> Result<(), Failed> {
    register(common, reloader);
    let (tell, told) = std::sync::mpsc::sync_channel(1);
    let (common, reloader) = (Arc::clone(common), Arc::clone(reloader));
    thread::Builder::new().name("operator".to_owned()).spawn(move || {
        let Ok(runtime) = tokio::runtime::Builder::new_current_thread().enable_all().build() else { return };
        runtime.block_on(async {
            let config = reloader.config.load_full();
            match open(&config, &reloader).await {
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
            admin::serve(listener, Http { metrics, control, token: None }, std::future::pending()).await;
        }
    };
    tokio::join!(console, http);
}

fn sources(common: &Arc<Common>, reloader: &Arc<Reloader>) -> Sources {
    let (caps, surges, rules, config, reload) =
        (Arc::clone(reloader), Arc::clone(reloader), Arc::clone(reloader), Arc::clone(reloader), Arc::clone(reloader));
    let metrics = Arc::clone(&common.metrics);
    Sources {
        roster: Arc::clone(&common.roster),
        control: Arc::clone(&common.control),
        metrics: Arc::clone(&common.metrics),
        shapes: Arc::clone(&common.shapes),
        caps: Arc::new(move || cap_rows(&caps.houses)),
        surges: Arc::new(move || surge_rows(&surges.houses)),
        rules: Arc::new(move || rule_rows(&rules.houses, &metrics)),
        config: Arc::new(move || config_rows(&config.config.load())),
        reload: Arc::new(move |who| reload.reload(who)),
    }
}

/// Gauges that are read where they are kept.
fn register(common: &Arc<Common>, reloader: &Arc<Reloader>) {
    let (caps, surges) = (Arc::clone(reloader), Arc::clone(reloader));
    common.metrics.register(caps_collector(move || cap_rows(&caps.houses)));
    common.metrics.register(surges_collector(move || surge_rows(&surges.houses)));
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

/// The common rules; overrides of single clients are in SHOW CONFIG.
fn rule_rows(houses: &[Arc<House>], metrics: &Metrics) -> Vec<RuleRow> {
    let Some(house) = houses.first() else { return Vec::new() };
    let current = house.settings.load();
    let row = |(def, mode): (&'static crate::guard::RuleDef, crate::guard::Mode)| RuleRow {
        rule: def.name,
        mode: mode.label(),
        settings: current.policies.base().settings(def),
        enforced_total: metrics.verdicts(def.name, "enforce"),
        warned_total: metrics.verdicts(def.name, "warn"),
        lifted_total: metrics.lifted(def.name),
    };
    current.policies.base().modes().map(row).collect()
}

fn config_rows(config: &Config) -> Vec<ConfigRow> {
    config.rows().into_iter().map(|(key, value)| ConfigRow { key, value }).collect()
}

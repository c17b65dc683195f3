//! Opens the listeners of a configuration and builds what their sessions share.

use std::sync::Arc;
use std::time::Duration;

use futures::future::join_all;
use tokio::net::TcpListener;

use super::Failed;
use crate::auth::derive::Deriver;
use crate::catalog::Catalog;
use crate::client::admission::Admission;
use crate::client::listener::bind;
use crate::client::login::Logins;
use crate::clock;
use crate::config::{Config, Listener};
use crate::guard::SettingError;
use crate::guard::pass::Key;
use crate::server::connect::connect;
use crate::session::house::{Common, Current, House, Settings};
use crate::session::lending::Lending;
use crate::session::policy::Policies;

/// How long a dial for verifiers may take.
const DIAL: Duration = Duration::from_secs(5);

/// One open listener.
#[derive(Debug)]
pub(super) struct Open {
    pub(super) socket: TcpListener,
    pub(super) house: Arc<House>,
}

/// Opens all listeners, or none.
pub(super) fn open(config: &Config, common: &Arc<Common>) -> Result<Vec<Open>, Failed> {
    // Half of the cores: keys are derived beside the data path, not in its place.
    let deriver = Deriver::new(config.workers / 2)?;
    config.listeners.iter().map(|listener| open_one(config, listener, common, &deriver)).collect()
}

fn open_one(
    config: &Config,
    listener: &Listener,
    common: &Arc<Common>,
    deriver: &Arc<Deriver>,
) -> Result<Open, Failed> {
    let socket = bind(listener.bind).map_err(|source| Failed::Bind {
        name: listener.name.clone(),
        address: listener.bind,
        source,
    })?;
    tracing::info!(listener = listener.name, address = %listener.bind, servers = ?listener.servers, "listening");
    let house = House {
        name: listener.name.as_str().into(),
        admission: Admission::new(config, &listener.name),
        lending: Lending::new(listener, config.workers),
        catalog: Catalog::start(listener),
        logins: Arc::new(Logins::new(config, listener, Arc::clone(deriver))?),
        settings: Settings::new(current(config, listener)?),
        common: Arc::clone(common),
    };
    Ok(Open { socket, house: Arc::new(house) })
}

/// What a listener's sessions see of a configuration.
pub(super) fn current(config: &Config, listener: &Listener) -> Result<Current, RulesRefused> {
    let policies = Policies::new(config).map_err(|errors| RulesRefused { errors })?;
    let break_glass = config.break_glass.as_ref().and_then(|key| Key::new(key.reveal().as_bytes())).map(Arc::new);
    Ok(Current { listener: listener.clone(), caps: config.caps.clone(), policies, break_glass })
}

/// Rules that can't be built. `check` tells the same with lines.
#[derive(Debug, thiserror::Error)]
#[error("[rules]: {}", .errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))]
pub struct RulesRefused {
    errors: Vec<SettingError>,
}

/// Runs what asks the server for verifiers, for as long as newcomers are welcome.
pub(super) async fn ask_for_verifiers(open: &[Open]) {
    join_all(open.iter().map(|open| ask_for_verifiers_of(&open.house))).await;
}

async fn ask_for_verifiers_of(house: &House) {
    let dial = || async {
        let settings = house.settings.load();
        let server = settings.listener.servers.first().map(String::as_str).unwrap_or_default();
        let dialled = connect(server, clock::now() + DIAL).await;
        dialled.map(|(stream, _)| stream).map_err(|unreachable| unreachable.why)
    };
    house.logins.lookup().run(dial).await;
}

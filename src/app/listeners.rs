//! Opens the listeners of a configuration and builds what their sessions share.

use std::sync::Arc;

use tokio::net::TcpListener;

use super::Failed;
use crate::catalog::Catalog;
use crate::client::admission::Admission;
use crate::client::listener::bind;
use crate::config::{Config, Listener};
use crate::guard::SettingError;
use crate::guard::pass::Key;
use crate::net::tls::{self, Live};
use crate::session::house::{Common, Current, House, Settings};
use crate::session::policy::Policies;

/// One open listener.
#[derive(Debug)]
pub(super) struct Open {
    pub(super) socket: TcpListener,
    pub(super) house: Arc<House>,
}

/// Opens all listeners, or none.
pub(super) fn open(config: &Config, common: &Arc<Common>) -> Result<Vec<Open>, Failed> {
    tls::install_provider();
    config.listeners.iter().map(|listener| open_one(config, listener, common)).collect()
}

fn open_one(config: &Config, listener: &Listener, common: &Arc<Common>) -> Result<Open, Failed> {
    let socket = bind(listener.bind).map_err(|source| Failed::Bind {
        name: listener.name.clone(),
        address: listener.bind,
        source,
    })?;
    tracing::info!(listener = listener.name, address = %listener.bind, servers = ?listener.servers, "listening");
    let tls = Arc::new(read_tls(listener)?);
    let catalog = Catalog::start(listener);
    catalog.secure(Arc::clone(&tls));
    let house = House {
        name: listener.name.as_str().into(),
        admission: Admission::new(config, &listener.name),
        catalog,
        tls,
        settings: Settings::new(current(config, listener)?),
        common: Arc::clone(common),
    };
    Ok(Open { socket, house: Arc::new(house) })
}

fn read_tls(listener: &Listener) -> Result<Live, Failed> {
    Live::open(&listener.tls).map_err(|errors| {
        let why = errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ");
        Failed::Tls { name: listener.name.clone(), why }
    })
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

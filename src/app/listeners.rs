//! Opens the listeners of a configuration and builds what their sessions share.

use std::sync::Arc;
use std::time::Duration;

use futures::future::join_all;

use super::Failed;
use super::certificates;
use super::given::Given;
use crate::auth::derive::Deriver;
use crate::catalog::Catalog;
use crate::client::door::{Door, Sharing};
use crate::clock;
use crate::config::{Config, Listener};
use crate::guard::SettingError;
use crate::guard::pass::Key;
use crate::net::tls::{self, Live};
use crate::server::connect::connect;
use crate::server::nodes::Choice;
use crate::server::pool::Register;
use crate::session::house::{Common, Current, House};
use crate::session::policy::Policies;

/// How long a dial for verifiers may take.
const DIAL: Duration = Duration::from_secs(5);

/// One open listener.
#[derive(Debug)]
pub(super) struct Open {
    pub(super) doors: Vec<Door>,
    pub(super) sharing: Sharing,
    pub(super) house: Arc<House>,
}

/// Opens all listeners, or none.
pub(super) fn open(config: &Config, common: &Arc<Common>) -> Result<Vec<Open>, Failed> {
    tls::install_provider();
    let tls = read_tls(config)?;
    // Half of the cores: keys are derived beside the data path, not in its place.
    let deriver = Deriver::new(config.workers / 2)?;
    let mut given = Given::take();
    let mut open = Vec::new();
    for ((index, listener), tls) in config.listeners.iter().enumerate().zip(tls) {
        let doors = doors(index, listener, &mut given)?;
        open.push(open_one((config, listener), common, &deriver, (doors, tls))?);
    }
    given.warn_of_rest();
    Ok(open)
}

fn open_one(
    (config, listener): (&Config, &Listener),
    common: &Arc<Common>,
    deriver: &Arc<Deriver>,
    (doors, tls): (Vec<Door>, Live),
) -> Result<Open, Failed> {
    tracing::info!(listener = listener.name, address = %listener.bind, servers = ?listener.servers, "listening");
    let house = House::new(config, current(config, listener)?, Arc::new(tls), deriver, common)?;
    tokio::spawn(Register::keep_time(Arc::downgrade(&house.lending.register)));
    Ok(Open { doors, sharing: sharing(listener), house: Arc::new(house) })
}

const fn sharing(listener: &Listener) -> Sharing {
    if listener.entry.reuse_port { Sharing::HandOver } else { Sharing::Alone }
}

/// A listener's port and its Unix socket, each as the service manager gave it, or opened here.
fn doors(index: usize, listener: &Listener, given: &mut Given) -> Result<Vec<Door>, Failed> {
    let sharing = sharing(listener);
    let failed = |key: &str, place: &dyn ToString, source| {
        let path = ["listener", &index.to_string(), key].map(str::to_owned);
        Failed::Bind { path: path.into(), place: place.to_string(), source }
    };
    let port = match given.port(listener.bind) {
        Some(port) => port,
        None => Door::port(listener.bind, sharing),
    };
    let mut doors = vec![port.map_err(|source| failed("bind", &listener.bind, source))?];
    if let Some(folder) = &listener.entry.unix_socket {
        let number = listener.bind.port();
        let socket = match given.socket(folder, number) {
            Some(socket) => socket,
            None => Door::socket(folder, number, sharing),
        };
        doors.push(socket.map_err(|source| failed("unix_socket", &folder.display(), source))?);
    }
    Ok(doors)
}

/// Has the catalogue read the server that is used.
pub(super) fn follow(catalog: &Catalog, choice: &Choice, listener: &Listener) {
    if choice.server.is_some() {
        catalog.reload(&choice.narrow(listener));
    }
}

/// The files of all listeners, or all that is wrong with them.
fn read_tls(config: &Config) -> Result<Vec<Live>, Failed> {
    let (read, wrong) = certificates::open(config);
    if wrong.is_empty() { Ok(read.into_iter().map(|(_, live)| live).collect()) } else { Err(Failed::Tls(wrong)) }
}

/// What a listener's sessions see of a configuration.
pub(super) fn current(config: &Config, listener: &Listener) -> Result<Current, RulesRefused> {
    let policies = Policies::new(config).map_err(|errors| RulesRefused { errors })?;
    let break_glass = config.break_glass.as_ref().and_then(|key| Key::new(key.reveal().as_bytes())).map(Arc::new);
    Ok(Current::new(listener, &config.caps, policies, break_glass))
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
        let until = clock::now() + DIAL;
        let reached = connect(&house.nodes, || house.security(), until, until).await;
        reached.map(|reached| reached.stream).map_err(|unreachable| unreachable.why)
    };
    house.logins.lookup().run(dial).await;
}

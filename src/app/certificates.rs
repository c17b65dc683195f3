//! Certificates that change under a running process.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::sleep;

use crate::config::{Config, SettingError};
use crate::net::tls::{Expiry, Live, Unusable, Validity};
use crate::session::house::House;
use crate::telemetry::{Gate, Pass, Series};
use crate::units::{counted, display_duration};

/// How often the files are looked at. Whoever renews them need not tell us.
const LOOK: Duration = Duration::from_secs(30);
/// Looks between two warnings of an end that is near: an hour.
const LOOKS_A_WARNING: u32 = 120;
/// How long before its end a certificate is warned of, in seconds: two weeks.
const NEAR: i64 = 14 * DAY;
const DAY: i64 = 24 * 60 * 60;

/// What `check` says of the files that a configuration names.
#[derive(Debug, Default)]
pub struct Checked {
    /// Files that can't be used.
    pub unusable: Vec<SettingError>,
    /// Certificates of ours that have ended, will soon, or do not hold yet.
    pub untimely: Vec<SettingError>,
}

/// Reads the files that a configuration names. Blocks on them.
pub fn check_certificates(config: &Config) -> Checked {
    let (usable, unusable) = open(config);
    let mut untimely = Vec::new();
    for (index, live) in usable {
        untimely.extend(live.expiries().iter().filter_map(|expiry| located(index, *expiry)));
    }
    Checked { unusable, untimely }
}

/// Reads the files of all listeners: those that can be used, by the number of their listener, and what is wrong with the others.
pub(super) fn open(config: &Config) -> (Vec<(usize, Live)>, Vec<SettingError>) {
    let (mut usable, mut wrong) = (Vec::new(), Vec::new());
    for (index, listener) in config.listeners.iter().enumerate() {
        match Live::open(&listener.tls) {
            Ok(live) => usable.push((index, live)),
            Err(errors) => wrong.extend(errors.iter().map(|error| unusable(index, error))),
        }
    }
    (usable, wrong)
}

/// A file of a listener that can't be used, by its key.
fn unusable(listener: usize, error: &Unusable) -> SettingError {
    let path = ["listener", &listener.to_string(), error.side, error.key].map(str::to_owned);
    SettingError { path: path.into(), message: error.to_string() }
}

/// What is to be told of a certificate's time, if anything.
fn told(validity: Validity) -> Option<String> {
    match (validity.ahead(), validity.left()) {
        (_, ..=0) => Some("the certificate has expired; peers that check it stay away".to_owned()),
        (ahead @ 1.., _) => {
            let wait = display_duration(Duration::from_secs(ahead.unsigned_abs()));
            Some(format!("the certificate is not valid yet, it begins in {wait}; peers that check it stay away"))
        }
        (_, left) if left < NEAR => {
            Some(format!("the certificate expires in {}", counted((left / DAY).unsigned_abs(), "day")))
        }
        _ => None,
    }
}

/// Certificates in force of a listener that have ended, will soon, or do not hold yet, for whoever asks for a RELOAD.
pub(super) fn untimely(house: &House) -> Vec<String> {
    let of = |expiry: Expiry| {
        let told = told(expiry.validity)?;
        Some(format!("listener \"{}\", {}_tls: {told}", house.name, expiry.side))
    };
    house.tls.expiries().into_iter().filter_map(of).collect()
}

fn located(listener: usize, expiry: Expiry) -> Option<SettingError> {
    let message = told(expiry.validity)?;
    let side = format!("{}_tls", expiry.side);
    let path = ["listener", &listener.to_string(), &side, "cert_file"].map(str::to_owned);
    Some(SettingError { path: path.into(), message })
}

/// Takes up what has changed in the files, for ever. A broken file changes nothing.
pub(super) async fn watch(houses: &[Arc<House>], gate: &Gate) {
    let mut looks = 0;
    loop {
        for house in houses {
            if looks % LOOKS_A_WARNING == 0 {
                warn(house);
            }
            for error in house.tls.reload(&house.settings.load().listener.tls) {
                if let Pass::Write { suppressed } = gate.pass("tls_files") {
                    tracing::error!(listener = %house.name, %error, suppressed, "new TLS files can't be used; the old ones are in force");
                }
            }
            leave_old_way(house);
        }
        looks = looks.wrapping_add(1);
        sleep(LOOK).await;
    }
}

/// Where servers are met in another way, lent ones that were met in the old one go with their transaction: what is to be encrypted must
/// not go on in plain. A session with a server of its own keeps it.
pub(super) fn leave_old_way(house: &House) {
    if house.tls.takes_other_way() && house.settings.load().listener.lends() {
        house.nodes.renew();
    }
}

fn warn(house: &House) {
    let settings = house.settings.load();
    let tls = &settings.listener.tls;
    for expiry in house.tls.expiries() {
        let (listener, shown_to) = (&house.name, expiry.side);
        let side = if shown_to == "client" { &tls.client } else { &tls.server };
        let file = side.cert_file.as_deref().map(|file| tracing::field::display(file.display()));
        match (expiry.validity.ahead(), expiry.validity.left()) {
            (_, ..=0) => tracing::error!(%listener, shown_to, file, "the certificate has expired"),
            (ahead @ 1.., _) => {
                tracing::error!(%listener, shown_to, file, seconds = ahead, "the certificate is not valid yet")
            }
            (_, left) if left < NEAR => {
                tracing::warn!(%listener, shown_to, file, days = left / DAY, "the certificate expires soon")
            }
            _ => {}
        }
    }
}

/// When each certificate ends, by listener and side.
pub(super) fn expiries(houses: &[Arc<House>]) -> Series {
    let of = |house: &Arc<House>| {
        let series =
            |expiry: Expiry| (vec![house.name.to_string(), expiry.side.to_owned()], expiry.validity.not_after as f64);
        house.tls.expiries().into_iter().map(series).collect::<Series>()
    };
    houses.iter().flat_map(of).collect()
}

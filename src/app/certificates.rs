//! Certificates that change under a running process.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::sleep;

use crate::clock;
use crate::config::{Config, PoolMode};
use crate::net::tls::{Live, Unusable};
use crate::session::house::House;
use crate::telemetry::{Gate, Pass, Series};

/// How often the files are looked at. Whoever renews them need not tell us.
const LOOK: Duration = Duration::from_secs(30);
/// Looks between two warnings of an end that is near: an hour.
const LOOKS_A_WARNING: u32 = 120;
/// How long before its end a certificate is warned of, in seconds: two weeks.
const NEAR: i64 = 14 * 24 * 60 * 60;

/// What `check` says of the files that a configuration names: those that can't be used.
pub fn check_certificates(config: &Config) -> Vec<String> {
    let unusable = config.listeners.iter().filter_map(|listener| Some((listener, Live::open(&listener.tls).err()?)));
    let told = |(listener, errors): (&crate::config::Listener, Vec<Unusable>)| {
        errors.into_iter().map(move |error| format!("listener \"{}\": {error}", listener.name)).collect::<Vec<_>>()
    };
    unusable.flat_map(told).collect()
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
    if house.tls.takes_other_way() && house.settings.load().listener.pool.mode == PoolMode::Transaction {
        house.nodes.renew();
    }
}

fn warn(house: &House) {
    let now = i64::try_from(clock::wall().as_secs()).unwrap_or(i64::MAX);
    for expiry in house.tls.expiries() {
        let (listener, shown_to) = (&house.name, expiry.side);
        match expiry.not_after.saturating_sub(now) {
            left if left <= 0 => tracing::error!(%listener, shown_to, "the certificate has expired"),
            left if left < NEAR => {
                tracing::warn!(%listener, shown_to, days = left / 86_400, "the certificate expires soon")
            }
            _ => {}
        }
    }
}

/// When each certificate ends, by listener and side.
pub(super) fn expiries(houses: &[Arc<House>]) -> Series {
    let of = |house: &Arc<House>| {
        let series = |expiry: crate::net::tls::Expiry| {
            (vec![house.name.to_string(), expiry.side.to_owned()], expiry.not_after as f64)
        };
        house.tls.expiries().into_iter().map(series).collect::<Series>()
    };
    houses.iter().flat_map(of).collect()
}

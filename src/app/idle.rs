//! `client_idle_timeout`.

use crate::clock;
use crate::roster::Signal;
use crate::session::house::{Common, House};

/// Tells the clients of a listener that have been idle for too long. They end themselves, unless they have begun something meanwhile.
pub(super) fn end_idle_clients(common: &Common, house: &House) {
    let Some(limit) = house.settings.load().listener.client_idle_timeout else { return };
    let now_ms = clock::uptime_ms();
    let sessions = common.roster.list();
    let here = sessions.iter().filter(|entry| entry.identity.listener == house.name);
    here.filter(|entry| entry.is_idle_for(limit, now_ms)).for_each(|entry| entry.signal(Signal::Idle));
}

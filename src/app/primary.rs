//! What follows the choice among several servers: sessions and the catalogue.

use super::listeners::follow;
use crate::roster::Signal;
use crate::server::nodes::Leave;
use crate::session::house::{Common, House};

/// Ends sessions whose server is no longer the one that is used; where it does not answer and was lent, what is lost with it is
/// the session's to say.
pub(super) fn leave_past_servers(common: &Common, house: &House) {
    if !house.nodes.several() {
        return;
    }
    let sessions = common.roster.list();
    for entry in sessions.iter().filter(|entry| entry.identity.listener == house.name) {
        match entry.server_generation().and_then(|generation| house.nodes.outdated(generation)) {
            None => {}
            // A server that was lent is not given back to its pool: its session stays.
            Some(Leave::AtBoundary) if entry.is_lent() => {}
            Some(Leave::AtBoundary) => entry.signal(Signal::Drain),
            Some(Leave::Now) => entry.signal(Signal::Lose),
        }
    }
}

/// Has the catalogue read whichever server is used. Never returns.
pub(super) async fn follow_primary(house: &House) {
    let mut choices = house.nodes.watch();
    choices.mark_changed();
    while choices.changed().await.is_ok() {
        let choice = choices.borrow_and_update().clone();
        follow(&house.catalog, &choice, &house.settings.load().listener);
    }
}

//! What operators do to the pools of all listeners.

use std::sync::Arc;

use super::reload::Reloader;
use crate::console::Steer;
use crate::control::Control;
use crate::server::pool::Held;
use crate::session::house::{Common, House};

/// The pools of all listeners.
#[derive(Debug)]
pub(super) struct Pools {
    control: Arc<Control>,
    reloader: Arc<Reloader>,
}

impl Pools {
    pub(super) fn new(common: &Common, reloader: &Arc<Reloader>) -> Self {
        Self { control: Arc::clone(&common.control), reloader: Arc::clone(reloader) }
    }
}

impl Steer for Pools {
    fn pause(&self) {
        pause(&self.control, &self.reloader.houses);
    }

    fn reconnect(&self, database: Option<&str>) {
        self.reloader.houses.iter().for_each(|house| house.lending.register.reconnect(database));
    }
}

/// Puts the pauses that hold in force.
pub(super) fn pause(control: &Control, houses: &[Arc<House>]) {
    houses.iter().for_each(|house| house.lending.register.hold(|| held(control)));
}

fn held(control: &Control) -> Held {
    let pauses = control.pauses();
    Held { all: pauses.contains_key(&None), databases: pauses.into_keys().flatten().collect() }
}

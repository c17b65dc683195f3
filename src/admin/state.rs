//! Metrics of what the roster and the operators' switches say, read at scrape.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::control::Control;
use crate::roster::Roster;
use crate::telemetry::{Collector, Series, series_collector, table};

/// Sessions by listener and state, and whether Floodwall is paused or draining.
pub fn state_collector(roster: Arc<Roster>, control: Arc<Control>) -> Box<dyn Collector> {
    let defs = [table::SESSIONS, table::PAUSED, table::DRAINING];
    series_collector(defs, move || [sessions(&roster), flag(!control.pauses().is_empty()), flag(control.draining())])
}

fn sessions(roster: &Roster) -> Series {
    let mut counts: BTreeMap<(Arc<str>, &'static str), u64> = BTreeMap::new();
    for entry in roster.list() {
        let count = counts.entry((Arc::clone(&entry.identity.listener), entry.activity().label())).or_default();
        *count = count.saturating_add(1);
    }
    counts
        .into_iter()
        .map(|((listener, state), count)| (vec![listener.to_string(), state.to_owned()], count as f64))
        .collect()
}

fn flag(on: impl Into<u8>) -> Series {
    vec![(Vec::new(), f64::from(on.into()))]
}

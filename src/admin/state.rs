//! Metrics of what the roster and the operators' switches say, read at scrape.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::control::Control;
use crate::roster::Roster;
use crate::telemetry::{Collector, Series, series_collector, table};

/// Sessions by listener and state, those that are pinned, and whether Floodwall is paused or draining.
pub fn state_collector(roster: Arc<Roster>, control: Arc<Control>) -> Box<dyn Collector> {
    let defs = [table::SESSIONS, table::PINNED, table::PAUSED, table::DRAINING];
    let sessions = move || {
        let entries = roster.list();
        let states =
            entries.iter().map(|entry| vec![entry.identity.listener.to_string(), entry.activity().label().into()]);
        let pinned = entries.iter().filter(|entry| entry.pin().is_some());
        [counted(states), counted(pinned.map(|entry| vec![entry.identity.listener.to_string()]))]
    };
    series_collector(defs, move || {
        let [states, pinned] = sessions();
        [states, pinned, flag(!control.pauses().is_empty()), flag(control.draining())]
    })
}

/// How often each of these labels is there.
fn counted(labels: impl Iterator<Item = Vec<String>>) -> Series {
    let mut counts: BTreeMap<Vec<String>, u64> = BTreeMap::new();
    for label in labels {
        let count = counts.entry(label).or_default();
        *count = count.saturating_add(1);
    }
    counts.into_iter().map(|(labels, count)| (labels, count as f64)).collect()
}

fn flag(on: impl Into<u8>) -> Series {
    vec![(Vec::new(), f64::from(on.into()))]
}

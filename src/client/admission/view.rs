//! What others see of admission: rows, counters, and the warnings of the surge signal.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use crate::clock::Instant;
use crate::guard::caps;
use crate::telemetry::rows::Label;
use crate::telemetry::{Gate, Pass};

use super::Admission;
use super::queue::Line;
use super::records::Record;
use super::rows::{CapRow, Counters, SurgeRow};
use super::state::State;
use super::surge::Look;

impl Admission {
    /// Looks at every client once and warns of those that surge; lets in whom time has made room for. To be called
    /// each 250 ms.
    pub fn tick(self: &Arc<Self>, now: Instant) {
        let mut surging = Vec::new();
        self.change(Line::ALL, |state, _| {
            let at = self.warnings.elapsed(now);
            for record in state.records.iter_mut().filter(|record| record.proven) {
                if record.open == 0 && record.surge.is_settled() {
                    continue;
                }
                let look = Look { at, connections: record.open, limit: record.limit };
                let (is, was) = record.surge.observe(look);
                // Without a limit of its own, another cap of the same connections speaks for it.
                if is > was && record.limit.is_some() {
                    surging.push(surge_row(&self.listener, record));
                }
            }
            state.records.sweep_all();
        });
        for row in surging {
            self.warnings.warn(&row);
        }
    }

    /// Every cap and how full it is: those of the listener first, then the clients, the fullest first.
    pub fn cap_rows(&self) -> Vec<CapRow> {
        let state = self.lock();
        let mut rows = self.listener_rows(&state);
        let mut clients: Vec<CapRow> = state
            .records
            .iter()
            .filter(|record| record.proven)
            .map(|record| CapRow {
                listener: self.listener.to_string(),
                rule: caps::CLIENT_MAX_CONNECTIONS,
                scope: record.key.label().to_string(),
                current: record.open,
                limit: record.limit,
                waiting: record.waiting,
                refused: record.refused,
                label: record.key.naming(),
            })
            .collect();
        drop(state);
        clients.sort_by(|a, b| b.current.cmp(&a.current).then_with(|| a.scope.cmp(&b.scope)));
        rows.append(&mut clients);
        rows
    }

    /// How the connections of each client grow, the gravest first.
    pub fn surge_rows(&self) -> Vec<SurgeRow> {
        let state = self.lock();
        let mut rows: Vec<SurgeRow> = state
            .records
            .iter()
            .filter(|record| record.proven)
            .map(|record| surge_row(&self.listener, record))
            .collect();
        drop(state);
        rows.sort_by(|a, b| {
            b.state.cmp(&a.state).then(b.connections.cmp(&a.connections)).then_with(|| a.client.cmp(&b.client))
        });
        rows
    }

    /// Everything that is held now.
    pub fn counters(&self) -> Counters {
        let cancels = super::CANCELS_AT_ONCE.saturating_sub(self.cancels.available_permits());
        let state = self.lock();
        let sum = |count: fn(&Record) -> usize| state.records.iter().map(count).sum::<usize>();
        Counters {
            lobby: state.lobby,
            cancels,
            clients: state.clients,
            addresses: state.addresses.len(),
            logins: state.logins,
            servers: state.servers.all(),
            open: sum(|record| record.open),
            claims: state.claims.len()
                + sum(|record| record.pins + record.logins.len() + record.waiting + record.proving),
            waiting: state.queue.len(),
        }
    }

    /// True where nothing at all is held.
    pub fn is_zero(&self) -> bool {
        self.counters().is_zero()
    }

    fn listener_rows(&self, state: &State) -> Vec<CapRow> {
        let limits = &state.limits;
        let waiting = |line| state.queue.waiting(line);
        let row = |rule, current, limit, waiting| CapRow {
            listener: self.listener.to_string(),
            rule,
            scope: "listener".to_owned(),
            current,
            limit,
            waiting,
            refused: state.refusals(rule),
            label: Label::Bounded,
        };
        let of_address = |rule, of, limit| {
            let fullest = state.addresses.fullest(of);
            CapRow {
                scope: fullest.map_or_else(|| "address".to_owned(), |(address, _)| format!("address {address}")),
                label: Label::As("address"),
                ..row(rule, fullest.map_or(0, |(_, held)| held), Some(limit), 0)
            }
        };
        let mut rows = vec![
            row(caps::MAX_CLIENTS, state.clients, Some(limits.max_clients), waiting(Line::House)),
            row(caps::MAX_LOGINS, state.logins, Some(limits.max_logins), waiting(Line::Login)),
            row(caps::MAX_SERVER_CONNECTIONS, state.servers.all(), state.server_limit(), waiting(Line::Server)),
            row(caps::QUEUE_LENGTH, state.queue.len(), Some(limits.queue_length), 0),
            of_address(caps::ADDRESS_MAX_CONNECTIONS, |held| held.clients, limits.address_max),
            of_address(caps::MAX_LOGINS_PER_ADDRESS, |held| held.logins, limits.logins_per_address),
        ];
        rows.extend(state.fullest_parts().into_iter().map(|part| CapRow {
            scope: part.scope,
            label: Label::As(part.kind),
            ..row(part.rule, part.current, part.limit, part.waiting)
        }));
        rows
    }
}

impl State {
    fn refusals(&self, rule: &str) -> u64 {
        let at = caps::ALL.iter().position(|known| *known == rule);
        at.and_then(|at| self.refused.get(at)).copied().unwrap_or_default()
    }
}

fn surge_row(listener: &str, record: &Record) -> SurgeRow {
    let surge = &record.surge;
    SurgeRow {
        listener: listener.to_owned(),
        client: record.key.label().to_string(),
        connections: record.open,
        limit: record.limit,
        waiting: record.waiting,
        average_5s: surge.fast(),
        average_5m: surge.slow(),
        per_second: surge.per_second(),
        seconds_to_full: surge.seconds_to_full(),
        state: surge.state(),
        label: record.key.naming(),
    }
}

/// The warnings of the surge signal: clients cause them, so each client has a rate.
#[derive(Debug, Default)]
pub(super) struct Warnings {
    start: OnceLock<Instant>,
    gate: Gate,
}

impl Warnings {
    /// Time since the first look.
    fn elapsed(&self, now: Instant) -> Duration {
        now.saturating_duration_since(*self.start.get_or_init(|| now))
    }

    fn warn(&self, row: &SurgeRow) {
        let Pass::Write { suppressed } = self.gate.pass(&row.client) else { return };
        tracing::warn!(
            listener = row.listener,
            client = row.client,
            state = row.state.label(),
            connections = row.connections,
            limit = row.limit,
            waiting = row.waiting,
            seconds_to_full = row.seconds_to_full.map(f64::round),
            suppressed,
            "connections of a client surge; SHOW SURGES tells more"
        );
    }
}

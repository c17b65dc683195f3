//! One record for each client: what it holds, who waits for it, how it grows.
//!
//! A record lives while something refers to it. Once proven it stays beyond that, for its averages and its rate, until
//! there are more than [`KEPT_MAX`]. A claimed identity that is never proven leaves nothing behind.

use std::collections::{HashMap, VecDeque};
use std::num::NonZeroU32;
use std::sync::Arc;

use crate::clock::Instant;

use super::identify::{Part, RecordKey};
use super::rate::Rate;
use super::surge::Surge;

/// Place of a record in [`Records`]; valid while the record is pinned or held.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct RecordId(usize);

/// One client.
#[derive(Debug)]
pub(super) struct Record {
    pub(super) key: RecordKey,
    /// Proven connections.
    pub(super) open: usize,
    /// Claims that refer to this record: waiting, or logging in.
    pub(super) pins: usize,
    /// Waiters of any kind that want this record.
    pub(super) waiting: usize,
    /// Waiters among them that are proven.
    pub(super) proving: usize,
    /// When each login in progress of this client began, by claim; oldest first.
    pub(super) logins: VecDeque<Login>,
    /// The limits of whoever resolved last, for the operator's table and the surge signal.
    pub(super) limit: Option<usize>,
    pub(super) rate: Option<Rate>,
    pub(super) proven: bool,
    pub(super) refused: u64,
    pub(super) surge: Surge,
}

/// A login in progress, as its client's record sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Login {
    pub(super) claim: u64,
    pub(super) since: Instant,
    /// From an address that has proven this client before.
    pub(super) known: bool,
}

impl Record {
    fn new(key: RecordKey) -> Self {
        Self {
            key,
            open: 0,
            pins: 0,
            waiting: 0,
            proving: 0,
            logins: VecDeque::new(),
            limit: None,
            rate: None,
            proven: false,
            refused: 0,
            surge: Surge::default(),
        }
    }

    /// Logins that began after `since`; to an address that is known, only those of known addresses count.
    pub(super) fn fresh_logins(&self, since: Instant, known: Known) -> usize {
        let fresh = self.logins.iter().filter(|login| login.since > since);
        fresh.filter(|login| login.known || known == Known::No).count()
    }

    fn adopt(&mut self, part: &Part, now: Instant) {
        self.limit = part.max_connections;
        // One identity of this record may be free of the rate that another has: it must not wipe out what is charged.
        let Some(wanted) = part.per_second.and_then(NonZeroU32::new) else { return };
        if self.rate.as_ref().is_none_or(|rate| rate.per_second() != wanted.get()) {
            self.rate = Some(Rate::new(wanted, now));
        }
    }
}

/// Whether an address has proven a client before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Known {
    Yes,
    No,
}

/// All records of a listener.
#[derive(Debug, Default)]
pub(super) struct Records {
    slots: Vec<Option<Record>>,
    free: Vec<usize>,
    index: HashMap<RecordKey, RecordId>,
}

impl Records {
    /// Finds or makes the record of a cap and pins it.
    pub(super) fn pin(&mut self, part: &Part, now: Instant) -> RecordId {
        let id = match self.index.get(&part.key) {
            Some(id) => *id,
            None => self.insert(Record::new(part.key.clone())),
        };
        if let Some(record) = self.find_mut(id) {
            record.pins = record.pins.saturating_add(1);
            record.adopt(part, now);
        }
        id
    }

    /// Takes a pin back.
    pub(super) fn unpin(&mut self, id: RecordId) {
        self.change(id, |record| record.pins = record.pins.saturating_sub(1));
        self.sweep(id);
    }

    /// Changes a record that the caller has pinned or holds.
    pub(super) fn change(&mut self, id: RecordId, change: impl FnOnce(&mut Record)) {
        if let Some(record) = self.find_mut(id) {
            change(record);
        }
    }

    /// Drops a record that nothing refers to any more, if it need not be kept.
    pub(super) fn sweep(&mut self, id: RecordId) {
        let over = self.index.len() > KEPT_MAX;
        let Some(slot) = self.slots.get_mut(id.0) else { return };
        if let Some(record) = slot.take_if(|record| record.is_unused() && (over || !record.proven)) {
            self.index.remove(&record.key);
            self.free.push(id.0);
        }
    }

    /// Drops unused records beyond [`KEPT_MAX`].
    pub(super) fn sweep_all(&mut self) {
        if self.index.len() > KEPT_MAX {
            let ids: Vec<RecordId> = self.index.values().copied().collect();
            for id in ids {
                self.sweep(id);
            }
        }
    }

    pub(super) fn find(&self, id: RecordId) -> Option<&Record> {
        self.slots.get(id.0).and_then(Option::as_ref)
    }

    fn find_mut(&mut self, id: RecordId) -> Option<&mut Record> {
        self.slots.get_mut(id.0).and_then(Option::as_mut)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Record> {
        self.slots.iter().flatten()
    }

    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Record> {
        self.slots.iter_mut().flatten()
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.index.len()
    }

    /// Label of a record, shared.
    pub(super) fn label(&self, id: RecordId) -> Option<&Arc<str>> {
        self.find(id).map(|record| record.key.label())
    }

    fn insert(&mut self, record: Record) -> RecordId {
        let key = record.key.clone();
        let id = match self.free.pop() {
            Some(at) => RecordId(at),
            None => {
                self.slots.push(None);
                RecordId(self.slots.len().saturating_sub(1))
            }
        };
        if let Some(slot) = self.slots.get_mut(id.0) {
            *slot = Some(record);
        }
        self.index.insert(key, id);
        id
    }
}

impl Record {
    fn is_unused(&self) -> bool {
        self.open == 0 && self.pins == 0
    }
}

/// Records that stay although nobody is connected: their labels are what metrics and tables show.
const KEPT_MAX: usize = 10_000;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock;

    fn part(n: usize) -> Part {
        Part { key: RecordKey::key(&n.to_string()), max_connections: Some(1), per_second: None }
    }

    #[test]
    fn a_record_never_proven_leaves_with_its_last_pin() {
        let mut records = Records::default();
        let now = clock::now();
        let first = records.pin(&part(1), now);
        assert_eq!(records.pin(&part(1), now), first);
        records.unpin(first);
        assert_eq!(records.len(), 1);
        records.unpin(first);
        assert_eq!(records.len(), 0);
        assert!(records.find(first).is_none());
    }

    #[test]
    fn proven_records_are_kept_up_to_the_bound() {
        let mut records = Records::default();
        let now = clock::now();
        let held: Vec<_> = (0..KEPT_MAX + 50).map(|n| records.pin(&part(n), now)).collect();
        for id in &held {
            records.change(*id, |record| record.proven = true);
        }
        for id in held {
            records.unpin(id);
        }
        assert_eq!(records.len(), KEPT_MAX);
    }
}

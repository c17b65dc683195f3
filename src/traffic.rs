//! What sessions have moved: a few counts for each, summed by database when somebody asks.
//!
//! A session writes its own counts, so none needs a read-modify-write, and none is shared while it lives.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};

/// One count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(usize)]
pub enum Count {
    /// Servers that were lent to a client.
    Assignments,
    /// Transactions that have ended.
    Transactions,
    /// Statements that went to a server.
    Statements,
    /// Bytes that came from clients.
    Received,
    /// Bytes that went to clients.
    Sent,
    /// Microseconds that transactions took.
    TransactionUs,
    /// Microseconds that statements took.
    StatementUs,
    /// Microseconds that clients waited for a server.
    WaitUs,
    /// Statements that clients prepared.
    Prepared,
    /// Statements that were prepared at lent servers.
    ServerPrepared,
    /// Prepared statements that were given their values.
    Bound,
    /// Clients that have logged in: one for each session, so none keeps it. The last of all.
    Logins,
}

/// How many counts there are.
const COUNTS: usize = Count::Logins as usize + 1;
/// Those that a session adds to: it has logged in once.
const CELLS: usize = Count::Logins as usize;
/// Databases that are told apart once their clients have left.
const DATABASES_MAX: usize = 1000;
/// Stands for the databases beyond that.
const OTHERS: &str = "(others)";

/// The counts of one session.
#[derive(Debug, Default)]
pub struct Traffic([AtomicU64; CELLS]);

/// Sums of counts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Totals([u64; COUNTS]);

impl Traffic {
    /// Adds to a count. Only the owning session calls it.
    pub fn add(&self, count: Count, much: u64) {
        if let Some(cell) = self.0.get(count as usize) {
            cell.store(cell.load(Ordering::Relaxed).wrapping_add(much), Ordering::Relaxed);
        }
    }

    /// The counts now.
    pub fn totals(&self) -> Totals {
        let mut totals = Totals([1; COUNTS]);
        totals.0.iter_mut().zip(&self.0).for_each(|(sum, cell)| *sum = cell.load(Ordering::Relaxed));
        totals
    }
}

impl Totals {
    /// One of the sums.
    pub fn get(&self, count: Count) -> u64 {
        self.0.get(count as usize).copied().unwrap_or_default()
    }

    /// Adds other sums.
    pub fn add(&mut self, others: &Self) {
        self.0.iter_mut().zip(others.0).for_each(|(sum, other)| *sum = sum.wrapping_add(other));
    }

    /// What has come to them since `before`.
    #[must_use]
    pub fn since(&self, before: &Self) -> Self {
        let mut grown = *self;
        grown.0.iter_mut().zip(before.0).for_each(|(sum, before)| *sum = sum.saturating_sub(before));
        grown
    }
}

/// Sums by database.
pub type ByDatabase = BTreeMap<String, Totals>;

/// Adds to the sums of a database. Of databases without an entry only so many get one; the others share one.
pub fn add(sums: &mut ByDatabase, database: &str, totals: &Totals) {
    let name = if sums.len() < DATABASES_MAX || sums.contains_key(database) { database } else { OTHERS };
    match sums.get_mut(name) {
        Some(sum) => sum.add(totals),
        None => drop(sums.insert(name.to_owned(), *totals)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_kept_apart_and_summed() {
        let (one, two) = (Traffic::default(), Traffic::default());
        one.add(Count::Sent, 5);
        one.add(Count::Sent, 2);
        two.add(Count::Sent, 1);
        let mut sum = one.totals();
        sum.add(&two.totals());
        assert_eq!((sum.get(Count::Sent), sum.get(Count::Received), sum.get(Count::Logins)), (8, 0, 2));
        assert_eq!(sum.since(&one.totals()).get(Count::Sent), 1);
        assert_eq!(Totals::default().since(&sum), Totals::default());
    }

    #[test]
    fn databases_beyond_the_bound_share_one_entry() {
        let mut sums = ByDatabase::new();
        let traffic = Traffic::default();
        for number in 0..DATABASES_MAX + 500 {
            add(&mut sums, &format!("d{number}"), &traffic.totals());
        }
        assert_eq!(sums.len(), DATABASES_MAX + 1);
        assert_eq!(sums[OTHERS].get(Count::Logins), 500);
        add(&mut sums, "d7", &traffic.totals());
        assert_eq!(sums["d7"].get(Count::Logins), 2);
    }
}

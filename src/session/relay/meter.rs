//! Counts what one reply sends: two subtractions for each row.

use std::num::NonZeroU64;

use crate::session::watch::{Allowance, Excess, Streams, Tally, Watch};

/// What the reply at hand may still send, and what the next one may.
#[derive(Debug)]
pub(super) struct Meter {
    rows_left: u64,
    bytes_left: u64,
    /// What was left when the reply at hand began.
    rows_first: u64,
    bytes_first: u64,
    /// What it is that has too many rows, in the reply at hand and in the next one.
    counts: Counts,
    full_counts: Counts,
    full: Allowance,
    changes_max: u64,
}

/// What the rows of a reply are counted for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Counts {
    /// They are sent.
    #[default]
    Sent,
    /// Each is one that was changed; with the first that is too many it is so many, earlier portions included.
    Changed(NonZeroU64),
}

impl Default for Meter {
    fn default() -> Self {
        let Allowance { rows, bytes, .. } = Allowance::UNLIMITED;
        Self {
            rows_left: rows,
            bytes_left: bytes,
            rows_first: rows,
            bytes_first: bytes,
            counts: Counts::Sent,
            full_counts: Counts::Sent,
            full: Allowance::UNLIMITED,
            changes_max: u64::MAX,
        }
    }
}

impl Meter {
    /// The limits that hold from the next reply on.
    pub(super) fn set(&mut self, watch: &Watch) {
        self.full = watch.allowance;
        self.full_counts = Counts::Sent;
        self.changes_max = watch.changes_max;
        let left = watch.returned.map(|before| watch.changes_max.saturating_sub(before));
        if let Some(left) = left.filter(|left| *left < self.full.rows) {
            self.full.rows = left;
            self.full_counts = Counts::Changed(NonZeroU64::MIN.saturating_add(watch.changes_max));
        }
    }

    /// A reply begins.
    pub(super) const fn begin(&mut self) {
        self.counts = self.full_counts;
        self.rows_left = self.full.rows;
        self.bytes_left = self.full.bytes;
        self.rows_first = self.full.rows;
        self.bytes_first = self.full.bytes;
    }

    /// What the reply at hand has sent.
    pub(super) const fn tally(&self) -> Tally {
        Tally {
            rows: self.rows_first.saturating_sub(self.rows_left),
            bytes: self.bytes_first.saturating_sub(self.bytes_left),
            changes: None,
        }
    }

    /// Counts a row in spite of the limits. Whatever the reply at hand sends behind it is only counted.
    pub(super) const fn lift(&mut self, size: u64) {
        let Tally { rows, bytes, .. } = self.tally();
        self.rows_first = u64::MAX;
        self.bytes_first = u64::MAX;
        self.rows_left = u64::MAX.saturating_sub(rows.saturating_add(1));
        self.bytes_left = u64::MAX.saturating_sub(bytes.saturating_add(size));
    }

    /// A row of so many bytes. Inlined, since it is most of what the relay does with a large reply.
    #[inline]
    pub(super) fn row(&mut self, size: u64) -> Result<(), Excess> {
        match (self.rows_left.checked_sub(1), self.bytes_left.checked_sub(size)) {
            (Some(rows), Some(bytes)) => {
                self.rows_left = rows;
                self.bytes_left = bytes;
                Ok(())
            }
            (None, _) => Err(self.too_many()),
            (_, None) => Err(Excess::Bytes(self.tally().rows)),
        }
    }

    const fn too_many(&self) -> Excess {
        match self.counts {
            Counts::Sent => Excess::Rows,
            Counts::Changed(rows) => Excess::Changes(rows.get()),
        }
    }

    /// A piece of a COPY to the client.
    pub(super) fn piece(&mut self, size: u64) -> Result<(), Excess> {
        if self.full.copy == Streams::Counted { self.row(size) } else { Ok(()) }
    }

    /// A statement changed so many rows.
    pub(super) const fn changed(&self, rows: u64) -> Result<(), Excess> {
        if rows > self.changes_max { Err(Excess::Changes(rows)) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn meter(rows: u64, bytes: u64) -> Meter {
        let mut meter = Meter::default();
        let allowance = Allowance { rows, bytes, copy: Streams::Counted };
        meter.set(&Watch { allowance, changes_max: 5, ..Watch::default() });
        meter.begin();
        meter
    }

    #[test]
    fn the_row_that_is_one_too_many_is_the_first_that_fails() {
        let mut meter = meter(2, 1000);
        assert_eq!([meter.row(1), meter.row(1), meter.row(1)], [Ok(()), Ok(()), Err(Excess::Rows)]);
        meter.begin();
        assert_eq!(meter.row(1), Ok(()));
    }

    #[test]
    fn bytes_are_counted_before_they_are_sent() {
        let mut meter = meter(10, 100);
        assert_eq!([meter.row(60), meter.row(40), meter.row(1)], [Ok(()), Ok(()), Err(Excess::Bytes(2))]);
        meter.lift(1);
        assert_eq!(meter.piece(1 << 40), Ok(()));
        assert_eq!(meter.tally(), Tally { rows: 4, bytes: 101 + (1 << 40), changes: None });
        meter.begin();
        assert_eq!(meter.tally(), Tally::default());
    }

    #[test]
    fn rows_that_were_changed_count_from_portion_to_portion() {
        let mut meter = meter(100, 1000);
        let allowance = Allowance { rows: 100, bytes: 1000, copy: Streams::Counted };
        meter.set(&Watch { allowance, changes_max: 5, returned: Some(3), ..Watch::default() });
        meter.begin();
        // What comes next does not change what the reply at hand may send.
        meter.set(&Watch { allowance, changes_max: 5, ..Watch::default() });
        assert_eq!([meter.row(1), meter.row(1), meter.row(1)], [Ok(()), Ok(()), Err(Excess::Changes(6))]);
        meter.begin();
        assert!((0..100).all(|_| meter.row(1).is_ok()));
        assert_eq!(meter.row(1), Err(Excess::Rows));
    }

    #[test]
    fn as_many_changes_as_allowed_are_allowed() {
        assert_eq!([meter(1, 1).changed(5), meter(1, 1).changed(6)], [Ok(()), Err(Excess::Changes(6))]);
    }
}

//! Counts what one reply sends: two subtractions for each row.

use crate::session::watch::{Allowance, Excess, Streams, Watch};

/// What the reply at hand may still send, and what the next one may.
#[derive(Debug)]
pub(super) struct Meter {
    rows_left: u64,
    bytes_left: u64,
    full: Allowance,
    changes_max: u64,
}

impl Default for Meter {
    fn default() -> Self {
        let Allowance { rows, bytes, .. } = Allowance::UNLIMITED;
        Self { rows_left: rows, bytes_left: bytes, full: Allowance::UNLIMITED, changes_max: u64::MAX }
    }
}

impl Meter {
    /// The limits that hold from the next reply on.
    pub(super) const fn set(&mut self, watch: &Watch) {
        self.full = watch.allowance;
        self.changes_max = watch.changes_max;
    }

    /// A reply begins.
    pub(super) const fn begin(&mut self) {
        self.rows_left = self.full.rows;
        self.bytes_left = self.full.bytes;
    }

    /// Whatever the reply at hand still sends does not count.
    pub(super) const fn ignore(&mut self) {
        self.rows_left = u64::MAX;
        self.bytes_left = u64::MAX;
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
            (None, _) => Err(Excess::Rows),
            (_, None) => Err(Excess::Bytes(self.full.rows.saturating_sub(self.rows_left))),
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
        meter.ignore();
        assert_eq!(meter.piece(u64::MAX), Ok(()));
    }

    #[test]
    fn as_many_changes_as_allowed_are_allowed() {
        assert_eq!([meter(1, 1).changed(5), meter(1, 1).changed(6)], [Ok(()), Err(Excess::Changes(6))]);
    }
}

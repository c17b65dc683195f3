//! The values of a Bind as rules see them, and those that take too long to be read on a worker.
//!
//! What a value says of a statement takes a look at its first bytes, but for an array that is written as text: its elements are
//! counted one by one, in up to as many bytes as a rule wants to see. Such a count is left to an
//! [`analyst`](crate::session::reader::analyst).

use std::rc::Rc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;

use super::Judge;
use super::text::Case;
use crate::guard::Fetch;
use crate::roster::Entry;
use crate::session::overseer::{Extent, Opinion};
use crate::session::reader::analyst::{Counted, LongValues, Pending};
use crate::session::reader::values::for_sql;
use crate::session::reader::{READ_HERE_MAX, Text};
use crate::sql::values::{Wanted, bytes_to_read};
use crate::telemetry::TextLent;
use crate::wire;

/// A statement that gets its values.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bound<'a> {
    /// Name of the portal.
    pub(super) portal: &'a [u8],
    pub(super) text: &'a Rc<Text>,
    /// The Bind that its values are in.
    pub(super) frame: Extent,
}

/// The same while its values are not known, because they take long to read.
#[derive(Debug)]
pub(super) struct Unbound {
    portal: Box<[u8]>,
    text: Rc<Text>,
    frame: Extent,
}

/// Values that an analyst reads.
pub(super) struct Uncounted {
    counting: Pending<Counted>,
    of: Unbound,
    _lent: TextLent,
}

impl Unbound {
    pub(super) fn of(bound: Bound<'_>) -> Self {
        Self { portal: bound.portal.into(), text: Rc::clone(bound.text), frame: bound.frame }
    }
}

impl Judge {
    /// Takes the values that [`Opinion::Lend`] asked for.
    pub(super) fn lend_values(&mut self, of: Unbound, bytes: Bytes) {
        let lent = self.local.metrics.text_lent(bytes.len() as u64);
        let wanted = of.text.reading.wanted().into();
        let counting = self.local.reader.borrow().count(LongValues { bytes, wanted });
        self.uncounted = Some(Box::new(Uncounted { counting, of, _lent: lent }));
    }

    /// The opinion of a Bind whose values had to be read elsewhere; `None` where there is no such Bind.
    pub(super) fn poll_bound(&mut self, cx: &mut Context<'_>, who: &Entry) -> Poll<Option<Opinion>> {
        let Some(uncounted) = &mut self.uncounted else { return Poll::Ready(None) };
        let counted = ready!(uncounted.counting.as_mut().poll(cx));
        let Some(uncounted) = self.uncounted.take() else { return Poll::Ready(None) };
        self.refresh(who);
        let Unbound { portal, text, frame } = uncounted.of;
        let Ok(Counted { values, found, spent }) = counted else {
            self.portals.forget(&portal);
            return Poll::Ready(Some(self.unreadable(Case::prepared(Fetch::Later))));
        };
        if self.local.reader.borrow().spent(spent) {
            self.log_slow(&text, spent, who);
        }
        let bound = Bound { portal: &portal, text: &text, frame };
        Poll::Ready(Some(self.bound(bound, Some((values, found)), who)))
    }
}

/// Would reading them keep the worker from its other sessions? What is at hand of a short frame is never looked at for that.
pub(super) fn is_long(wanted: &[Wanted], (values, frame): (wire::Values<'_>, Extent)) -> bool {
    frame.held > READ_HERE_MAX as u64 && bytes_to_read(wanted, for_sql(values)) > READ_HERE_MAX
}

#[cfg(test)]
#[path = "values_tests.rs"]
mod tests;

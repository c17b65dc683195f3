//! A walk over input, frame after frame, and what it leaves behind.

use bytes::{Bytes, BytesMut};

use super::{HELD_FREE, LENT_BYTES};

/// One direction of a session.
#[derive(Debug, Default)]
pub(super) struct Lane {
    /// Read and not decided on: at most an incomplete frame, or what follows one that has to wait.
    pub(super) held: BytesMut,
    /// Bytes of the frame at the front of `held` that must be at hand before it can be decided on.
    pub(super) wanted: usize,
    /// What was in `held`, while somebody else reads it.
    pub(super) judged: Option<Box<Bytes>>,
    /// Decided on and not yet written.
    pub(super) unsent: BytesMut,
    /// What is left of a frame that streams through.
    pub(super) passing: u64,
    /// What is left of a frame that goes nowhere.
    pub(super) dropping: u64,
}

impl Lane {
    /// Bytes that need room in the common budget, with those that are still to come.
    pub(super) fn kept(&self) -> usize {
        let large = |bytes: &BytesMut| if bytes.len() > HELD_FREE { bytes.capacity() } else { 0 };
        let wanted = if self.wanted > HELD_FREE { self.wanted.saturating_add(LENT_BYTES) } else { 0 };
        large(&self.held)
            .max(wanted)
            .saturating_add(large(&self.unsent))
            .saturating_add(self.judged.as_ref().map_or(0, |judged| judged.len()))
    }

    /// Is something large held that was not decided on?
    pub(super) fn holds_much(&self) -> bool {
        self.wanted > HELD_FREE || self.held.len() > HELD_FREE || self.judged.is_some()
    }

    /// Makes room for the frame that is wanted, once and for all of it: a buffer that grows would be twice as large in the end.
    pub(super) fn make_room(&mut self) {
        let room = self.wanted.saturating_add(LENT_BYTES);
        if self.wanted > HELD_FREE && self.held.capacity() < room {
            let mut exact = BytesMut::with_capacity(room);
            exact.extend_from_slice(&self.held);
            self.held = exact;
        }
    }

    /// Takes back what somebody else has read: without a copy, since whoever read it has let it go.
    pub(super) fn reclaim(&mut self) {
        if let Some(judged) = self.judged.take() {
            self.held = judged.try_into_mut().unwrap_or_else(|shared| BytesMut::from(&shared[..]));
        }
    }
}

/// A walk over input: what lies between `from` and `at` passes and has not been copied anywhere.
pub(super) struct Walk<'i> {
    input: &'i [u8],
    from: usize,
    at: usize,
}

/// What a walk leaves behind: bytes to be sent and bytes to be kept. What is kept follows what is sent.
pub(super) struct Walked<'i> {
    /// Bytes in front of what is sent that went elsewhere, or nowhere.
    pub(super) before: usize,
    pub(super) send: &'i [u8],
    pub(super) hold: &'i [u8],
}

impl<'i> Walk<'i> {
    pub(super) const fn new(input: &'i [u8]) -> Self {
        Self { input, from: 0, at: 0 }
    }

    pub(super) fn rest(&self) -> &'i [u8] {
        self.input.get(self.at..).unwrap_or_default()
    }

    /// Moves over what is left of the current frame.
    pub(super) fn stream(&mut self, lane: &mut Lane) {
        self.at += take(&mut lane.passing, self.rest().len());
        if lane.dropping > 0 {
            // Callers have flushed what passes before a frame is dropped, or the input begins with the dropped rest.
            self.at += take(&mut lane.dropping, self.rest().len());
            self.from = self.at;
        }
    }

    /// Is a frame of this size at hand as a whole?
    pub(super) fn holds(&self, size: u64) -> bool {
        self.rest().len() as u64 >= size
    }

    /// Moves over a frame that is at hand and passes.
    pub(super) fn pass(&mut self, mut size: u64) {
        self.at += take(&mut size, self.rest().len());
    }

    /// Leaves out bytes at hand, in whose place others went. What came before was flushed.
    pub(super) fn leave_out(&mut self, count: usize) {
        self.at = self.at.saturating_add(count).min(self.input.len());
        self.from = self.at;
    }

    /// Copies what passes so far, so that other bytes can follow it.
    pub(super) fn flush(&mut self, unsent: &mut BytesMut) {
        unsent.extend_from_slice(self.input.get(self.from..self.at).unwrap_or_default());
        self.from = self.at;
    }

    /// Ends the walk. Where bytes wait already, what passes joins them.
    pub(super) fn end(mut self, unsent: &mut BytesMut) -> Walked<'i> {
        if !unsent.is_empty() {
            self.flush(unsent);
        }
        Walked { hold: self.rest(), ..self.end_here() }
    }

    /// Ends the walk for good: nothing after this frame is looked at.
    pub(super) fn end_here(self) -> Walked<'i> {
        let send = self.input.get(self.from..self.at).unwrap_or_default();
        Walked { before: self.from, send, hold: &[] }
    }
}

fn take(left: &mut u64, available: usize) -> usize {
    let taken = usize::try_from(*left).unwrap_or(usize::MAX).min(available);
    *left -= taken as u64;
    taken
}

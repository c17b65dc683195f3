//! What a client has sent since its last sync point: one Query, or a pipeline up to its Sync.

use crate::guard::plan::Effect;
use crate::session::watch::{Hold, Watch};

/// The group that the client's next message belongs to, and how far the server is with it.
///
/// A group with a hold begins only when the server owes nothing of an earlier one, and nothing is sent behind it before the server
/// is through, so that what the server completes is this group's.
#[derive(Debug, Default)]
pub(super) struct Group {
    hold: Hold,
    effect: Effect,
    span: Span,
    /// Portals that the client has had run. Nobody sends four billion before a Sync.
    sent: u32,
    /// `sent` when the server was last asked to flush.
    flushed: u32,
    progress: Progress,
    heard: Heard,
}

/// Whether the client has been told anything of what the server has done; descriptions are none of that.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Heard {
    #[default]
    Nothing,
    Something,
}

/// Whether the group has its sync point.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Span {
    Open,
    #[default]
    Closed,
}

/// What the server has done of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Progress {
    /// So many statements.
    Done(u32),
    /// It failed, so the rest of it is skipped.
    Failed,
}

impl Default for Progress {
    fn default() -> Self {
        Self::Done(0)
    }
}

impl Group {
    /// A Query goes to the server: a group of its own, or the end of the pipeline before it.
    pub(super) fn query(&mut self, watch: &Watch) {
        self.take(watch);
        self.close();
    }

    /// A portal is run.
    pub(super) fn execute(&mut self, watch: &Watch) {
        self.take(watch);
        self.sent = self.sent.saturating_add(1);
    }

    /// The sync point goes to the server.
    pub(super) const fn close(&mut self) {
        self.span = Span::Closed;
    }

    /// A row, a completion or an error goes to the client.
    pub(super) const fn hears(&mut self) {
        self.heard = Heard::Something;
    }

    /// True where none has gone to the client.
    pub(super) fn is_unheard(&self) -> bool {
        self.heard == Heard::Nothing
    }

    /// The server completed a statement.
    pub(super) const fn completed(&mut self) {
        if let Progress::Done(count) = self.progress {
            self.progress = Progress::Done(count.saturating_add(1));
        }
    }

    /// The server raised an error.
    pub(super) const fn failed(&mut self) {
        self.progress = Progress::Failed;
    }

    /// The server is through with a group.
    pub(super) const fn boundary(&mut self) {
        self.progress = Progress::Done(0);
    }

    /// The server is through with all of it that was sent, though its sync point was not: nothing waits for that any more.
    pub(super) const fn answered(&mut self) {
        self.progress = Progress::Done(self.sent);
        self.hold = Hold::Nothing;
    }

    /// The server is asked to flush. False where it was, and nothing was run since.
    pub(super) const fn flush(&mut self) -> bool {
        let news = self.flushed != self.sent;
        self.flushed = self.sent;
        news
    }

    /// The server read its Sync as data of a COPY, and must be asked once more.
    pub(super) const fn overlooked(&mut self) {
        self.flushed = 0;
    }

    /// What has to wait for replies of this group.
    pub(super) const fn hold(&self) -> Hold {
        self.hold
    }

    /// May what is run next be taken back alone: did the group neither fail, nor touch the transaction that it runs in?
    pub(super) fn is_sound(&self) -> bool {
        !self.is_open() || (self.effect <= Effect::Writes && self.progress != Progress::Failed)
    }

    /// The worst of its effects.
    pub(super) const fn effect(&self) -> Effect {
        self.effect
    }

    /// True where its sync point has not been sent.
    pub(super) fn is_open(&self) -> bool {
        self.span == Span::Open
    }

    /// True where nothing of it was run.
    pub(super) const fn is_untried(&self) -> bool {
        self.sent == 0
    }

    /// True where nothing that was run is due.
    pub(super) const fn is_answered(&self) -> bool {
        match self.progress {
            Progress::Done(count) => count >= self.sent,
            Progress::Failed => true,
        }
    }

    /// True where it is open, and replies are due on which something depends.
    pub(super) fn is_undecided(&self) -> bool {
        self.hold >= Hold::Cut && self.is_due()
    }

    /// True where it is open, and replies are due.
    pub(super) fn is_due(&self) -> bool {
        self.is_open() && !self.is_answered()
    }

    fn take(&mut self, watch: &Watch) {
        if self.span == Span::Closed {
            *self = Self { span: Span::Open, progress: self.progress, heard: self.heard, ..Self::default() };
        }
        self.hold = self.hold.max(watch.hold);
        self.effect = self.effect.max(watch.effect);
    }
}

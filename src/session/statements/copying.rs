//! COPY FROM in a pipeline: what was asked behind it is read as COPY traffic, up to the end of the data, which may be on its way before
//! the server asks for them. Source: `CopyGetData` (`copyfromparse.c`).

use super::entry::{Entry, Wants, Whose};
use super::plan::{Mode, Plan};
use super::replies::Reply;

impl Plan {
    /// The end of COPY data is on its way: of one that flows, or of one that may begin yet.
    pub(super) fn copy_ends(&mut self) {
        if self.mode == Mode::Copying {
            self.mode = Mode::Asking;
        } else if !self.queue.is_empty() {
            self.queue.push_back(Entry::new(Wants::CopyEnd, Whose::Given));
        }
    }

    /// COPY FROM begins: the server ignores the Syncs up to the end of the data.
    pub(super) fn copies(&mut self) -> Reply {
        while let Some(wants) = self.queue.get(1).map(|entry| entry.wants) {
            match wants {
                Wants::Ready => self.queue.remove(1),
                Wants::CopyEnd => {
                    self.queue.remove(1);
                    return Reply::Pass;
                }
                _ => break,
            };
        }
        self.mode = Mode::Copying;
        Reply::Pass
    }
}

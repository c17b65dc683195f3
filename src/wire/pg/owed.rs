//! What a server owes while a conversation is busy: the steps that end in ReadyForQuery, and how sure their count is.

use super::code::client;
use super::steps::{Step, Steps};
use crate::wire::{Tail, Transaction};

/// What is owed while busy.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Owed {
    /// Transaction state at the last ReadyForQuery.
    pub transaction: Transaction,
    pub(super) steps: Steps,
    pipeline: Pipeline,
    /// Syncs that came between COPY data: swallowed, unless an error ends the COPY before them.
    pub(super) doubtful: u32,
    /// COPY data came before the server asked for it.
    eager: bool,
    pub(super) track: Track,
}

/// Whether extended-protocol messages wait for their Sync.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Pipeline {
    #[default]
    Closed,
    Open,
}

/// Whether the count of what is owed is exact.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Track {
    #[default]
    Sure,
    /// A Query stands in an open pipeline: the server skips it if the pipeline fails.
    Mixed,
    /// Nobody can tell any more what was skipped or swallowed, so the conversation counts as busy for good.
    Lost,
}

impl Owed {
    /// Nothing yet, where the last ReadyForQuery told this.
    pub(super) fn nothing(transaction: Transaction) -> Self {
        Self { transaction, ..Self::default() }
    }

    /// Notes a message of the client; true where it leaves something open.
    pub(super) fn client(&mut self, code: u8) -> bool {
        match code {
            client::QUERY => self.push(Step::Query),
            client::FUNCTION_CALL => self.push(Step::Call),
            client::SYNC => {
                self.steps.push(Step::Sync);
                self.pipeline = Pipeline::Closed;
            }
            client::PARSE | client::BIND | client::DESCRIBE | client::EXECUTE | client::CLOSE => {
                self.pipeline = Pipeline::Open;
            }
            client::COPY_DONE | client::COPY_FAIL => {
                if self.is_settled() {
                    return false;
                }
                self.steps.push(Step::CopyEnd);
            }
            client::COPY_DATA => {
                self.eager = !self.is_settled();
                return self.eager;
            }
            _ => return !self.is_settled(),
        }
        true
    }

    fn push(&mut self, step: Step) {
        if self.pipeline == Pipeline::Open && self.track == Track::Sure {
            self.track = Track::Mixed;
        }
        self.steps.push(step);
    }

    /// A ReadyForQuery came: the oldest step that ends in one is done.
    pub(super) fn settle(&mut self) {
        while let Some(step) = self.steps.pop() {
            if step != Step::CopyEnd {
                break;
            }
        }
        // What is left has been read by the server, unless a statement before it may still begin a COPY.
        if self.pipeline == Pipeline::Closed && self.steps.boundaries() == 0 {
            self.steps = Steps::default();
        }
    }

    /// COPY IN begins: what the client had sent after its statement is read as COPY traffic, up to the end of the data.
    /// True where that end was already sent.
    pub(super) fn swallow(&mut self) -> bool {
        let head = match self.steps.front() {
            Some(Step::Query) => self.steps.pop(),
            _ => None,
        };
        let ended = self.drop_syncs();
        if let Some(head) = head {
            let mut steps = Steps::default();
            steps.push(head);
            while let Some(step) = self.steps.pop() {
                steps.push(step);
            }
            self.steps = steps;
        } else if !ended {
            // The Sync that would have closed the pipeline is gone: only the next one does.
            self.pipeline = Pipeline::Open;
        }
        ended
    }

    fn drop_syncs(&mut self) -> bool {
        while let Some(step) = self.steps.front() {
            match step {
                Step::Sync => {
                    self.steps.pop();
                    self.doubtful = self.doubtful.saturating_add(u32::from(self.eager));
                }
                Step::CopyEnd => {
                    self.steps.pop();
                    return true;
                }
                Step::Query | Step::Call => return false,
            }
        }
        false
    }

    /// While COPY data flows, data and Sync change nothing and anything else ends it: done, failed, or not allowed. What is
    /// not allowed is owed for all that, since the server may have ended the COPY by an error that is still on its way.
    pub(super) fn ends_copy(&mut self, code: u8) -> bool {
        match code {
            client::SYNC => {
                self.doubtful = self.doubtful.saturating_add(1);
                return false;
            }
            client::COPY_DATA | client::FLUSH | client::TERMINATE => return false,
            client::COPY_DONE | client::COPY_FAIL => {}
            _ => {
                self.failed();
                self.client(code);
            }
        }
        true
    }

    /// An error: from here to Sync the server skips what it has not read.
    pub(super) fn failed(&mut self) {
        if self.doubtful > 0 || self.track == Track::Mixed {
            self.track = Track::Lost;
        }
    }

    pub(super) fn tail(&self) -> Tail {
        if self.track == Track::Lost {
            return Tail::Lost;
        }
        match (self.steps.boundaries(), self.pipeline) {
            (0, _) => Tail::Open,
            (1, Pipeline::Closed) => Tail::Closed,
            _ => Tail::Buried,
        }
    }

    pub(super) fn is_settled(&self) -> bool {
        self.steps.is_empty() && self.pipeline == Pipeline::Closed && self.track != Track::Lost
    }
}

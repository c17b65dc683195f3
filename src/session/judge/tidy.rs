//! What the statement at hand may leave behind in a server that is lent.

use std::rc::Rc;

use super::Judge;
use super::text::Case;
use crate::config::UnknownTables;
use crate::guard::Whole;
use crate::session::overseer::Leaves;
use crate::session::reader::Text;
use crate::sql::facts::Traces;
use crate::wire::Request;

/// The books of a session whose servers are lent.
#[derive(Debug, Clone, Default)]
pub(super) struct Tidy {
    pub(super) unknown: UnknownTables,
    /// What the text at hand leaves, in all ways in which it was read; `None`: it was not read.
    leaves: Option<Leaves>,
}

impl Judge {
    /// The session's servers are lent: what its statements leave behind matters.
    pub fn tidies(&mut self) {
        let unknown = self.house.settings.load().listener.pool.unknown_tables;
        self.tidy = Some(Tidy { unknown, leaves: None });
    }

    /// What a request that goes to the server now may leave there.
    pub fn leaves(&mut self, request: Request<'_>) -> Leaves {
        let Some(tidy) = &self.tidy else { return Leaves::Nothing };
        match request {
            Request::Run { .. } | Request::Bind { .. } => tidy.leaves.clone().unwrap_or(Leaves::Unread),
            Request::Call { .. } => Leaves::Unread,
            _ => Leaves::Nothing,
        }
    }

    /// Another text comes.
    pub(super) fn forget_traces(&mut self) {
        if let Some(tidy) = &mut self.tidy {
            tidy.leaves = None;
        }
    }

    /// It may be one of several texts: what one of them leaves, nobody knows whether it does.
    pub(super) fn blur_traces(&mut self) {
        if let Some(Tidy { leaves: Some(leaves), .. }) = &mut self.tidy
            && !matches!(leaves, Leaves::Nothing)
        {
            *leaves = Leaves::Unread;
        }
    }

    /// The text at hand was read in one of the ways in which it may be.
    pub(super) fn note_traces(&mut self, text: &Rc<Text>, case: Case) {
        let Some(Tidy { unknown, leaves }) = &mut self.tidy else { return };
        let traces = match case.whole {
            Whole::Whole => text.traces(self.schema.as_ref().unwrap_or(&self.local.no_tables), *unknown),
            _ => Traces::UNKNOWN,
        };
        *leaves = Some(match leaves.take() {
            None | Some(Leaves::Nothing) if traces.is_none() => Leaves::Nothing,
            None | Some(Leaves::Nothing) => Leaves::Traces(Rc::clone(text), traces),
            // Read in two ways that differ: whatever they leave.
            Some(Leaves::Traces(..) | Leaves::Unread) => Leaves::Unread,
        });
    }
}

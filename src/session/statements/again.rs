//! A statement whose result has another shape than its prepared plan: `cached plan must not change result type` (0A000).
//!
//! A table was altered since the server prepared it. The server says so at Bind, before anything has run, so the group can be asked
//! again with the statement prepared anew. That is right only where the client is told the new shape, by a Describe of the portal in
//! the same group, as libpq asks always, or expects none, having prepared an unnamed statement a moment ago that was not
//! ([`repeated`](super::repeated)); and outside of a transaction, which the error would have ended. Everybody else gets the error.
//!
//! The group is copied for that, where it is likely to be needed and short; the copy goes with BindComplete.

use std::rc::Rc;

use bytes::BytesMut;

use super::entry::{Entry, Undo, Wants, Whose};
use super::plan::{Parts, Plan};
use super::shared::Statement;
use crate::wire::pg::own;
use crate::wire::pg::rename::Asked;

/// Groups with longer messages are not copied.
pub const AGAIN_MAX: usize = 8 * 1024;

/// What a client may know of a statement's result by an earlier Describe.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Knows {
    /// Its shape, which must be told again.
    Shape,
    /// Nothing that must still hold.
    Nothing,
}

/// A copy of a group: Bind, Describe of the portal, Execute, Sync.
#[derive(Debug)]
pub struct Again {
    statement: Rc<Statement>,
    knows: Knows,
    bytes: BytesMut,
    part: Part,
}

/// The last message of the group that came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    Bind,
    Describe,
    Execute,
    Sync,
}

impl Again {
    /// A group begins with a Bind of this statement; `begin` and `rest` are the message as it goes to the server.
    pub fn new(statement: &Rc<Statement>, knows: Knows, begin: &[u8], rest: &[u8]) -> Self {
        let mut bytes = BytesMut::with_capacity(begin.len().saturating_add(rest.len()).saturating_add(TAIL));
        bytes.extend_from_slice(begin);
        bytes.extend_from_slice(rest);
        Self { statement: Rc::clone(statement), knows, bytes, part: Part::Bind }
    }

    /// The group goes on with a whole message. False where it is none that can be asked again.
    #[must_use]
    pub fn takes(&mut self, asked: Asked<'_>, frame: &[u8]) -> bool {
        self.part = match (self.part, asked) {
            (Part::Bind, Asked::DescribePortal) => Part::Describe,
            (Part::Describe, Asked::Execute) => Part::Execute,
            (Part::Bind, Asked::Execute) if self.knows == Knows::Nothing => Part::Execute,
            (Part::Execute, Asked::Sync) => Part::Sync,
            _ => return false,
        };
        self.bytes.extend_from_slice(frame);
        self.bytes.len() <= AGAIN_MAX
    }

    /// The statement.
    pub fn statement(&self) -> &Statement {
        &self.statement
    }

    /// Is the group complete?
    pub fn is_whole(&self) -> bool {
        self.part == Part::Sync
    }

    /// What asks it again, with the statement prepared anew.
    pub fn into_bytes(self) -> BytesMut {
        let mut out = BytesMut::new();
        own::close(&self.statement.name, &mut out);
        own::parse(&self.statement.name, self.statement.body(), &mut out);
        out.unsplit(self.bytes);
        out
    }
}

impl Plan {
    /// The server failed on the Bind of a whole group, for a reason that preparing its statement anew may end. True where the group
    /// is to be asked again, and nothing was asked behind it: then the error is ours. [`Again`] has the messages.
    pub fn asks_again(&mut self, statement: &Statement, parts: &mut Parts<'_>) -> bool {
        let described = [Wants::Bind, Wants::Described, Wants::Executed, Wants::Ready];
        // Whether it may be asked so, the copy knows.
        let plain = [Wants::Bind, Wants::Executed, Wants::Ready];
        let is = |group: &[Wants]| self.queue.iter().map(|entry| &entry.wants).eq(group);
        if !is(&described) && !is(&plain) {
            return false;
        }
        parts.shared.note_changed(statement.number);
        let ours = |wants, undo| Entry::new(wants, Whose::Ours).undoing(undo);
        self.queue.push_front(ours(Wants::Parse, Undo::Learnt(statement.number)));
        self.queue.push_front(ours(Wants::Close, Undo::Nothing));
        // Of the Sync behind the group that failed.
        self.queue.push_front(ours(Wants::Ready, Undo::Nothing));
        true
    }
}

/// What stands behind a Bind, mostly.
const TAIL: usize = 24;

#[cfg(test)]
mod tests {
    use super::super::{Context, Shared};
    use super::*;

    #[test]
    fn only_a_short_group_of_one_statement_that_is_described_can_be_asked_again() {
        let statement = Shared::default().statement(Context::default(), b"SELECT * FROM t\0\0\0").unwrap();
        let group = [Asked::DescribePortal, Asked::Execute, Asked::Sync];
        let mut whole = Again::new(&statement, Knows::Shape, b"begin ", b"rest ");
        for asked in group {
            assert!(!whole.is_whole());
            assert!(whole.takes(asked, b"m"));
        }
        assert!(whole.is_whole() && !whole.takes(Asked::Sync, b"m"));
        assert!(whole.into_bytes().ends_with(b"SELECT * FROM t\0\0\0begin rest mmm"));
        for (at, other) in [(0, Asked::Execute), (0, Asked::Silent), (1, Asked::Sync), (2, Asked::Execute)] {
            let mut again = Again::new(&statement, Knows::Shape, b"begin ", b"rest ");
            assert!(group.iter().take(at).all(|&asked| again.takes(asked, b"m")));
            assert!(!again.takes(other, b"m"), "{other:?} at {at}");
        }
        let mut unnamed = Again::new(&statement, Knows::Nothing, b"begin ", b"rest ");
        assert!(
            [Asked::Execute, Asked::Sync].into_iter().all(|asked| unnamed.takes(asked, b"m")) && unnamed.is_whole()
        );
        assert!(!Again::new(&statement, Knows::Shape, &[0; AGAIN_MAX], b"").takes(Asked::DescribePortal, b"m"));
    }
}

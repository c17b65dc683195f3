//! The replies of a pipeline: whose each is, and what its books say when a step is done, or came to nothing.

use std::rc::Rc;

use bytes::BytesMut;

use super::entry::{Entry, Miss, Undo, Wants, Whose};
use super::plan::{Bound, Mode, Parts, Plan};
use super::touched::Touched;
use crate::wire::Transaction;
use crate::wire::pg::own::{self, Answered};
use crate::wire::pg::reply;

/// What becomes of a server's message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reply {
    /// It goes to the client.
    Pass,
    /// It is ours.
    Drop,
    /// No step waits for it: nobody knows whose replies are whose any more. Close the server.
    OutOfStep,
}

impl Plan {
    /// True where a message of the server passes and changes nothing here.
    #[inline]
    pub fn passes(&self, code: u8) -> bool {
        match own::answered(code) {
            Answered::Between => true,
            Answered::Described => self.queue.front().is_some_and(|entry| entry.wants == Wants::All),
            _ => false,
        }
    }

    /// A message of the server comes, of which `frame` is at hand: CommandComplete and ErrorResponse whole.
    pub fn server(&mut self, code: u8, frame: &[u8], parts: &mut Parts<'_>, client: &mut BytesMut) -> Reply {
        let answered = own::answered(code);
        self.objects(answered, frame, parts);
        let reply = match (self.queue.front().map(|entry| entry.wants), answered) {
            (_, Answered::Between) => return Reply::Pass,
            (_, Answered::CopyIn) => self.copies(),
            (Some(Wants::All | Wants::Ready), Answered::Ready) => {
                // A COPY of a simple query may have ended in an error.
                self.mode = if self.mode == Mode::Copying { Mode::Asking } else { self.mode };
                self.is_ready(reply::status(frame).unwrap_or_default())
            }
            (Some(Wants::All | Wants::Executed), Answered::Executed) if own::forgets_all(frame) => {
                self.forget_all(parts);
                self.executed()
            }
            (Some(Wants::Executed), Answered::Executed)
            | (Some(Wants::Parse), Answered::Parse)
            | (Some(Wants::Close), Answered::Close) => self.done(parts),
            (Some(Wants::Columns), Answered::Described) => {
                self.answered();
                if own::returns_rows(code) { Reply::Pass } else { Reply::Drop }
            }
            // Within a simple query, anything; and an error at Sync, which commits.
            (Some(Wants::All), _) | (Some(Wants::Ready) | None, Answered::Failed) => Reply::Pass,
            (Some(_), Answered::Failed) => self.failed(frame, parts),
            (Some(Wants::Bind), Answered::Bind) | (Some(Wants::Described), Answered::Described) => self.answered(),
            _ => Reply::OutOfStep,
        };
        self.give(parts, client);
        // An idle client keeps no room for its next pipeline.
        if self.queue.is_empty() {
            parts.shared.keep(std::mem::take(&mut self.queue));
        }
        reply
    }

    /// Objects have changed: for the client at once, for others when its transaction is over; or they are back as they were.
    fn objects(&mut self, answered: Answered, frame: &[u8], parts: &Parts<'_>) {
        let is_news = match answered {
            Answered::Executed => self.touched.completes(own::objects(frame), parts.context),
            Answered::Ready if self.touched != Touched::Nothing => {
                self.touched.is_ready(reply::status(frame).unwrap_or_default())
            }
            _ => false,
        };
        if is_news {
            parts.shared.objects_changed();
        }
    }

    /// The server has done a step that may change what it has.
    fn done(&mut self, parts: &mut Parts<'_>) -> Reply {
        self.queue.front().iter().for_each(|step| step.ends(&mut parts.known.learning));
        self.answered()
    }

    /// The oldest step has its reply.
    fn answered(&mut self) -> Reply {
        let Some(entry) = self.queue.pop_front() else { return Reply::OutOfStep };
        if entry.wants == Wants::Bind {
            self.bound = entry.uses.map_or(Bound::Own, Bound::Shared);
        }
        match entry.whose {
            Whose::Client | Whose::Given => Reply::Pass,
            Whose::Ours => Reply::Drop,
            // What failed ahead of it is what it needs.
            Whose::Told => Reply::OutOfStep,
        }
    }

    /// The server is ready. Outside of a transaction nothing that was bound is there any more.
    fn is_ready(&mut self, transaction: Transaction) -> Reply {
        self.transaction = transaction;
        if transaction == Transaction::None {
            self.bound = Bound::Nothing;
        }
        self.answered()
    }

    /// A command is complete: the oldest step, or one of several in a simple query.
    fn executed(&mut self) -> Reply {
        match self.queue.front().map(|entry| entry.wants) {
            Some(Wants::Executed) => self.answered(),
            _ => Reply::Pass,
        }
    }

    /// The client has discarded its statements, and the server's with them; what it prepares behind that stays.
    fn forget_all(&self, parts: &mut Parts<'_>) {
        parts.known.clear();
        parts.names.clear();
        for entry in &self.queue {
            match &entry.undo {
                // What was there a moment ago finds room.
                Undo::Named(name, statement, _) => drop(parts.names.insert(name, Rc::clone(statement))),
                // Behind that it has given up what it had prepared behind that.
                Undo::Closed(name, _) => drop(parts.names.remove(name)),
                // It made room behind that for what was prepared behind that.
                Undo::Evicted(number) => parts.known.remove(*number),
                _ => {}
            }
            if let Some(number) = entry.learns() {
                parts.known.add(number);
            }
        }
    }

    /// The server failed on the oldest step and skips all up to Sync.
    fn failed(&mut self, frame: &[u8], parts: &mut Parts<'_>) -> Reply {
        let boundary = self.queue.iter().position(|entry| entry.wants == Wants::Ready);
        let skipped = boundary.unwrap_or(self.queue.len());
        let told = self.queue.front().is_some_and(|failed| failed.whose == Whose::Told);
        if let Some(failed) = self.queue.front().filter(|_| !told) {
            note(frame, failed.wants, self.uses(failed), parts);
        }
        let lost: Vec<Entry> = self.queue.drain(..skipped).collect();
        for (at, entry) in lost.into_iter().enumerate().rev() {
            entry.undo(if at == 0 { Miss::Failed } else { Miss::Skipped }, &mut self.queue, parts);
        }
        self.mode = if boundary.is_some() { Mode::Asking } else { Mode::Skipping };
        self.told_ahead();
        if told { Reply::Drop } else { Reply::Pass }
    }

    /// The shared statement that a step uses at the server.
    fn uses(&self, step: &Entry) -> Option<u64> {
        match self.bound {
            Bound::Shared(number) if step.wants == Wants::Executed => Some(number),
            Bound::Nothing | Bound::Own | Bound::Shared(_) => step.uses,
        }
    }

    /// A group of ours has failed: what it went ahead of fails as well, of which the client has just been told.
    fn told_ahead(&mut self) {
        let is_ours = self.queue.front().is_some_and(|end| (end.wants, end.whose) == (Wants::Ready, Whose::Ours));
        if is_ours && let Some(next) = self.queue.get_mut(1) {
            next.whose = Whose::Told;
        }
    }

    /// Writes the replies that are due from us.
    #[inline]
    pub(super) fn give(&mut self, parts: &mut Parts<'_>, out: &mut BytesMut) {
        if self.owes_first() {
            self.give_first(parts, out);
        }
    }

    /// Is the oldest reply that is due one from us?
    #[inline]
    fn owes_first(&self) -> bool {
        self.queue.front().is_some_and(|entry| entry.whose == Whose::Given)
    }

    fn give_first(&mut self, parts: &mut Parts<'_>, out: &mut BytesMut) {
        while self.owes_first() {
            self.queue.front().iter().for_each(|step| step.ends(&mut parts.known.learning));
            match self.queue.pop_front().map(|entry| entry.wants) {
                Some(Wants::Close) => own::close_complete(out),
                Some(Wants::CopyEnd) => {}
                _ => own::parse_complete(out),
            }
        }
    }
}

/// What an error says of a shared statement at the server: `cached plan must not change result type` (0A000) is gone once it is
/// prepared anew; one whose text means something else by now, or nothing (class 42 before it is executed), goes on to fail for those who have
/// it, as at a server of their own, and may work for who prepares it again; one that does not exist (26000) was deallocated by somebody's
/// function, unless it is an EXECUTE of another one that does not: so it is closed before it is prepared again.
fn note(frame: &[u8], step: Wants, used: Option<u64>, parts: &mut Parts<'_>) {
    let Some(number) = used else { return };
    match &reply::failure(frame).sqlstate {
        b"0A000" => {
            parts.shared.note_changed(number);
            parts.shared.retire(number);
            parts.known.spoil(number);
        }
        [b'4', b'2', ..] if step != Wants::Executed => parts.shared.retire(number),
        b"26000" => parts.known.spoil(number),
        _ => {}
    }
}

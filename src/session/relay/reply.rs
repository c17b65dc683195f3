//! What a server's frames mean: rows and changes are counted, and the end of each group is told.

use tokio::io::{AsyncRead, AsyncWrite};

use super::Relay;
use super::group::Group;
use super::outcome::Fate;
use super::source::{Source, Whose};
use super::stage::Event;
use crate::session::end::End;
use crate::session::overseer::{Overseer, Owes};
use crate::session::watch::Tally;
use crate::wire::{Announcement, Completion, Failure, Head, Protocol, Reply, Severity, Tail, Transaction};

/// Class of SQLSTATE of a server that ends by an operator's hand, or since another of its processes crashed.
const INTERVENTION: [u8; 3] = *b"57P";

impl<P, C, S, O> Relay<P, C, S, O>
where
    P: Protocol,
    C: AsyncRead + AsyncWrite + Unpin,
    S: Source,
    O: Overseer,
{
    /// Notes what a server's frame means. What goes to the client in front of it, or in its place, stands in `words` then.
    pub(super) fn reply(&mut self, head: Head, frame: &[u8]) -> Result<Fate, End> {
        if S::LENT && self.whose(head, frame)? != Whose::Client {
            return Ok(Fate::Drop);
        }
        let reply = P::server(&mut self.phase, head, frame);
        if S::LENT
            && !matches!(reply, Reply::Aside | Reply::Notice | Reply::Setting(_) | Reply::Failed(_) | Reply::Other)
        {
            self.group.hears();
        }
        Ok(match reply {
            Reply::Row => return self.row(head, frame),
            Reply::Value => return self.value(head, frame),
            Reply::Piece => return self.piece(head, frame),
            Reply::Completed(completion) => return self.completed(completion, frame),
            Reply::Other => self.staged(Event::Other, frame),
            Reply::Copying => self.staged(Event::Copying, frame),
            Reply::Aside => Fate::Pass,
            Reply::Notice => {
                self.words.extend_from_slice(&self.stage.let_go());
                Fate::Pass
            }
            Reply::Setting(setting) => {
                self.overseer.setting(setting);
                Fate::Pass
            }
            Reply::Boundary(transaction) => self.reached(transaction, frame),
            Reply::Failed(failure) => return self.failed(failure, frame),
            Reply::Substitute(bytes) => {
                self.overseer.skips();
                self.group.failed();
                self.meter.begin();
                if self.staged(Event::Failed, frame) == Fate::Pass {
                    self.words.extend_from_slice(&bytes);
                }
                Fate::Drop
            }
        })
    }

    fn whose(&mut self, head: Head, frame: &[u8]) -> Result<Whose, End> {
        let before = self.answers.len();
        let whose = self.server.answers(head, frame, &mut self.answers).map_err(End::ServerMalformed)?;
        // Whoever is cut has its error, and reads nothing else of that group.
        if whose != Whose::Aside && self.discards() {
            self.answers.truncate(before);
        }
        if whose == Whose::Again {
            self.up.unsent.extend_from_slice(&self.server.take_again());
        }
        Ok(whose)
    }

    fn row(&mut self, head: Head, frame: &[u8]) -> Result<Fate, End> {
        if self.discards() {
            return Ok(Fate::Drop);
        }
        match self.meter.row(head.size) {
            Ok(()) => Ok(self.staged(Event::Other, frame)),
            Err(excess) => self.overflowed(excess, head.size, frame),
        }
    }

    /// Nothing follows it that says how many rows there were.
    fn value(&mut self, head: Head, frame: &[u8]) -> Result<Fate, End> {
        let fate = self.row(head, frame)?;
        if !self.discards() {
            self.overseer.tally(self.meter.tally());
        }
        self.group.completed();
        self.meter.begin();
        Ok(fate)
    }

    fn piece(&mut self, head: Head, frame: &[u8]) -> Result<Fate, End> {
        if self.discards() {
            return Ok(Fate::Drop);
        }
        match self.meter.piece(head.size) {
            Ok(()) => Ok(self.staged(Event::Other, frame)),
            Err(excess) => self.overflowed(excess, head.size, frame),
        }
    }

    fn completed(&mut self, completion: Completion, frame: &[u8]) -> Result<Fate, End> {
        let tally = self.meter.tally();
        self.group.completed();
        self.meter.begin();
        if self.discards() {
            return Ok(self.staged(Event::Completed, frame));
        }
        let Completion::Changed(rows) = completion else {
            self.overseer.tally(tally);
            return Ok(self.staged(Event::Completed, frame));
        };
        self.overseer.tally(Tally { changes: Some(rows), ..tally });
        match self.meter.changed(rows) {
            Ok(()) => Ok(self.staged(Event::Completed, frame)),
            Err(excess) => self.exceeded(excess, Event::Completed, frame),
        }
    }

    fn failed(&mut self, failure: Failure, frame: &[u8]) -> Result<Fate, End> {
        self.overseer.skips();
        let fatal = failure.fatal == Severity::Fatal;
        let shuts_down = fatal && failure.sqlstate.starts_with(&INTERVENTION);
        if shuts_down && self.is_expendable() {
            self.parted = true;
            self.overseer.failed(failure);
            return Err(End::ServerGone);
        }
        self.group.hears();
        self.group.failed();
        self.meter.begin();
        if fatal {
            self.parted = true;
        } else if self.staged(Event::Failed, frame) == Fate::Drop {
            return Ok(Fate::Drop);
        }
        self.overseer.failed(failure);
        let Some(refusal) = self.stopped(failure) else { return Ok(Fate::Pass) };
        P::announce(Announcement::Error(&refusal), &mut self.words);
        Ok(Fate::Drop)
    }

    /// The server is through with a group.
    fn reached(&mut self, transaction: Transaction, frame: &[u8]) -> Fate {
        self.group.boundary();
        self.meter.begin();
        let fate = self.staged(Event::Boundary(transaction), frame);
        if fate == Fate::Pass {
            self.boundary(transaction);
        }
        fate
    }

    /// The client is told so.
    pub(super) fn boundary(&mut self, transaction: Transaction) {
        if P::tail(&self.phase) == Tail::Idle {
            self.group = Group::default();
        }
        let owes = if P::ready(&self.phase) { Owes::Nothing } else { Owes::More };
        self.overseer.boundary(transaction, owes);
    }
}

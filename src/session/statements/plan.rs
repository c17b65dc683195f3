//! The books of a pipeline: what a client asked, what the server was asked, and whose each reply is.
//!
//! ```text
//! client:  Parse a (known)   Bind a           Execute    Close a    Sync
//! server:  -                 [Parse] Bind     Execute    -          Sync
//! replies: 1 from us         [1 dropped] 2    …C         3 from us  Z
//! ```
//!
//! Replies come in the order of what was asked, so each step of the queue waits for its own; those that we give go out when all before
//! them are through. On an error the server skips to Sync: every step up to there is taken back.

use std::collections::VecDeque;
use std::rc::Rc;

use super::again::Knows;
use super::context::Context;
use super::entry::{Entry, Undo, Wants, Whose};
use super::known::Known;
use super::names::{Bounds, Names, Refused};
use super::preparing::{self, Place};
use super::shared::{NOWHERE, Shared, is_ours};
use super::touched::Touched;
use super::unnamed::Doubt;
use crate::wire::Outgoing;
use crate::wire::Transaction;
use crate::wire::pg::rename::Asked;

/// Steps that may wait for replies: with so many, read no more of the client until some came.
pub const STEPS_MAX: usize = 10_000;

/// Whose books a step changes.
#[derive(Debug)]
pub struct Parts<'a> {
    /// The statements of the worker.
    pub shared: &'a mut Shared,
    /// Those of the client.
    pub names: &'a mut Names,
    /// Those of the server that it has.
    pub known: &'a mut Known,
    /// What the client may keep.
    pub bounds: Bounds,
    /// What texts are read under by client and server.
    pub context: Context<'a>,
}

/// What becomes of a client's message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Passing {
    /// It goes to the server as it is.
    AsIs,
    /// It goes under this name for its statement: [`renamed`](crate::wire::pg::rename::renamed).
    As(Rc<[u8]>),
    /// It does not go to the server.
    Withheld,
    /// What it means depends on what was asked before it: the server is told to flush, and it is asked again once all is answered,
    /// [`Plan::owes`].
    Later,
}

/// The steps of a client's pipeline that wait for replies.
#[derive(Debug, Default)]
pub struct Plan {
    pub(super) queue: VecDeque<Entry>,
    pub(super) mode: Mode,
    pub(super) bound: Bound,
    /// The client's unnamed statement is a repeated one that it has prepared since its last Sync.
    pub(super) repeated: bool,
    /// As the last ReadyForQuery told it.
    pub(super) transaction: Transaction,
    pub(super) touched: Touched,
}

/// What was bound last since the client was outside of a transaction and between groups.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Bound {
    #[default]
    Nothing,
    /// What nobody shares.
    Own,
    /// This shared statement.
    Shared(u64),
}

/// What the server makes of a client's messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Mode {
    /// Each is answered in its turn.
    #[default]
    Asking,
    /// After an error: the server skips to the next Sync, which has not come yet.
    Skipping,
    /// Data of a COPY flow to the server, which ignores Sync among them.
    Copying,
}

impl Plan {
    /// True where no reply is owed: only then may the server go to another client.
    pub fn is_settled(&self) -> bool {
        self.queue.is_empty() && self.mode == Mode::Asking
    }

    /// True where a Sync was the last that was asked and is not answered yet: the server says that it is ready, whatever happens.
    pub fn ends_with_sync(&self) -> bool {
        self.queue.back().is_some_and(|last| last.wants == Wants::Ready) && self.mode == Mode::Asking
    }

    /// True where the server owes an answer that it gives as soon as it can, once it was told to flush.
    pub fn owes(&self) -> bool {
        self.mode == Mode::Asking && !self.queue.is_empty()
    }

    /// True where the server owes the answer to a group that has ended.
    pub(super) fn owes_groups(&self) -> bool {
        self.mode == Mode::Asking && self.queue.iter().any(Entry::ends_group)
    }

    /// True where a Bind that has just come is the first of its group, outside of a transaction, and its statement is not new to the server.
    pub fn begins_with_bind(&self) -> bool {
        let mut steps = self.queue.iter();
        let first = steps.next().is_some_and(|first| first.wants == Wants::Bind);
        first && steps.next().is_none() && self.transaction == Transaction::None
    }

    /// What the client knows of the statement that it binds by this name.
    pub fn knows(&self, name: &[u8]) -> Knows {
        if name.is_empty() && self.repeated { Knows::Nothing } else { Knows::Shape }
    }

    /// True where the client may ask more before replies come.
    pub fn has_room(&self) -> bool {
        self.queue.len() < STEPS_MAX
    }

    /// A message of our own, or one that takes the place of a refused one, goes to the server.
    pub fn replaced(&mut self, asked: Asked<'_>) {
        // What the server skips has no reply.
        if self.mode == Mode::Skipping && asked != Asked::Sync {
            return;
        }
        match asked {
            Asked::CopyEnd => self.copy_ends(),
            Asked::Sync => {
                self.sync();
            }
            _ => self.queue.extend(Wants::of(asked).map(|wants| Entry::new(wants, Whose::Client))),
        }
    }

    /// A client's message that is part of a pipeline goes to the server as it came, and changes no book but this one. False: ask
    /// [`Plan::client`].
    pub fn takes(&mut self, asked: Asked<'_>) -> bool {
        let is_of_portal = matches!(asked, Asked::DescribePortal | Asked::ClosePortal | Asked::Execute);
        let goes_on = self.mode == Mode::Asking && !self.queue.is_empty();
        let Some(wants) = Wants::of(asked).filter(|_| is_of_portal && goes_on) else { return false };
        self.pass(wants);
        true
    }

    /// A client's message comes.
    ///
    /// # Errors
    /// It must be refused: in the way of a pipeline, see [`Plan::replaced`].
    pub fn client(
        &mut self,
        asked: Asked<'_>,
        parts: &mut Parts<'_>,
        caused: &mut Outgoing<'_>,
    ) -> Result<Passing, Refused> {
        if self.mode == Mode::Skipping && !matches!(asked, Asked::Sync | Asked::Silent) {
            return Ok(Passing::Withheld);
        }
        if self.queue.capacity() == 0 {
            self.queue = parts.shared.queue();
        }
        if self.may_end(asked, parts) {
            return Ok(Passing::Later);
        }
        let passing = match asked {
            Asked::Parse { name: b"", body } => self.parse_unnamed(body, parts, caused),
            Asked::Parse { name, body } => self.parse(name, body.ok_or(Refused::TooLong)?, parts, caused)?,
            Asked::Bind { statement } | Asked::Describe { statement } if self.may_be_taken_back(statement, parts) => {
                Passing::Later
            }
            Asked::Close { statement } if self.may_turn_out(statement, parts) => Passing::Later,
            Asked::Bind { statement } => self.on(Wants::Bind, statement, parts, caused),
            Asked::Describe { statement } => self.on(Wants::Described, statement, parts, caused),
            Asked::Close { statement } => self.close(statement, parts),
            Asked::DescribePortal => self.pass(Wants::Described),
            Asked::ClosePortal => self.pass(Wants::Close),
            Asked::Execute => self.pass(Wants::Executed),
            Asked::Sync => {
                parts.known.ends_group();
                self.sync()
            }
            Asked::Query => {
                parts.known.ends_group();
                self.query(parts)
            }
            Asked::Call => self.pass(Wants::All),
            Asked::CopyEnd => {
                self.copy_ends();
                Passing::AsIs
            }
            Asked::Silent => Passing::AsIs,
        };
        self.give(parts, caused.client);
        Ok(passing)
    }

    /// A message goes to the server as it came.
    pub(super) fn pass(&mut self, wants: Wants) -> Passing {
        self.queue.push_back(Entry::new(wants, Whose::Client));
        Passing::AsIs
    }

    fn sync(&mut self) -> Passing {
        self.repeated = false;
        match self.mode {
            Mode::Copying => return Passing::AsIs,
            Mode::Asking | Mode::Skipping => self.mode = Mode::Asking,
        }
        self.pass(Wants::Ready)
    }

    fn parse(
        &mut self,
        name: &[u8],
        body: &[u8],
        parts: &mut Parts<'_>,
        caused: &mut Outgoing<'_>,
    ) -> Result<Passing, Refused> {
        if self.may_turn_out(name, parts) {
            return Ok(Passing::Later);
        }
        parts.names.admits(name, body, parts.bounds)?;
        parts.context = parts.context.of_text(body);
        let statement = parts.shared.statement(parts.context, body).ok_or(Refused::NoRoom)?;
        if !parts.names.insert(name, Rc::clone(&statement)) {
            return Err(Refused::NoRoom);
        }
        let undo = |learnt| Undo::Named(name.into(), Rc::clone(&statement), learnt);
        Ok(self.learns(&statement, undo, parts, caused))
    }

    /// Bind or Describe: the server must have the statement.
    fn on(&mut self, wants: Wants, name: &[u8], parts: &mut Parts<'_>, caused: &mut Outgoing<'_>) -> Passing {
        let Some(mut statement) = parts.names.find(name).map(Rc::clone) else {
            if name.is_empty() {
                return self.on_unnamed(wants, parts, caused);
            }
            self.pass(wants);
            // Prepared by SQL, or not at all; but never a statement of ours that others have prepared.
            return if is_ours(name) { nowhere() } else { Passing::AsIs };
        };
        let waits = name.is_empty() && self.unnamed_doubt() == Some(Doubt::Client);
        if waits || statement.runs().is_some_and(|runs| self.may_turn_out(&runs.name, parts)) {
            return Passing::Later;
        }
        let is_there = parts.known.uses(statement.number);
        let in_doubt = is_there && self.doubts(name, &statement, parts);
        if !is_there || in_doubt {
            // Neither the same text from elsewhere nor a Parse of ours must make up for one of its own that failed.
            if self.is_given_in_doubt(name, parts) {
                return Passing::Later;
            }
            parts.context = parts.context.of_text(statement.body());
            if !is_there && statement.runs().is_none() {
                statement = preparing::anew(name, statement, parts);
            }
            match self.place(&statement, parts) {
                Place::Nowhere => return Passing::Later,
                Place::Apart => self.ensure_apart(name, &statement, parts, caused),
                Place::InGroup => self.ensure(name, &statement, parts, caused),
            }
        }
        if !self.has_what_runs(&statement, parts, caused) {
            self.pass(wants);
            return nowhere();
        }
        self.queue.push_back(Entry::new(wants, Whose::Client).using(statement.number));
        Passing::As(Rc::clone(&statement.name))
    }

    /// What a client closes stays at the server for others.
    fn close(&mut self, name: &[u8], parts: &mut Parts<'_>) -> Passing {
        if name.is_empty() {
            let undo = parts.ends_unnamed();
            self.queue.push_back(Entry::new(Wants::Close, Whose::Client).undoing(undo));
            return Passing::AsIs;
        }
        let undo = match parts.names.remove(name) {
            Some(statement) => {
                parts.known.learning.names(name);
                Undo::Closed(name.into(), statement)
            }
            // Prepared by SQL, maybe: closing what is not there is no error.
            None if !is_ours(name) => return self.pass(Wants::Close),
            None => Undo::Nothing,
        };
        self.queue.push_back(Entry::new(Wants::Close, Whose::Given).undoing(undo));
        Passing::Withheld
    }

    /// A message of ours goes to the server, which changes this in its books.
    pub(super) fn ours(&mut self, wants: Wants, undo: Undo) {
        self.queue.push_back(Entry::new(wants, Whose::Ours).undoing(undo));
    }

    /// A simple query ends the unnamed statement.
    pub(super) fn query(&mut self, parts: &mut Parts<'_>) -> Passing {
        let undo = parts.ends_unnamed();
        self.queue.push_back(Entry::new(Wants::All, Whose::Client).undoing(undo));
        Passing::AsIs
    }
}

/// The message goes to the server for a statement that nobody can have: it says that there is none.
pub(super) fn nowhere() -> Passing {
    Passing::As(NOWHERE.into())
}

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

use bytes::BytesMut;

use super::again::Knows;
use super::context::Context;
use super::entry::{Entry, Learnt, Miss, Undo, Wants, Whose};
use super::known::Known;
use super::learning::By;
use super::literals::Differing;
use super::names::{Bounds, Names, Refused};
use super::shared::{self, NOWHERE, PREFIX, Shared, Statement};
use super::unnamed::Unnamed;
use crate::wire::Outgoing;
use crate::wire::Transaction;
use crate::wire::pg::own::{self, Answered, Objects};
use crate::wire::pg::rename::Asked;
use crate::wire::pg::reply;

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

impl<'a> Parts<'a> {
    /// What the server at hand would read the text of a statement under: what it reports is set for that to what it was.
    pub(super) fn context_of<'c>(&self, statement: &'c Statement) -> Context<'c>
    where
        'a: 'c,
    {
        match statement.reported() {
            Some(reported) if !self.context.is_unsettled() => Context { reported, ..self.context },
            _ => self.context,
        }
    }
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
}

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

/// The steps of a client's pipeline that wait for replies.
#[derive(Debug, Default)]
pub struct Plan {
    pub(super) queue: VecDeque<Entry>,
    pub(super) mode: Mode,
    /// The shared statement that was bound last.
    bound: Option<u64>,
    /// The client's unnamed statement is a repeated one that it has prepared since its last Sync.
    pub(super) repeated: bool,
    /// As the last ReadyForQuery told it.
    transaction: Transaction,
    touched: Touched,
}

/// What a transaction has done to tables, types and functions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Touched {
    #[default]
    Nothing,
    /// It made some: they are gone where that is taken back.
    Made,
    /// It changed some, which others see when it ends.
    Changed,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Mode {
    #[default]
    Asking,
    /// After an error: the server skips to the next Sync, which has not come yet.
    Skipping,
    /// Data of a COPY flow to the server, which ignores Sync among them.
    Copying,
}

impl Plan {
    /// As the last ReadyForQuery told it.
    pub(super) const fn transaction(&self) -> Transaction {
        self.transaction
    }

    /// True where no reply is owed: only then may the server go to another client.
    pub fn is_settled(&self) -> bool {
        self.queue.is_empty() && self.mode == Mode::Asking
    }

    /// True where a Sync was the last that was asked and is not answered yet: the server says that it is ready, whatever happens.
    pub fn ends_with_sync(&self) -> bool {
        self.queue.back().is_some_and(|last| last.wants == Wants::Ready) && self.mode == Mode::Asking
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

    /// The server failed on the Bind of a whole group, for a reason that preparing its statement anew may end. True where the group
    /// is to be asked again, and nothing was asked behind it: then the error is ours. [`Again`](super::Again) has the messages.
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
        let wants = match asked {
            Asked::Parse { .. } => Wants::Parse,
            Asked::Bind { .. } => Wants::Bind,
            Asked::Execute => Wants::Executed,
            Asked::Close { .. } | Asked::ClosePortal => Wants::Close,
            Asked::Describe { .. } | Asked::DescribePortal => Wants::Described,
            Asked::Query | Asked::Call => Wants::All,
            Asked::CopyEnd => return self.copy_ends(),
            Asked::Silent => return,
            Asked::Sync => {
                self.sync();
                return;
            }
        };
        self.queue.push_back(Entry::new(wants, Whose::Client));
    }

    /// A client's message comes.
    ///
    /// # Errors
    /// It must be refused: in the way of a pipeline, see [`Plan::replaced`].
    pub fn client(
        &mut self,
        asked: Asked<'_>,
        parts: &mut Parts<'_>,
        caused: &mut Outgoing,
    ) -> Result<Passing, Refused> {
        if self.mode == Mode::Skipping && !matches!(asked, Asked::Sync | Asked::Silent) {
            return Ok(Passing::Withheld);
        }
        if self.queue.capacity() == 0 {
            self.queue = parts.shared.queue();
        }
        let passing = match asked {
            Asked::Parse { name: b"", body } => self.parse_unnamed(body, parts, caused),
            Asked::Parse { name, body } => self.parse(name, body.ok_or(Refused::TooLong)?, parts, caused)?,
            Asked::Bind { statement } => self.on(Wants::Bind, statement, parts, caused),
            Asked::Describe { statement } => self.on(Wants::Described, statement, parts, caused),
            Asked::Close { statement } => self.close(statement, parts),
            Asked::DescribePortal => self.pass(Wants::Described),
            Asked::ClosePortal => self.pass(Wants::Close),
            Asked::Execute => self.pass(Wants::Executed),
            Asked::Sync => {
                parts.known.learning.ends_group();
                self.sync()
            }
            Asked::Query => {
                parts.known.learning.ends_group();
                self.query(parts)
            }
            Asked::Call => self.pass(Wants::All),
            Asked::CopyEnd => {
                self.copy_ends();
                Passing::AsIs
            }
            Asked::Silent => Passing::AsIs,
        };
        self.give(&mut caused.client);
        Ok(passing)
    }

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
        caused: &mut Outgoing,
    ) -> Result<Passing, Refused> {
        parts.names.admits(name, body, parts.bounds)?;
        let statement = parts.shared.statement(parts.context, body).ok_or(Refused::NoRoom)?;
        if !parts.names.insert(name, Rc::clone(&statement)) {
            return Err(Refused::NoRoom);
        }
        let undo = |learnt| Undo::Named(name.into(), Rc::clone(&statement), learnt);
        Ok(self.learns(&statement, undo, parts, caused))
    }

    /// A client prepares a shared statement: the server has it, or learns it by the client's own Parse, under its name there.
    pub(super) fn learns(
        &mut self,
        statement: &Statement,
        undo: impl FnOnce(Option<Learnt>) -> Undo,
        parts: &mut Parts<'_>,
        caused: &mut Outgoing,
    ) -> Passing {
        // In a transaction that has failed the server says what it says to any text but the end of that.
        let fails = self.transaction == Transaction::Failed;
        let in_doubt = fails || parts.known.learning.is_in_doubt_at_all(statement.number);
        if parts.known.uses(statement.number) && !in_doubt {
            self.queue.push_back(Entry::new(Wants::Parse, Whose::Given).undoing(undo(None)));
            return Passing::Withheld;
        }
        if in_doubt {
            self.gives_up(statement, caused);
        }
        self.make_room(parts, caused);
        let undo = undo(Some(Learnt));
        let by = if let Undo::Named(..) = undo { By::Name } else { By::Us };
        parts.known.prepares(statement.number, by);
        self.queue.push_back(Entry::new(Wants::Parse, Whose::Client).undoing(undo));
        Passing::As(Rc::clone(&statement.name))
    }

    /// Bind or Describe: the server must have the statement.
    fn on(&mut self, wants: Wants, name: &[u8], parts: &mut Parts<'_>, caused: &mut Outgoing) -> Passing {
        let Some(mut statement) = parts.names.find(name).map(Rc::clone) else {
            if name.is_empty() {
                return self.on_unnamed(wants, parts, caused);
            }
            self.pass(wants);
            // Prepared by SQL, or not at all; but never a statement of ours that others have prepared.
            return if name.starts_with(PREFIX.as_bytes()) { nowhere() } else { Passing::AsIs };
        };
        let is_there = parts.known.uses(statement.number);
        if !is_there && statement.runs().is_none() {
            statement = anew(name, statement, parts);
        }
        if !is_there || parts.known.learning.is_in_doubt(statement.number) {
            self.ensure(&statement, parts, caused);
        }
        if !self.has_what_runs(&statement, parts, caused) {
            self.pass(wants);
            return nowhere();
        }
        self.queue.push_back(Entry::new(wants, Whose::Client).using(statement.number));
        Passing::As(Rc::clone(&statement.name))
    }

    pub(super) fn ensure(&mut self, statement: &Rc<Statement>, parts: &mut Parts<'_>, caused: &mut Outgoing) {
        if self.lacks(statement, parts, caused) {
            self.make_room(parts, caused);
            self.teaches(statement, parts, caused);
        }
    }

    /// True where the server is to learn it.
    pub(super) fn lacks(&mut self, statement: &Statement, parts: &mut Parts<'_>, caused: &mut Outgoing) -> bool {
        let in_doubt = parts.known.learning.is_in_doubt(statement.number);
        if in_doubt {
            self.gives_up(statement, caused);
        }
        in_doubt || !parts.known.uses(statement.number)
    }

    /// The server learns it from us.
    pub(super) fn teaches(&mut self, statement: &Statement, parts: &mut Parts<'_>, caused: &mut Outgoing) {
        parts.known.prepares(statement.number, By::Us);
        let then = statement.reported().filter(|_| !parts.context.is_unsettled());
        let differing = then.and_then(|then| Differing::of(then, parts.context.reported));
        differing.iter().for_each(|differing| self.sets(differing, &mut caused.server));
        own::parse(&statement.name, statement.body(), &mut caused.server);
        let undo = Undo::Learnt(statement.number);
        self.queue.push_back(Entry::new(Wants::Parse, Whose::Ours).undoing(undo));
        differing.iter().for_each(|differing| self.sets_back(differing, &mut caused.server));
    }

    /// A statement that may be there or not is closed before it is prepared again.
    fn gives_up(&mut self, statement: &Statement, caused: &mut Outgoing) {
        own::close(&statement.name, &mut caused.server);
        let undo = Undo::Evicted(statement.number);
        self.queue.push_back(Entry::new(Wants::Close, Whose::Ours).undoing(undo));
    }

    fn make_room(&mut self, parts: &mut Parts<'_>, caused: &mut Outgoing) {
        while let Some(number) = parts.known.closing() {
            own::close(&shared::name(number), &mut caused.server);
            self.queue.push_back(Entry::new(Wants::Close, Whose::Ours).undoing(Undo::Evicted(number)));
        }
    }

    /// What a client closes stays at the server for others.
    fn close(&mut self, name: &[u8], parts: &mut Parts<'_>) -> Passing {
        if name.is_empty() {
            let client = std::mem::take(&mut parts.names.unnamed);
            let undo = Undo::Unnamed(client, parts.known.unnamed.take());
            self.queue.push_back(Entry::new(Wants::Close, Whose::Client).undoing(undo));
            return Passing::AsIs;
        }
        let undo = match parts.names.remove(name) {
            Some(statement) => Undo::Closed(name.into(), statement),
            // Prepared by SQL, maybe: closing what is not there is no error.
            None if !name.starts_with(PREFIX.as_bytes()) => return self.pass(Wants::Close),
            None => Undo::Nothing,
        };
        self.queue.push_back(Entry::new(Wants::Close, Whose::Given).undoing(undo));
        Passing::Withheld
    }

    /// A simple query ends the unnamed statement.
    pub(super) fn query(&mut self, parts: &mut Parts<'_>) -> Passing {
        let undo = Undo::Unnamed(std::mem::take(&mut parts.names.unnamed), parts.known.unnamed.take());
        self.queue.push_back(Entry::new(Wants::All, Whose::Client).undoing(undo));
        Passing::AsIs
    }

    /// True where a message of the server passes and changes nothing here.
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
                self.transaction = reply::status(frame).unwrap_or_default();
                self.answered()
            }
            (Some(Wants::All | Wants::Executed), Answered::Executed) if own::forgets_all(frame) => {
                self.forget_all(parts);
                self.executed()
            }
            (Some(Wants::Executed), Answered::Executed) => self.answered(),
            (Some(Wants::Columns), Answered::Described) => {
                self.answered();
                if own::returns_rows(code) { Reply::Pass } else { Reply::Drop }
            }
            // Within a simple query, anything; and an error at Sync, which commits.
            (Some(Wants::All), _) | (Some(Wants::Ready) | None, Answered::Failed) => Reply::Pass,
            (Some(_), Answered::Failed) => self.failed(frame, parts),
            (Some(Wants::Parse), Answered::Parse) => self.learnt(parts),
            (Some(Wants::Bind), Answered::Bind)
            | (Some(Wants::Close), Answered::Close)
            | (Some(Wants::Described), Answered::Described) => self.answered(),
            _ => Reply::OutOfStep,
        };
        self.give(client);
        // An idle client keeps no room for its next pipeline.
        if self.queue.is_empty() {
            parts.shared.keep(std::mem::take(&mut self.queue));
        }
        reply
    }

    /// Objects have changed: for the client at once, for others when its transaction is over; or they are back as they were.
    fn objects(&mut self, answered: Answered, frame: &[u8], parts: &Parts<'_>) {
        let is_news = match answered {
            Answered::Executed => self.touch(frame, parts),
            Answered::Ready if self.touched != Touched::Nothing => {
                let is_over = reply::status(frame).unwrap_or_default() == Transaction::None;
                is_over && std::mem::take(&mut self.touched) == Touched::Changed
            }
            _ => false,
        };
        if is_news {
            parts.shared.objects_changed();
        }
    }

    /// A command is complete. True where texts may mean something else from now on.
    fn touch(&mut self, frame: &[u8], parts: &Parts<'_>) -> bool {
        match own::objects(frame) {
            Some(Objects::TakenBack) => self.touched != Touched::Nothing,
            Some(Objects::Changed) if !parts.context.is_private() => {
                self.touched = Touched::Changed;
                true
            }
            Some(Objects::Made) if !parts.context.is_private() && self.touched == Touched::Nothing => {
                self.touched = Touched::Made;
                false
            }
            _ => false,
        }
    }

    fn learnt(&mut self, parts: &mut Parts<'_>) -> Reply {
        let number = self.queue.front().and_then(Entry::learns);
        number.iter().for_each(|&number| parts.known.learning.ends(number));
        self.answered()
    }

    fn answered(&mut self) -> Reply {
        let Some(entry) = self.queue.pop_front() else { return Reply::OutOfStep };
        if entry.wants == Wants::Bind {
            self.bound = entry.uses;
        }
        if entry.whose == Whose::Ours { Reply::Drop } else { Reply::Pass }
    }

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
                Undo::Named(name, statement, learnt) => {
                    // What was there a moment ago finds room.
                    parts.names.insert(name, Rc::clone(statement));
                    learnt.iter().for_each(|_| parts.known.add(statement.number));
                }
                Undo::Learnt(number) | Undo::Repeated(_, Some(number)) => parts.known.add(*number),
                Undo::Repeated(_, None) | Undo::Nothing | Undo::Closed(..) | Undo::Evicted(_) | Undo::Unnamed(..) => {}
            }
        }
    }

    /// The server failed on the oldest step and skips all up to Sync.
    fn failed(&mut self, frame: &[u8], parts: &mut Parts<'_>) -> Reply {
        let boundary = self.queue.iter().position(|entry| entry.wants == Wants::Ready);
        let skipped = boundary.unwrap_or(self.queue.len());
        if let Some(failed) = self.queue.front() {
            let used = if failed.wants == Wants::Executed { self.bound } else { failed.uses };
            note(frame, failed.wants, used, parts);
        }
        let lost: Vec<Entry> = self.queue.drain(..skipped).collect();
        for (at, entry) in lost.into_iter().enumerate().rev() {
            entry.undo(if at == 0 { Miss::Failed } else { Miss::Skipped }, &mut self.queue, parts);
        }
        self.mode = if boundary.is_some() { Mode::Asking } else { Mode::Skipping };
        Reply::Pass
    }

    /// Writes the replies that are due from us.
    fn give(&mut self, out: &mut BytesMut) {
        while self.queue.front().is_some_and(|entry| entry.whose == Whose::Given) {
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

/// The statement of a name that a server is to learn: it will read the text under its settings of now, but for those that make values of
/// literals. Where these are not those that the client prepared it under, it is another one, which the name stands for from now on; nobody
/// else must get it for theirs.
fn anew(name: &[u8], statement: Rc<Statement>, parts: &mut Parts<'_>) -> Rc<Statement> {
    let context = parts.context_of(&statement);
    if statement.is_under(context) && !context.is_unsettled() {
        return statement;
    }
    let Some(other) = parts.shared.statement(context, statement.body()) else { return statement };
    if name.is_empty() {
        parts.names.unnamed = Unnamed::Repeated(Rc::clone(&other));
        return other;
    }
    if parts.names.insert(name, Rc::clone(&other)) {
        return other;
    }
    // What was there a moment ago finds room.
    parts.names.insert(name, Rc::clone(&statement));
    statement
}

pub(super) fn nowhere() -> Passing {
    Passing::As(NOWHERE.into())
}
